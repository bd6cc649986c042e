"""Convolution: every output element as a sum of products, and both of its gradients as such sums.

    output[o, y, x] = bias[o] + Σ over c, i, j of  weight[o, c, i, j] · padded[first(o) + c, y·s + i·d, x·s + j·d]

where first(o) is the first input channel of o's group. (Strictly this is a cross-correlation: the kernel is not
flipped. All deep-learning libraries call it convolution.) Backwards, with u = ∂loss/∂output:

    ∂loss/∂weight[o, c, i, j] = Σ over y, x of  u[o, y, x] · padded[first(o) + c, y·s + i·d, x·s + j·d]
    ∂loss/∂input[c, r, q]     = Σ over taps o, y, x, i, j that read the cell of  u[o, y, x] · weight[o, c', i, j]
    ∂loss/∂bias[o]            = Σ over y, x of  u[o, y, x]
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ...language.counts import number_of
from ...net.ops import same_padding
from ...shown import Shown
from ..ledger import Factor, Ledger, Term
from .shapes import check, make
from .window import Axis, PaddingMode, Window

Array = NDArray[np.float32]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Settings:
    """The parameters of torch.nn.Conv2d that are not shapes; pairs are (height, width)."""

    stride: Pair = (1, 1)
    padding: Pair | Literal["same", "valid"] = (0, 0)
    padding_mode: PaddingMode = "zeros"
    dilation: Pair = (1, 1)
    groups: int = 1

    def sides(self, kernel: Pair) -> tuple[Pair, Pair]:
        """How much padding lies before (top, left) and after (bottom, right); "same" puts an odd one after."""
        if self.padding == "same":
            return same_padding(kernel, self.dilation)
        padding = (0, 0) if self.padding == "valid" else self.padding
        return padding, padding


@dataclass(frozen=True)
class Names:
    """What the ledgers call the four tensors."""

    input: str = "input"
    weight: str = "weight"
    bias: str = "bias"
    output: str = "output"


@dataclass(frozen=True)
class Gradients:
    """What autograd computed for ∂loss/∂output ``upstream`` (O, H', W'); shapes are those of the tensors."""

    upstream: Array
    input: Array
    weight: Array
    bias: Array | None


@dataclass(frozen=True, repr=False)
class Convolution(Shown):
    """One convolution of one image. ``input`` (C, H, W), ``weight`` (O, C/groups, kh, kw), ``bias`` (O,) or None,
    ``output`` (O, H', W') as PyTorch computed it, all float32. ``padded`` is the input with its padding's real values.
    """

    input: Array
    weight: Array
    bias: Array | None
    settings: Settings
    output: Array
    names: Names = Names()
    rows: Axis = field(init=False)
    columns: Axis = field(init=False)
    padded: Array = field(init=False)
    products_each: int = field(init=False)
    products: int = field(init=False)

    def __post_init__(self) -> None:
        s, kernel = self.settings, (self.weight.shape[2], self.weight.shape[3])
        before, after = s.sides(kernel)
        rows, columns = (
            Axis(self.input.shape[1 + a], kernel[a], s.stride[a], before[a], after[a], s.dilation[a], s.padding_mode)
            for a in (0, 1)
        )
        assert self.output.shape == (len(self.weight), rows.output, columns.output)
        sides = ((0, 0), (before[0], after[0]), (before[1], after[1]))
        mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[s.padding_mode]
        each = int(np.prod(self.weight.shape[1:]))
        for name, value in {
            "rows": rows,
            "columns": columns,
            "padded": np.pad(self.input, sides, mode=mode),  # type: ignore[call-overload]  # numpy wants a literal mode
            "products_each": each,
            "products": each * self.output.size,
        }.items():
            object.__setattr__(self, name, value)

    def told(self) -> Iterator[str]:
        """Shapes, size formulas and the output."""
        yield f"input   {(1, *self.input.shape)}\nweight  {self.weight.shape}\noutput  {(1, *self.output.shape)}"
        yield f"height  {self.rows.formula}\nwidth   {self.columns.formula}"
        yield f"each element is the sum of {number_of(self.products_each, 'product')}; {self.products:,} in all"
        yield str(self.output)

    def ledger(self, o: int, row: int, column: int) -> Ledger:
        """Why ``output[o, row, column]`` is what it is; subtotals by input channel."""
        first = self._first(o)
        terms = [
            Term(
                first + c,
                self._cell(first + c, self.rows.position(row, i), self.columns.position(column, j)),
                Factor(self.names.weight, (o, c, i, j), float(self.weight[o, c, i, j])),
            )
            for c, i, j in product(*map(range, self.weight.shape[1:]))
        ]
        bias = None if self.bias is None else Factor(self.names.bias, (o,), float(self.bias[o]))
        reported = float(self.output[o, row, column])
        return Ledger(self.names.output, (o, row, column), tuple(terms), reported, bias)

    def steps(self, o: int = 0) -> Iterator[Window]:
        """All positions of the window, row by row; ``value`` is the output of kernel ``o`` there."""
        for row, column in product(range(self.rows.output), range(self.columns.output)):
            yield Window.of(self.rows, self.columns, row, column, float(self.output[o, row, column]))

    def gradients(self, upstream: Array) -> Gradients:
        """What autograd makes of ``upstream`` (O, H', W')."""
        leaves = [torch.from_numpy(np.array(a)).requires_grad_() for a in (self.input, self.weight)]
        if self.bias is not None:
            leaves.append(torch.from_numpy(np.array(self.bias)).requires_grad_())
        output = _forward(leaves[0], leaves[1], leaves[2] if self.bias is not None else None, self.settings)
        found = torch.autograd.grad(output, leaves, torch.from_numpy(np.array(upstream, np.float32)))
        arrays = [g.numpy() for g in found]
        return Gradients(upstream, arrays[0], arrays[1], arrays[2] if self.bias is not None else None)

    def weight_gradient(self, g: Gradients, index: tuple[int, int, int, int]) -> Ledger:
        """Why ``g.weight[o, c, i, j]`` is what it is: upstream × input over all window positions."""
        o, c, i, j = index
        channel = self._first(o) + c
        terms = [
            Term(
                o,
                self._upstream(g, o, y, x),
                self._cell(channel, self.rows.position(y, i), self.columns.position(x, j)),
            )
            for y, x in product(range(self.rows.output), range(self.columns.output))
        ]
        name = f"∂loss/∂{self.names.weight}"
        return Ledger(name, index, tuple(terms), float(g.weight[index]), by="output channel")

    def input_gradient(self, g: Gradients, index: tuple[int, int, int]) -> Ledger:
        """Why ``g.input[c, row, column]`` is what it is: upstream × kernel weight over all taps that read the cell."""
        name = f"∂loss/∂{self.names.input}"
        return Ledger(name, index, self.input_terms(g, index), float(g.input[index]), by="output channel")

    def input_terms(self, g: Gradients, index: tuple[int, int, int]) -> tuple[Term, ...]:
        """What this convolution adds to the gradient of a cell of its input."""
        c, row, column = index
        each, kernels = self.weight.shape[1], len(self.weight) // self.settings.groups
        group = c // each
        return tuple(
            Term(
                o,
                self._upstream(g, o, y, x),
                Factor(self.names.weight, (o, c % each, i, j), float(self.weight[o, c % each, i, j])),
            )
            for o in range(group * kernels, (group + 1) * kernels)
            for (y, i), (x, j) in product(self.rows.readers(row), self.columns.readers(column))
        )

    def bias_gradient(self, g: Gradients, o: int) -> Ledger:
        """Why ``g.bias[o]`` is what it is: the sum of upstream over all positions. The layer must have a bias."""
        assert g.bias is not None
        terms = [Term(o, self._upstream(g, o, y, x)) for y, x in product(*map(range, self.output.shape[1:]))]
        name = f"∂loss/∂{self.names.bias}"
        return Ledger(name, (o,), tuple(terms), float(g.bias[o]), by="output channel")

    def _first(self, o: int) -> int:
        """The first input channel that kernel ``o`` reads."""
        each: int = self.weight.shape[1]
        return o // (len(self.weight) // self.settings.groups) * each

    def _upstream(self, g: Gradients, o: int, y: int, x: int) -> Factor:
        return Factor(f"∂loss/∂{self.names.output}", (o, y, x), float(g.upstream[o, y, x]))

    def _cell(self, c: int, row: int, column: int) -> Factor:
        """The input's value at (c, row, column), which may lie in the padding."""
        r, q = self.rows.source(row), self.columns.source(column)
        if (r, q) == (row, column):
            return Factor(self.names.input, (c, row, column), float(self.input[c, row, column]))
        if r is None or q is None:
            return Factor(self.names.input, (c, row, column), 0.0, padding=True)
        return Factor(self.names.input, (c, row, column), float(self.input[c, r, q]), padding=True, copy_of=(c, r, q))


