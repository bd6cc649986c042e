"""Files that are whole or absent: written under a temporary name, flushed to the disk, then renamed."""

import contextlib
import csv
import errno
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, TrainingError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Put ``content`` at ``path``: after a crash or power cut at any moment the file is the old one or the new one.

    Raises TrainingError (exit code 1) where the disk is full, read-only or gone; the old file is then untouched.
    """
    # A path may hold bytes that are no text. In a file they become "?"; where they would matter, Recipe refuses them.
    data = content.encode(errors="replace") if isinstance(content, str) else content
    write_atomic_with(path, lambda file: file.write(data))


def write_atomic_with(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """As :func:`write_atomic`, with ``write`` putting the content into an open binary file."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise disk_error(path, error) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()  # gone already where the rename succeeded


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a table of text as :func:`write_atomic` writes files: lines end with \\n, cells are quoted where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomic(path, text.getvalue())


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there. Raises TrainingError as :func:`write_atomic` does."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(path, error) from None


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises TrainingError as :func:`write_atomic` does."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(path, error) from None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process left in ``folder``. Only for who holds the folder's lock."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.tmp"):
            path.unlink()


def append(path: Path, text: str) -> None:
    """Add whole lines to an existing text file: all of them or, where the disk is full, none.

    A power cut may still tear or lose them: :func:`sync` is when they are safe. Raises TrainingError as
    :func:`write_atomic` does.
    """
    try:
        with os.fdopen(open_plain(path, os.O_RDWR), "r+b", buffering=0) as file:  # a file that has gone is not made
            end = file.seek(0, os.SEEK_END)
            try:
                data = text.encode()
                while data:
                    data = data[os.write(file.fileno(), data) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(end)
                raise
    except OSError as error:
        raise disk_error(path, error) from None


def sync(path: Path) -> None:
    """Wait until what was written to ``path`` is on the disk. Raises TrainingError as :func:`write_atomic` does."""
    try:
        with os.fdopen(open_plain(path, os.O_RDWR), "r+b", buffering=0) as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(path, error) from None


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the plain file at ``path`` itself. Raises OSError where a link or pipe stands in its place: the
    one is not followed, wherever it may lead, and the other not waited for.
    """
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    return descriptor


def own_file(folder: Path, name: str) -> Path:
    """``folder/name`` where that is a plain file. Raises DataError for a link, which might lead anywhere, and for a
    pipe or device, which might be read for ever; FileNotFoundError where there is nothing.
    """
    path = folder / name
    if not stat.S_ISREG(path.lstat().st_mode):
        raise DataError(
            f"{path} is a link or no plain file, so convscope did not write it", "put the file itself there"
        )
    return path


def disk_error(path: Path, error: OSError) -> TrainingError:
    """What a failed write means for the user."""
    cause = {
        errno.ENOSPC: ("the disk is full", "free some space"),
        errno.EDQUOT: ("the disk quota is used up", "free some space"),
        errno.EFBIG: ("it would be larger than files may be here", "raise the limit (ulimit -f)"),
        errno.EROFS: ("the disk is read-only", "choose another folder with --out"),
        errno.EACCES: ("permission is denied", "choose another folder with --out"),
        errno.EPERM: ("permission is denied", "choose another folder with --out"),
        errno.ENOENT: ("the file or its folder is gone", "put it back, or choose another folder with --out"),
        errno.EEXIST: ("a file is in the way", "choose another folder with --out"),
        errno.ENOTDIR: ("a file is in the way", "choose another folder with --out"),
        errno.ELOOP: ("a link stands in its place", "remove the link"),
        errno.EIO: ("the disk reports an error", "look at the disk, and copy what is on it"),
    }
    what, fix = cause.get(error.errno or 0, (error.strerror or str(error), "look at the disk"))
    return TrainingError(f"cannot write {path}: {what}", f"{fix}; what was written before is intact")


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Not every system lets a folder be opened: then there is nothing to do."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
