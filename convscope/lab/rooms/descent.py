"""Room 3: stochastic, mini-batch and full-batch descent from one start, on a loss with two parameters."""

from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...data.batches import epoch_order
from ...errors import UsageError
from ...explain.concepts.batches import Batches, cut
from ...explain.concepts.descent import Descent, Regime, compare
from ...explain.concepts.objectives import Regression, regression
from ..programs.scripts import descent_script
from ..reply import Reply

router = APIRouter(prefix="/api/descent", tags=["descent"])

MOST_UPDATES = 4_000  # of the stochastic regime: each is a point on the page
ROOM = 4.0  # times the way from the start to the best place that the map shows on each side of that, at most
GRID = 48  # points along each side of the map of the loss


class DescentRequest(BaseModel):
    """The regression's samples, and how to descend; ``regime`` is the one that the program repeats.

    ``count_samples`` and ``count_batch_size`` are another question: how many updates an epoch takes.
    """

    samples: int = Field(60, ge=4, le=400)
    batch_size: int = Field(8, ge=2, le=399)
    epochs: int = Field(4, ge=1, le=100)
    lr: float = Field(0.05, gt=0, le=10, allow_inf_nan=False)
    seed: int = Field(0, ge=0, le=2**31)
    regime: int = Field(1, ge=0, le=2)
    count_samples: int = Field(40_000, ge=1, le=10**12)
    count_batch_size: int = Field(32, ge=1, le=10**12)
    drop_last: bool = False


@dataclass(frozen=True)
class Path:
    """A regime with, for every update, the gradient of its batch and that of all samples (updates, 2)."""

    regime: Regime
    batch_gradients: tuple[tuple[float, float], ...]
    full_gradients: tuple[tuple[float, float], ...]
    per_epoch: int


@dataclass(frozen=True)
class Map:
    """The loss over all samples at every (b, w): ``heights`` (len(bs), len(ws)). A path may lead out of it."""

    ws: tuple[float, ...]
    bs: tuple[float, ...]
    heights: tuple[tuple[float, ...], ...]
    best: tuple[float, float]


@dataclass(frozen=True)
class DescentReply:
    """Three paths on one map; ``orders`` has the samples of every epoch in the order in which they are taken.

    ``curvature`` is λmax: with all samples, steps beyond 2/λmax lead away. ``timed`` runs the seconds come from.
    """

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
    if q.samples * q.epochs > MOST_UPDATES:
        raise UsageError(
            f"{q.epochs} epochs of {q.samples} samples are {q.samples * q.epochs:,} updates",
            f"the lab shows at most {MOST_UPDATES:,}: take fewer epochs or samples",
        )
    objective = regression(q.samples, q.seed)
    descent = compare(objective, q.batch_size, q.epochs, q.lr, q.seed, diverging="shown")
    orders = tuple(tuple(epoch_order(q.samples, q.seed, e).tolist()) for e in range(1, q.epochs + 1))
    paths = tuple(_path(objective, regime, orders) for regime in descent.regimes)
    chosen = descent.regimes[q.regime]
    return DescentReply(
        paths=paths,
        map=_map(objective, descent),
        orders=orders,
        batches=cut(q.count_samples, q.count_batch_size, q.drop_last),
        curvature=objective.curvature(),
        timed=descent.timed,
        script=descent_script(objective, chosen, orders, q.lr),
    )


def _path(objective: Regression, regime: Regime, orders: tuple[tuple[int, ...], ...]) -> Path:
    everything = np.arange(objective.samples)
    size = regime.batch_size
    batches = [np.array(order[start : start + size]) for order in orders for start in range(0, len(order), size)]
    places = [np.array(point.parameters) for point in regime.points[:-1]]
    mine, full = (
        tuple(
            (float(g[0]), float(g[1])) for g in (objective.loss(p, i)[1] for p, i in zip(places, index, strict=False))
        )
        for index in (batches, [everything] * len(batches))
    )
    return Path(regime, mine, full, len(batches) // len(orders))


def _map(objective: Regression, descent: Descent) -> Map:
    best, start = objective.best(), objective.start()
    places = np.array([point.parameters for regime in descent.regimes for point in regime.points])
    widest = ROOM * np.abs(start - best).max()  # of the map around the best place: a path may lead to infinity
    low = np.maximum(np.minimum(places.min(0), best), best - widest)
    high = np.minimum(np.maximum(places.max(0), best), best + widest)
    margin = 0.15 * (high - low) + 1e-6
    ws, bs = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    heights = tuple(tuple(row) for row in objective.map(ws, bs).tolist())
    return Map(tuple(ws.tolist()), tuple(bs.tolist()), heights, (float(best[0]), float(best[1])))


@router.post("")
def ask(question: DescentRequest) -> Response:
    """Three descents from one start with every update, the map of the loss, and how an epoch is cut into batches."""
    return Reply(answer(question))
