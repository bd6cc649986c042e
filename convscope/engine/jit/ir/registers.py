"""Blocks of sums that are kept in registers, so that every number that is loaded serves several multiply-adds."""

from collections.abc import Callable, Sequence
from itertools import product

from .arrays import Pair, chunks
from .function import Function
from .values import F32, Value, Var

WAITS = 8  # multiply-adds that begin before the first one is done: two a cycle, four cycles
Sums = list[list[Var]]
Factors = Callable[[int], Value]


def tile(channels: int, pixels: int, vectors: int, limit: int) -> Pair:
    """How many of ``channels`` and of ``pixels``, each ``vectors`` vectors, a block of at most ``limit`` sums takes.

    As many numbers are loaded in the time of as many multiply-adds, and as a sum waits for itself, fewer than ``WAITS``
    take no less time. Of equals the most channels, for pixels are then read less often.
    """

    def cost(block: Pair) -> tuple[int, int, int]:
        parts = [
            ((end - start) // n * ((right - left) // m), n, m * vectors)
            for start, end, n in chunks(channels, block[0])
            for left, right, m in chunks(pixels, block[1])
        ]
        return sum(count * max(n * m, n + m, WAITS) for count, n, m in parts), -block[0], -block[1]

    rows, columns = ({next(chunks(n, most))[2] for most in range(1, min(n, limit) + 1)} for n in (channels, pixels))
    blocks = [(n, m) for n, m in product(rows, columns) if n * m * vectors <= limit]
    return min(blocks, key=cost, default=(1, 1))


def zeros(f: Function, rows: int, columns: int, kind: str) -> Sums:
    """rows × columns sums of type ``kind`` that start at zero."""
    return [[f.var(f.constant(0.0, kind)) for _ in range(columns)] for _ in range(rows)]


def accumulate(f: Function, sums: Sums, row: Factors, column: Sequence[Value]) -> None:
    """sums[n][m] += row(n) · column[m], the outer product of two vectors; row(n) is written when it is needed."""
    for n, totals in enumerate(sums):
        factor = row(n)
        for total, value in zip(totals, column, strict=True):
            total.value = f.fma(value, factor, total.value)


def values(sums: Sums) -> list[list[Value]]:
    """What the sums are now."""
    return [[total.value for total in row] for row in sums]


def spread(f: Function, base: Value, stride: int, lanes: int, first: int = 0) -> Factors:
    """The n-th number from byte ``first`` after ``base`` on, so many bytes from one to the next, in every lane."""
    return lambda n: f.splat(f.load(F32, base, n * stride + first), lanes)


def loads(f: Function, kind: str, base: Value, stride: int) -> Factors:
    """The n-th vector from ``base`` on, so many bytes from one to the next."""
    return lambda n: f.load(kind, base, n * stride)
