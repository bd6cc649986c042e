"""The layers of a net as operators: forward formula and, right below it, its derivatives, for one sample in float64.

Written out in NumPy and not taken from torch, so that agreement with autograd means something. Shapes: images
(C, H, W), features (F,), kernels (O, C/groups, kh, kw), weights of a linear layer (out, in).
"""

from functools import singledispatch
from itertools import accumulate, pairwise
from math import prod
from string import ascii_lowercase

import numpy as np

from ...net.ops import (
    Activation,
    AdaptiveAvgPool,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalAvg,
    Linear,
    Op,
    Pad,
    Pool,
    Shapes,
    window_size,
)
from .activations import function
from .operators import ONE, Operator, Partial
from .values import Array
from .windows import Windows

# Kinds that one sample does not explain, and why.
REFUSED: dict[type[Op], str] = {BatchNorm: "mixes the samples of a batch", Dropout: "draws zeros at random"}


@singledispatch
def operator(op: Op, shapes: Shapes) -> Operator:
    """The operator of a layer whose inputs have ``shapes``; every kind but the refused ones registers its own below."""
    raise NotImplementedError(op.kind)


@operator.register
def _(op: Activation, shapes: Shapes) -> Operator:
    known = function(op)
    assert known is not None, f"{op.kind} needs an entry in activations"
    return known.operator


@operator.register
def conv_operator(op: Conv, shapes: Shapes) -> Operator:
    """out[o, y, x] = Σ_{c,k,l} weight[o, c, k, l] · window[c, k, l, y, x] + bias[o], within each group."""
    groups = op.groups
    windows = Windows(op.kernel, op.stride, op.dilation, *op.pads(), op.padding_mode)

    def split(array: Array) -> Array:
        return array.reshape(groups, -1, *array.shape[1:])

    def forward(image: Array, weight: Array, bias: Array | None = None) -> Array:
        out = np.einsum("gockl,gcklyx->goyx", split(weight), split(windows.take(image)))
        joined: Array = out.reshape(-1, *out.shape[2:])
        return joined if bias is None else joined + bias[:, None, None]

    def to_image(upstream: Array, local: None, image: Array, weight: Array, *bias: Array) -> Array:
        back = np.einsum("goyx,gockl->gcklyx", split(upstream), split(weight))
        return windows.put(np.reshape(back, (-1, *back.shape[2:])), image.shape)

    def to_weight(upstream: Array, local: None, image: Array, weight: Array, *bias: Array) -> Array:
        back = np.einsum("goyx,gcklyx->gockl", split(upstream), split(windows.take(image)))
        return np.reshape(back, weight.shape)

    partials = (
        Partial("{b}", lambda out, *inputs: None, to_image, "Σ over windows of upstream × {local}"),
        Partial("{a}", lambda out, *inputs: None, to_weight, "Σ over positions of upstream × {local}"),
        Partial(
            "1", lambda out, *inputs: None, lambda upstream, *rest: upstream.sum((1, 2)), "Σ over positions of upstream"
        ),
    )
    text = "{a} ⋆ {b} + {c}" if op.bias else "{a} ⋆ {b}"
    return Operator("conv", text, forward, partials[: 2 + op.bias])


@operator.register
def pool_operator(op: Pool, shapes: Shapes) -> Operator:
    """Maximum or mean of each window; the padding is −∞ or 0. A tie goes to the first, as in torch.

    With ``ceil_mode`` the last windows may reach beyond the padding; what lies there counts for neither.
    """
    _, height, width = shapes[0]
    beyond = [_beyond(op, axis, n) for axis, n in enumerate((height, width))]
    after = op.padding[0] + beyond[0], op.padding[1] + beyond[1]
    windows = Windows(op.kernel, op.stride, (1, 1), op.padding, after)
    count = prod(op.kernel)

    def flat(image: Array, fill: float) -> Array:  # (C, kh·kw, out height, out width)
        taken = windows.take(image, fill)
        return taken.reshape(len(taken), count, *taken.shape[3:])

    # 1 inside the image and its padding, 0 beyond: what a mean counts.
    padded = np.ones((1, height + 2 * op.padding[0], width + 2 * op.padding[1]))
    counted = Windows(op.kernel, op.stride, (1, 1), (0, 0), (beyond[0], beyond[1])).take(padded)
    counted = counted.reshape(1, count, *counted.shape[3:])

    def share(out: Array, image: Array) -> Array:
        """What each element of a window contributes: 1/n, or 1 for the winner."""
        if op.average:
            return np.repeat(counted / counted.sum(1, keepdims=True), len(image), 0)
        return np.where(np.arange(count)[:, None, None] == flat(image, -np.inf).argmax(1)[:, None], 1.0, 0.0)

    def to_image(upstream: Array, local: Array, image: Array) -> Array:
        back = upstream[:, None] * local
        return windows.put(back.reshape(len(image), *op.kernel, *upstream.shape[1:]), image.shape)

    def mean(image: Array) -> Array:
        total: Array = flat(image, 0.0).sum(1) / counted.sum(1)
        return total

    if op.average:
        partial = Partial("1/n", share, to_image, "upstream × 1/n to its window", hidden=True)
        return Operator("avgpool", "mean of windows of {a}", mean, (partial,))
    partial = Partial("({a} = {out})", share, to_image, "upstream to the window's winner", hidden=True)
    return Operator("pool", "max of windows of {a}", lambda image: flat(image, -np.inf).max(1), (partial,))


