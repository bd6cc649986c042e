"""The slice through the loss of a run, for room 3: its path first, then the loss row by row, so that the page can show
how far it is. The path is that of the run's film, which holds all weights where the net is small enough.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from ....errors import UsageError
from ....explain.trained.slice import GRID, Slice, plane, random_plane, thinned, weights
from ...live.film import FILE, read_film
from ...reply import Reply
from ...shelf import Shelf

router = APIRouter(prefix="/api/runs", tags=["descent"])

KEEPS = "the lab keeps the weights of small nets while it trains them: train in room 7"
MOST_KEPT = 2  # slices whose weights stay in memory
Name = Annotated[str, PathParameter(max_length=300)]
Row = Annotated[int, PathParameter(ge=0, lt=GRID)]
Directions = Literal["path", "random"]  # principal components of the way, or filter-normalised ones
Seed = Annotated[int, Query(ge=0, le=999_999)]


@dataclass(frozen=True)
class Sliced:
    """A slice, the updates of its path with the loss at each, and the lock under which its net computes.

    ``film`` is when the file that it was read from was written, and its size.
    """

    slice: Slice
    steps: tuple[int, ...]
    losses: list[float | None]
    film: tuple[int, int]
    lock: Lock = field(default_factory=Lock)


@dataclass(frozen=True)
class SliceReply:
    """The path (T, 2) over the places ``xs`` and ``ys`` with the loss at every snapshot, by its own weights.

    ``shares`` of the way's squared distances lie along the two directions; ``images`` of the test set give the loss.
    """

    run: str
    steps: tuple[int, ...]
    path: list[list[float]]
    losses: list[float | None]
    xs: list[float]
    ys: list[float]
    shares: tuple[float, float]
    images: int
    parameters: int


_kept: OrderedDict[tuple[Path, Directions, int], Sliced] = OrderedDict()
_keeping = Lock()


@router.get("/{name}/slice")
def path(name: Name, request: Request, directions: Directions = "path", seed: Seed = 0) -> Response:
    """The path of a run's training on a plane: the one in which it lies best, or a random one of that ``seed``.

    Refused where the run has kept no path.
    """
    found = _sliced(name, request.app.state.shelf, directions, seed)
    on = found.slice.plane
    xs, ys = on.sides()
    return Reply(
        SliceReply(
            run=name,
            steps=found.steps,
            path=on.path.tolist(),
            losses=found.losses,
            xs=xs.tolist(),
            ys=ys.tolist(),
            shares=on.shares,
            images=found.slice.images,
            parameters=len(on.centre),
        )
    )


@router.get("/{name}/slice/{row}")
def losses(name: Name, row: Row, request: Request, directions: Directions = "path", seed: Seed = 0) -> Response:
    """The loss at the places of one row of the plane; null where it is not finite."""
    found = _sliced(name, request.app.state.shelf, directions, seed)
    with found.lock:
        return Reply({"row": row, "losses": found.slice.row(row)})


def _sliced(name: str, shelf: Shelf, directions: Directions, seed: int) -> Sliced:
    """The slice of a run, from memory while its film stays the same. Raises UsageError and DataError."""
    folder = shelf.folder(name).path
    film = folder / FILE
    try:
        now = film.stat()
    except OSError:
        raise UsageError(f"{name[:60]} has kept no path of its training", KEEPS) from None
    seen = now.st_mtime_ns, now.st_size
    with _keeping:
        key = (folder, directions, seed)
        known = _kept.get(key)
        if known is None or known.film != seen:
            known = _kept[key] = _open(name, shelf, key, seen)
        _kept.move_to_end(key)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return known


def _open(name: str, shelf: Shelf, key: tuple[Path, Directions, int], seen: tuple[int, int]) -> Sliced:
    folder, directions, seed = key
    film = read_film(folder)
    whole = [frame for frame in film.frames if frame.head.get("whole")] if film else []
    if not whole:
        raise UsageError(f"{name[:60]} has kept no path of its training: its net is too large for that", KEEPS)
    frames = [whole[place] for place in thinned([frame.step for frame in whole])]
    states = [
        {key.removeprefix("state."): values for key, values in frame.arrays().items() if key.startswith("state.")}
        for frame in frames
    ]
    opened = shelf.open(name)
    with opened.alone() as model:
        snapshots = np.stack([weights(model, state) for state in states])
        shapes = [tuple(parameter.shape) for parameter in model.net.parameters()]
        on = plane(snapshots) if directions == "path" else random_plane(snapshots, shapes, seed)
        cut = Slice(model, on, opened.images)
    return Sliced(cut, tuple(frame.step for frame in frames), [cut.at(one) for one in snapshots], seen)
