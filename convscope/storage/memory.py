"""How much memory there is, asked before it is taken: what does not fit is refused with the size it needs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError, UsageError

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]


class TooLarge(UsageError):
    """A net that does not fit into this machine's memory (exit code 2)."""


SMALLER = "take a smaller net, smaller images (--image-size), a smaller --batch-size or fewer --threads"


def require_memory(needed: int, what: str) -> None:
    """Raise DataError unless ``needed`` bytes for ``what`` can be allocated now."""
    free = available_memory()
    if free is not None and needed > free:
        raise DataError(
            f"{what} needs {size_text(needed)} of memory, but {size_text(free)} are free",
            "take fewer or smaller images (--image-size), close other programs, or use a larger machine",
        )


def require_room(needed: int, what: str) -> None:
    """Raise TooLarge unless ``needed`` bytes for a net can be allocated now."""
    free = available_memory()
    if free is not None and needed > free:
        raise TooLarge(
            f"{what} needs {size_text(needed)} of memory, but {size_text(free)} are free",
            SMALLER,
        )


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Inside the block a want of memory becomes a TooLarge that names ``what`` there is too little for."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TooLarge(f"there is not enough memory for {what}", SMALLER) from None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy or torch says that there is no memory left."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
    text = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in text for word in words))


def require_address_space(needed: int, what: str) -> None:
    """As :func:`require_memory`, for a file that is mapped: it takes addresses, and memory only where there is some."""
    room = _address_space()
    if room is not None and needed > room:
        raise DataError(
            f"{what} needs {size_text(needed)} of address space, but this process may take {size_text(max(0, room))}",
            "raise the limit (ulimit -v), or take fewer or smaller images (--image-size)",
        )


def available_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its container and its own limit; None if unknown."""
    known = [room for room in (_machine(), _container(), _address_space()) if room is not None]
    return max(0, min(known)) if known else None


def size_text(count: float) -> str:
    """A number of bytes as people say it: ``47.0 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}" if unit != "bytes" else f"{count:.0f} bytes"
        count /= 1000
    return f"{count:,.1f} TB"


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):  # macOS: half of what is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return None


def _container() -> int | None:
    """The limit of a container (cgroup), less what is used by programs; file caches give way and do not count."""
    for folder, limit, cache in (
        ("/sys/fs/cgroup", "memory.max", "file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "total_cache"),
    ):
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            most = int(Path(folder, limit).read_text())
            used = "memory.current" if limit == "memory.max" else "memory.usage_in_bytes"
            statistics = dict(line.split() for line in Path(folder, "memory.stat").read_text().splitlines())
            return most - int(Path(folder, used).read_text()) + int(statistics.get(cache, 0))
    return None


def _address_space() -> int | None:
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError):
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return limit
