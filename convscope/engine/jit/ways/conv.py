"""Conv2d and Linear as the ways see them: a linear layer is a convolution whose kernel is as large as its input.

Cross-correlation over o output and c input channels, stride s, dilation d, padding p (the border of the input's array):

    forward           y[o, i, j] = b[o] + Σ_c Σ_k Σ_l  w[o, c, k, l] · x[c, i·s − p + k·d, j·s − p + l·d]
    input gradient   dx[c, u, v] = Σ_o Σ  w[o, c, k, l] · dy[o, i, j]     over all (k, i), (l, j) that reach (u, v)
    weight gradient  dw[o, c, k, l] = Σ_i Σ_j Σ_images  dy[o, i, j] · x[c, i·s − p + k·d, j·s − p + l·d]
    bias gradient    db[o] = Σ_i Σ_j Σ_images  dy[o, i, j]
"""

from collections.abc import Set
from dataclasses import dataclass
from math import prod

from torch import nn

from ....net.ops import same_padding
from ..ir.arrays import NO_BORDER, Border, Pair
from .layer import Form, MisfitError, Op, Read, Where, fitting, image_of, objection, pair, read
from .windows.pad import SOURCES, padded_by


@dataclass(frozen=True)
class Conv(Op):
    """A convolution. ``weight`` and ``bias`` are numbers of parameters in the flat array of all of them."""

    weight: int
    bias: int | None
    inputs: int
    outputs: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Border = NO_BORDER
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pair | None = None  # the window of a max pool that is part of this node
    scale: Op | None = None  # a normalisation whose factors the weights and whose shifts the bias have taken up
    frozen: Set[str] = frozenset()  # "weight", "bias": what is not trained

    @property
    def decides(self) -> bool:
        """Whether a max pool is part of it."""
        return self.pool is not None

    @property
    def border(self) -> Border:
        """Its padding."""
        return self.padding

    @property
    def trained(self) -> int:
        """How many of its parameters are trained."""
        return self.weights * self.trains("weight") + self.outputs * self.trains("bias")

    def trains(self, name: str) -> bool:
        """Whether it has a "weight" or "bias" that is trained."""
        return name not in self.frozen and (name == "weight" or self.bias is not None)

    @property
    def weights(self) -> int:
        """How many of them are weights."""
        return self.outputs * self.fan_in * prod(self.kernel)

    @property
    def window(self) -> Pair:
        """The pool's, or a single number."""
        return self.pool or (1, 1)

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


@objection.register
def _(module: nn.Conv2d) -> str:
    known = module.padding_mode in ("zeros", *SOURCES)
    return "" if known else f"it pads with {module.padding_mode!r}"


@read.register
def _(module: nn.Conv2d, inputs: tuple[Form, ...], where: Where) -> Read:
    channels, *size = image_of(inputs)
    if module.in_channels != channels:
        raise MisfitError(f"takes {module.in_channels} channels, but gets {channels}")
    kernel, stride, dilation = pair(module.kernel_size), pair(module.stride), pair(module.dilation)
    if module.padding == "same":
        before, after = same_padding(kernel, dilation)
    elif module.padding == "valid":
        before = after = (0, 0)
    else:
        before = after = pair(module.padding)
    border, first = (*before, *after), None
    if module.padding_mode != "zeros" and any(border):
        first = padded_by(module.padding_mode, border, inputs[0])
        (_, *size), border, before, after = first[1], NO_BORDER, (0, 0), (0, 0)
    output = [
        (n + b + a - d * (k - 1) - 1) // s + 1
        for n, b, a, d, k, s in zip(size, before, after, dilation, kernel, stride, strict=True)
    ]
    conv = Conv(
        where.parameters["weight"],
        where.parameters.get("bias"),
        channels,
        module.out_channels,
        kernel,
        stride,
        border,
        dilation,
        module.groups,
        frozen=where.frozen,
    )
    return Read(conv, fitting((module.out_channels, *output), inputs[0]), before=first)


@objection.register
def _(_module: nn.Linear) -> str:
    return ""


@read.register
def _(module: nn.Linear, inputs: tuple[Form, ...], where: Where) -> Read:
    (form,) = inputs
    if not form.flat:
        raise MisfitError("needs a flatten before it")
    channels, height, width = form.shape
    if module.in_features != form.count:
        raise MisfitError(f"takes {module.in_features} values, but gets {form.count}")
    weight, bias = where.parameters["weight"], where.parameters.get("bias")
    conv = Conv(weight, bias, channels, module.out_features, (height, width), frozen=where.frozen)
    return Read(conv, (module.out_features, 1, 1))
