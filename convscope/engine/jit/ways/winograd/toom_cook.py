"""The matrices of Winograd's convolutions, exact, and the multiplication of vectors by them in few instructions.

m outputs of a kernel of r are computed with n = m + r − 1 products instead of m·r:

    y = Aᵀ [ (G g) ⊙ (Bᵀ d) ]        d: n inputs, g: r weights, y: m outputs

Toom and Cook: two polynomials are multiplied by way of their values at n points, one of which is infinity. As a
filter is the transpose of a product, Aᵀ evaluates where a product's matrix would interpolate, and the other way round.
S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, arXiv:1509.09308.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod

from ...ir.function import Function
from ...ir.values import Value

# 0, then pairs ±p, whose values share their halves; infinity comes last of all. Few and small, for they become powers.
POINTS = [Fraction(p) for p in ("0", "1", "-1", "2", "-2", "1/2", "-1/2")]
MOST = len(POINTS) + 1  # products along an axis

Matrix = list[list[Fraction]]


@dataclass(frozen=True)
class Transform:
    """``outputs`` outputs of a kernel of ``kernel`` along one axis, by ``points`` products."""

    outputs: int
    kernel: int

    @property
    def points(self) -> int:
        """Products, which is also the number of inputs."""
        return self.outputs + self.kernel - 1

    @property
    def evaluate(self) -> Matrix:
        """A (points, outputs): the powers of the points. Its transpose Aᵀ makes outputs of products."""
        highest = [Fraction(i == self.outputs - 1) for i in range(self.outputs)]
        return [*([p**i for i in range(self.outputs)] for p in self._finite()), highest]

    @property
    def weight(self) -> Matrix:
        """G (points, kernel): the values of a kernel's polynomial, divided by what interpolation divides by."""
        rows = []
        for p, others in self._each():
            divisor = prod((p - q for q in others), start=Fraction(1))
            rows.append([p**k / divisor for k in range(self.kernel)])
        return [*rows, [Fraction(k == self.kernel - 1) for k in range(self.kernel)]]

    @property
    def input(self) -> Matrix:
        """Bᵀ (points, points): the coefficients of the polynomials that vanish at all points but one."""
        return [*([*_polynomial(others), Fraction(0)] for _, others in self._each()), _polynomial(self._finite())]

    def _finite(self) -> list[Fraction]:
        return POINTS[: self.points - 1]

    def _each(self) -> list[tuple[Fraction, list[Fraction]]]:
        """Every finite point, and all the others."""
        points = self._finite()
        return [(p, [q for q in points if q != p]) for p in points]


def transposed(matrix: Matrix) -> Matrix:
    """The matrix with rows for columns."""
    return [list(column) for column in zip(*matrix, strict=True)]


def multiply(f: Function, matrix: Matrix, vectors: Sequence[Value]) -> list[Value]:
    """matrix · vectors. Rows (or columns) of points p and −p differ in every other sign, and so share two sums."""
    columns = transposed(matrix)
    if not _pairs(matrix) and _pairs(columns):
        given, kept = list(vectors), list(matrix)
        for j in _pairs(columns):  # y += a·(v + w) for even rows, a·(v − w) for odd ones
            given[j], given[j + 1] = vectors[j] + vectors[j + 1], vectors[j] - vectors[j + 1]
            kept = [
                [*row[:j], *((row[j], Fraction(0)) if i % 2 == 0 else (Fraction(0), row[j])), *row[j + 2 :]]
                for i, row in enumerate(kept)
            ]
        return [_sum(f, row, given) for row in kept]
    result: list[Value] = []
    while len(result) < len(matrix):
        row = matrix[len(result)]
        if len(result) in _pairs(matrix):
            even = _sum(f, row[::2], vectors[::2])
            odd = _sum(f, row[1::2], vectors[1::2])
            result += [even + odd, even - odd]
        else:
            result.append(_sum(f, row, vectors))
    return result


def _pairs(rows: Matrix) -> list[int]:
    """The rows that are followed by one that differs from it in every other sign, and has more than one number."""
    found: list[int] = []
    for i, (row, following) in enumerate(pairwise(rows)):
        alike = all(b == (-1) ** k * a for k, (a, b) in enumerate(zip(row, following, strict=True)))
        if alike and any(row[1::2]) and any(row[::2]):
            found.append(i)
    return found


def _sum(f: Function, factors: Sequence[Fraction], vectors: Sequence[Value]) -> Value:
    """Σ factor · vector, without the zeros, and without multiplying by one."""
    terms = sorted(((a, v) for a, v in zip(factors, vectors, strict=True) if a), key=lambda term: term[0] != 1)
    (factor, vector), *others = terms
    total = vector if factor == 1 else vector * float(factor)
    for factor, vector in others:
        match factor:
            case 1:
                total = total + vector
            case -1:
                total = total - vector
            case _:
                total = f.fma(vector, f.constant(float(factor), vector.type), total)
    return total


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of ∏ (x − root), the lowest power first."""
    result = [Fraction(1)]
    for root in roots:
        result = [a - root * b for a, b in zip([Fraction(0), *result], [*result, Fraction(0)], strict=True)]
    return result
