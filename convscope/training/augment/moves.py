"""Pictures whose pixels only change places, along each axis apart: flips and shifts, several of them at once.

Every way in which pixels may move along an axis is a row of a table, and each image chooses one. Steps that follow each
other are one table, of all pairs of their rows. Machine code (the words of the jit engine) then moves each pixel once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import native

MOST_ROWS = 4096  # of a table


@dataclass(frozen=True)
class Axis:
    """``places`` int64 (K, S): from where each of S pixels comes, in K ways. ``inside`` uint8 (K, S): 255, or 0 where
    it comes from outside and is black. ``chosen`` int64 (M,): each image's way.
    """

    places: Tensor
    inside: Tensor
    chosen: Tensor

    @classmethod
    def still(cls, size: int, count: int) -> "Axis":
        """Nothing moves in ``count`` images."""
        return cls(
            torch.arange(size)[None],
            torch.full((1, size), 255, dtype=torch.uint8),
            torch.zeros(count, dtype=torch.int64),
        )

    def then(self, later: "Axis") -> "Axis":
        """This, and ``later`` behind it."""
        return Axis(
            self.places[:, later.places].flatten(0, 1),
            (self.inside[:, later.places] & later.inside).flatten(0, 1),
            self.chosen * len(later.places) + later.chosen,
        )


Move = tuple[Axis, Axis]  # rows and columns


def joined(moves: Sequence[Move]) -> list[Move]:
    """The same in as few moves as tables allow that do not become too long."""
    result = list(moves[:1])
    for move in moves[1:]:
        if max(len(a.places) * len(b.places) for a, b in zip(result[-1], move, strict=True)) <= MOST_ROWS:
            result[-1] = (result[-1][0].then(move[0]), result[-1][1].then(move[1]))
        else:
            result.append(move)
    return result


def moved(images: Tensor, move: Move) -> Tensor:
    """uint8 (M, C, H, W) on the CPU after ``move``, by machine code."""
    masked = any(bool((axis.inside == 0).any()) for axis in move)
    return native.run(
        _program, masked, images, [part for axis in move for part in (axis.places, axis.inside, axis.chosen)]
    )


def _program(shape: native.Shape, masked: bool) -> str:
    from ...engine.jit.ir.function import Module
    from ...engine.jit.ir.values import I8, I64, PTR

    channels, height, width = shape
    module = Module(128)
    f = module.function("run", [("job", PTR), ("thread", I64)], public=True)
    names = ("images", "result", "rows", "row_inside", "row", "columns", "column_inside", "column")
    at = {name: f.load(PTR, f["job"], 8 * n) for n, name in enumerate(names)}
    count, workers = (f.load(I64, f["job"], 8 * (len(names) + n)) for n in range(2))
    with f.loop(count * (f["thread"] + 1) // workers, count * f["thread"] // workers) as m:
        row, column = (f.load(I64, at[name], (m, 8)) for name in ("row", "column"))
        columns = f.address(at["columns"], (column, 8 * width))
        column_inside = f.address(at["column_inside"], (column, width))
        with f.loop(height) as y:
            source = f.load(I64, at["rows"], (row, 8 * height), (y, 8))
            row_inside = f.load(I8, at["row_inside"], (row, height), (y, 1))
            with f.loop(channels) as c:
                plane = (m, channels * height * width), (c, height * width)
                old, new = (
                    f.address(at[name], *plane, (place, width)) for name, place in (("images", source), ("result", y))
                )
                with f.loop(width) as x:
                    pixel = f.load(I8, old, (f.load(I64, columns, (x, 8)), 1))
                    if masked:
                        pixel = pixel & row_inside & f.load(I8, column_inside, (x, 1))
                    f.store(pixel, new, (x, 1))
    return module.text()