def convolve(input: Array, weight: Array, bias: Array | None = None, settings: Settings | None = None) -> Convolution:  # noqa: A002 - PyTorch's name
    """Convolve one image (C, H, W) with ``weight`` (O, C/groups, kh, kw), as torch.nn.Conv2d does.

    Raises LayerError, with PyTorch's message and the fix, where they do not fit.
    """
    settings = settings or Settings()
    out, each, *kernel = weight.shape
    layer = make(
        lambda: nn.Conv2d(
            each * settings.groups,
            out,
            tuple(kernel),
            settings.stride,
            settings.padding,
            settings.dilation,
            settings.groups,
            bias is not None,
            settings.padding_mode,
        ),
        (1, *input.shape),
    )
    with torch.no_grad():
        tensors = [None if a is None else torch.from_numpy(np.array(a, np.float32)) for a in (input, weight, bias)]
        assert tensors[0] is not None
        assert tensors[1] is not None
        try:
            output = _forward(tensors[0], tensors[1], tensors[2], settings)
        except RuntimeError:
            check(layer, (1, *input.shape))  # says why
            raise
    return Convolution(input, weight, bias, settings, output.numpy())


def _forward(
    input: torch.Tensor,  # noqa: A002 - PyTorch's name
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    s: Settings,
) -> torch.Tensor:
    """What Conv2d.forward does: other modes than zeros, and unequal sides, are padded first, then convolved without."""
    before, after = s.sides((weight.shape[2], weight.shape[3]))
    if s.padding_mode == "zeros" and before == after:
        return functional.conv2d(input[None], weight, bias, s.stride, before, s.dilation, s.groups)[0]
    mode = "constant" if s.padding_mode == "zeros" else s.padding_mode
    padded = functional.pad(input[None], (before[1], after[1], before[0], after[0]), mode=mode)
    return functional.conv2d(padded, weight, bias, s.stride, 0, s.dilation, s.groups)[0]
