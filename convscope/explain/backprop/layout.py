"""Where the boxes of a graph stand: a layered drawing from left to right, without any other program.

The method is Sugiyama's (Sugiyama, Tagawa, Toda 1981) with the median heuristic of Gansner et al. (1993): ranks, order
within a rank, coordinates. A label of an edge is a box of its own on a rank in between, so that it never covers
anything. Pure arithmetic: the same graph always gets the same picture.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

SWEEPS = 24  # over the ranks, for the order; fewer for graphs with very many bends
ALIGNMENTS = 16  # over the ranks, for the coordinates


@dataclass(frozen=True)
class Size:
    """Of a box, in pixels."""

    width: float
    height: float


@dataclass(frozen=True)
class Link:
    """An edge between boxes by index, which must point forward in some order; ``label`` takes room on the way."""

    source: int
    target: int
    label: Size | None = None


@dataclass(frozen=True)
class Rectangle:
    """A box: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """An edge: the points it passes, from the right side of its source to the left side of its target."""

    points: tuple[tuple[float, float], ...]
    label: Rectangle | None


@dataclass(frozen=True)
class Layout:
    """The whole drawing, as large as its content; ``boxes`` and ``routes`` in the order in which they were given."""

    width: float
    height: float
    boxes: tuple[Rectangle, ...]
    routes: tuple[Route, ...]


def layered(boxes: Sequence[Size], links: Sequence[Link], rank_gap: float = 28, row_gap: float = 18) -> Layout:
    """Place ``boxes`` so that none overlaps another and every link runs to the right. ValueError on a cycle."""
    grid = _Grid([*boxes], [2 * rank for rank in ranks(len(boxes), links)])
    chains = [grid.chain(link) for link in links]
    layers = grid.order()
    rows = grid.rows(layers, row_gap)
    columns: list[tuple[float, float]] = []  # left and right of every rank
    for layer in layers:
        left = columns[-1][1] + rank_gap if columns else 0.0
        columns.append((left, left + max((grid.sizes[i].width for i in layer), default=0)))
    top = min((rows[i] - size.height / 2 for i, size in enumerate(grid.sizes)), default=0)

    def place(i: int) -> Rectangle:
        size, (left, right) = grid.sizes[i], columns[grid.rank[i]]
        x = (left + right - size.width) / 2 if i < len(boxes) else left
        return Rectangle(x, rows[i] - size.height / 2 - top, size.width, size.height)

    routes = []
    for link, chain in zip(links, chains, strict=True):
        bends = [place(i) for i in chain]
        start, end = place(link.source), place(link.target)
        level = start.y + start.height / 2
        points = [(start.x + start.width, level), (columns[grid.rank[link.source]][1], level)]
        for stop, bend in zip(chain, bends, strict=True):  # level all through the column, so as to cross no label in it
            middle = bend.y + bend.height / 2
            points += [(x, middle) for x in columns[grid.rank[stop]]]
        level = end.y + end.height / 2
        points += [(columns[grid.rank[link.target]][0], level), (end.x, level)]
        routes.append(Route(tuple(points), bends[0] if link.label else None))
    everything = [place(i) for i in range(len(grid.sizes))]
    return Layout(
        max((p.x + p.width for p in everything), default=0),
        max((p.y + p.height for p in everything), default=0),
        tuple(everything[: len(boxes)]),
        tuple(routes),
    )


def ranks(count: int, links: Sequence[Link]) -> list[int]:
    """The rank of every box: after all its sources, and boxes without a source right before their first target."""
    sources: list[list[int]] = [[] for _ in range(count)]
    targets: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        sources[link.target].append(link.source)
        targets[link.source].append(link.target)
    waiting = [len(s) for s in sources]
    order = [i for i in range(count) if not waiting[i]]
    for i in order:  # grows while it is read: Kahn's topological order
        for target in targets[i]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    if len(order) < count:
        raise ValueError("the links form a cycle")
    result = [0] * count
    for i in order:
        result[i] = max((result[s] + 1 for s in sources[i]), default=0)
    for i in order:
        if not sources[i] and targets[i]:
            result[i] = min(result[t] for t in targets[i]) - 1
    return result


