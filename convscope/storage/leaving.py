"""A file that leaves a run: put where nothing of the user's is, whole or not at all."""

from pathlib import Path

from ..errors import TrainingError, UsageError
from .files import make_folder, write_atomic


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
