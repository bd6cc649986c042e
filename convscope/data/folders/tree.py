"""What data of image files hold: parts, classes, files; whatever told them apart."""

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DataError
from ...language.counts import some
from ..names import natural, shown
from ..pictures.cache import File
from ..pictures.formats import FORMAT_NAMES
from .parts import images_text
from .walk import Listing

Classes = dict[str, list[File]]


@dataclass
class Tree:
    """What data of image files hold: part ("train", "val", "test") → class name → its files, below ``root``.

    Parts and classes are in their order of use (classes in natural order: "2" before "10"); ``split`` says whether
    the data bring their own, else all is "train"; ``places`` says what each part is called there, for messages;
    ``notes`` are sentences that the user should see. ``source`` is what the user named.
    """

    root: Path
    source: Path
    split: bool = False
    parts: dict[str, Classes] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def natural_order(classes: Classes) -> Classes:
    """The same classes, "2" before "10"."""
    return {name: classes[name] for name in sorted(classes, key=natural)}


def no_images(listing: Listing) -> DataError:
    """There is nothing to read, and what lies there instead is said."""
    names = [shown(name) for name in listing.folders[""]]
    where = f" in its folders {some(names, 5)}" if names else ""
    said = listing.passed.notes(listing.root)
    return DataError(f"{listing.root} holds no images{where}", "; ".join((f"images are {FORMAT_NAMES} files", *said)))


def unlabelled(listing: Listing, folder: str, why: str) -> str:
    """What to say of a test or validation set without labels."""
    count = images_text(listing.counts[folder])
    path = shown(str(listing.root / folder if listing.root.is_dir() else listing.root))
    return (
        f"{shown(folder)}/ holds {count} {why}, so without labels: nothing is tested on them "
        f"(for their classes: convscope predict RUN {path})"
    )
