"""Means of channels and sums of squares about them: of a block of images, and of two sets of numbers together.

A block is read once. Every lane sums (x − s) and (x − s)² over its P positions, s being its first number, which is at
most √P standard deviations of the lane from the lane's mean: so little cancels in q = Σ(x − s)² − (Σ(x − s))²/P. Lanes,
blocks and threads are merged as T. Chan, G. Golub and R. LeVeque do (Algorithms for computing the sample variance,
1983).
"""

from ...ir.arrays import Array, Index, Room, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.values import F32, Value

TOGETHER = 4  # channels whose sums are kept in registers at a time


def real(f: Kernel, v: Index) -> Value:
    """Lane by lane: whether there is an image."""
    return f.compare("ogt", f.load(f.lanes.vector, f.weights, (v, f.lanes.bytes)), 0.0)


def of_block(f: Kernel, x: Array, room: Room, row: int) -> Value:
    """Store each channel's mean, and ``row`` bytes further its sum of squares about it; returns how many numbers."""
    zero = f.constant(0.0, f.lanes.vector)
    parts = f.var(zero)
    with f.loop(f.lanes.vectors) as v:
        parts.value = parts.value + f.select(real(f, v), 1.0, zero)
    images = scalars(f, [parts.value], 1)[0]
    for start, stop, size in chunks(x.channels, TOGETHER):
        with f.loop(stop, start, size) as c:
            lanes = [_of_lanes(f, x, c, size, v) for v in range(f.lanes.vectors)]
            totals = [_over_lanes(f, [mean[n] for mean, _ in lanes]) for n in range(size)]
            means = [total * (1.0 / images) for total in scalars(f, totals, size)]
            squares = []
            for n, mean in enumerate(means):
                centre = f.splat(mean, f.lanes.width)
                gaps = [mean[n] - centre for mean, _ in lanes]
                own = [q[n] for _, q in lanes]
                positions = f.constant(x.height * x.width, zero.type)
                squares.append(
                    _over_lanes(f, [f.fma(gap * gap, positions, q) for gap, q in zip(gaps, own, strict=True)])
                )
            for n, (mean, square) in enumerate(zip(means, scalars(f, squares, size), strict=True)):
                f.store(mean, room, (c, 4), 4 * n)
                f.store(square, room, row, (c, 4), 4 * n)
    return images * float(x.height * x.width)


def _of_lanes(f: Kernel, x: Array, c: Index, size: int, v: int) -> tuple[list[Value], list[Value]]:
    """Mean and sum of squares about it, of each lane, of channels c to c + ``size``."""
    here, zero = f.array(x), f.constant(0.0, f.lanes.vector)
    shifts = [here[c + n, 0, 0, v] for n in range(size)]
    sums, squares = [f.var(zero) for _ in shifts], [f.var(zero) for _ in shifts]
    with f.loop(x.height) as i, f.loop(x.width) as j:
        for n, (shift, total, square) in enumerate(zip(shifts, sums, squares, strict=True)):
            gap = here[c + n, i, j, v] - shift
            total.value = total.value + gap
            square.value = f.fma(gap, gap, square.value)
    share = 1.0 / (x.height * x.width)
    parts = [total.value * share for total in sums]
    means = [shift + part for shift, part in zip(shifts, parts, strict=True)]
    own = [q.value - part * total.value for q, part, total in zip(squares, parts, sums, strict=True)]
    return means, own


def _over_lanes(f: Kernel, vectors: list[Value]) -> Value:
    """Their sum, where there is an image."""
    zero = f.constant(0.0, f.lanes.vector)
    total = zero
    for v, vector in enumerate(vectors):
        total = total + f.select(real(f, v), vector, zero)
    return total


def scalars(f: Kernel, vectors: list[Value], count: int) -> list[Value]:
    """The sums over the lanes."""
    room = f.reserve(f.lanes.vector)
    f.store(lane_sums(f, vectors), room)
    return [f.load(F32, room, 4 * n) for n in range(count)]


def merged(f: Kernel, ours: list[Value], theirs: list[Value]) -> list[Value]:
    """Count, mean and sum of squares about it, of two sets of numbers together; either may be empty."""
    (n, mean, squares), (m, other, more) = ours, theirs
    total = n + m
    part = m / f.select(f.compare("ogt", total, 0.0), total, f.constant(1.0, total.type))
    gap = other - mean
    return [total, f.fma(gap, part, mean), squares + f.fma(gap * gap, n * part, more)]
