"""A card of a data set: how many images of which classes it has, and what some of them look like.

Image files are counted and not decoded, but for the few that are shown, so that the card of a large folder comes at
once; ``convscope check`` looks at every pixel.
"""

import base64
import io
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...data.folders.tree import Tree
from ...data.folders.walk import RUN, ending
from ...data.images import Dataset
from ...data.names import natural
from ...data.pictures.decode import read_image
from ...data.pictures.formats import SUFFIXES
from ...data.pictures.source import sources
from ...data.preparation import Preparation
from ...data.readers.fetch import FILES, PUBLISHED, find_idx, is_at_hand
from ...data.sources import NAMES, data_name, files_of, locate, open_source, require_classes
from ...errors import ConvscopeError, DataError, UsageError
from ...storage.places import search_dirs
from ..places import allowed

SAMPLES = 8  # pictures of a card, of as many classes
SIDE = 48  # pixels of one
TRIES = 3  # files of a class, until one can be read
MOST_CARDS = 12  # of what lies at hand
MOST_PEEKED = 2000  # entries of a folder that are looked at before it has a card
DEEPEST = 3  # folders within folders, there
MOST_ENTRIES = 300_000  # in data that are counted for a card
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """A picture as a data: address, and its class."""

    picture: str
    label: str


@dataclass(frozen=True)
class Card:
    """``data`` as ``convscope train`` takes them; ``images`` counts by part and class. ``there`` is False for a
    published data set that is not on this machine yet: then nothing is known but its classes. ``notes`` are what
    training would say; ``shape`` is (C, H, W) where all images are known to have one. ``problem`` is why they cannot be
    trained on ("" where they can), ``help`` what to do.
    """

    data: str
    name: str
    there: bool
    classes: tuple[str, ...]
    images: dict[str, dict[str, int]]
    samples: tuple[Sample, ...] = ()
    shape: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""
    help: str = ""

    @classmethod
    def refused(cls, data: str, error: ConvscopeError) -> "Card":
        """The card of what cannot be trained on."""
        return cls(data, data, there=False, classes=(), images={}, problem=error.message, help=error.help)


def at_hand(offered: list[str]) -> list[str]:
    """The data that get a card: those known by name, those ``offered`` by the user, and what lies directly in the
    folder where the lab was started and in the data folders: folders of images or IDX files, and .npz files.
    """
    found = []
    for base in (Path.cwd(), *search_dirs(None)):
        with suppress(OSError):
            places = sorted(base.iterdir(), key=lambda place: natural(place.name))
            found += [place for place in places if place.name not in NAMES and _is_data(place)]
    named = []
    for place in found[:MOST_CARDS]:
        with suppress(UsageError):  # a link that leads out
            named.append(allowed(str(place), []))
    return list(dict.fromkeys([*NAMES, *offered, *named]))


def card(data: str) -> Card:
    """The card of ``data``, which the page may name. Raises DataError as training does, and for too much to count."""
    if data in PUBLISHED and not is_at_hand(data):
        return Card(data, data, there=False, classes=PUBLISHED[data].classes, images={})
    if data in NAMES:
        return _arrays(data, (0, 0))
    path = locate(data, None)
    if path.is_dir():
        _require_countable(path)
    found = files_of(data, None, None, True, None)
    if isinstance(found, Tree):
        return _tree(data, found)
    status = path.stat()
    return _arrays(data, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=8)
def _arrays(data: str, _: tuple[int, int]) -> Card:
    """The card of images that are read whole; it is kept while their file stays the same."""
    return _dataset(data, open_source(data, offline=True))


def _dataset(data: str, opened: Dataset) -> Card:
    sets = {part: images for part in PARTS if (images := getattr(opened, part)) is not None}
    classes = opened.classes
    counts = {part: np.bincount(images.labels, minlength=len(classes)).tolist() for part, images in sets.items()}
    labels = opened.train.labels
    firsts = [int(np.flatnonzero(labels == c)[0]) for c in range(len(classes))[:SAMPLES]]
    return Card(
        data=data,
        name=opened.name,
        there=True,
        classes=classes,
        images={part: dict(zip(classes, count, strict=True)) for part, count in counts.items()},
        samples=tuple(_sample(opened.train.images[i], classes[labels[i]]) for i in firsts),
        shape=opened.train.shape,
        notes=opened.notes,
    )


def _tree(data: str, tree: Tree) -> Card:
    classes = tuple(dict.fromkeys(name for part in PARTS for name in tree.parts.get(part, {})))
    images = {
        part: {name: len(tree.parts[part].get(name, ())) for name in classes} for part in PARTS if part in tree.parts
    }
    require_classes(data_name(data), classes, [images["train"][name] for name in classes])
    firsts = [(name, [file.path for file in files[:TRIES]]) for name, files in tree.parts["train"].items()]
    samples = [_first(tree, name, paths) for name, paths in firsts[:SAMPLES]]
    return Card(
        data=data,
        name=data_name(data),
        there=True,
        classes=classes,
        images=images,
        samples=tuple(sample for sample in samples if sample is not None),
        notes=tree.notes,
    )


def _first(tree: Tree, name: str, paths: list[str]) -> Sample | None:
    """The first picture of a class that can be read."""
    for source in sources(tree.root, paths):
        with suppress(DataError):
            return _sample(read_image(source, Preparation((3, SIDE, SIDE))), name)
    return None


def _sample(pixels: NDArray[np.uint8], label: str) -> Sample:
    """uint8 (C, H, W) as a small picture."""
    image = Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "PNG")
    return Sample(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}", label)


def _is_data(place: Path) -> bool:
    """Whether it is an .npz file, or a folder with IDX files or with images in two of its folders, at a first look."""
    if place.name.startswith(".") or not place.name.isprintable():
        return False
    if place.is_file():
        return place.suffix.lower() == ".npz"
    return place.is_dir() and (find_idx([place], FILES[0]) is not None or _holds_classes(place))


def _holds_classes(root: Path) -> bool:
    holding: set[Path] = set()
    waiting, seen = [(root, 0)], 0
    while waiting and seen < MOST_PEEKED and len(holding) < 2:
        folder, depth = waiting.pop(0)
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if entry.name in RUN or seen > MOST_PEEKED:  # convscope's own runs are no data
                    break
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting += [(Path(entry), depth + 1)] if depth < DEEPEST else []
                elif depth and ending(entry.name) in SUFFIXES:
                    holding.add(folder)
                    break
    return len(holding) == 2


def _require_countable(root: Path) -> None:
    """A home folder holds millions of files, among which no class will be found."""
    waiting, seen = [root], 0
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    waiting.append(Path(entry))
        if seen > MOST_ENTRIES:
            raise DataError(
                f"{root} holds more than {MOST_ENTRIES:,} files and folders", "choose the folder that holds the classes"
            )
