"""Convolutions by direct sums, forward and backward. Formulas: conv.py; the backward kernels: backward.py.

Each kernel keeps a *block of sums* in registers (output channels × positions × vectors, or output channels × kernel
columns), so that one loaded number serves several multiply-adds. A max pool that follows is part of the forward
kernel: the block then holds the pool's windows, and only the maximum is stored, with one bit a lane and comparison that
says where it stood; the backward pass unpools with these bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ...ir import registers
from ...ir.arrays import NO_BORDER, Array, Border, Index, Pair, chunks
from ...ir.kernel import Kernel
from ...ir.values import F32, Value
from ..borders import clear
from ..conv import Conv
from ..layer import NONE, Activation
from ..norm.layer import BatchNorm
from ..way import Site, Way
from ..windows.winners import Masks, largest, new_masks
from . import backward, correlated

UNROLLED = 200  # multiply-adds that a loop body may hold before kernel columns become a loop of their own


class Direct(Way):
    """Direct sums over a block of images."""

    correlates: ClassVar[bool] = True  # the input gradient is computed here

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        assert isinstance(site.node.op, Conv)
        self.conv = conv = site.node.op
        self.masks: Masks | None = None
        if site.training and conv.pool:
            self.masks = new_masks(site.module, self.lanes, site.node.output, conv.pool)
        self.border: Border | None = None  # of zeros around dy, where the input gradient is a correlation
        if site.dx[0]:
            (kh, kw), (_, height, width_) = conv.window, site.node.output
            self.border = correlated.border(conv, site.x[0], (height * kh, width_ * kw))
        if site.dy and self.border and not self.masks and self.correlates:
            site.dy.want(self.border)

    @property
    def normalised(self) -> BatchNorm | None:
        """The normalisation that alone reads what this makes, as it is."""
        reader = self.site.reader
        op = reader.op if reader and self.site.node.act == NONE else None
        return op if isinstance(op, BatchNorm) else None

    @classmethod
    def cost(cls, site: Site) -> float:
        """Every multiply-add of a block."""
        conv, (_, height, width_) = site.node.op, site.node.output
        assert isinstance(conv, Conv)
        return height * width_ * prod(conv.window) * prod(conv.kernel) * conv.fan_in * conv.outputs

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(conv(x))), and the masks of the pool where there is a backward pass."""
        f = self.site.kernel("forward")
        forward(f, self.conv, self.site.node.act, self.site.x[0], self.site.y, self.masks)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """Bias gradient, unpooling, weight gradient, input gradient."""
        yield from self.bias_gradient()
        dy = self.dy
        if self.masks and self.site.dx[0]:
            f = self.site.kernel("unpool")
            dy = self._unpooled(self.conv.outputs)
            backward.unpool(f, self.conv, self.dy, self.masks, dy, 0, self.conv.outputs)
            yield f
        if self.conv.trains("weight"):
            yield from self.weight_gradient(dy)
        if self.site.dx[0]:
            f = self.site.kernel("input_gradient")
            if self.border:
                clear(f, dy)
            write = correlated.input_gradient if self.border else backward.input_gradient
            write(f, self.conv, self.site.x[0], dy, self.site.dx[0])
            yield f

    def bias_gradient(self) -> Iterator[Kernel]:
        """The sum of dy; the pool, which only places it, does not matter. Before a normalisation it is 0."""
        if self.conv.trains("bias") and not self.normalised:
            f = self.site.kernel("bias_gradient")
            backward.bias_gradient(f, self.conv, self.dy)
            yield f

    def weight_gradient(self, dy: Array) -> Iterator[Kernel]:
        """Where nobody asks for dx, unpooling is done here, as many channels at a time as stay in the cache."""
        f, conv, unpool = self.site.kernel("weight_gradient"), self.conv, self.masks and not self.site.dx[0]
        if unpool:
            dy = self._unpooled(min(conv.outputs, f.lanes.registers + 1))
        x, sizes = self.site.x[0], list(backward.weight_chunks(f.lanes, conv))
        for first, last, rows in chunks(dy.height, dy.height if unpool else backward.rows_at_a_time(conv, x, dy)):
            with f.loop(last, first, rows) as top:
                for start, stop, size in sizes:
                    with f.loop(conv.groups) as g, f.loop(stop, start, size) as o:
                        channel = o if isinstance(g, int) else g * conv.fan_out + o
                        if unpool and self.masks:
                            backward.unpool(f, conv, self.dy, self.masks, dy, channel, size)
                            channel = 0
                        backward.weight_gradient(f, conv, x, dy, g, o, size, channel, top, rows)
        yield f

    def _unpooled(self, channels: int) -> Array:
        """The gradient before the pool, of so many channels."""
        (kh, kw), (_, height, width_) = self.conv.window, self.site.node.output
        return self.site.array((channels, height * kh, width_ * kw), self.border or NO_BORDER)


