"""What lies in the user's cache, what it takes, and how it is cleared. All of it may go at any time.

Removed is only what is known by its name and place: whoever points ``$CONVSCOPE_CACHE`` at a folder of their own loses
nothing else in it.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .places import cache_dir
from .strict_json import loads
from .trusted import read_own

PIXELS, PROGRAMS, FEATURES, WEIGHTS, PUBLISHED = "folders", "programs", "features.sqlite", "weights", "downloads"
ENTRY, LOCK = "entry.json", ".lock"  # in the folder of one data set's pixels
WHAT = {
    PIXELS: "decoded pixels of folders and archives",
    FEATURES: "features of images that a pretrained net has looked at",
    PROGRAMS: "compiled programs",
    WEIGHTS: "weights of pretrained nets",
    PUBLISHED: "published data sets that were downloaded",
}
CLEARED = (PIXELS, FEATURES, PROGRAMS)  # what is made again here, without any network
OURS = {  # the paths of files below the cache
    PIXELS: re.compile(
        r"folders/[0-9a-f]{32}/(entry\.json|[0-9a-f]{32}-(grey|colour)\.(npy|part|blocks)|\.lock|\..+\.tmp)"
    ),
    FEATURES: re.compile(r"features\.sqlite(-wal|-shm|-journal)?"),
    PROGRAMS: re.compile(r"programs/([0-9a-f]{64}\.bin|\..+\.tmp)"),
    WEIGHTS: re.compile(r"weights/[^/]+"),
    PUBLISHED: re.compile(r"(mnist|fashion-mnist|kmnist)/[^/]+"),
}


@dataclass(frozen=True)
class Kept:
    """One kind of thing in the cache: how many files, and their bytes."""

    kind: str
    what: str
    files: int
    size: int


@dataclass(frozen=True)
class KeptPixels:
    """The pixels of one data set: what ``data`` they were decoded from, their bytes, and when they were ``used``, in
    seconds since 1970."""

    data: str
    place: Path
    size: int
    used: float


def kept() -> list[Kept]:
    """Every kind of thing in the cache."""
    found = {kind: list(_files(kind)) for kind in OURS}
    return [Kept(kind, WHAT[kind], len(files), sum(map(_size, files))) for kind, files in found.items()]


def kept_pixels() -> list[KeptPixels]:
    """The data sets whose pixels are kept, the ones that were used least lately first."""
    places: dict[Path, list[Path]] = {}
    for path in _files(PIXELS):
        places.setdefault(path.parent, []).append(path)
    found = []
    for place, files in places.items():
        data, used = "?", 0.0
        with contextlib.suppress(OSError, ValueError, AttributeError):
            used = max(path.stat().st_mtime for path in files)
            data = str(loads((read_own(place / ENTRY) or b"{}").decode()).get("of", "?"))
        found.append(KeptPixels(data, place, sum(map(_size, files)), used))
    return sorted(found, key=lambda entry: (entry.used, entry.place))


def forget(place: Path) -> None:
    """Remove the pixels of one data set; a process that uses them keeps what it has mapped."""
    _remove([path for path in _files(PIXELS) if path.parent == place])


def clear() -> int:
    """Remove what can be made again without a network; the bytes that this set free.

    Raises DataError for what cannot be removed.
    """
    files = [path for kind in CLEARED for path in _files(kind)]
    freed = sum(map(_size, files))
    _remove(files)
    left = [path for path in files if path.exists()]
    if left:
        raise DataError(f"{left[0]} cannot be removed", "look at its permissions, and those of its folder")
    return freed


def _files(kind: str) -> Iterator[Path]:
    """The files of one kind. Links are none."""
    root, levels = cache_dir(), {PIXELS: "folders/*/*", FEATURES: "features.sqlite*", PUBLISHED: "*/*"}
    for path in root.glob(levels.get(kind, f"{kind}/*")):
        name = path.relative_to(root).as_posix()
        linked = any((root / part).is_symlink() for part in (name, *map(str, Path(name).parents)))
        if OURS[kind].fullmatch(name) and not linked and path.is_file():
            yield path


def _remove(files: list[Path]) -> None:
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    for folder in sorted({path.parent for path in files}, reverse=True):
        if folder != cache_dir():
            with contextlib.suppress(OSError):  # something else lies there
                folder.rmdir()


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
