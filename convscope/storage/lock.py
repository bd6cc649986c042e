"""One process at a time works on a run: a lock that the system lets go of when its owner dies, however it dies."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import DataError, TrainingError
from .files import disk_error, own_file
from .strict_json import dumps, loads

LOCK, OWNER = ".lock", ".owner.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run in ``folder`` inside the block.

    The lock is the system's own (flock, or LockFileEx on Windows), so that of a killed owner is free at once; the
    file that it is taken on stays. Raises TrainingError, naming process, machine and time, where it is held, and
    DataError where a link or pipe stands in the place of that file.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        with suppress(FileNotFoundError):
            own_file(folder, LOCK)  # the lock empties its file: not one that a link leads to
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"the folder {folder} is in use by {_owner(folder)}", "wait for it or stop it; two cannot train one run"
        ) from None
    except OSError as error:
        raise disk_error(folder / LOCK, error) from None
    try:
        # Only for the message of whoever comes second, so it may be torn or missing.
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
            with (folder / OWNER).open("x", encoding="utf-8") as file:  # "x" follows no link
                file.write(dumps({"pid": os.getpid(), "host": platform.node(), "since": since}))
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink()
        lock.release()


def _owner(folder: Path) -> str:
    try:
        with own_file(folder, OWNER).open(encoding="utf-8") as file:
            owner = loads(file.read(1000))
        return f"process {int(owner['pid'])} on {str(owner['host'])[:60]} since {str(owner['since'])[:25]}"
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return "another process"
