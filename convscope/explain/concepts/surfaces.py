"""Losses without samples that can be drawn as a map: a narrow valley, a saddle, and two minima of unequal depth."""

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UsageError, near
from ..backprop.values import Array
from .objectives import Index, Vector
from .polynomials import Terms, curvature, heights, slope, value


@dataclass(frozen=True)
class Surface:
    """A loss without samples, in float64. ``view`` is the part of the map that is shown: ((w from, to), (b from, to)).

    ``lowest`` is the deepest place. It is an :class:`~.objectives.Objective` with one sample, of which every batch is.
    """

    kind: str
    formula: str
    terms: Terms
    begin: tuple[float, float]
    lowest: tuple[float, float]
    view: tuple[tuple[float, float], tuple[float, float]]
    records: int = 5_000
    repeats: int = 5

    @property
    def name(self) -> str:
        """What it is, with its formula."""
        return f"{self.kind} {self.formula}"

    @property
    def samples(self) -> int:
        """One: the gradient is exact, whatever the batch."""
        return 1

    def start(self) -> Vector:
        """See :class:`~.objectives.Objective`."""
        return np.array(self.begin)

    def loss(self, parameters: Vector, index: Index) -> tuple[float, Vector]:  # noqa: ARG002 - every batch is all
        """The height at (w, b) and its two derivatives."""
        w, b = parameters.tolist()
        return value(self.terms, w, b), np.array([value(slope(self.terms, axis), w, b) for axis in (0, 1)])

    def best(self) -> Array:
        """The deepest place (w, b)."""
        return np.array(self.lowest)

    def curvature(self) -> float:
        """λmax of the second derivatives at the deepest place."""
        return curvature(self.terms, self.lowest)

    def map(self, ws: Array, bs: Array) -> Array:
        """The height at every (b, w): shape (len(bs), len(ws))."""
        return heights(self.terms, ws, bs)


VALLEY = Surface(
    kind="valley",
    formula="½·w² + 10·b²",
    terms=((2, 0, 0.5), (0, 2, 10.0)),
    begin=(-4.0, 1.0),
    lowest=(0.0, 0.0),
    view=((-5.0, 5.0), (-2.0, 2.0)),
)
SADDLE = Surface(
    kind="saddle",
    formula="½·w² − ½·b² + ¼·b⁴",
    terms=((2, 0, 0.5), (0, 2, -0.5), (0, 4, 0.25)),
    begin=(-1.6, 0.001),
    lowest=(0.0, 1.0),
    view=((-2.0, 2.0), (-1.8, 1.8)),
)
# 4w³ − 4w + 0.4 = 0 has its least root here: the deeper of the two valleys.
DEEPER = float(np.sort(np.roots([4.0, 0.0, -4.0, 0.4]).real)[0])
TWO_MINIMA = Surface(
    kind="two minima",
    formula="(w² − 1)² + 0.4·w + b²",
    terms=((4, 0, 1.0), (2, 0, -2.0), (0, 0, 1.0), (1, 0, 0.4), (0, 2, 1.0)),
    begin=(1.6, 1.2),
    lowest=(DEEPER, 0.0),
    view=((-1.9, 1.9), (-1.6, 1.6)),
)
SURFACES = {"valley": VALLEY, "saddle": SADDLE, "two-minima": TWO_MINIMA}


def surface(name: str, start: tuple[float, float] | None = None) -> Surface:
    """The surface of that name, with another place to begin. Raises UsageError."""
    if name not in SURFACES:
        raise UsageError(f"there is no surface {name[:40]!r}", near(name, SURFACES))
    found = SURFACES[name]
    return found if start is None else replace(found, begin=start)
