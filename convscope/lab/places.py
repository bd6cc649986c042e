"""Which data the page may name: what lies in the folder where the lab was started, or in the user's data folder."""

from collections.abc import Collection
from pathlib import Path

from ..data.sources import NAMES
from ..errors import UsageError
from ..storage.places import search_dirs, user_path


def allowed(data: str, offered: Collection[str]) -> str:
    """What to open for ``data``: a name as it is, else the path of what is there, without links, ``..`` and ``~``.

    What is compared is what is opened, and it is looked for in the order in which data are opened. ``offered`` are the
    data that the user named when the lab was started, or chose in the page. Raises UsageError for all that lies
    anywhere else.
    """
    if data in NAMES or data in offered:
        return data
    bases = [Path.cwd(), *search_dirs(None)]
    inside = [resolved(base) for base in bases]
    for base in bases:
        place = resolved(base / user_path(data))
        if place is None or not any(folder is not None and place.is_relative_to(folder) for folder in inside):
            break
        if place.exists():
            return short(place)
    else:
        return data  # it lies nowhere: whoever opens it says what there is instead
    raise UsageError(
        f"{data[:60]!r} lies outside the folder where the lab was started",
        "choose its folder in room 7, or name it when you start the lab: convscope lab DATA",
    )


def short(place: Path) -> str:
    """``place`` as seen from here where that means the same: runs are shown, and moved, with it."""
    here = resolved(Path.cwd())
    if here is None or not place.is_relative_to(here):
        return str(place)
    below = str(place.relative_to(here))
    return str(place) if below in NAMES or below.startswith("~") else below


def resolved(path: Path) -> Path | None:
    """The path without links; None where it cannot be followed."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a name too long, a link that leads to itself
        return None
