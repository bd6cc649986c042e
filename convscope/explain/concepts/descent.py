"""Stochastic, mini-batch and full-batch descent from one start, over equally many samples, and other update rules.

One loop serves a regression with two parameters, whose loss can be drawn as a map, and a net on images: all that it
asks for is the mean loss of some samples and its gradient.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ...data.batches import epoch_order, steps_per_epoch
from ...errors import TrainingError, UsageError
from ...language.counts import number_of
from ...shown import Table, Tabular
from .objectives import Index, Objective, Vector
from .optimizers import Optimizer, UpdateRule, rule

MAX_UPDATES = 1_000_000
FAR = 1e12  # a parameter beyond this has left for infinity


@dataclass(frozen=True)
class Way:
    """How to go down: by which rule, with how many samples an update."""

    name: str
    batch_size: int
    rule: UpdateRule


@dataclass(frozen=True)
class Point:
    """A place on a path. ``loss`` is over all samples; ``angle`` (degrees) lies between the gradient of the next batch
    and that of all samples, ``noise`` is the length of their difference; both None at the end. ``seconds`` counts the
    updates alone: the sum of each one's median where a path is timed more than once. ``parameters`` are kept where
    there are two.
    """

    updates: int
    samples: int
    seconds: float
    loss: float
    angle: float | None
    noise: float | None
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class Regime:
    """One path. ``angle`` is the mean and ``noise`` the root mean square over its points; ``detour`` is the length of
    the way through the recorded points divided by the distance from start to end. Where ``diverged``, the next update
    would have left for infinity, and the path ends there.
    """

    name: str
    batch_size: int
    updates: int
    samples: int
    seconds: float
    loss: float
    angle: float
    noise: float
    detour: float
    points: tuple[Point, ...]
    diverged: bool = False
    optimizer: Optimizer = "sgd"
    lr: float = 0.0


@dataclass(frozen=True, repr=False)
class Descent(Tabular):
    """The regimes side by side: equal start, learning rate and samples seen. ``timed`` runs the seconds come from."""

    objective: str
    samples: int
    parameters: int
    epochs: int
    lr: float
    seed: int
    regimes: tuple[Regime, ...]
    timed: int
    momentum: float = 0.9

    def told(self) -> Iterator[str | Table]:
        """The regimes, one a row."""
        size = number_of(self.parameters, "parameter")
        yield f"{self.objective}: {size}, {number_of(self.epochs, 'epoch')}, lr {self.lr:g}"
        names = ("name", "batch_size", "updates", "samples", "loss", "angle", "noise", "detour", "seconds")
        yield Table(names, [[getattr(regime, name) for name in names] for regime in self.regimes])


def compare(
    objective: Objective,
    batch_size: int,
    epochs: int,
    lr: float,
    seed: int,
    tell: Callable[[str], None] | None = None,
    diverging: Literal["refused", "shown"] = "refused",
    further: Sequence[UpdateRule] = (),
) -> Descent:
    """Descend with batch size 1, ``batch_size`` and all samples, and with mini-batches by the ``further`` rules.

    Where there is one sample only, its gradient is exact, and one plain descent is enough. ``tell`` hears which regime
    is at work. Raises UsageError for choices that make no sense, TrainingError where a path leaves for infinity and
    that is ``refused``.
    """
    plain = rule("sgd", lr)
    if objective.samples > 1 and not 1 < batch_size < objective.samples:
        raise UsageError(f"--batch-size is {batch_size}, but a mini-batch of {objective.samples:,} samples holds "
                         f"2 to {objective.samples - 1:,}")  # fmt: skip
    if epochs < 1 or epochs * objective.samples > MAX_UPDATES:
        raise UsageError(
            f"{epochs:,} epochs of {objective.samples:,} samples are {epochs * objective.samples:,} updates "
            f"at batch size 1, expected 1 to {MAX_UPDATES:,}",
            "change --epochs or --samples",
        )
    regimes = []
    for way in _ways(objective.samples, batch_size, plain, further):
        if tell:
            tell(f"{way.name}: {number_of(epochs * steps_per_epoch(objective.samples, way.batch_size), 'update')}")
        found = timed(objective, way, epochs, seed)
        if found.diverged and diverging == "refused":
            raise TrainingError(
                f"{way.name.removesuffix(' descent')} descent leaves for infinity "
                f"after {number_of(found.updates + 1, 'update')} with lr {way.rule.lr:g}",
                f"take a smaller step, such as --lr {way.rule.lr / 10:g}",
            )
        regimes.append(found)
    return Descent(
        objective=objective.name,
        samples=objective.samples,
        parameters=len(objective.start()),
        epochs=epochs,
        lr=lr,
        seed=seed,
        regimes=tuple(regimes),
        timed=objective.repeats,
        momentum=next((one.momentum for one in further), 0.9),
    )


def _ways(samples: int, batch_size: int, plain: UpdateRule, further: Sequence[UpdateRule]) -> list[Way]:
    if samples == 1:
        return [Way("gradient descent", 1, plain), *(Way(one.optimizer, 1, one) for one in further)]
    sizes = (("stochastic", 1), ("mini-batch", batch_size), ("full batch", samples))
    return [Way(name, size, plain) for name, size in sizes] + [Way(o.optimizer, batch_size, o) for o in further]


def timed(objective: Objective, way: Way, epochs: int, seed: int) -> Regime:
    """:func:`descend`, with the seconds until every point: each update's median over ``objective.repeats`` runs after
    one to warm up, added up. What interrupts a run hits a few of its updates, and their medians do not see it.
    """
    found = descend(objective, way, epochs, seed)
    if objective.repeats == 1:
        return found
    batches = [batch for batch, _ in _batches(objective.samples, way.batch_size, epochs, seed)][: found.updates]
    runs = [_clock(objective, batches, way.rule) for _ in range(objective.repeats + 1)][1:]
    seconds = np.cumsum(np.median(np.diff(runs, axis=1, prepend=0.0), axis=0)).tolist()
    points = tuple(replace(point, seconds=seconds[point.updates]) for point in found.points)
    return replace(found, points=points, seconds=seconds[-1])


def _clock(objective: Objective, batches: Sequence[Index], by: UpdateRule) -> list[float]:
    """Seconds since the start after every update, the start included."""
    parameters, memory = objective.start(), by.begin()
    began = time.perf_counter()
    found = [0.0]
    for batch in batches:
        parameters = memory.step(parameters, objective.loss(parameters, batch)[1])
        found.append(time.perf_counter() - began)
    return found


def descend(objective: Objective, way: Way, epochs: int, seed: int) -> Regime:
    """θ ← θ − lr · (gradient of the batch's mean loss), or as the way's rule has it, batch by batch, in the order that
    ``convscope train`` takes.
    """
    batch_size, memory = way.batch_size, way.rule.begin()
    parameters = objective.start()
    everything = np.arange(objective.samples)
    every = max(1, steps_per_epoch(objective.samples, batch_size) * epochs // objective.records)
    points: list[Point] = []
    trail: list[Vector] = []
    updates, seen, seconds, diverged = 0, 0, 0.0, False

    def record(angle: float | None, noise: float | None, loss: float) -> None:
        kept = tuple(parameters.tolist()) if len(parameters) == 2 else ()
        points.append(Point(updates, seen, seconds, loss, angle, noise, kept))
        trail.append(parameters.copy())

    for batch, begins in _batches(objective.samples, batch_size, epochs, seed):
        began = time.perf_counter()
        _, gradient = objective.loss(parameters, batch)
        spent = time.perf_counter() - began
        if updates % every == 0 or begins:
            loss, full = objective.loss(parameters, everything)
            record(angle(gradient, full), float(np.linalg.norm(gradient - full)), loss)
        began = time.perf_counter()
        moved = memory.step(parameters, gradient)
        spent += time.perf_counter() - began
        if not np.isfinite(moved).all() or np.abs(moved).max() > FAR:
            diverged = True
            break
        parameters, updates, seen, seconds = moved, updates + 1, seen + len(batch), seconds + spent
    if not points or points[-1].updates != updates:
        record(None, None, objective.loss(parameters, everything)[0])
    else:  # it would have continued from here
        points[-1] = replace(points[-1], angle=None, noise=None)
    found = _summary(way.name, batch_size, points, trail)
    return replace(found, diverged=diverged, optimizer=way.rule.optimizer, lr=way.rule.lr)


def _batches(samples: int, batch_size: int, epochs: int, seed: int) -> Iterator[tuple[Index, bool]]:
    """Every batch, and whether an epoch begins with it."""
    for epoch in range(1, epochs + 1):
        order = epoch_order(samples, seed, epoch)
        for start in range(0, samples, batch_size):
            yield order[start : start + batch_size], start == 0


def angle(a: Vector, b: Vector) -> float:
    """The angle between two vectors in degrees; 0 where one of them has no length."""
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    cosine = float(np.dot(a, b)) / lengths if lengths else 1.0
    return float(np.degrees(np.arccos(min(1.0, max(-1.0, cosine)))))


def _summary(name: str, batch_size: int, points: list[Point], trail: list[Vector]) -> Regime:
    angles = [p.angle for p in points if p.angle is not None] or [0.0]
    noises = [p.noise for p in points if p.noise is not None] or [0.0]
    length = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(trail))
    distance = float(np.linalg.norm(trail[-1] - trail[0]))
    last = points[-1]
    return Regime(
        name, batch_size, last.updates, last.samples, last.seconds, last.loss, sum(angles) / len(angles),
        float(np.sqrt(np.mean(np.square(noises)))), length / distance if distance else 1.0, tuple(points),
    )  # fmt: skip
