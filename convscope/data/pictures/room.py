"""How much decoded pixels may take of the user's cache: a share of the disk, and never what others need."""

import os
import shutil
import time
from pathlib import Path

from ...errors import UsageError
from ...storage.kept import forget, kept_pixels

MOST = 20  # GB of pixels of all data together, unless CONVSCOPE_CACHE_GB says otherwise
SPARE = 5_000_000_000  # bytes that stay free on the disk, or
SPARE_SHARE = 0.1  # of it where that is less
RECENT = 600  # seconds after which an entry may go: it may be in use by a process that has not mapped it yet


def make_room(needed: int, place: Path) -> bool:
    """Whether ``needed`` bytes of pixels may be kept at ``place``, after those of other data that were used least
    lately had to go for them.
    """
    most = limit()
    others = [entry for entry in kept_pixels() if entry.place != place]
    total = sum(entry.size for entry in others)
    space = _free(place) - needed
    for entry in others:
        if needed + total <= most and space >= 0:
            break
        if time.time() - entry.used > RECENT and needed <= most:
            forget(entry.place)
            total, space = total - entry.size, space + entry.size
    return needed + total <= most and space >= 0


def limit() -> int:
    """Bytes of pixels that may be kept in all. Raises UsageError where ``$CONVSCOPE_CACHE_GB`` is no such number."""
    text = os.environ.get("CONVSCOPE_CACHE_GB", "").strip()
    try:
        gigabytes = float(text or MOST)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e6:
        raise UsageError(
            f"the environment variable CONVSCOPE_CACHE_GB is {text[:60]!r}",
            f"it is the number of gigabytes of decoded pixels that may be kept: 0 for none, else {MOST}",
        )
    return int(gigabytes * 1e9)


def _free(place: Path) -> int:
    """Bytes that may be taken of the disk on which ``place`` lies, or will."""
    folder = place
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        return 0
    return disk.free - int(min(SPARE, SPARE_SHARE * disk.total))
