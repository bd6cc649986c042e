"""A ZIP or TAR archive of images as if it were a folder, read in place."""

from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..pictures.archives import MOST_FILES, Entry, open_archive
from ..pictures.cache import File
from ..pictures.formats import SUFFIXES
from .walk import RUN, Listing, ending, joined, leave_out_runs


def list_archive(path: Path) -> Listing:
    """What lies in an archive, passed over by the rules of :func:`~convscope.data.folders.walk.walk`. A single folder
    around everything, as there is when a folder is packed, is left out of account.

    Raises DataError for a file that is no archive.
    """
    entries = open_archive(path).entries()
    if len(entries) > MOST_FILES:
        raise DataError(f"{path} holds {len(entries):,} files", f"at most {MOST_FILES:,} are read; unpack it")
    listing = Listing(path, files={"": []}, folders={"": []})
    runs = _runs(entries)
    for run in runs:
        _folder(listing, run.split("/"))
    for entry in entries:
        parts = entry.name.split("/")
        if runs and any("/".join(parts[:depth]) in runs for depth in range(1, len(parts))):
            continue
        if not entry.is_folder:
            _sort_in(listing, entry, parts)
        elif not any(_hidden(part) or part in ("", "..", ".") for part in _folders(parts)):
            _folder(listing, _folders(parts))
    for names in listing.folders.values():
        names.sort()
    leave_out_runs(listing, runs)
    listing.count()
    return _unwrapped(listing)


def _sort_in(listing: Listing, entry: Entry, parts: list[str]) -> None:
    """One file becomes an image of the listing, or is passed over."""
    passed, name = listing.passed, parts[-1]
    hidden = next((part for part in parts if _hidden(part)), None)
    if hidden is not None:
        passed.hidden["._*" if hidden.startswith("._") else hidden] += 1
    elif ".." in parts or "" in parts or "\\" in entry.name or entry.is_link:
        passed.links.append(entry.name)
    elif ending(name) not in SUFFIXES:
        passed.unread[ending(name)] += 1
    else:
        folder = _folder(listing, parts[:-1])
        listing.files[folder].append(File(entry.name, entry.size, entry.stamp))


def _folder(listing: Listing, parts: list[str]) -> str:
    """The folder of these names, made known with those above it."""
    folder = ""
    for part in parts:
        above, folder = folder, joined(folder, part)
        if folder not in listing.files:
            listing.files[folder], listing.folders[folder] = [], []
            listing.folders[above].append(part)
    return folder


def _folders(parts: list[str]) -> list[str]:
    """The folders that a folder's name spells: that of a ZIP ends with a slash."""
    return parts if parts[-1] else parts[:-1]


def _hidden(name: str) -> bool:
    return (name.startswith(".") and name != "..") or name == "__MACOSX"


def _runs(entries: list[Entry]) -> list[str]:
    """Folders that are runs of convscope."""
    found = [{entry.name.rpartition("/")[0] for entry in entries if entry.name.endswith(f"/{name}")} for name in RUN]
    return sorted(set.intersection(*found))


def _unwrapped(listing: Listing) -> Listing:
    """The same without a folder around everything, as long as that is no class itself."""
    top = ""
    while not listing.files[top] and len(names := listing.holding(top)) == 1:
        inner = joined(top, names[0])
        if listing.files[inner]:
            break
        top = inner
    inside = [folder for folder in listing.folders if folder == top or folder.startswith(joined(top, ""))]
    start = len(joined(top, "")) if top else 0
    return replace(
        listing,
        files={folder[start:]: listing.files[folder] for folder in inside},
        folders={folder[start:]: listing.folders[folder] for folder in inside},
        counts={folder[start:]: listing.counts.get(folder, 0) for folder in inside},
    )
