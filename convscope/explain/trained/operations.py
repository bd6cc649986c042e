"""What a net computes between its modules (``F.relu(x)``, ``x.view(...)``, ``a + b``), as modules that do the same."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ...net.joins import Add, Concat
from ..backprop.activations import FUNCTIONAL

RESHAPES = {"view", "reshape", "flatten", "squeeze", "unsqueeze"}  # the values keep their order


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in what goes into a call or comes out: one, or lists, tuples and dicts of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def scores(output: Any, images: int = 1) -> Tensor | None:
    """The scores among what a net makes: its first (N, K) for N ``images``, else its first tensor, None without any."""
    found = list(tensors(output))
    tables = (t for t in found if t.ndim == 2 and len(t) == images and t.is_floating_point())
    return next(tables, found[0] if found else None)


def functional(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> nn.Module | None:
    """The module that does what the operation ``kind`` does, where one is known."""
    if kind in FUNCTIONAL:
        module, names = FUNCTIONAL[kind]
        return module(**_named(args, kwargs, names))
    if kind in RESHAPES:
        return nn.Flatten()
    match kind:
        case "dropout":
            return nn.Identity()
        case "max_pool2d":
            return nn.MaxPool2d(**_named(args, kwargs, "kernel_size stride padding dilation ceil_mode"))
        case "avg_pool2d":
            return nn.AvgPool2d(**_named(args, kwargs, "kernel_size stride padding ceil_mode count_include_pad"))
        case "conv2d":
            return _conv(**_named(args, kwargs, "weight bias stride padding dilation groups"))
        case "pad":
            return _pad(**_named(args, kwargs, "pad mode value"))
        case "linear":
            return _linear(**_named(args, kwargs, "weight bias"))
        case "add" if not kwargs and len(args) == 2:
            numbers = [a for a in args if isinstance(a, int | float)]
            return Add(float(numbers[0]) if numbers else None)
        case "cat":
            return Concat(int(_named(args, kwargs, "dim").get("dim", 0)))
    return None


def _named(args: tuple[Any, ...], kwargs: dict[str, Any], names: str) -> dict[str, Any]:
    """The arguments behind the first one, by ``names``."""
    known = names.split()
    return dict(zip(known, args[1:], strict=False)) | {name: kwargs[name] for name in known if name in kwargs}


def _conv(
    weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> nn.Module:
    channels, size = weight.shape[1] * groups, tuple(weight.shape[2:])
    layer = nn.Conv2d(channels, len(weight), size, stride, padding, dilation, groups, bias is not None, device="meta")  # type: ignore[arg-type]  # two numbers
    return _with(layer, weight, bias)


def _pad(pad: tuple[int, ...], mode: str = "constant", value: float | None = None) -> nn.Module | None:
    """Zeros around an image; whatever else can be padded is not known."""
    known = mode == "constant" and not value and len(pad) == 4
    return nn.ZeroPad2d((pad[0], pad[1], pad[2], pad[3])) if known else None


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    return _with(nn.Linear(weight.shape[1], len(weight), bias is not None, device="meta"), weight, bias)


def _with(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return layer
