"""One walk through a folder: which images lie there, and what is passed over, counted by reason.

``train``, ``check`` and ``predict`` all see a folder through :func:`walk`, so none of them reads what another leaves
out. A link is followed only to what lies within the folder, and no link below a linked folder is, so that no folder
from elsewhere can pull in files of this machine, and no walk goes round in circles. Runs of convscope that lie in
the folder are known by the files of a run.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DataError
from ...language.counts import some
from ..pictures.cache import File
from ..pictures.formats import FORMAT_NAMES, SUFFIXES, advice

RUN = ("recipe.json", "environment.json")  # in each run's folder
LOOK = "look at its permissions"
SHOWN = 6  # names or endings in one sentence


@dataclass
class Passed:
    """What a walk left out: ``unread`` files by ending, ``hidden`` ones by name; links, runs, pipes and devices by
    path. ``loose`` counts images that lie beside class folders, so that they belong to none.
    """

    unread: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    loose: int = 0

    def notes(self, root: Path) -> tuple[str, ...]:
        """A sentence for each reason."""
        return tuple(self._sentences(root))

    def _sentences(self, root: Path) -> Iterator[str]:
        if self.unread:
            more = advice(self.unread)
            yield f"not read: {self.endings()} (images are {FORMAT_NAMES}{'; ' * bool(more)}{more})"
        if self.hidden:
            count, few = self.hidden.total(), _some(self.hidden)
            single = f"1 hidden file or folder was left out: {few}"
            yield single if count == 1 else f"{count:,} hidden files and folders were left out: {few}"
        if self.runs:
            yield f"convscope's own runs were left out: {_some(self.runs)}"
        if self.links:
            one = len(self.links) == 1
            what = "link was not followed: it leads" if one else "links were not followed: they lead"
            yield f"{len(self.links):,} {what} out of {root}, round in a circle or nowhere ({_some(self.links)})"
        if self.special:
            yield f"pipes and devices are no images: {_some(self.special)}"
        if self.loose:
            what = "image was" if self.loose == 1 else "images were"
            yield f"{self.loose:,} {what} left out: beside the folders, so in no class"

    def endings(self) -> str:
        """ "3 .heic, 2 .txt": the files that were not read, the most first."""
        found = sorted(self.unread.items(), key=lambda item: (-item[1], item[0]))
        more = [f"{sum(count for _, count in found[SHOWN:]):,} other"] if len(found) > SHOWN else []
        return ", ".join([*(f"{count:,} {ending}" for ending, count in found[:SHOWN]), *more])


@dataclass
class Listing:
    """The images below ``root``: ``files`` by the folder in which they lie, ``folders`` are the sub-folders of each
    ("" is the root), ``counts`` the images in each folder and deeper. ``linked`` are the folders directly below the
    root to which links lead that were followed.
    """

    root: Path
    files: dict[str, list[File]] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    linked: set[str] = field(default_factory=set)
    passed: Passed = field(default_factory=Passed)

    def below(self, folder: str) -> Iterator[str]:
        """``folder`` and all folders below it, each before those in it."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            yield here
            waiting.extend(joined(here, name) for name in self.folders.get(here, ()))

    def images(self, folder: str) -> list[File]:
        """All images in ``folder`` and deeper, by path."""
        return sorted(file for here in self.below(folder) for file in self.files.get(here, ()))

    def holding(self, folder: str) -> list[str]:
        """The names of the sub-folders of ``folder`` that hold images, themselves or deeper."""
        return [name for name in self.folders.get(folder, ()) if self.counts[joined(folder, name)]]

    def count(self) -> None:
        """Add ``counts`` up, from the deepest folders to the root."""
        for folder in reversed(list(self.below(""))):
            inner = sum(self.counts[joined(folder, name)] for name in self.folders.get(folder, ()))
            self.counts[folder] = len(self.files.get(folder, ())) + inner


