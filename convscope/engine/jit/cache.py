"""Compiled programs on disk, so that the second run starts at once. Only what this user wrote is ever loaded.

The folder can be read and written by the user alone (0700), entries are written whole or not at all, and an entry is
used only if the hash at its head is that of the rest: a damaged one is built anew.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ...storage.places import cache_dir

HEAD = 32  # bytes of SHA-256
MOST = 300  # programs, of some 50 kB each; beyond, those go that were not used for the longest time


def default_folder() -> Path:
    """``programs`` in the user's cache."""
    return cache_dir() / "programs"


class ObjectCache:
    """Machine code by key. A folder that cannot be used (not ours, disk full) means that nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def path(self, key: str) -> Path:
        """The file for ``key``."""
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.bin"

    def load(self, key: str) -> bytes | None:
        """The code for ``key``, or None where there is none that can be trusted."""
        path = self.path(key)
        try:
            if not self._private():
                return None
            data = path.read_bytes()
        except OSError:
            return None
        body = data[HEAD:]
        if not body or data[:HEAD] != _digest(key, body):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return body

    def save(self, key: str, code: bytes) -> None:
        """Keep ``code``; readers see it whole or not at all."""
        name = ""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._private():
                return
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".new")
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(key, code) + code)
            Path(name).replace(self.path(key))
            self._forget()
        except OSError:
            with suppress(OSError):
                if name:
                    Path(name).unlink()

    def _forget(self) -> None:
        found = sorted(self.folder.glob("*.bin"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in found[MOST:]:
            path.unlink(missing_ok=True)

    def _private(self) -> bool:
        """Whether the folder is this user's and nobody else can read or write it."""
        if os.name == "nt":
            return True
        with suppress(PermissionError):
            self.folder.chmod(0o700)
        about = self.folder.stat()
        return about.st_uid == os.getuid() and about.st_mode & 0o077 == 0


def _digest(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + body).digest()
