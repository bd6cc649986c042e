"""A ZIP archive of images as if it were a folder, read in place: nothing is unpacked to disk, so nothing gets out."""

import stat
import zipfile
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..pictures.cache import File
from ..pictures.decode import SUFFIXES
from ..pictures.source import open_archive
from .walk import RUN, Listing, ending, joined, leave_out_runs

MOST_FILES = 5_000_000


def list_archive(path: Path) -> Listing:
    """What lies in an archive, passed over by the rules of :func:`~convscope.data.folders.walk.walk`. A single folder
    around everything, as there is when a folder is packed, is left out of account.

    Raises DataError for a file that is no ZIP archive.
    """
    with open_archive(path) as archive:
        infos = list({info.filename: info for info in archive.infolist()}.values())  # of one name, the last counts
    if len(infos) > MOST_FILES:
        raise DataError(f"{path} holds {len(infos):,} files", f"at most {MOST_FILES:,} are read; unpack it")
    listing = Listing(path, files={"": []}, folders={"": []})
    runs = _runs(infos)
    for run in runs:
        _folder(listing, run.split("/"))
    for info in infos:
        parts = info.filename.split("/")
        if runs and any("/".join(parts[:depth]) in runs for depth in range(1, len(parts))):
            continue
        if not info.is_dir():
            _sort_in(listing, info, parts)
        elif not any(_hidden(part) or part in ("", "..") for part in parts[:-1]):
            _folder(listing, parts[:-1])
    for names in listing.folders.values():
        names.sort()
    leave_out_runs(listing, runs)
    listing.count()
    return _unwrapped(listing)


def _sort_in(listing: Listing, info: zipfile.ZipInfo, parts: list[str]) -> None:
    """One file becomes an image of the listing, or is passed over."""
    passed, name = listing.passed, parts[-1]
    hidden = next((part for part in parts if _hidden(part)), None)
    if hidden is not None:
        passed.hidden["._*" if hidden.startswith("._") else hidden] += 1
    elif ".." in parts or "" in parts or "\\" in info.filename or stat.S_ISLNK(info.external_attr >> 16):
        passed.links.append(info.filename)
    elif ending(name) not in SUFFIXES:
        passed.unread[ending(name)] += 1
    else:
        folder = _folder(listing, parts[:-1])
        listing.files[folder].append(File(info.filename, info.file_size, info.CRC))


def _folder(listing: Listing, parts: list[str]) -> str:
    """The folder of these names, made known with those above it."""
    folder = ""
    for part in parts:
        above, folder = folder, joined(folder, part)
        if folder not in listing.files:
            listing.files[folder], listing.folders[folder] = [], []
            listing.folders[above].append(part)
    return folder


def _hidden(name: str) -> bool:
    return (name.startswith(".") and name != "..") or name == "__MACOSX"


def _runs(infos: list[zipfile.ZipInfo]) -> list[str]:
    """Folders that are runs of convscope."""
    found = [{info.filename.rpartition("/")[0] for info in infos if info.filename.endswith(f"/{name}")} for name in RUN]
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
