"""Where data may lie on this machine, and whether the network may be asked for them."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache: ``$CONVSCOPE_CACHE``, else the platform's own place (``~/.cache/convscope`` on Linux)."""
    chosen = os.environ.get("CONVSCOPE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch  # only where the platform must be asked: it takes a while to import

    return Path(pooch.os_cache("convscope"))


def search_dirs(data_dir: Path | None) -> list[Path]:
    """The folders in which data are looked for, first things first: ``--data-dir``, then ``$CONVSCOPE_DATA``."""
    chosen = os.environ.get("CONVSCOPE_DATA")
    return [*([data_dir] if data_dir else []), *([Path(chosen).expanduser()] if chosen else [])]


def is_offline(offline: bool) -> bool:
    """Whether the network is barred, by ``--offline`` or by ``$CONVSCOPE_OFFLINE``."""
    return offline or os.environ.get("CONVSCOPE_OFFLINE", "0") not in ("", "0")