def crossings(upper: Sequence[int], lower: Sequence[int], after: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross between two neighbouring layers; ``after[i]`` are the successors of i."""
    place = {i: n for n, i in enumerate(lower)}
    seen: list[int] = []
    count = 0
    for i in upper:
        ends = sorted(place[j] for j in after[i] if j in place)
        count += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def spread(wanted: Sequence[float], sizes: Sequence[float], weights: Sequence[float], gap: float) -> list[float]:
    """Centres nearest to ``wanted`` (least weighted squares) that keep their order and do not overlap.

    Isotonic regression by pooling adjacent violators, after subtracting the least distances.
    """
    offsets = [0.0]
    for a, b in pairwise(sizes):
        offsets.append(offsets[-1] + (a + b) / 2 + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, offset, weight in zip(wanted, offsets, weights, strict=False):
        mean, many = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, its, n = blocks.pop()
            mean = (mean * weight + before * its) / (weight + its)
            weight, many = weight + its, many + n
        blocks.append((mean, weight, many))
    means = [mean for mean, _, many in blocks for _ in range(many)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _by_median(layer: Sequence[int], fixed: Sequence[int], neighbours: Sequence[Sequence[int]]) -> list[int]:
    """``layer`` sorted by the median place of each box's neighbours in ``fixed``; ties keep their order."""
    place = {i: n for n, i in enumerate(fixed)}
    here = {i: n for n, i in enumerate(layer)}
    return sorted(layer, key=lambda i: median(place[j] for j in neighbours[i]) if neighbours[i] else here[i])


@dataclass
class _Grid:
    """Boxes and bends (boxes without size) on ranks, with links between neighbouring ranks only."""

    sizes: list[Size]
    rank: list[int]
    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)
    real: int = 0

    def __post_init__(self) -> None:
        self.real = len(self.sizes)
        self.before = [[] for _ in self.sizes]
        self.after = [[] for _ in self.sizes]

    def chain(self, link: Link) -> list[int]:
        """Lead a link over the ranks between its ends; the first stop takes the label. Returns the stops."""
        stops: list[int] = []
        last = link.source
        for rank in range(self.rank[link.source] + 1, self.rank[link.target]):
            self.sizes.append(link.label if link.label and not stops else Size(0, 0))
            self.rank.append(rank)
            self.before.append([])
            self.after.append([])
            stops.append(len(self.sizes) - 1)
            self.join(last, stops[-1])
            last = stops[-1]
        self.join(last, link.target)
        return stops

    def join(self, source: int, target: int) -> None:
        self.after[source].append(target)
        self.before[target].append(source)

    def order(self) -> list[list[int]]:
        """The order within every rank with the fewest crossings found by median sweeps."""
        layers: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for i in self.depth_first():
            layers[self.rank[i]].append(i)
        best, fewest = [*layers], self.crossings(layers)
        for sweep in range(max(2, min(SWEEPS, 200_000 // (len(self.sizes) + 1)))):
            if not fewest:
                break
            downward = sweep % 2 == 0
            neighbours = self.before if downward else self.after
            for n in range(1, len(layers)) if downward else range(len(layers) - 2, -1, -1):
                layers[n] = _by_median(layers[n], layers[n - 1 if downward else n + 1], neighbours)
            count = self.crossings(layers)
            if count < fewest:
                best, fewest = [*layers], count
        return best

    def crossings(self, layers: Sequence[Sequence[int]]) -> int:
        return sum(crossings(upper, lower, self.after) for upper, lower in pairwise(layers))

    def depth_first(self) -> list[int]:
        """Everything, walked back from the ends: inputs of one operation come to stand beside each other."""
        seen: dict[int, None] = {}
        stack = [i for i in reversed(range(self.real)) if not self.after[i]]
        while stack:
            i = stack.pop()
            if i not in seen:
                seen[i] = None
                stack += reversed(self.before[i])
        return list(seen)

    def rows(self, layers: Sequence[Sequence[int]], gap: float) -> list[float]:
        """The centre of every box: near the mean of its neighbours, long edges straight."""
        rows = [0.0] * len(self.sizes)
        for layer in layers:
            centres = spread([0.0] * len(layer), [self.sizes[i].height for i in layer], [1.0] * len(layer), gap)
            for i, centre in zip(layer, centres, strict=True):
                rows[i] = centre
        for turn in range(ALIGNMENTS):
            downward = turn % 2 == 0
            for layer in layers if downward else reversed(layers):
                wanted, weights = [], []
                for i in layer:
                    near = self.before[i] if downward else self.after[i]
                    near = near or [*self.before[i], *self.after[i]]
                    wanted.append(sum(rows[j] for j in near) / len(near) if near else rows[i])
                    weights.append(1.0 if i < self.real else 4.0)
                centres = spread(wanted, [self.sizes[i].height for i in layer], weights, gap)
                for i, centre in zip(layer, centres, strict=True):
                    rows[i] = centre
        return rows