def _beyond(op: Pool, axis: int, size: int) -> int:
    """How far the last window reaches beyond the padding behind the image."""
    kernel, stride, padding = op.kernel[axis], op.stride[axis], op.padding[axis]
    last: int = (window_size(size, kernel, stride, padding, ceil_mode=op.ceil_mode) - 1) * stride + kernel
    return max(0, last - size - 2 * padding)


@operator.register
def adaptive_operator(op: AdaptiveAvgPool, shapes: Shapes) -> Operator:
    """The mean of cell i of k, which reaches from ⌊i·n/k⌋ to ⌈(i+1)·n/k⌉, along both axes."""
    rows, columns = (_cells(n, k) for n, k in zip(shapes[0][1:], op.size, strict=True))

    def to_image(upstream: Array, local: None, image: Array) -> Array:
        back: Array = rows.T @ upstream @ columns
        return back

    partial = Partial("1/n", lambda out, a: None, to_image, "upstream × 1/n to its cell", hidden=True)
    return Operator("adaptiveavgpool", "mean of cells of {a}", lambda a: rows @ a @ columns.T, (partial,))


def _cells(size: int, count: int) -> Array:
    """(count, size): the share of every pixel in every cell."""
    shares = np.zeros((count, size))
    for i in range(count):
        start, stop = i * size // count, -(-(i + 1) * size // count)
        shares[i, start:stop] = 1 / (stop - start)
    return shares


@operator.register
def _(op: GlobalAvg, shapes: Shapes) -> Operator:
    return Operator(
        "globalavg",
        "mean of each channel of {a}",
        lambda a: a.mean((1, 2), keepdims=True),
        (Partial("1/n", lambda out, a: np.full_like(a, 1 / (a.shape[1] * a.shape[2]))),),
    )


@operator.register
def _(op: Pad, shapes: Shapes) -> Operator:
    """The image within zeros; the backward pass takes out its part."""
    sides = tuple(zip(op.before, op.after, strict=True))
    inner = tuple(slice(before, before + n) for before, n in zip(op.before, shapes[0][1:], strict=True))
    partial = Partial("1", lambda out, a: None, lambda u, local, a: u[:, *inner], "upstream without its border")
    return Operator("pad", "{a} within zeros", lambda a: np.pad(a, ((0, 0), *sides)), (partial,))


@operator.register
def _(op: Flatten, shapes: Shapes) -> Operator:
    partial = Partial("1", lambda out, a: np.ones_like(out), lambda u, local, a: u.reshape(a.shape))
    return Operator("flatten", "{a} in one row", lambda a: a.reshape(-1), (partial,))


@operator.register
def _(op: Linear, shapes: Shapes) -> Operator:
    partials = (
        Partial("{b}ᵀ", lambda out, a, b, *bias: b.T, lambda u, local, *inputs: local @ u, "{local} @ {upstream}"),
        Partial("{a}", lambda out, a, b, *bias: a, lambda u, local, *rest: np.outer(u, local), "{upstream} ⊗ {local}"),
        ONE,
    )
    if not op.bias:
        return Operator("linear", "{b} @ {a}", lambda a, b: b @ a, partials[:2])
    return Operator("linear", "{b} @ {a} + {c}", lambda a, b, c: b @ a + c, partials)


@operator.register
def _(op: Add, shapes: Shapes) -> Operator:
    names = ascii_lowercase[: len(shapes)]
    return Operator(
        "add", " + ".join(f"{{{name}}}" for name in names), lambda *inputs: sum(inputs), (ONE,) * len(shapes)
    )


@operator.register
def _(op: Concat, shapes: Shapes) -> Operator:
    """Every input gets back the channels that it gave."""
    ends = [0, *accumulate(shape[0] for shape in shapes)]
    partials = tuple(
        Partial(
            "1",
            lambda out, *inputs: None,
            lambda upstream, local, *inputs, start=start, stop=stop: upstream[start:stop],
            f"channels {start} to {stop - 1} of upstream",
        )
        for start, stop in pairwise(ends)
    )
    names = ", ".join(f"{{{name}}}" for name in ascii_lowercase[: len(shapes)])
    return Operator("concat", f"channels of {names}", lambda *inputs: np.concatenate(inputs), partials)