def walk(root: Path) -> Listing:
    """List the images in and below ``root``, in one pass. Raises DataError where a folder cannot be read."""
    listing = Listing(root)
    inside = os.path.realpath(root)
    waiting = [""]
    behind: set[str] = set()  # the folders to which a link led
    runs: list[str] = []
    while waiting:
        folder = waiting.pop()
        try:
            if folder and all((root / folder / name).is_file() for name in RUN):
                runs.append(folder)
                continue
            with os.scandir(root / folder) as entries:
                _sort_out(listing, folder, entries, inside, behind)
        except PermissionError as error:  # the files in it may be there or not, such as those of a run
            raise DataError(f"the folder {root / folder} cannot be read: {error.strerror}", LOOK) from None
        except OSError as error:
            place = error.filename or root / folder
            raise DataError(f"{place} cannot be read: {error.strerror}", LOOK) from None
        waiting.extend(joined(folder, name) for name in listing.folders[folder])
    leave_out_runs(listing, runs)
    listing.count()
    return listing


def _sort_out(
    listing: Listing, folder: str, entries: Iterable[os.DirEntry[str]], inside: str, behind: set[str]
) -> None:
    """What lies in ``folder`` becomes its images, its sub-folders, or is passed over."""
    passed = listing.passed
    files: list[File] = []
    folders: list[str] = []
    prefix = joined(folder, "")
    for entry in entries:  # tens of thousands: no call that is not needed
        name = entry.name
        link = entry.is_symlink()
        if name[0] == "." or name == "__MACOSX":
            passed.hidden["._*" if name.startswith("._") else name] += 1
        elif link and (folder in behind or not _leads_inside(listing, prefix + name, inside)):
            passed.links.append(prefix + name)
        elif entry.is_dir():
            folders.append(name)
            if link or folder in behind:
                behind.add(prefix + name)
        elif (kind := ending(name)) not in SUFFIXES:
            passed.unread[kind] += 1
        else:
            status = entry.stat()
            if stat.S_ISREG(status.st_mode):
                files.append(File(prefix + name, status.st_size, status.st_mtime_ns))
            else:
                passed.special.append(prefix + name)
    listing.files[folder], listing.folders[folder] = files, sorted(folders)


def ending(name: str) -> str:
    """ ".png" of "a.PNG"; for a name without a dot, words that say so."""
    _, dot, last = name.rpartition(".")
    return dot + last.lower() if dot else "without an ending"


def joined(folder: str, name: str) -> str:
    """The path of ``name`` in ``folder``, both below a root."""
    return folder + os.sep + name if folder else name


def _leads_inside(listing: Listing, path: str, inside: str) -> bool:
    """Whether a link leads to something within the root that does not hold the link itself."""
    link = os.path.join(listing.root, path)  # noqa: PTH118 - Path.resolve raises for a link that leads to itself
    target = os.path.realpath(link)
    if not os.path.exists(target) or os.path.islink(target):  # noqa: PTH110, PTH114 - nowhere, or to itself
        return False
    place = os.path.join(os.path.realpath(os.path.dirname(link)), "")  # noqa: PTH118, PTH120
    within = target.startswith(os.path.join(inside, ""))  # noqa: PTH118
    if not within or place.startswith(os.path.join(target, "")):  # noqa: PTH118
        return False
    listing.linked.add(os.path.relpath(target, inside).partition(os.sep)[0])
    return True


def leave_out_runs(listing: Listing, runs: list[str]) -> None:
    """Take runs out of ``listing``, and with them a folder that holds nothing else."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        folder, _, name = run.rpartition(os.sep)
        groups.setdefault(folder, []).append(name)
    for folder, names in groups.items():
        listing.folders[folder] = [name for name in listing.folders[folder] if name not in names]
        if folder and not listing.folders[folder] and not listing.files[folder]:
            above, _, name = folder.rpartition(os.sep)
            listing.folders[above].remove(name)
            listing.passed.runs.append(folder + os.sep)
        else:
            listing.passed.runs += [joined(folder, name) + os.sep for name in sorted(names)]


def _some(names: Counter[str] | list[str]) -> str:
    """The first few names, fit to be printed."""
    return some((name if name.isprintable() else ascii(name)[1:-1] for name in sorted(names)), SHOWN)
