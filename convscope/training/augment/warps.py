"""Pictures turned or zoomed by machine code: the whole numbers of :func:`~.sampling.warped`, pixel by pixel."""

import torch
from torch import Tensor

from . import native
from .sampling import BITS, FINE, MASK, Padding, corners, inside, whole_numbers


def warped(images: Tensor, matrices: Tensor, padding: Padding) -> Tensor:
    """uint8 (M, C, H, W) on the CPU: the bytes of :func:`~.sampling.warped`."""
    height, width = images.shape[2:]
    m = whole_numbers(matrices)
    tables, firsts = [], []
    for places, size in zip(reversed(corners(m, width, height)), (height, width), strict=True):  # rows, columns
        first, last = int(places.min()), int(places.max()) + 2
        table, counts = inside(torch.arange(first, last), size, padding)
        tables += [table, counts.to(torch.uint8) * 255]
        firsts.append(first)
    return native.run(_program, padding == "zeros", images, [m, *tables], *firsts)


def _program(shape: native.Shape, masked: bool) -> str:
    from ...engine.jit.ir.function import Module
    from ...engine.jit.ir.values import I8, I32, I64, PTR, Value

    channels, height, width = shape
    module = Module(128)
    f = module.function("run", [("job", PTR), ("thread", I64)], public=True)
    names = ("images", "result", "matrices", "rows", "row_inside", "columns", "column_inside")
    at = {name: f.load(PTR, f["job"], 8 * n) for n, name in enumerate(names)}
    count, workers, first_row, first_column = (f.load(I64, f["job"], 8 * (len(names) + n)) for n in range(4))

    def halved(value: Value, bits: int) -> Value:
        return f.emit(f"ashr {value.type} {value.name}, {bits}", value.type)

    def place(row: int, x: Value, y: Value, size: int) -> Value:
        """Row ``row`` of the matrix: where to look along its axis, in units of 1/256 pixel."""
        half = FINE + 1 - BITS
        parts = [f.load(I32, at["matrices"], (m, 16), 8 * row + 4 * n) for n in range(2)]
        return halved(parts[0] * x + parts[1] * y + (1 << (half - 1)), half) + ((size - 1) << (BITS - 1))

    def offsets(i: int | Value, size: int) -> Value:
        return f.convert("trunc", f.integer(i) * 2 + (1 - size), I32)

    def neighbours(where: Value, first: Value, axis: str) -> list[tuple[Value, Value]]:
        """The places of two pixels beside each other, and 255, or 0 for black."""
        number = f.convert("sext", halved(where, BITS), I64) - first
        return [(f.load(I64, at[axis + "s"], (number, 8), 8 * n), f.load(I8, at[axis + "_inside"], (number, 1), n))
                for n in range(2)]  # fmt: skip

    with f.loop(count * (f["thread"] + 1) // workers, count * f["thread"] // workers) as m, f.loop(height) as y:
        down = offsets(y, height)
        with f.loop(width) as x:
            right = offsets(x, width)
            column, row = place(0, right, down, width), place(1, right, down, height)
            rows, columns = neighbours(row, first_row, "row"), neighbours(column, first_column, "column")
            part_x, part_y = column & MASK, row & MASK
            with f.loop(channels) as c:
                plane = (m, channels * height * width), (c, height * width)
                lines = []
                for row_place, row_inside in rows:
                    line, pair = f.address(at["images"], *plane, (row_place, width)), []
                    for column_place, column_inside in columns:
                        pixel = f.load(I8, line, (column_place, 1))
                        if masked:
                            pixel = pixel & row_inside & column_inside
                        pair.append(f.convert("zext", pixel, I32))
                    lines.append(pair[0] * ((1 << BITS) - part_x) + pair[1] * part_x)
                total = lines[0] * ((1 << BITS) - part_y) + lines[1] * part_y
                mixed = halved(total + (1 << (2 * BITS - 1)), 2 * BITS)
                f.store(f.convert("trunc", mixed, I8), at["result"], *plane, (y, width), (x, 1))
    return module.text()
