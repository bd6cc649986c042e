"""The images that a run began with, found again among those that its data hold now."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..data.images import ImageSet
from ..language.counts import some
from .images import RunImages


class Matching:
    """Every image of then and the image of now with its pixels and its class.

    ``found`` indexes, by part, the images of now joined in order; -1 where there is none. ``rest`` are the others.
    """

    def __init__(self, began: RunImages, sets: list[ImageSet]) -> None:
        self.began = began
        self.names = [images.name(i) for images in sets for i in range(len(images))]
        self.keys = [key for images in sets for key in _keys_of(images)]
        free: defaultdict[tuple[bytes, str], list[int]] = defaultdict(list)
        for index in reversed(range(len(self.keys))):
            free[self.keys[index]].append(index)
        self.found: dict[str, NDArray[np.int64]] = {}
        for name, part in began.parts.items():
            classes = [began.classes[label] for label in part.labels.tolist()]
            keys = zip(map(bytes, part.hashes), classes, strict=True)
            taken = [free[key].pop() if free.get(key) else -1 for key in keys]
            self.found[name] = np.array(taken, dtype=np.int64)
        self.rest = np.array(sorted(index for left in free.values() for index in left), dtype=np.int64)

    def renamed(self) -> int:
        """How many images that are there have names that no image had."""
        old = {name for part in self.began.parts.values() for name in part.names}
        return sum(self.names[i] not in old for index in self.found.values() for i in index.tolist()) if old else 0

    def problems(self, classes: tuple[str, ...]) -> list[str]:
        """What keeps the images of now from being those of then, as phrases; none where only images were added."""
        other: defaultdict[bytes, list[str]] = defaultdict(list)  # pixels → classes in which they lie unused now
        for index in self.rest.tolist():
            pixels, name = self.keys[index]
            other[pixels].append(name)
        moved: Counter[tuple[str, str]] = Counter()
        gone: dict[str, list[str]] = {}
        for part, pixels, label, name in self._missing():
            if other[pixels]:
                moved[label, other[pixels].pop()] += 1
            else:
                gone.setdefault(part, []).append(name)
        phrases = [f"{count(n, 'image')} went from class {old!r} to {new!r}" for (old, new), n in moved.items()]
        phrases += [f"{count(len(n), f'{part} image')} gone or altered ({some(n, 4)})" for part, n in gone.items()]
        told = {name for pair in moved for name in pair}
        lost = [name for name in self.began.classes if name not in classes and name not in told]
        came = [name for name in classes if name not in self.began.classes and name not in told]
        phrases += [f"class {some([repr(name) for name in lost], 4)} is gone"] * bool(lost)
        return phrases + [f"class {some([repr(name) for name in came], 4)} is new"] * bool(came)

    def _missing(self) -> Iterator[tuple[str, bytes, str, str]]:
        """Part, pixels, class and name of every image of then that is not there."""
        for name, part in self.began.parts.items():
            for i in np.flatnonzero(self.found[name] < 0).tolist():
                yield name, bytes(part.hashes[i]), self.began.classes[part.labels[i]], part.name(i)


def _keys_of(images: ImageSet) -> Iterator[tuple[bytes, str]]:
    names = [images.classes[label] for label in images.labels.tolist()]
    return zip(map(bytes, images.hashes), names, strict=True)


def count(number: int, noun: str) -> str:
    """1 image, 2,000 images."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
