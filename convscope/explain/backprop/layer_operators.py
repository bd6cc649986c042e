"""The layers of a net as operators: forward formula and, right below it, its derivatives, for one sample in float64.

Written out in NumPy and not taken from torch, so that agreement with autograd means something. Shapes: images
(C, H, W), features (F,), kernels (O, C/groups, kh, kw), weights of a linear layer (out, in).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from ...net.layers import Conv, Pair, Pool
from ...net.shapes import same_padding, window_size
from .operators import ONE, Operator, Partial
from .values import Array


@dataclass(frozen=True)
class Windows:
    """All windows of an image, as convolution and pooling see it. ``pads`` are (before, after) pairs, height first."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair

    def slices(self, height: int, width: int) -> list[tuple[int, int, slice, slice]]:
        """For every place (k, l) in the window the rows and columns of the padded image that it meets."""
        found = []
        for k, l in product(range(self.kernel[0]), range(self.kernel[1])):  # noqa: E741 - the formula's letter
            starts = k * self.dilation[0], l * self.dilation[1]
            counts = [
                window_size(n, self.kernel[i], self.stride[i], 0, self.dilation[i])
                for i, n in enumerate((height, width))
            ]
            rows, columns = (
                slice(s, s + t * (n - 1) + 1, t) for s, t, n in zip(starts, self.stride, counts, strict=True)
            )
            found.append((k, l, rows, columns))
        return found

    def take(self, image: Array, fill: float = 0.0) -> Array:
        """(C, H, W) → (C, kh, kw, out height, out width)."""
        padded = np.pad(image, ((0, 0), *zip(self.before, self.after, strict=True)), constant_values=fill)
        parts = [padded[:, rows, columns] for _, _, rows, columns in self.slices(*padded.shape[1:])]
        return np.stack(parts, 1).reshape(len(image), *self.kernel, *parts[0].shape[1:])

    def put(self, windows: Array, shape: tuple[int, ...]) -> Array:
        """The transpose of :meth:`take`: every element goes back to its pixel, where windows overlap they add up."""
        height, width = (n + b + a for n, b, a in zip(shape[1:], self.before, self.after, strict=True))
        padded = np.zeros((shape[0], height, width))
        for k, l, rows, columns in self.slices(height, width):  # noqa: E741
            padded[:, rows, columns] += windows[:, k, l]
        return padded[:, self.before[0] : height - self.after[0], self.before[1] : width - self.after[1]]


def conv_operator(layer: Conv) -> Operator:
    """out[o, y, x] = Σ_{c,k,l} weight[o, c, k, l] · window[c, k, l, y, x] + bias[o], within each group."""
    groups = layer.groups
    if layer.padding == "same":
        before, after = same_padding(layer.kernel, layer.dilation)
    else:
        before = after = layer.padding
    windows = Windows(layer.kernel, layer.stride, layer.dilation, before, after)

    def split(array: Array) -> Array:
        return array.reshape(groups, -1, *array.shape[1:])

    def forward(image: Array, weight: Array, bias: Array | None = None) -> Array:
        out = np.einsum("gockl,gcklyx->goyx", split(weight), split(windows.take(image)))
        joined: Array = out.reshape(-1, *out.shape[2:])
        return joined if bias is None else joined + bias[:, None, None]

    def to_image(upstream: Array, local: None, image: Array, weight: Array, *bias: Array) -> Array:  # noqa: ARG001
        back = np.einsum("goyx,gockl->gcklyx", split(upstream), split(weight))
        return windows.put(np.reshape(back, (-1, *back.shape[2:])), image.shape)

    def to_weight(upstream: Array, local: None, image: Array, weight: Array, *bias: Array) -> Array:  # noqa: ARG001
        back = np.einsum("goyx,gcklyx->gockl", split(upstream), split(windows.take(image)))
        return np.reshape(back, weight.shape)

    partials = (
        Partial("{b}", lambda out, *inputs: None, to_image, "Σ over windows of upstream × {local}"),
        Partial("{a}", lambda out, *inputs: None, to_weight, "Σ over positions of upstream × {local}"),
        Partial(
            "1", lambda out, *inputs: None, lambda upstream, *rest: upstream.sum((1, 2)), "Σ over positions of upstream"
        ),
    )
    text = "{a} ⋆ {b} + {c}" if layer.bias else "{a} ⋆ {b}"
    return Operator("conv", text, forward, partials[: 2 + layer.bias])


