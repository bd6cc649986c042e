"""Where data may lie on this machine, and whether the network may be asked for them."""

import os
import shlex
import stat
import tempfile
from functools import cache
from pathlib import Path

from ..errors import UsageError

ON, OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
NOWHERE = Path(os.devnull, "convscope")  # no folder can be made there: nothing is kept, nothing is found


def user_path(text: str | Path) -> Path:
    """A path as people write it: ``~`` is their home. Never raises: no path holds a zero character, and where there is
    no such user, or no home at all, ``~`` stays.
    """
    return Path(os.path.expanduser(str(text).replace("\0", "\ufffd")))  # noqa: PTH111 - Path's own raises for those


def as_argument(path: Path) -> str:
    """``path`` as one word of a shell's command line: in quotes where it holds spaces."""
    return shlex.quote(str(path))


def cache_dir() -> Path:
    """The user's cache, of programs and of pixels alike: ``$CONVSCOPE_CACHE``, else the platform's own place
    (``~/.cache/convscope`` on Linux). Where there is no home, as in many containers, a private temporary folder.
    """
    chosen = os.environ.get("CONVSCOPE_CACHE")
    if chosen:
        place = user_path(chosen)
        return _temporary() if str(place).startswith("~") else place
    import platformdirs  # only where the platform must be asked

    try:
        place = Path(platformdirs.user_cache_dir("convscope"))
    except RuntimeError:  # there is no home; older releases of platformdirs leave "~" in the path instead
        return _temporary()
    return place if place.is_absolute() else _temporary()


def state_dir() -> Path:
    """The user's folder for what is neither document nor cache (``~/.local/state/convscope`` on Linux). Where there is
    no home, a private temporary folder.
    """
    import platformdirs

    try:
        place = Path(platformdirs.user_state_dir("convscope", appauthor=False))
    except RuntimeError:
        return _temporary()
    return place if place.is_absolute() else _temporary()


def search_dirs(data_dir: Path | None) -> list[Path]:
    """The folders in which data are looked for, first things first: ``--data-dir``, then ``$CONVSCOPE_DATA``."""
    chosen = os.environ.get("CONVSCOPE_DATA")
    return [*([data_dir] if data_dir else []), *([user_path(chosen)] if chosen else [])]


def is_offline(offline: bool = False) -> bool:
    """Whether the network is barred, by ``--offline`` or by ``$CONVSCOPE_OFFLINE``. Raises UsageError for a value of
    the latter that is neither yes nor no.
    """
    return switch("CONVSCOPE_OFFLINE") or offline


def switch(name: str) -> bool:
    """The environment variable ``name`` as yes or no (absent: no). Raises UsageError for anything else."""
    text = os.environ.get(name, "").strip().lower()
    if text not in (*ON, *OFF):
        raise UsageError(
            f"the environment variable {name} is {text[:60]!r}",
            f"it must be {', '.join(ON)} for yes, or {', '.join(OFF[1:])} for no",
        )
    return text in ON


@cache
def _temporary() -> Path:
    """A folder for temporary files that this user alone can read and write, the same in every process; else nowhere."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    try:
        place = Path(tempfile.gettempdir(), f"convscope-{user}")
        place.mkdir(mode=0o700, exist_ok=True)
        about = place.lstat()  # another user may have been first, with a link or an open folder
    except OSError:
        return NOWHERE
    own = about.st_uid == user and not about.st_mode & 0o077 if hasattr(os, "getuid") else True
    return place if stat.S_ISDIR(about.st_mode) and own else NOWHERE
