"""A file that leaves a run, or a picture: put where nothing of the user's is, whole or not at all."""

import os
from pathlib import Path

from ..errors import TrainingError, UsageError
from .files import disk_error, make_folder, open_plain, write_atomic

LARGEST = 64 << 20  # bytes of a picture; of a larger file no more is read
MARK = "drawn by convscope"  # stands in every picture that is saved: what has it may be replaced without a question


def require_room(path: Path, force: bool, default: bool) -> None:
    """Raise UsageError where the file cannot or must not be put. ``default``: its folder may be made for it."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file", "give the name of a file")
    if not default and not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "make it, or name another place")
    if path.exists() and not force:
        raise UsageError(
            f"{path} already exists", "name another file, or replace it with --force (force=True in Python)"
        )


def put(path: Path, content: bytes, default: bool) -> None:
    """Write the file, whole or not at all; a folder that was made for it goes with it."""
    fresh = default and not path.parent.exists()
    if fresh:
        make_folder(path.parent)
    try:
        write_atomic(path, content)
    except BaseException as error:
        if fresh:
            path.parent.rmdir()
        if isinstance(error, TrainingError):
            raise TrainingError(error.message, "name another place, or free some space") from None
        raise


def require_place(path: Path) -> None:
    """Raise UsageError where no picture can be put, or where a file is that has no MARK. The folder is not made."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder, not a file", "give the name of a file")
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}", "make it, or name another file with --plot")
        theirs = os.path.lexists(path) and not _marked(path)
    except OSError as error:
        raise UsageError(disk_error(path, error).message, "name another file with --plot") from None
    if theirs:
        raise UsageError(
            f"{path} already exists, and nothing in it says that convscope drew it",
            "move it away, or name another file with --plot",
        )


def put_picture(path: Path, content: bytes | str) -> None:
    """Write a picture that holds MARK, whole or not at all. Raises UsageError as :func:`require_place` does."""
    require_place(path)
    try:
        write_atomic(path, content)
    except TrainingError as error:
        raise TrainingError(error.message, "name another file with --plot, or free some space") from None


def _marked(path: Path) -> bool:
    """Whether that is a plain file with MARK in it. A link is none: it is the user's, wherever it may lead."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            return MARK.encode() in file.read(LARGEST)
    except OSError:
        return False
