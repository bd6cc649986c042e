"""Conv2d and Linear: a linear layer is a convolution whose kernel is as large as its input.

Cross-correlation over o output and c input channels, stride s, dilation d, padding p (the border of the input's grid):

    forward           y[o, i, j] = b[o] + Σ_c Σ_k Σ_l  w[o, c, k, l] · x[c, i·s − p + k·d, j·s − p + l·d]
    input gradient   dx[c, u, v] = Σ_o Σ  w[o, c, k, l] · dy[o, i, j]     over all (k, i), (l, j) that reach (u, v)
    weight gradient  dw[o, c, k, l] = Σ_i Σ_j Σ_images  dy[o, i, j] · x[c, i·s − p + k·d, j·s − p + l·d]
    bias gradient    db[o] = Σ_i Σ_j Σ_images  dy[o, i, j]

Each kernel keeps a *tile* of sums in registers (output channels × positions × vectors, or output channels × kernel
columns), so that one loaded number serves several multiply-adds. A max pool that follows is part of the forward
kernel: the tile then holds the pool's windows, and only the maximum is stored, with one bit a lane and comparison that
says where it stood; the way back unpools with these bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from . import activation
from .activation import Activation
from .ir import Function
from .layout import Grid, Lanes, Pair, tiles
from .values import F32, I16, Term, Value, width

UNROLLED = 200  # multiply-adds that a loop body may hold before kernel columns become a loop of their own


@dataclass(frozen=True)
class Conv:
    """A convolution as the kernels see it. ``weight`` and ``bias`` are indices into the flat parameters."""

    weight: int
    bias: int | None
    inputs: int
    outputs: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pair | None = None  # the window of a max pool that is part of this stage

    @property
    def fan_in(self) -> int:
        """Input channels of one group."""
        return self.inputs // self.groups

    @property
    def fan_out(self) -> int:
        """Output channels of one group."""
        return self.outputs // self.groups

    def weight_strides(self) -> tuple[int, int, int, int]:
        """Bytes from one output channel, input channel, kernel row, kernel column to the next."""
        kh, kw = self.kernel
        return 4 * self.fan_in * kh * kw, 4 * kh * kw, 4 * kw, 4


@dataclass(frozen=True)
class Masks:
    """Where the bits of a fused max pool lie: for every pooled pixel and vector, ``bits`` words of one bit a lane."""

    offset: int
    height: int
    width: int
    vectors: int
    bits: int

    @property
    def each(self) -> int:
        """Bytes of the words of one vector."""
        return 2 * self.bits

    @property
    def pixel(self) -> int:
        """Bytes from one pooled pixel to the next."""
        return self.vectors * self.each

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return self.width * self.pixel

    @property
    def channel(self) -> int:
        """Bytes from one channel to the next."""
        return self.height * self.row

    def at(self, c: "int | Value", y: "int | Value", x: "int | Value", v: "int | Value") -> list[Term]:
        """The terms of the address of pooled pixel (c, y, x), vector v."""
        return [(self.offset, 1), (c, self.channel), (y, self.row), (x, self.pixel), (v, self.each)]


# -- forward ---------------------------------------------------------------------------------------------------------


def forward(f: Function, lanes: Lanes, conv: Conv, act: Activation, x: Grid, y: Grid, masks: Masks | None) -> None:
    """y = a(pool(conv(x))), without pool where the stage has none; ``masks`` None: nothing is kept for a way back."""
    window = conv.pool or (1, 1)
    vectors = 1 if conv.pool else lanes.vectors
    limit = lanes.registers // (vectors * prod(window))
    for start, stop, size in tiles(conv.fan_out, limit):
        across = 1 if conv.pool else max(1, min(lanes.registers // (vectors * size), y.width))
        for left, right, count in tiles(y.width, across):
            places = [(0, i) for i in range(count)]
            if conv.pool:
                places = [(i, j) for i in range(window[0]) for j in range(window[1])]
            with (f.loop(conv.groups) as g, f.loop(stop, start, size) as o, f.loop(y.height) as row,
                  f.loop(right, left, count) as column, f.loop(lanes.vectors, 0, vectors) as v):  # fmt: skip
                tile = Tile(f, lanes, conv, g, o, size, row, column, v, vectors)
                sums = tile.sums(x, places, window)
                if conv.pool:
                    tile.store_pooled(sums, act, y, masks)
                else:
                    tile.store(sums, act, y, places)


@dataclass
class Tile:
    """``size`` output channels from ``o`` on, in group ``g``, at (row, column), vectors from ``v`` on."""

    f: Function
    lanes: Lanes
    conv: Conv
    g: "int | Value"
    o: "int | Value"
    size: int
    row: "int | Value"
    column: "int | Value"
    v: "int | Value"
    vectors: int

    def sums(self, x: Grid, places: Sequence[Pair], window: Pair) -> list[list[Value]]:
        """For each channel, the convolution's result at each place and vector."""
        f, lanes, conv = self.f, self.lanes, self.conv
        by_o, by_c, by_k, by_l = conv.weight_strides()
        per_group = by_o * conv.fan_out
        sums = []
        for n in range(self.size):
            if conv.bias is None:
                first = f.constant(0.0, lanes.vector)
            else:
                bias = f.load(F32, f["p"], 4 * (conv.bias + n), (self.g, 4 * conv.fan_out), (self.o, 4))
                first = f.splat(bias, lanes.width)
            sums.append([[f.var(first) for _ in range(self.vectors)] for _ in places])
        (sy, sx), (dy, dx) = conv.stride, conv.dilation
        top = x.origin - conv.padding[0] * x.row - conv.padding[1] * x.pixel
        w = f.address(f["p"], 4 * conv.weight, (self.g, per_group), (self.o, by_o))
        corner = f.address(f["a"], top, (self.g, conv.fan_in * x.channel), (self.row, window[0] * sy * x.row),
                           (self.column, window[1] * sx * x.pixel), (self.v, lanes.bytes))  # fmt: skip
        kh, kw = conv.kernel
        unroll = kw * self.size * len(places) * self.vectors <= UNROLLED
        with f.loop(conv.fan_in) as c, f.loop(kh) as k, f.loop(1 if unroll else kw) as rolled:
            at = f.address(corner, (c, x.channel), (k, dy * x.row), (rolled, dx * x.pixel))
            wt = f.address(w, (c, by_c), (k, by_k), (rolled, by_l))
            for column in range(kw if unroll else 1):
                loaded = [
                    [f.load(lanes.vector, at, i * sy * x.row + (j * sx + column * dx) * x.pixel + u * lanes.bytes)
                     for u in range(self.vectors)]
                    for i, j in places
                ]  # fmt: skip
                for n in range(self.size):
                    weight = f.splat(f.load(F32, wt, n * by_o + column * by_l), lanes.width)
                    for place, vectors in zip(sums[n], loaded, strict=True):
                        for total, value in zip(place, vectors, strict=True):
                            total.value = f.fma(value, weight, total.value)
        return [[total.value for place in channel for total in place] for channel in sums]

    def store(self, sums: list[list[Value]], act: Activation, y: Grid, places: Sequence[Pair]) -> None:
        """y = a(sums)."""
        f, lanes = self.f, self.lanes
        at = f.address(f["a"], *y.at(self.o, self.row, self.column), (self.g, self.conv.fan_out * y.channel),
                       (self.v, lanes.bytes))  # fmt: skip
        for n, channel in enumerate(sums):
            for i, total in enumerate(channel):
                (_, j), u = places[i // self.vectors], i % self.vectors
                f.store(activation.apply(f, act, total), at, n * y.channel + j * y.pixel + u * lanes.bytes)

    def store_pooled(self, sums: list[list[Value]], act: Activation, y: Grid, masks: Masks | None) -> None:
        """y = a(max(sums))."""
        f, fan_out = self.f, self.conv.fan_out
        at = f.address(f["a"], *y.at(self.o, self.row, self.column), (self.g, fan_out * y.channel),
                       (self.v, self.lanes.bytes))  # fmt: skip
        words = None
        for n, window in enumerate(sums):
            if masks:
                first = masks.at(self.o, self.row, self.column, self.v)
                words = f.address(f["a"], *first, (self.g, fan_out * masks.channel), n * masks.channel)
            f.store(activation.apply(f, act, largest(f, window, words)), at, n * y.channel)


def largest(f: Function, window: Sequence[Value], words: Value | None = None) -> Value:
    """The maximum of a pooling window, the first one as PyTorch chooses it; not-a-number wins, as there.

    At ``words``, where that is given, each comparison leaves one bit a lane: whether the later number won.
    """
    best = window[0]
    for n, other in enumerate(window[1:]):
        larger = f.compare("ogt", other, best)
        best = f.select(larger, other, best)
        if words:
            lanes = width(larger.type)
            word = f.bits(larger, f"i{lanes}")
            f.store(word if lanes == 16 else f.convert("zext", word, I16), words, 2 * n)
    for first, second in zip(window[::2], [*window[1::2], window[-1]], strict=False):
        best = f.select(f.compare("uno", first, second), first + second, best)
    return best
