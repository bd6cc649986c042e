"""The receptive field: which pixels of the image can change an element of some layer.

Found with autograd, so strides, padding and dilation are right whatever the net: every weight is replaced by a
positive one, max pooling and sums of branches by the mean, the image by positive numbers. Then nothing is zero by
chance, and a pixel has a gradient exactly where there is a path from it to the element.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...engine.plain import plain_torch
from ...errors import UsageError
from ...language.counts import number_of
from ...net.model import evaluation
from ...shown import Part, Picture, Shown
from .layers import check_inside
from .pictures import image_png
from .trace import Call, Recorder

SAMPLES = 16  # rows, and columns, of which centres() asks autograd


@dataclass(frozen=True, repr=False)
class ReceptiveField(Shown):
    """The pixels that ``layer[index]`` sees: inclusive bounds, and ``mask`` bool (H, W), with dilation's gaps."""

    layer: str
    index: tuple[int, ...]
    top: int
    bottom: int
    left: int
    right: int
    mask: NDArray[np.bool_]

    def told(self) -> Iterator[Part]:
        """Its bounds and size, and, in a notebook, its pixels."""
        place = f"{self.layer}[{','.join(map(str, self.index))}]"
        rows, columns = f"rows {self.top} to {self.bottom}", f"columns {self.left} to {self.right}"
        yield f"{place} sees {number_of(int(self.mask.sum()), 'pixel')}: {rows}, {columns}"
        yield Picture("the pixels that it sees, in white", lambda: image_png(self.mask[None].astype(float)), True)


@plain_torch()
def receptive_field(net: nn.Module, shape: tuple[int, int, int], layer: str, index: tuple[int, ...]) -> ReceptiveField:
    """The receptive field of ``layer[index]`` in an image (C, H, W) of ``shape``. ``layer`` is named as in a trace.

    Raises UsageError for an unknown layer or an index outside it.
    """
    return receptive_fields(net, shape, layer, [index])[0]


@plain_torch()
def receptive_fields(
    net: nn.Module, shape: tuple[int, int, int], layer: str, indices: list[tuple[int, ...]]
) -> list[ReceptiveField]:
    """The same for many elements of one layer, by one forward pass."""
    random = torch.Generator().manual_seed(0)
    found: dict[str, Any] = {}

    def seen(call: Call, output: Any) -> None:
        if call.name == layer:
            found["output"] = output[0] if output.shape[0] == 1 else output

    image = torch.rand((1, *shape), generator=random, dtype=torch.float64) / 100 + 0.1
    image.requires_grad_()
    with evaluation(net):
        weights = {name: _positive(name, p, random) for name, p in net.named_parameters()}
        weights |= {name: _neutral(name, b) for name, b in net.named_buffers()}
        given = image.clone()
        with Recorder(net, given, seen, _mean_for_max):
            torch.func.functional_call(net, weights, (given,))
        if "output" not in found:
            raise UsageError(f"the net has no layer {layer!r}")
        for index in indices:
            check_inside(layer, index, tuple(found["output"].shape))
        gradients = [
            torch.autograd.grad(found["output"][index], image, allow_unused=True, retain_graph=True)[0]
            for index in indices
        ]
    return [_field(layer, index, shape, gradient) for index, gradient in zip(indices, gradients, strict=True)]


def _field(layer: str, index: tuple[int, ...], shape: tuple[int, int, int], gradient: Tensor | None) -> ReceptiveField:
    mask = np.zeros(shape[1:], bool) if gradient is None else (gradient[0] != 0).any(0).numpy()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):  # the window lies in the padding
        return ReceptiveField(layer, index, 0, -1, 0, -1, mask)
    return ReceptiveField(layer, index, int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1]), mask)


def centres(
    net: nn.Module, shape: tuple[int, int, int], layer: str, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the elements of ``layer``, whose maps are ``size`` (h, w), lie in the image: the middle of each row's and
    of each column's receptive field, float (h,) and (w,). Of large maps :data:`SAMPLES` a side are asked, and the
    others lie between them.
    """
    found = []
    for axis in (0, 1):
        asked = np.unique(np.linspace(0, size[axis] - 1, min(size[axis], SAMPLES)).round().astype(int))
        other = size[1 - axis] // 2
        places: list[tuple[int, ...]] = [(0, int(n), other) if axis == 0 else (0, other, int(n)) for n in asked]
        fields = receptive_fields(net, shape, layer, places)
        ends = [(f.top, f.bottom) if axis == 0 else (f.left, f.right) for f in fields]
        seen = [(n, sum(pair) / 2) for n, pair in zip(asked, ends, strict=True) if pair[1] >= pair[0]]
        middle = (shape[1 + axis] - 1) / 2
        known = np.array(seen or [(0, middle)], float)
        found.append(np.interp(np.arange(size[axis]), known[:, 0], known[:, 1]))
    return found[0], found[1]


def _positive(name: str, parameter: Tensor, random: torch.Generator) -> Tensor:
    """Weights that make means, so that values stay near 0.1, where no activation is flat; biases 0, scales 1."""
    if parameter.ndim < 2:
        return torch.full(parameter.shape, 0.0 if name.endswith("bias") else 1.0, dtype=torch.float64)
    share = parameter[0].numel()
    return (torch.rand(parameter.shape, generator=random, dtype=torch.float64) / 10 + 1) / share


def _neutral(name: str, buffer: Tensor) -> Tensor:
    if not buffer.is_floating_point():
        return buffer.cpu()
    value = 1.0 if name.endswith("running_var") else 0.0
    return torch.full(buffer.shape, value, dtype=torch.float64)


def _mean_for_max(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """Instead of max pooling, the mean of the same cells (a convolution: average pooling has no dilation)."""
    if getattr(func, "__name__", "") != "max_pool2d":
        return _mean_for_sum(func, args)
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    chosen: dict[str, Any] = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
    chosen |= dict(zip(names, args[1:], strict=False)) | {name: kwargs[name] for name in names if name in kwargs}
    x = args[0]
    shape = functional.max_pool2d(x.detach(), **chosen).shape  # the size that ceil_mode makes is PyTorch's business
    kernel, padding, dilation = (_pair(chosen[name]) for name in ("kernel_size", "padding", "dilation"))
    stride = _pair(chosen["stride"] or kernel)
    need = [(shape[2 + a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 for a in (0, 1)]
    after = [max(0, need[a] - x.shape[2 + a] - padding[a]) for a in (0, 1)]
    padded = functional.pad(x, (padding[1], after[1], padding[0], after[0]))
    weight = torch.full((x.shape[1], 1, *kernel), 1 / (kernel[0] * kernel[1]), dtype=x.dtype)
    mean = functional.conv2d(padded, weight, stride=stride, dilation=dilation, groups=x.shape[1])
    return mean[:, :, : shape[2], : shape[3]]


def _mean_for_sum(func: Any, args: tuple[Any, ...]) -> Tensor | None:
    """Instead of the sum of two branches their mean: a long row of sums would grow to where activations are flat."""
    kind = getattr(func, "__name__", "").strip("_")
    tensors = len(args) == 2 and all(isinstance(a, Tensor) for a in args)
    if not tensors or kind not in ("add", "iadd") or args[0].shape != args[1].shape:
        return None
    first: Tensor = args[0]
    in_place = kind == "iadd" or func.__name__ == "add_"
    return first.add_(args[1]).div_(2) if in_place else (first + args[1]) / 2


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