def forward(f: Kernel, conv: Conv, act: Activation, x: Array, y: Array, masks: Masks | None) -> None:
    """y = a(pool(conv(x))); ``masks`` None: nothing is kept for a backward pass."""
    lanes, window = f.lanes, conv.window
    vectors = 1 if conv.pool else lanes.vectors
    most, across = lanes.registers // prod(window), 1
    if not conv.pool:
        most, across = registers.tile(conv.fan_out, y.width, vectors, lanes.registers)
    for start, stop, size in chunks(conv.fan_out, most):
        for left, right, count in chunks(y.width, across):
            places = [(0, i) for i in range(count)]
            if conv.pool:
                places = [(i, j) for i in range(window[0]) for j in range(window[1])]
            with (
                f.loop(conv.groups) as g,
                f.loop(stop, start, size) as o,
                f.loop(y.height) as row,
                f.loop(right, left, count) as column,
                f.loop(lanes.vectors, 0, vectors) as v,
            ):
                tile = RegisterTile(f, conv, g, o, size, row, column, v, vectors)
                sums = tile.sums(x, places)
                if conv.pool:
                    tile.store_pooled(sums, act, y, masks)
                else:
                    tile.store(sums, act, y, places)


@dataclass
class RegisterTile:
    """Sums kept in registers: ``size`` channels from ``o`` on, in group ``g``, at (row, column), vectors from ``v``."""

    f: Kernel
    conv: Conv
    g: Index
    o: Index
    size: int
    row: Index
    column: Index
    v: Index
    vectors: int

    def sums(self, x: Array, places: Sequence[Pair]) -> list[list[Value]]:
        """For each channel, the convolution's result at each place and vector."""
        f, conv, lanes = self.f, self.conv, self.f.lanes
        by_o, by_c, by_k, by_l = conv.weight_strides()
        sums = self._biases(len(places))
        (sy, sx), (dy, dx), (kh, kw), window = conv.stride, conv.dilation, conv.kernel, conv.window
        w = f.address(f["p"], 4 * conv.weight, (self.g, by_o * conv.fan_out), (self.o, by_o))
        corner = f.address(
            x.room,
            x.corner(conv.padding),
            (self.g, conv.fan_in * x.channel),
            (self.row, window[0] * sy * x.row),
            (self.column, window[1] * sx * x.pixel),
            (self.v, lanes.bytes),
        )
        unroll = kw * self.size * len(places) * self.vectors <= UNROLLED
        with f.loop(conv.fan_in) as c, f.loop(kh) as k, f.loop(1 if unroll else kw) as rolled:
            at = f.address(corner, (c, x.channel), (k, dy * x.row), (rolled, dx * x.pixel))
            wt = f.address(w, (c, by_c), (k, by_k), (rolled, by_l))
            for column in range(kw if unroll else 1):
                inputs = [
                    f.load(lanes.vector, at, i * sy * x.row + (j * sx + column * dx) * x.pixel + u * lanes.bytes)
                    for i, j in places
                    for u in range(self.vectors)
                ]
                registers.accumulate(f, sums, registers.spread(f, wt, by_o, lanes.width, column * by_l), inputs)
        return registers.values(sums)

    def _biases(self, places: int) -> registers.Sums:
        """The sums, which begin with the bias of their channel."""
        f, conv, sums = self.f, self.conv, []
        for n in range(self.size):
            if conv.bias is None:
                first = f.constant(0.0, f.lanes.vector)
            else:
                bias = f.load(F32, f["p"], 4 * (conv.bias + n), (self.g, 4 * conv.fan_out), (self.o, 4))
                first = f.splat(bias, f.lanes.width)
            sums.append([f.var(first) for _ in range(places * self.vectors)])
        return sums

    def store(self, sums: list[list[Value]], act: Activation, y: Array, places: Sequence[Pair]) -> None:
        """y = a(sums)."""
        f = self.f
        at = f.address(
            y.room,
            *y.at(self.o, self.row, self.column),
            (self.g, self.conv.fan_out * y.channel),
            (self.v, f.lanes.bytes),
        )
        for n, channel in enumerate(sums):
            for i, total in enumerate(channel):
                (_, j), u = places[i // self.vectors], i % self.vectors
                f.store(act.apply(f, total), at, n * y.channel + j * y.pixel + u * f.lanes.bytes)

    def store_pooled(self, sums: list[list[Value]], act: Activation, y: Array, masks: Masks | None) -> None:
        """y = a(max(sums))."""
        f, fan_out = self.f, self.conv.fan_out
        at = f.address(
            y.room, *y.at(self.o, self.row, self.column), (self.g, fan_out * y.channel), (self.v, f.lanes.bytes)
        )
        words = None
        for n, window in enumerate(sums):
            if masks:
                first = masks.at(self.o, self.row, self.column, self.v)
                words = f.address(masks.room, *first, (self.g, fan_out * masks.channel), n * masks.channel)
            f.store(act.apply(f, largest(f, window, words)), at, n * y.channel)
