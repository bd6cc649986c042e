"""Winograd's way for one image, whose vectors hold a column of points each. Formulas: winograd/forward.py.

A tile has at most MOST points down, so that U, V and M are vectors already. Two transpositions are needed on the way:
of the inputs between their transformations down and along, and back again of the outputs, two channels at once. U is
made when weights are taken up, not at every image: ``weights(..., columns=True)``.
"""

from collections.abc import Iterator
from math import inf

from ...ir import registers
from ...ir.arrays import Array, Index, chunks
from ...ir.elementary import transpose
from ...ir.kernel import Kernel
from ...ir.values import Value, vector
from ..layer import Activation
from ..way import Site, Way
from ..winograd.forward import weights
from ..winograd.tiling import Tiles, cost, tiling_of, with_rooms
from ..winograd.toom_cook import MOST, multiply, transposed
from .rows import maximum

COLUMN = vector(MOST)
TILES = 4  # that share a loaded weight
HALF = MOST // 2  # lanes of one of two channels


class TilesOfOne(Way):
    """Tiles of one image."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        t = tiling_of(site)
        assert t
        self.t = with_rooms(t, site.module, site.lanes, 0, 0)

    @classmethod
    def cost(cls, site: Site) -> float:
        """See tiling.py."""
        t = tiling_of(site) if site.lanes.count == 1 else None
        return cost(t, site.lanes) if t else inf

    def weights(self) -> Iterator[Kernel]:
        """U, by columns of points."""
        f = self.site.kernel("weights")
        weights(f, self.t, columns=True)
        yield f

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(conv(x)))."""
        f, t = self.site.kernel("forward"), self.t
        _transform_inputs(f, t, self.site.x[0])
        _multiply_channels(f, t)
        last = t.conv.outputs - 2
        for start, stop in ((0, last), (last, last + 2)):  # the last pair of an odd number takes one channel once more
            if start < stop:
                with f.loop(stop, start, 2) as o, f.loop(t.count) as tile:
                    _store_outputs(f, t, self.site.node.act, self.site.y, o, tile)
        yield f


def _transform_inputs(f: Kernel, t: Tiles, x: Array) -> None:
    """V = Bᵀ d B."""
    place = t.place(f, x.row, x.pixel)
    by_column, by_channel, by_tile = t.strides_alone(t.conv.inputs)
    with f.loop(t.conv.inputs) as c, f.loop(t.count) as tile:
        corner = f.address(x.room, x.corner(t.conv.padding), (c, x.channel), place(tile))
        rows = [f.load(COLUMN, corner, i * x.row, align=4) for i in range(t.points[0])]
        columns = transpose(f, _filled(multiply(f, t.down.input, rows), MOST))
        out = f.address(t.inputs, (c, by_channel), (tile, by_tile))
        for j, column in enumerate(multiply(f, t.along.input, columns[: t.points[1]])):
            f.store(column, out, j * by_column)


def _multiply_channels(f: Kernel, t: Tiles) -> None:
    """M[o] = Σ_c U[o, c] ⊙ V[c]."""
    u_column, _, u_input, u_output = t.weight_strides()
    x_column, x_channel, x_tile = t.strides_alone(t.conv.inputs)
    y_column, y_channel, y_tile = t.strides_alone(t.conv.outputs)
    for left, right, count in chunks(t.count, TILES):
        for start, stop, channels in chunks(t.conv.outputs, f.lanes.registers // count):
            with f.loop(t.points[1]) as j, f.loop(right, left, count) as tile, f.loop(stop, start, channels) as o:
                sums = registers.zeros(f, channels, count, COLUMN)
                x = f.address(t.inputs, (j, x_column), (tile, x_tile))
                u = f.address(t.weights, (j, u_column), (o, u_output))
                with f.loop(t.conv.inputs) as c:
                    loaded = [f.load(COLUMN, x, (c, x_channel), k * x_tile) for k in range(count)]
                    here = f.address(u, (c, u_input))
                    registers.accumulate(f, sums, registers.loads(f, COLUMN, here, u_output), loaded)
                out = f.address(t.outputs, (j, y_column), (o, y_channel), (tile, y_tile))
                for n, row in enumerate(sums):
                    for k, total in enumerate(row):
                        f.store(total.value, out, n * y_channel + k * y_tile)


def _store_outputs(f: Kernel, t: Tiles, act: Activation, y: Array, o: Index, tile: Index) -> None:
    """y = a(pool(Aᵀ M A + b)) of a tile and channels o and o + 1."""
    ph, pw = t.conv.window
    width = t.along.outputs // pw
    by_column, by_channel, by_tile = t.strides_alone(t.conv.outputs)
    m = f.address(t.outputs, (o, by_channel), (tile, by_tile))
    columns = []
    for n in range(2):
        points = [f.load(COLUMN, m, n * by_channel + j * by_column) for j in range(t.points[1])]
        columns += _filled(multiply(f, transposed(t.along.evaluate), points), HALF)
    rows = multiply(f, transposed(t.down.evaluate), transpose(f, columns)[: t.points[0]])
    bias = None
    if t.conv.bias is not None:
        both = f.load(vector(2), f["p"], 4 * t.conv.bias, (o, 4), align=4)
        bias = f.shuffle(both, both, [n for n in range(2) for _ in range(width)])
    out = f.address(y.room, y.origin, (o, y.channel), t.place(f, y.row, y.pixel, (ph, pw))(tile))
    for i in range(t.down.outputs // ph):
        best = maximum(f, rows[i * ph : (i + 1) * ph])
        best = maximum(
            f,
            [f.shuffle(best, best, [n * HALF + j * pw + k for n in range(2) for j in range(width)]) for k in range(pw)],
        )
        result = act.apply(f, best if bias is None else best + bias)
        for n in range(2):
            channel = f.shuffle(result, result, [n * width + j for j in range(width)])
            f.store(channel, out, n * y.channel + i * y.row, align=4)


def _filled(vectors: list[Value], count: int) -> list[Value]:
    """``vectors``, the last of them repeated until there are ``count``."""
    return vectors + vectors[-1:] * (count - len(vectors))
