"""Calls of functions and methods in somebody's ``forward``, each as the module that does the same."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ..joins import Add, Concat


class UntraceableError(Exception):
    """Why a module cannot be read as a graph of layers."""


@dataclass(frozen=True)
class Call:
    """One call: its arguments by name, of which tensors that are no image (weights) stand as ``values``."""

    node: fx.Node
    arguments: Mapping[str, Any]
    values: Mapping[fx.Node, Tensor]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def weight(self, name: str) -> Tensor | None:
        """The tensor that stands for an argument. Raises UntraceableError where it is computed."""
        found = self.arguments[name]
        if found is None:
            return None
        if not isinstance(found, fx.Node) or found not in self.values:
            raise UntraceableError(f"{self.node.name}: its {name} is computed, and no parameter")
        return self.values[found]

    def plain(self, *names: str) -> tuple[Any, ...]:
        """Arguments that are numbers. Raises UntraceableError where they are computed."""
        found = tuple(self.arguments[name] for name in names)
        if any(isinstance(value, fx.Node) for value in fx.node.map_arg(found, lambda n: n) if value is not None):
            raise UntraceableError(f"{self.node.name}: {', '.join(names)} must be numbers")
        return found


Made = list[nn.Module]
REQUIRED = object()


def _with(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """``module`` with ``tensors`` for its own: the very parameters, not copies."""
    for name, tensor in tensors.items():
        if name in module._buffers:
            module._buffers[name] = tensor
        elif tensor is not None:
            own = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)
            module.register_parameter(name, own)
    return module


def _conv(call: Call) -> Made:
    weight, bias = call.weight("weight"), call.weight("bias")
    assert weight is not None
    stride, padding, dilation, groups = call.plain("stride", "padding", "dilation", "groups")
    out, each, *kernel = weight.shape
    size = (kernel[0], kernel[1])
    layer = nn.Conv2d(each * groups, out, size, stride, padding, dilation, groups, bias is not None, device="meta")
    return [_with(layer, weight=weight, bias=bias)]


def _linear(call: Call) -> Made:
    weight, bias = call.weight("weight"), call.weight("bias")
    assert weight is not None
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return [_with(layer, weight=weight, bias=bias)]


def _batch_norm(call: Call) -> Made:
    tensors = {name: call.weight(name) for name in ("running_mean", "running_var", "weight", "bias")}
    training, eps = call.plain("training", "eps")
    mean = tensors["running_mean"]
    shown = call["input"].meta.get("example_value")
    if training or mean is None or shown is None:
        raise UntraceableError(f"{call.node.name}: batch norm outside a module is read for inference alone")
    kind = nn.BatchNorm2d if shown.ndim == 4 else nn.BatchNorm1d
    affine = tensors["weight"] is not None
    return [_with(kind(len(mean), eps, affine=affine, device="meta"), **tensors).eval()]


def _flatten(call: Call) -> Made:
    return [nn.Flatten(*call.plain("start_dim", "end_dim"))]


def _view(call: Call) -> Made:
    """x.view(x.size(0), -1) and the like: rows of features."""
    sizes = call["sizes"]
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list | torch.Size):
        sizes = tuple(sizes[0])
    shown = call["input"].meta.get("example_value")
    count = -1 if shown is None else shown.shape[0]
    first_is_count = isinstance(sizes[0], fx.Node) or sizes[0] in (-1, count)
    if len(sizes) != 2 or not first_is_count or isinstance(sizes[1], fx.Node):
        raise UntraceableError(f"{call.node.name}: only x.view(x.size(0), -1) is read as flatten")
    return [nn.Flatten()]


def _mean(call: Call) -> Made:
    dim, keepdim = call.plain("dim", "keepdim")
    if not isinstance(dim, tuple | list) or sorted(d % 4 for d in dim) != [2, 3]:
        raise UntraceableError(f"{call.node.name}: only the mean over height and width is read")
    return [nn.AdaptiveAvgPool2d(1), *([] if keepdim else [nn.Flatten()])]


def _dropout(kind: type[nn.Module]) -> Callable[[Call], Made]:
    def make(call: Call) -> Made:
        p, training = call.plain("p", "training")
        return [kind(p)] if training else []

    return make


def _pool(call: Call) -> Made:
    size, stride, padding, dilation, ceil, indices = call.plain(
        "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"
    )
    if indices:
        raise UntraceableError(f"{call.node.name}: max pooling that returns indices")
    return [nn.MaxPool2d(size, stride or None, padding, dilation, ceil_mode=ceil)]


def _average(call: Call) -> Made:
    size, stride, *others = call.plain(
        "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"
    )
    return [nn.AvgPool2d(size, stride or None, *others)]


def _adaptive(call: Call) -> Made:
    return [nn.AdaptiveAvgPool2d(*call.plain("output_size"))]


def _sum(call: Call) -> Made:
    if call.arguments.get("alpha", 1) != 1:
        raise UntraceableError(f"{call.node.name}: a sum with alpha")
    constants = [call[name] for name in ("input", "other") if not isinstance(call[name], fx.Node)]
    if any(not isinstance(constant, int | float) for constant in constants):
        raise UntraceableError(f"{call.node.name}: a sum with a tensor")
    return [Add(float(constants[0]) if constants else None)]


def _cat(call: Call) -> Made:
    return [Concat(*call.plain("dim"))]


def _nothing(_call: Call) -> Made:
    return []


def _gelu(approximate: str) -> nn.Module:
    return nn.GELU(approximate=approximate)  # by keyword alone


def _plain(kind: Callable[..., nn.Module], *names: str) -> Callable[[Call], Made]:
    return lambda call: [kind(*call.plain(*names))]


Reader = tuple[dict[str, Any], Callable[[Call], Made]]
X = {"input": REQUIRED}
CONV = {"weight": REQUIRED, "bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
NORM = {"running_mean": REQUIRED, "running_var": REQUIRED, "weight": None, "bias": None, "training": False}
POOL = {"kernel_size": REQUIRED, "stride": None, "padding": 0}
ACTS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "silu": nn.SiLU,
    "hardswish": nn.Hardswish, "hardsigmoid": nn.Hardsigmoid,
}  # fmt: skip
MAX: Reader = (
    X | POOL | {"dilation": 1, "ceil_mode": False, "return_indices": False},
    _pool,
)
SUM: Reader = (X | {"other": REQUIRED, "alpha": 1}, _sum)
FLATTEN: Reader = (X | {"start_dim": 0, "end_dim": -1}, _flatten)
CAT: Reader = ({"tensors": REQUIRED, "dim": 0}, _cat)

# A function, or the name of a method → its arguments with their defaults, and what makes the modules.
READERS: dict[Any, Reader] = {
    F.conv2d: (X | CONV, _conv),
    F.linear: (X | {"weight": REQUIRED, "bias": None}, _linear),
    F.batch_norm: (X | NORM | {"momentum": 0.1, "eps": 1e-5}, _batch_norm),
    F.max_pool2d: MAX,
    torch.max_pool2d: MAX,
    F.avg_pool2d: (
        X | POOL | {"ceil_mode": False, "count_include_pad": True, "divisor_override": None},
        _average,
    ),
    F.adaptive_avg_pool2d: (X | {"output_size": REQUIRED}, _adaptive),
    F.dropout: (X | {"p": 0.5, "training": True, "inplace": False}, _dropout(nn.Dropout)),
    F.dropout2d: (X | {"p": 0.5, "training": True, "inplace": False}, _dropout(nn.Dropout2d)),
    F.gelu: (X | {"approximate": "none"}, _plain(_gelu, "approximate")),
    F.leaky_relu: (X | {"negative_slope": 0.01, "inplace": False}, _plain(nn.LeakyReLU, "negative_slope")),
    torch.flatten: FLATTEN,
    "flatten": FLATTEN,
    "view": (X | {"sizes": REQUIRED}, _view),
    "reshape": (X | {"sizes": REQUIRED}, _view),
    "mean": (X | {"dim": None, "keepdim": False}, _mean),
    torch.mean: (X | {"dim": None, "keepdim": False}, _mean),
    "contiguous": (X, _nothing),
    torch.add: SUM,
    operator.add: SUM,
    operator.iadd: SUM,
    "add": SUM,
    "add_": SUM,
    torch.cat: CAT,
    torch.concat: CAT,
}
for _name, _kind in ACTS.items():
    _reader = (X | {"inplace": False}, _plain(_kind))
    for _owner in (F, torch):
        if hasattr(_owner, _name):
            READERS[getattr(_owner, _name)] = _reader
    READERS[_name] = READERS[_name + "_"] = _reader


def modules_of(node: fx.Node, values: Mapping[fx.Node, Tensor]) -> Made:
    """The modules that do what ``node`` does, one after the other; none where it changes nothing.

    Raises UntraceableError.
    """
    if node.target not in READERS:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        raise UntraceableError(f"{node.name}: {name} is not a layer that is known")
    names, make = READERS[node.target]
    given = dict(zip(names, node.args, strict=False))
    if "sizes" in names:
        given["sizes"] = node.args[1:]
    unknown = node.kwargs.keys() - names.keys()
    if unknown or (len(node.args) > len(names) and "sizes" not in names):
        raise UntraceableError(f"{node.name}: arguments that are not known")
    arguments = {**{name: value for name, value in names.items() if value is not REQUIRED}, **given, **node.kwargs}
    if names.keys() - arguments.keys():
        raise UntraceableError(f"{node.name}: arguments are missing")
    return make(Call(node, arguments, values))
