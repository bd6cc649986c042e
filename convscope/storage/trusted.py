"""Files whose content is executed: what is read is surely what this user wrote.

Three walls, of which one would do: the folder belongs to the user and nobody else can write to it; so does every file;
and what is kept is signed (HMAC-SHA256) with a key that lies in another folder of the user's, so that not even a folder
that came with somebody's archive is trusted. What cannot be trusted is not there: no function here raises, and none
waits, whatever stands in a file's place.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from .files import open_plain

SIGNATURE = 32  # bytes at the head of a signed file
MOST = 64 * 2**20  # bytes of a file that is read
OTHERS = 0o022  # the rights to write of those who are not the owner
UNUSABLE = (OSError, ValueError, MemoryError)  # ValueError: a path that holds a zero byte


def is_private(folder: Path) -> bool:
    """Whether ``folder`` is a folder, no link to one, is this user's, and nobody else can write to it."""
    try:
        about = folder.lstat()
    except UNUSABLE:
        return False
    return stat.S_ISDIR(about.st_mode) and _is_ours(about)


def open_own(path: Path) -> BinaryIO | None:
    """A plain file of this user's that nobody else can write to, opened for reading; None for everything else."""
    try:
        file = os.fdopen(open_plain(path), "rb")
    except UNUSABLE:
        return None
    if _is_ours(os.fstat(file.fileno())):
        return file
    file.close()
    return None


def read_own(path: Path) -> bytes | None:
    """The content of a file as :func:`open_own` takes it, of up to 64 MiB; None for everything else."""
    file = open_own(path)
    if file is None:
        return None
    try:
        with file:
            return file.read(MOST) if os.fstat(file.fileno()).st_size <= MOST else None
    except UNUSABLE:
        return None


def write_own(path: Path, content: bytes) -> bool:
    """Put a file at ``path``, whole or not at all, for this user alone (0600); False where that is impossible."""
    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(path.parent):
            return False
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".new")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except UNUSABLE:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return False
    return True


def user_key(path: Path) -> bytes | None:
    """The key at ``path``, made at the first call; None where none can be kept there."""
    for _ in range(2):
        key = read_own(path) if is_private(path.parent) and not _is_readable_by_others(path) else None
        if key is not None and len(key) == SIGNATURE:
            return key
        write_own(path, secrets.token_bytes(SIGNATURE))  # and read again: another process may have been quicker
    return None


def sign(key: bytes, name: str, content: bytes) -> bytes:
    """``content`` with its signature at its head; ``name`` is signed, too."""
    return _signature(key, name, content) + content


def signed(key: bytes, name: str, data: bytes) -> bytes | None:
    """The content of ``sign(key, name, content)``; None where the signature is another."""
    content = data[SIGNATURE:]
    good = bool(content) and hmac.compare_digest(data[:SIGNATURE], _signature(key, name, content))
    return content if good else None


def _signature(key: bytes, name: str, content: bytes) -> bytes:
    return hmac.digest(key, hashlib.sha256(name.encode()).digest() + content, "sha256")


def _is_ours(about: os.stat_result) -> bool:
    return os.name == "nt" or (about.st_uid == os.getuid() and about.st_mode & OTHERS == 0)


def _is_readable_by_others(path: Path) -> bool:
    try:
        return os.name != "nt" and path.lstat().st_mode & 0o077 != 0
    except UNUSABLE:
        return True
