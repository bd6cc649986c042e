"""Room 3: descent from one start on a loss with two parameters: by batch size, and by update rule."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...data.batches import epoch_order
from ...errors import UsageError
from ...explain.concepts.asked import FARTHEST, further
from ...explain.concepts.batches import Batches, cut
from ...explain.concepts.descent import Regime, compare
from ...explain.concepts.objectives import Terrain, Vector, regression
from ...explain.concepts.optimizers import OPTIMIZERS, UpdateRule
from ...explain.concepts.polynomials import Terms
from ...explain.concepts.surfaces import surface
from ..programs.descent_script import descent_script
from ..reply import Reply

router = APIRouter(prefix="/api/descent", tags=["descent"])

MOST_UPDATES = 4_000  # of the stochastic regime: each is a point on the page
GRID = 48  # points along each side of the map of the loss
MARGIN = 0.08  # of a side of the map, beyond a start that lies outside of what is shown

Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]


class DescentRequest(BaseModel):
    """The regression's samples, or another surface, and how to descend; ``regime`` is the one that the program repeats:
    stochastic, mini-batch, full batch, momentum, Nesterov, Adam. On other surfaces ``epochs`` are updates.

    ``count_samples`` and ``count_batch_size`` are another question: how many updates an epoch takes.
    """

    surface: Literal["line", "valley", "saddle", "two-minima"] = "line"
    start: tuple[Coordinate, Coordinate] | None = None
    optimizers: list[Literal["momentum", "nesterov", "adam"]] = Field([], max_length=3)
    momentum: float = Field(0.9, ge=0, le=0.99)
    adam_lr: float = Field(0.2, gt=0, le=10, allow_inf_nan=False)
    samples: int = Field(60, ge=4, le=400)
    batch_size: int = Field(8, ge=2, le=399)
    epochs: int = Field(4, ge=1, le=1_000)
    lr: float = Field(0.05, gt=0, le=10, allow_inf_nan=False)
    seed: int = Field(0, ge=0, le=2**31)
    regime: int = Field(1, ge=0, le=5)
    count_samples: int = Field(40_000, ge=1, le=10**12)
    count_batch_size: int = Field(32, ge=1, le=10**12)
    drop_last: bool = False


Pair = tuple[float, float]


@dataclass(frozen=True)
class Path:
    """A regime with, for every update, the gradient of its batch and that of all samples (updates, 2).

    ``kind`` is its number as in the question. ``first`` (updates, 2) is the velocity, or Adam's m̂, and ``second``
    Adam's √v̂ + ε; empty where the rule has none. ``limit`` is the step from which exact gradients lead away.
    """

    kind: int
    regime: Regime
    batch_gradients: tuple[Pair, ...]
    full_gradients: tuple[Pair, ...]
    first: tuple[Pair, ...]
    second: tuple[Pair, ...]
    per_epoch: int
    limit: float | None


@dataclass(frozen=True)
class Map:
    """The loss over all samples at every (b, w): ``heights`` (len(bs), len(ws)). A path may lead out of it.

    ``terms`` are the loss as a polynomial: (i, j, c) is c·wⁱ·bʲ.
    """

    terms: Terms
    ws: tuple[float, ...]
    bs: tuple[float, ...]
    heights: tuple[tuple[float, ...], ...]
    best: tuple[float, float]


@dataclass(frozen=True)
class DescentReply:
    """The paths on one map; ``orders`` has the samples of every epoch in the order in which they are taken.

    ``curvature`` is λmax at the best place; ``timed`` runs the seconds come from. ``chosen`` is the place of the path
    that the program repeats.
    """

    samples: int
    chosen: int

    paths: tuple[Path, ...]
    map: Map
    orders: tuple[tuple[int, ...], ...]
    batches: Batches
    curvature: float
    timed: int
    script: str


def answer(question: DescentRequest) -> DescentReply:
    """What room 3 shows, diverging paths included. Raises UsageError."""
    q = question
    samples = q.samples if q.surface == "line" else 1
    if samples * q.epochs > MOST_UPDATES:
        raise UsageError(
            f"{q.epochs} epochs of {q.samples} samples are {q.samples * q.epochs:,} updates",
            f"the lab shows at most {MOST_UPDATES:,}: take fewer epochs or samples",
        )
    terrain: Terrain = surface(q.surface, q.start) if samples == 1 else regression(samples, q.seed, q.start)
    rules = further(q.optimizers, q.lr, q.momentum, q.adam_lr)
    descent = compare(terrain, q.batch_size, q.epochs, q.lr, q.seed, diverging="shown", further=rules)
    orders = tuple(tuple(epoch_order(samples, q.seed, e).tolist()) for e in range(1, q.epochs + 1))
    paths = tuple(_path(terrain, regime, q.momentum, orders) for regime in descent.regimes)
    chosen = next((place for place, path in enumerate(paths) if path.kind == q.regime), len(paths) > 1 and samples > 1)
    return DescentReply(
        samples=samples,
        chosen=int(chosen),
        paths=paths,
        map=_map(terrain),
        orders=orders,
        batches=cut(q.count_samples, q.count_batch_size, q.drop_last),
        curvature=terrain.curvature(),
        timed=descent.timed,
        script=descent_script(terrain, descent.regimes[int(chosen)], orders, q.momentum),
    )


def _path(terrain: Terrain, regime: Regime, momentum: float, orders: tuple[tuple[int, ...], ...]) -> Path:
    everything = np.arange(terrain.samples)
    size = regime.batch_size
    batches = [np.array(order[start : start + size]) for order in orders for start in range(0, len(order), size)]
    rule = UpdateRule(regime.optimizer, regime.lr, momentum)
    memory = rule.begin()
    batch, full, first, second = [], [], [], []
    for point, index in zip(regime.points[:-1], batches, strict=False):
        place = np.array(point.parameters)
        gradient = terrain.loss(place, index)[1]
        memory.step(place, gradient)
        batch.append(_pair(gradient))
        full.append(_pair(terrain.loss(place, everything)[1]))
        if rule.optimizer != "sgd":
            first.append(_pair(memory.first))
        if rule.optimizer == "adam":
            second.append(_pair(memory.second))
    return Path(
        kind=_kind(regime, terrain.samples),
        regime=regime,
        batch_gradients=tuple(batch),
        full_gradients=tuple(full),
        first=tuple(first),
        second=tuple(second),
        per_epoch=len(batches) // len(orders),
        limit=rule.limit(terrain.curvature()),
    )


def _kind(regime: Regime, samples: int) -> int:
    """0 stochastic, 1 mini-batch, 2 full batch, then momentum, Nesterov and Adam."""
    if regime.optimizer != "sgd":
        return 2 + OPTIMIZERS.index(regime.optimizer)
    return 2 if regime.batch_size == samples else min(regime.batch_size - 1, 1)


def _pair(vector: Vector) -> Pair:
    return float(vector[0]), float(vector[1])


def _map(terrain: Terrain) -> Map:
    """The part that is shown does not depend on the paths: it holds still while a start is dragged over it."""
    sides = []
    for (low, high), at in zip(terrain.view, terrain.start().tolist(), strict=True):
        margin = MARGIN * (high - low)
        sides.append(np.linspace(min(low, at - margin), max(high, at + margin), GRID))
    ws, bs = sides
    heights = tuple(tuple(row) for row in terrain.map(ws, bs).tolist())
    return Map(terrain.terms, tuple(ws.tolist()), tuple(bs.tolist()), heights, _pair(terrain.best()))


@router.post("")
def ask(question: DescentRequest) -> Response:
    """The descents from one start with every update, the map of the loss, and how an epoch is cut into batches."""
    return Reply(answer(question))
