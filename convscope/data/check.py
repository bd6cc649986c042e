"""What is wrong with data before a net is trained on them: everything at once, where training would stop at the first.

Images count as the same where the net would see the same pixels, whatever their files are called.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..language import Name
from ..shown import Table, Tabular
from ..storage.places import is_offline
from .folders.folder import as_splits, read_classes
from .folders.tree import Tree
from .images import ImageSet, Splits
from .near.pairs import Traces, near_pairs
from .pictures.bulk import survey
from .pictures.cache import read_pixels
from .pictures.source import sources
from .preparation import Pixels
from .quality import blurred, nearly_empty
from .sources import NAMES, data_name, files_of, open_source, read_parts

IMBALANCED = 10.0  # the largest class has that many times the images of the smallest
PARTS = ("train", "val", "test")
COUNTED = (
    "corrupt",
    "constant",
    "empty",
    "blurred",
    "duplicates",
    "leaks",
    "conflicts",
    "near",
    "near_leaks",
    "suspects",
)


@dataclass(frozen=True)
class Place:
    """One image: its part (train, val, test), its name (a file or an index), and its class."""

    part: str
    name: str
    label: str


Group = tuple[Place, ...]


@dataclass(frozen=True)
class SuspectLabel:
    """The image at ``place``, number ``index`` of its part, whose label is likely wrong: the probability of its ``own``
    class, of the ``likelier`` one, and which that is.
    """

    place: Place
    index: int
    likelier: str
    own: float
    other: float


@dataclass(frozen=True)
class AlikeClasses:
    """Two classes, and the share of their images that is taken for the other."""

    one: str
    other: str
    share: float


@dataclass(frozen=True, repr=False)
class Report(Tabular):
    """``images`` counts by part and class; ``sizes`` ("28×28") and ``modes`` (grey, colour) count the files or arrays.

    ``duplicates`` are groups of equal images within a part, ``leaks`` across parts, ``conflicts`` with different
    classes. ``missing`` names the classes without images, by part. ``imbalance`` is the largest class over the
    smallest, in the training set. ``problem`` is why training would refuse the data ("" where it would not). Data
    without a test set are looked at as training with seed 0 divides them. ``notes`` are what training would say.

    ``near`` are pairs of images that are nearly the same within a part, ``near_leaks`` across parts; ``blurred`` and
    nearly ``empty`` ones show little. ``suspects`` have labels that are likely wrong, the likeliest first;
    ``alike`` are classes that look so. Both are a classifier's word: ``judged_by`` describes it ("": none was asked).
    """

    data: str
    images: dict[str, dict[str, int]]
    sizes: dict[str, int]
    modes: dict[str, int]
    corrupt: tuple[str, ...]
    constant: tuple[Place, ...]
    duplicates: tuple[Group, ...]
    leaks: tuple[Group, ...]
    conflicts: tuple[Group, ...]
    missing: dict[str, tuple[str, ...]]
    imbalance: float | None
    notes: tuple[str, ...]
    problem: str
    help: str
    near: tuple[Group, ...] = ()
    near_leaks: tuple[Group, ...] = ()
    blurred: tuple[Place, ...] = ()
    empty: tuple[Place, ...] = ()
    suspects: tuple[SuspectLabel, ...] = ()
    alike: tuple[AlikeClasses, ...] = ()
    judged_by: str = ""

    def told(self) -> Iterator[str | Table]:
        """Images by class and part, then what is wrong."""
        parts = list(self.images)
        classes = [[Name(name), *(self.images[part][name] for part in parts)] for name in self.images["train"]]
        yield Table(("class", *parts), classes)
        kinds = ", ".join(f"{count:,} of {what}" for what, count in self.sizes.items())
        yield f"sizes       {kinds}; {', '.join(f'{count:,} {what}' for what, count in self.modes.items())}"
        for name in COUNTED:
            yield f"{name:<12}{len(getattr(self, name)):,}"
        yield from (f"note        {note}" for note in self.notes)
        if self.problem:
            yield f"training would refuse these data: {self.problem}; {self.help}"


def look(
    data: Any,
    data_dir: Path | None = None,
    offline: bool = False,
    image_size: int | None = None,
    class_from: str | None = None,
) -> tuple[Report, dict[str, ImageSet]]:
    """What the files and pixels of ``data`` say, which are as for :func:`~convscope.data.sources.open_source`, and
    their parts.

    Raises DataError where there is nothing to look at: no such data, no image in them.
    """
    corrupt: list[str] = []
    held = not isinstance(data, str | Path) or str(data) in NAMES  # by the package or in Python: there are no files
    tree = None if held else files_of(data, data_dir, image_size, True, class_from)
    if isinstance(tree, Tree):
        parts, corrupt, sizes, modes = _read_tree(tree, image_size)
    else:
        parts = tree or read_parts(data, data_dir, is_offline(offline), image_size, skip_bad=False)
        sizes, modes = _array_kinds(parts)
    problem = help_text = ""
    try:
        used = open_source(data, data_dir=data_dir, offline=offline, image_size=image_size, class_from=class_from)
    except DataError as error:
        problem, help_text = error.message, error.help
    else:
        drawn = parts.test is None
        parts = replace(parts, train=used.train, test=used.test) if drawn else parts
        parts = replace(parts, notes=used.notes)
    sets = _sets(parts)
    classes = parts.train.classes
    counts = {part: np.bincount(images.labels, minlength=len(classes)) for part, images in sets.items()}
    train = counts["train"][counts["train"] > 0]
    duplicates, leaks, conflicts = _same(sets)
    near, near_leaks = _nearly_same(sets)
    report = Report(
        data=data_name(data),
        images={part: dict(zip(classes, count.tolist(), strict=True)) for part, count in counts.items()},
        sizes=sizes,
        modes=modes,
        corrupt=tuple(corrupt),
        constant=_constant(sets),
        duplicates=duplicates,
        leaks=leaks,
        conflicts=conflicts,
        missing={part: tuple(classes[c] for c in np.flatnonzero(count == 0)) for part, count in counts.items()},
        imbalance=float(train.max() / train.min()) if len(train) else None,
        notes=parts.notes,
        problem=problem,
        help=help_text,
        near=near,
        near_leaks=near_leaks,
        blurred=_places(sets, blurred),
        empty=_places(sets, nearly_empty),
    )
    return report, sets


def _sets(parts: Splits) -> dict[str, ImageSet]:
    sets = {"train": parts.train, "val": parts.val, "test": parts.test}
    return {part: images for part in PARTS if (images := sets[part]) is not None}


def _array_kinds(parts: Splits) -> tuple[dict[str, int], dict[str, int]]:
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    for images in _sets(parts).values():
        channels, height, width = images.shape
        sizes[f"{height}×{width}"] += len(images)
        modes["grey" if channels == 1 else "colour"] += len(images)
    return dict(sizes.most_common()), dict(modes.most_common())


def _read_tree(tree: Tree, image_size: int | None) -> tuple[Splits, list[str], dict[str, int], dict[str, int]]:
    """The readable images of a folder or table, what is wrong with the others, sizes and modes.

    Classes that only a held-out part has are included, though training refuses them.
    """
    files = [file for part in tree.parts.values() for group in part.values() for file in group]
    headers, _ = survey(sources(tree.root, [file.path for file in files]))
    sizes = Counter(f"{header.height}×{header.width}" for header in headers.values())
    modes = Counter("grey" if header.grey else "colour" for header in headers.values())
    pixels = read_pixels(tree.root, files, image_size, source=tree.source)
    sets = read_classes(tree, _all_classes(tree), pixels)
    splits = as_splits(tree, sets, pixels)
    corrupt = [pixels.bad[index] for index in sorted(pixels.bad)]
    return splits, corrupt, dict(sizes.most_common()), dict(modes.most_common())


def _all_classes(tree: Tree) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in ("train", *PARTS) for name in tree.parts.get(part, {})))


def _same(sets: dict[str, ImageSet]) -> tuple[tuple[Group, ...], tuple[Group, ...], tuple[Group, ...]]:
    """Groups of equal images: (within a part, across parts, of different classes)."""
    places: dict[bytes, list[tuple[str, int]]] = {}
    for part, images in sets.items():
        for index, key in enumerate(images.hashes):
            places.setdefault(key.tobytes(), []).append((part, index))
    duplicates, leaks, conflicts = [], [], []
    for found in places.values():
        if len(found) < 2:
            continue
        group = tuple(_place(sets, part, index) for part, index in found)
        parts = [place.part for place in group]
        if len(set(parts)) < len(parts):
            duplicates.append(group)
        if len(set(parts)) > 1:
            leaks.append(group)
        if len({place.label for place in group}) > 1:
            conflicts.append(group)
    return tuple(duplicates), tuple(leaks), tuple(conflicts)


def _nearly_same(sets: dict[str, ImageSet]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Pairs of images that are nearly, but not quite, the same: (within a part, across parts)."""
    places = [(part, index) for part, images in sets.items() for index in range(len(images))]
    if len({images.shape for images in sets.values()}) > 1 or len(places) < 2:
        return (), ()
    traces = Traces.joined([Traces.of(images.images) for images in sets.values() if len(images)])
    exact = np.concatenate([images.hashes for images in sets.values()])
    near: list[Group] = []
    leaks: list[Group] = []
    for one, other in near_pairs(traces):
        if not np.array_equal(exact[one], exact[other]):
            group = (_place(sets, *places[one]), _place(sets, *places[other]))
            (near if group[0].part == group[1].part else leaks).append(group)
    return tuple(near), tuple(leaks)


def _places(sets: dict[str, ImageSet], rule: Callable[[Pixels], NDArray[np.bool_]]) -> tuple[Place, ...]:
    """The images for which ``rule`` is true."""
    return tuple(
        _place(sets, part, int(index)) for part, images in sets.items() for index in np.flatnonzero(rule(images.images))
    )


def _constant(sets: dict[str, ImageSet]) -> tuple[Place, ...]:
    """Images of one colour: all pixels are as the first, channel by channel."""
    return _places(sets, lambda images: (images == images[:, :, :1, :1]).all((1, 2, 3)))


def _place(sets: dict[str, ImageSet], part: str, index: int) -> Place:
    images = sets[part]
    return Place(part, images.name(index), images.classes[images.labels[index]])
