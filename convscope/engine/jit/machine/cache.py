"""Compiled programs on disk, so that the second run starts at once. Only what this user wrote is ever loaded.

Files are for the user alone, written whole or not at all, and signed with the user's own key (storage/trusted.py). One
that is damaged, or that somebody else can have written, is removed, and its program compiled again; so is every program
where the folder is open to others.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ....storage.places import cache_dir, state_dir
from ....storage.trusted import is_private, read_own, sign, signed, user_key, write_own

MOST = 300  # programs, of some 50 kB each; beyond, those go that were not used for the longest time


def default_folder() -> Path:
    """``programs`` in the user's cache."""
    return cache_dir() / "programs"


class ObjectCache:
    """Machine code by key. Where a folder cannot be used (not ours, open to others, disk full), nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self._key = user_key(state_dir() / "key")

    def load(self, key: str) -> bytes | None:
        """The code for ``key``, or None where there is none that can be trusted."""
        if self._key is None or not is_private(self.folder):
            return None
        path = _path(self.folder, key)
        code = signed(self._key, key, read_own(path) or b"")
        with suppress(OSError):
            if code is None:
                path.unlink()
            else:
                os.utime(path)
        return code

    def save(self, key: str, code: bytes) -> None:
        """Keep ``code``; readers see it whole or not at all."""
        if self._key is not None and write_own(_path(self.folder, key), sign(self._key, key, code)):
            with suppress(OSError):
                _forget_oldest(self.folder)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.bin"


def _forget_oldest(folder: Path) -> None:
    found = sorted(folder.glob("*.bin"), key=lambda path: path.lstat().st_mtime, reverse=True)
    for path in found[MOST:]:
        path.unlink(missing_ok=True)