def pool_operator(layer: Pool) -> Operator:
    """Maximum or mean of each window; the padding is −∞ or 0. A tie goes to the first, as in torch."""
    windows = Windows(layer.kernel, layer.stride, (1, 1), layer.padding, layer.padding)
    count = layer.kernel[0] * layer.kernel[1]

    def flat(image: Array) -> Array:  # (C, kh·kw, out height, out width)
        taken = windows.take(image, 0.0 if layer.average else -np.inf)
        return taken.reshape(len(taken), count, *taken.shape[3:])

    def share(out: Array, image: Array) -> Array:
        """What each element of a window contributes: 1/n, or 1 for the winner."""
        if layer.average:
            return np.full((len(image), count, *out.shape[1:]), 1 / count)
        return np.where(np.arange(count)[:, None, None] == flat(image).argmax(1)[:, None], 1.0, 0.0)

    def to_image(upstream: Array, local: Array, image: Array) -> Array:
        back = upstream[:, None] * local
        return windows.put(back.reshape(len(image), *layer.kernel, *upstream.shape[1:]), image.shape)

    if layer.average:
        partial = Partial("1/n", share, to_image, "upstream × 1/n to its window", hidden=True)
        return Operator("avgpool", "mean of windows of {a}", lambda image: flat(image).mean(1), (partial,))
    partial = Partial("({a} = {out})", share, to_image, "upstream to the window's winner", hidden=True)
    return Operator("pool", "max of windows of {a}", lambda image: flat(image).max(1), (partial,))


GLOBAL_AVERAGE = Operator(
    "globalavg",
    "mean of each channel of {a}",
    lambda a: a.mean((1, 2), keepdims=True),
    (Partial("1/n", lambda out, a: np.full_like(a, 1 / (a.shape[1] * a.shape[2]))),),
)

FLATTEN = Operator("flatten", "{a} in one row", lambda a: a.reshape(-1),
               (Partial("1", lambda out, a: np.ones_like(out), lambda u, local, a: u.reshape(a.shape)),))  # fmt: skip

_LINEAR_PARTIALS = (
    Partial("{b}ᵀ", lambda out, a, b, *bias: b.T, lambda u, local, *inputs: local @ u, "{local} @ {upstream}"),
    Partial("{a}", lambda out, a, b, *bias: a, lambda u, local, *inputs: np.outer(u, local), "{upstream} ⊗ {local}"),
    ONE,
)
LINEAR = Operator("linear", "{b} @ {a} + {c}", lambda a, b, c: b @ a + c, _LINEAR_PARTIALS)
LINEAR_WITHOUT_BIAS = Operator("linear", "{b} @ {a}", lambda a, b: b @ a, _LINEAR_PARTIALS[:2])

MSE = Operator("mse", "mean(({a} − {b})²)", lambda a, b: np.asarray(((a - b) ** 2).mean()),
           (Partial("2·({a} − {b})/n", lambda out, a, b: 2 * (a - b) / a.size,
                    terms=lambda out, a, b: 2 * (np.abs(a) + np.abs(b)) / a.size),))  # fmt: skip

MAE = Operator("mae", "mean(|{a} − {b}|)", lambda a, b: np.asarray(np.abs(a - b).mean()),
           (Partial("sign({a} − {b})/n", lambda out, a, b: np.sign(a - b) / a.size),))  # fmt: skip


def _softmax(logits: Array) -> Array:
    shares: Array = np.exp(logits - logits.max())
    shares /= shares.sum()
    return shares


def _one_hot(logits: Array, label: Array) -> Array:
    return np.where(np.arange(len(logits)) == label, 1.0, 0.0)


CROSS_ENTROPY = Operator(
    "cross-entropy",
    "−log softmax({a})[{b}]",
    lambda a, b: np.asarray(np.log(np.exp(a - a.max()).sum()) + a.max() - a[int(b)]),
    (
        Partial(
            "softmax({a}) − one-hot({b})",
            lambda out, a, b: _softmax(a) - _one_hot(a, b),
            terms=lambda out, a, b: _softmax(a) + _one_hot(a, b),
        ),
    ),
)
