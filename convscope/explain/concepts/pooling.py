"""Pooling: which element of every window wins, or what they average to, and where the gradient goes.

    max: output[c, y, x] = max over i, j of  input[c, y·s + i·d − p, x·s + j·d − p],  padding counts as −∞
    avg: output[c, y, x] = Σ over i, j of  input[c, y·s + i − p, x·s + j − p] / n,    padding counts as 0

The channels do not mix and keep their number. Backwards, max passes each window's gradient to the winner alone (of
equals, the first in row order), avg gives every cell of the window the n-th part. n is the number of cells of the
window inside the padded image, or inside the image itself with count_include_pad=False; where ceil_mode lets a window
reach beyond the padding, the cells out there never count.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UsageError
from ...shown import Shown
from ..ledger import Factor, Ledger, Term
from .shapes import check
from .window import Axis, Window

Array = NDArray[np.float32]
Pair = tuple[int, int]


@dataclass(frozen=True)
class PoolSettings:
    """The parameters of torch.nn.MaxPool2d and AvgPool2d. ``dilation`` is max's, ``count_include_pad`` avg's."""

    kernel_size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True


@dataclass(frozen=True, repr=False)
class Pooling(Shown):
    """One pooling of one image. ``input`` (C, H, W) and ``output`` (C, H', W'), float32, as PyTorch computed it.

    ``winners`` int64 (C, H', W', 2) has the row and column in the input of each window's largest element (max only).
    """

    kind: Literal["max", "avg"]
    input: Array
    settings: PoolSettings
    output: Array
    winners: NDArray[np.int64] | None
    source: str = "input"
    name: str = "output"
    rows: Axis = field(init=False)
    columns: Axis = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        for a, name in enumerate(("rows", "columns")):
            axis = Axis(
                self.input.shape[1 + a],
                s.kernel_size[a],
                s.stride[a],
                s.padding[a],
                s.padding[a],
                s.dilation[a],
                ceil=s.ceil_mode,
            )
            assert axis.output == self.output.shape[1 + a]
            object.__setattr__(self, name, axis)

    def told(self) -> Iterator[str]:
        """Shapes, size formulas and the output."""
        yield f"input   {(1, *self.input.shape)}\noutput  {(1, *self.output.shape)}"
        yield f"height  {self.rows.formula}\nwidth   {self.columns.formula}"
        yield str(self.output)

    def ledger(self, c: int, row: int, column: int) -> Ledger:
        """Why ``output[c, row, column]`` is what it is."""
        cells = self._cells(c, row, column)
        share = None if self.kind == "max" else self._share(row, column)
        terms = tuple(Term(c, cell, share) for cell in cells)
        operation = "max" if self.kind == "max" else "sum"
        reported = float(self.output[c, row, column])
        return Ledger(self.name, (c, row, column), terms, reported, operation=operation)

    def steps(self, c: int = 0) -> Iterator[Window]:
        """All positions of the window, row by row."""
        for row, column in product(range(self.rows.output), range(self.columns.output)):
            yield Window.of(self.rows, self.columns, row, column, float(self.output[c, row, column]))

    def input_gradient(self, upstream: Array) -> Array:
        """∂loss/∂input (C, H, W), by autograd, for ``upstream`` = ∂loss/∂output (C, H', W')."""
        leaf = torch.from_numpy(np.array(self.input)).requires_grad_()
        output = _forward(self.kind, leaf, self.settings)[0]
        return torch.autograd.grad(output, leaf, torch.from_numpy(np.array(upstream, np.float32)))[0].numpy()

    def gradient_ledger(self, upstream: Array, gradient: Array, index: tuple[int, int, int]) -> Ledger:
        """Why ``gradient[c, row, column]`` is what it is: what each window that reads the cell passes down to it."""
        c, row, column = index
        windows = [(y, x) for y, _ in self.rows.readers(row) for x, _ in self.columns.readers(column)]
        terms = []
        for y, x in windows:
            if self.winners is None:
                share = self._share(y, x)
            else:
                won = tuple(self.winners[c, y, x]) == (row, column)
                share = Factor("the winner" if won else "not the winner", (), float(won))
            terms.append(Term(c, Factor(f"∂loss/∂{self.name}", (c, y, x), float(upstream[c, y, x])), share))
        return Ledger(f"∂loss/∂{self.source}", index, tuple(terms), float(gradient[index]))

    def _cells(self, c: int, row: int, column: int) -> list[Factor]:
        """The window's cells in row order; those beyond the padding (ceil_mode) are left out."""
        cells = []
        empty = -math.inf if self.kind == "max" else 0.0
        for i, j in product(range(self.rows.kernel), range(self.columns.kernel)):
            r, q = self.rows.position(row, i), self.columns.position(column, j)
            if self.rows.source(r) is not None and self.columns.source(q) is not None:
                cells.append(Factor(self.source, (c, r, q), float(self.input[c, r, q])))
            elif self.rows.covers(r) and self.columns.covers(q):
                cells.append(Factor(self.source, (c, r, q), empty, padding=True))
        return cells

    def _share(self, row: int, column: int) -> Factor:
        """1/n of the window at (row, column)."""
        cells = self._cells(0, row, column)
        n = len(cells) if self.settings.count_include_pad else sum(not cell.padding for cell in cells)
        return Factor(f"1/{n}", (), 1 / n)


def pool(kind: Literal["max", "avg"], input: Array, settings: PoolSettings) -> Pooling:  # noqa: A002 - PyTorch's name
    """Pool one image (C, H, W). Raises LayerError, with PyTorch's message and the fix, where it does not fit.

    ``input`` must be finite. Raises UsageError where a window sees nothing but padding.
    """
    s = settings
    layer: nn.Module = nn.MaxPool2d(s.kernel_size, s.stride, s.padding, s.dilation, ceil_mode=s.ceil_mode)
    if kind == "avg":
        layer = nn.AvgPool2d(s.kernel_size, s.stride, s.padding, s.ceil_mode, s.count_include_pad)
    try:
        output, flat = _forward(kind, torch.from_numpy(np.array(input, np.float32)), settings)
    except RuntimeError:
        check(layer, (1, *input.shape))
        raise
    winners = None
    if flat is not None:
        if np.isneginf(output.numpy()).any():  # PyTorch's indices then point outside the image
            raise UsageError(
                "dilation and padding leave a window that sees nothing but padding: PyTorch makes it −inf",
                "use less padding, less dilation or a larger image",
            )
        winners = np.stack(np.unravel_index(flat.numpy(), input.shape[1:]), axis=-1)
    return Pooling(kind, input, settings, output.numpy(), winners)


def _forward(kind: Literal["max", "avg"], input: Tensor, s: PoolSettings) -> tuple[Tensor, Tensor | None]:  # noqa: A002
    """(output, for max the flat indices of the winners)."""
    if kind == "avg":
        pooled = functional.avg_pool2d(
            input[None], s.kernel_size, s.stride, s.padding, s.ceil_mode, s.count_include_pad
        )
        return pooled[0], None
    output, index = functional.max_pool2d(
        input[None], s.kernel_size, s.stride, s.padding, s.dilation, s.ceil_mode, return_indices=True
    )
    return output[0], index[0]
