"""Polynomials in w and b: a loss whose value, slope and curvature are exact everywhere on its map."""

from collections.abc import Sequence

import numpy as np

from ..backprop.values import Array

Terms = tuple[tuple[int, int, float], ...]  # (i, j, c): c·wⁱ·bʲ


def value(terms: Terms, w: float, b: float) -> float:
    """Σ c·wⁱ·bʲ; not finite far out, where a power overflows."""
    with np.errstate(all="ignore"):
        w_, b_ = np.float64(w), np.float64(b)
        return float(sum(c * w_**i * b_**j for i, j, c in terms))


def slope(terms: Terms, axis: int) -> Terms:
    """The terms of the derivative along w (axis 0) or b (axis 1)."""
    if axis == 0:
        return tuple((i - 1, j, i * c) for i, j, c in terms if i)
    return tuple((i, j - 1, j * c) for i, j, c in terms if j)


def curvature(terms: Terms, place: Sequence[float]) -> float:
    """The largest eigenvalue of the matrix of second derivatives at (w, b)."""
    w, b = place
    second = [[value(slope(slope(terms, one), other), w, b) for one in (0, 1)] for other in (0, 1)]
    return float(np.linalg.eigvalsh(np.array(second))[-1])


def heights(terms: Terms, ws: Array, bs: Array) -> Array:
    """The loss at every (b, w): shape (len(bs), len(ws))."""
    w, b = ws[None, :], bs[:, None]
    return np.asarray(sum(c * w**i * b**j for i, j, c in terms) + np.zeros((len(bs), len(ws))))
