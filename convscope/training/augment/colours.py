"""Other colours by machine code: the whole numbers of :func:`~.blending.blended` and of a square in the mean colour."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from . import native

if TYPE_CHECKING:
    from ...engine.jit.ir.function import Function, Module
    from ...engine.jit.ir.values import Value

LANES = 16  # pixels at once


def brighter(images: Tensor, factors: Tensor) -> Tensor:
    """uint8 (M, C, H, W) on the CPU, each image times its factor, int32 (M,) in units of 1/4096."""
    return native.run(_blend, False, images, [factors])


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """The same for the distances from the image's mean."""
    return native.run(_blend, True, images, [factors])


def covered(images: Tensor, centres: tuple[Tensor, Tensor], side: int) -> Tensor:
    """A square of ``side`` pixels in each channel's mean, about row and column ``centres`` int64 (M,)."""
    return native.run(_cover, False, images, centres, side)


def _blend(shape: native.Shape, contrast: bool) -> str:
    from ...engine.jit.ir.values import I8, I32, I64, PTR, vector

    channels, height, width = shape
    module, f, area = *_begun(), height * width
    factors = f.load(PTR, f["job"], 16)
    with _images(f, 3) as m:
        factor = f.load(I32, factors, (m, 4))
        middle = f.constant(0, I32)
        if contrast:
            total = f.constant(0, I64)
            for c in range(channels):
                total = total + _mean(f, f.address(f.load(PTR, f["job"]), (m, channels * area), c * area), area)
            middle = f.convert("trunc", total // channels, I32)
        added = middle * (factor * -1 + 4096) + 2048
        old, new = (f.address(f.load(PTR, f["job"], 8 * n), (m, channels * area)) for n in range(2))
        for lanes, first, last in _pieces(channels * area):
            kind = vector(lanes, I8) if lanes > 1 else I8
            times, more = (f.splat(value, lanes) if lanes > 1 else value for value in (factor, added))
            with f.loop(last, first, lanes) as i:
                pixel = f.convert("zext", f.load(kind, old, (i, 1), align=1), I32)
                sums = pixel * times + more
                mixed = f.emit(f"ashr {sums.type} {sums.name}, {f.constant(12, sums.type).name}", sums.type)
                mixed = f.select(f.compare("slt", mixed, 0), 0, mixed)
                mixed = f.select(f.compare("sgt", mixed, 255), 255, mixed)
                f.store(f.convert("trunc", mixed, I8), new, (i, 1), align=1)
    return module.text()


def _cover(shape: native.Shape, _: bool) -> str:
    from ...engine.jit.ir.values import I8, I64, PTR, vector

    channels, height, width = shape
    module, f, area = *_begun(), height * width
    side = f.load(I64, f["job"], 8 * 6)
    with _images(f, 4) as m:
        bounds = []
        for n, size in enumerate((height, width)):
            begin = f.load(I64, f.load(PTR, f["job"], 8 * (2 + n)), (m, 8)) - side // 2
            bounds.append((f.select(f.compare("slt", begin, 0), 0, begin), f.minimum(begin + side, size)))
        for c in range(channels):
            old, new = (f.address(f.load(PTR, f["job"], 8 * n), (m, channels * area), c * area) for n in range(2))
            for lanes, first, last in _pieces(area):
                kind = vector(lanes, I8) if lanes > 1 else I8
                with f.loop(last, first, lanes) as i:
                    f.store(f.load(kind, old, (i, 1), align=1), new, (i, 1), align=1)
            colour = f.convert("trunc", _mean(f, old, area), I8)
            (top, bottom), (left, right) = bounds
            with f.loop(bottom, top) as y, f.loop(right, left) as x:
                f.store(colour, new, (y, width), (x, 1))
    return module.text()


def _begun() -> "tuple[Module, Function]":
    from ...engine.jit.ir.function import Module
    from ...engine.jit.ir.values import I64, PTR

    module = Module(512)
    return module, module.function("run", [("job", PTR), ("thread", I64)], public=True)


@contextmanager
def _images(f: "Function", arrays: int) -> "Iterator[int | Value]":
    """A loop over a worker's share of the images; the job begins with so many ``arrays``."""
    from ...engine.jit.ir.values import I64

    count, workers = (f.load(I64, f["job"], 8 * (arrays + n)) for n in range(2))
    with f.loop(count * (f["thread"] + 1) // workers, count * f["thread"] // workers) as m:
        yield m


def _pieces(size: int) -> list[tuple[int, int, int]]:
    """(numbers at once, first, end): whole vectors, and what is left behind them."""
    whole = size // LANES * LANES
    return [piece for piece in ((LANES, 0, whole), (1, whole, size)) if piece[1] < piece[2]]


def _mean(f: "Function", plane: "Value", area: int) -> "Value":
    """The mean of ``area`` bytes, rounded down, int64."""
    from ...engine.jit.ir.values import I8, I32, I64, vector

    total = f.var(f.constant(0, I64))
    for lanes, first, last in _pieces(area):
        if lanes == 1:
            with f.loop(last, first) as i:
                total.value = total.value + f.convert("zext", f.load(I8, plane, (i, 1)), I64)
            continue
        sums = f.var(f.constant(0, vector(lanes, I32)))
        with f.loop(last, first, lanes) as i:
            sums.value = sums.value + f.convert("zext", f.load(vector(lanes, I8), plane, (i, 1), align=1), I32)
        final = sums.value
        for lane in range(lanes):
            one = f.emit(f"extractelement {final.type} {final.name}, i64 {lane}", I32)
            total.value = total.value + f.convert("zext", one, I64)
    return total.value // area
