"""The ledger of any element that a trace holds, of any weight's gradient, and the way down to the pixels."""

from collections.abc import Callable
from itertools import product
from math import prod

import numpy as np
from torch import nn

from ...errors import UsageError, near
from ...language.counts import number_of
from ...net.joins import Add
from ...net.wiring import IMAGE
from ..backprop.activations import function
from ..concepts.convolution import Convolution, Gradients, Names, Settings
from ..concepts.pooling import Pooling, PoolSettings
from ..ledger import Factor, Ledger, Term
from .joins import add, back, cat, joins
from .trace import Array, Call, Trace

Index = tuple[int, ...]
UNCHANGED = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)  # in evaluation mode


def ledger(trace: Trace, layer: str, index: Index) -> Ledger:
    """Why ``layer[index]`` is what it is. Raises UsageError for an unknown layer, a box or a place outside it."""
    call = find(trace, layer)
    output = _inside(call, index)
    if call.input is None or (make := _maker(call)) is None:
        raise UsageError(
            f"{layer} is a {call.kind}, of which only the shapes are known: it has no ledger",
            f"layers with ledgers: {', '.join(explained(trace)) or 'none'}",
        )
    return make(call, call.input, output, index)


def explained(trace: Trace) -> list[str]:
    """The names of the calls that have ledgers."""
    return [call.name for call in trace.calls.values() if call.input is not None and _maker(call) is not None]


def follow(trace: Trace, layer: str, index: Index) -> list[Ledger]:
    """The ledger of ``layer[index]``, then of its largest term, and so on down to a pixel or to a box."""
    path = [ledger(trace, layer, index)]
    while True:
        place = largest(path[-1], {IMAGE, *trace.calls})
        if place is None or place.tensor not in trace.calls or place.tensor not in explained(trace):
            return path
        path.append(ledger(trace, place.tensor, place.index))


def largest(of: Ledger, tensors: set[str]) -> Factor | None:
    """The factor to follow among those from ``tensors``: the winner, or that of the largest |term|; no padding."""
    if of.winner is not None:
        return of.terms[of.winner].x
    inside = [term for term in of.terms if term.x.tensor in tensors and not term.x.padding]
    return max(inside, key=lambda term: abs(term.product)).x if inside else None


def weight_gradient(trace: Trace, parameter: str, index: Index) -> Ledger:
    """Why ∂loss/∂``parameter``[index] is what it is: upstream × input over all positions. The trace needs a target."""
    if parameter not in trace.weights:
        raise UsageError(f"the net has no trainable weight {parameter[:60]!r}", near(parameter[:60], trace.weights))
    gradient = trace.weights[parameter]
    if len(index) != gradient.ndim or any(not 0 <= i < n for i, n in zip(index, gradient.shape, strict=True)):
        raise UsageError(f"{parameter}[{_text(index)}] lies outside its shape {gradient.shape}", "indices count from 0")
    module, _, kind = parameter.rpartition(".")
    calls = [call for call in trace.calls.values() if call.parameters == module and call.module is not None]
    if len(calls) > 1:
        raise UsageError(
            f"{module} is used {len(calls)} times: its gradient is a sum over the uses, which has no ledger"
        )
    if not calls:
        raise UsageError(f"{parameter} is read outside a layer's call: its gradient has no ledger")
    call, upstream = calls[0], trace.gradients.get(calls[0].name)
    if upstream is None or call.input is None:
        raise UsageError(
            f"the gradients of {call.name}, a {call.kind}, have no ledger", "those of Conv2d and Linear have"
        )
    if isinstance(call.module, nn.Conv2d):
        found = convolution(call)
        weight = gradient if kind == "weight" else found.weight
        g = Gradients(upstream, found.input, weight, gradient if kind == "bias" else None)
        o, *rest = index
        return found.bias_gradient(g, o) if kind == "bias" else found.weight_gradient(g, (o, rest[0], rest[1], rest[2]))
    if isinstance(call.module, nn.Linear) and call.input.ndim == 1:
        above = Factor(f"∂loss/∂{call.name}", (index[0],), float(upstream[index[0]]))
        below = None if kind == "bias" else Factor(call.reads, (index[1],), float(call.input[index[1]]))
        return Ledger(f"∂loss/∂{parameter}", index, (Term(0, above, below),), float(gradient[index]))
    raise UsageError(f"the gradients of {call.name}, a {call.kind}, have no ledger", "those of Conv2d and Linear have")


def pixel_gradient(trace: Trace, index: Index) -> Ledger:
    """Why ∂loss/∂image[index] is what it is: upstream × weight over all that read the pixel. Needs a target."""
    if trace.image_gradient is None:
        raise UsageError("a gradient needs a target class", "trace the image with one")
    shape = trace.image.shape
    if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise UsageError(f"pixel {_text(index)} lies outside the image {shape}", "channel,row,column, counted from 0")
    readers = [call for call in trace.calls.values() if IMAGE in (call.source, *(o.source for o in call.operands))]
    if readers and all(isinstance(call.module, nn.Conv2d) or joins(call) for call in readers):
        terms = [term for call in readers for term in _to_image(trace, call, index)]
        return Ledger(f"∂loss/∂{IMAGE}", index, tuple(terms), float(trace.image_gradient[index]), by="output channel")
    if len(readers) == 1 and isinstance(readers[0].module, nn.Flatten):
        place = int(np.ravel_multi_index(index, shape))
        after = [call for call in trace.calls.values() if call.source == readers[0].name]
        if len(after) == 1 and isinstance(after[0].module, nn.Linear):
            return _linear_input(trace, after[0], index, place)
    raise UsageError(
        "the pixels are read by others than convolutions, sums and a linear layer: their gradients have no ledger"
    )


def _to_image(trace: Trace, call: Call, index: Index) -> tuple[Term, ...]:
    """What one reader of the image adds to the gradient of a pixel."""
    if not isinstance(call.module, nn.Conv2d):
        return back(call, IMAGE, trace.gradients[call.name], index)
    found = convolution(call)
    assert trace.image_gradient is not None
    g = Gradients(trace.gradients[call.name], trace.image_gradient, found.weight, None)
    return found.input_terms(g, (index[0], index[1], index[2]))


def convolution(call: Call) -> Convolution:
    """The convolution that a call of a Conv2d did."""
    m = call.module
    assert isinstance(m, nn.Conv2d)
    assert call.input is not None
    assert call.output is not None
    padding = m.padding if isinstance(m.padding, str) else _pair(m.padding)
    chosen = Settings(_pair(m.stride), padding, m.padding_mode, _pair(m.dilation), m.groups)  # type: ignore[arg-type]  # torch says str
    names = Names(call.reads, f"{call.parameters}.weight", f"{call.parameters}.bias", call.name)
    bias = None if m.bias is None else m.bias.detach().cpu().float().numpy()
    return Convolution(call.input, m.weight.detach().cpu().float().numpy(), bias, chosen, call.output, names)


def pooling(call: Call) -> Pooling:
    """The pooling that a call of a MaxPool2d or AvgPool2d did."""
    m = call.module
    assert isinstance(m, nn.MaxPool2d | nn.AvgPool2d)
    assert call.input is not None
    assert call.output is not None
    dilation = _pair(m.dilation) if isinstance(m, nn.MaxPool2d) else (1, 1)
    include = True if isinstance(m, nn.MaxPool2d) else m.count_include_pad
    stride = m.kernel_size if m.stride is None else m.stride
    chosen = PoolSettings(_pair(m.kernel_size), _pair(stride), _pair(m.padding), dilation, m.ceil_mode, include)
    kind = "max" if isinstance(m, nn.MaxPool2d) else "avg"
    return Pooling(kind, call.input, chosen, call.output, None, call.reads, call.name)  # type: ignore[arg-type]  # a literal


def find(trace: Trace, layer: str) -> Call:
    """The call of that name. Raises UsageError with near misses."""
    if layer not in trace.calls:
        raise UsageError(f"the net has no layer {layer[:60]!r}", near(layer[:60], trace.calls))
    return trace.calls[layer]


_Maker = Callable[[Call, Array, Array, Index], Ledger]


def _maker(call: Call) -> _Maker | None:
    """The function that makes this call's ledgers, or None for a box."""
    m, x, y = call.module, call.input, call.output
    if m is None or x is None or y is None:
        return None
    if isinstance(m, nn.Conv2d):
        return lambda call, x, y, i: convolution(call).ledger(i[0], i[1], i[2])
    if isinstance(m, nn.MaxPool2d) or (isinstance(m, nn.AvgPool2d) and m.divisor_override is None):
        return lambda call, x, y, i: pooling(call).ledger(i[0], i[1], i[2])
    if isinstance(m, nn.Linear) and x.ndim == 1:
        return _linear
    if type(m) in function.registry:
        return _function
    if isinstance(m, UNCHANGED) and x.size == y.size:
        return _unchanged
    if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d) and m.track_running_stats:
        return _batchnorm
    if joins(call):
        return add if isinstance(m, Add) else cat
    if isinstance(m, nn.AdaptiveAvgPool2d) and x.ndim == 3:
        return _adaptive_average
    if isinstance(m, nn.ZeroPad2d) and x.ndim == 3:
        return _padded
    return None


def _linear(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    m = call.module
    assert isinstance(m, nn.Linear)
    (o,), weight = index, m.weight.detach().cpu().float().numpy()
    terms = tuple(
        Term(0, Factor(call.reads, (i,), float(v)), Factor(f"{call.parameters}.weight", (o, i), float(w)))
        for i, (v, w) in enumerate(zip(x, weight[o], strict=True))
    )
    bias = None if m.bias is None else Factor(f"{call.parameters}.bias", (o,), float(m.bias[o].detach()))
    return Ledger(call.name, index, terms, float(y[index]), bias)


def _function(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    term = Term(0, Factor(call.reads, index, float(x[index])))
    known = function(call.module)
    assert known is not None
    return Ledger(call.name, index, (term,), float(y[index]), operation=known.text, function=known)


def _unchanged(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    """The same value, at the place that has the same number when all are counted row by row."""
    flat = int(np.ravel_multi_index(index, y.shape))
    place = tuple(int(i) for i in np.unravel_index(flat, x.shape))
    term = Term(0, Factor(call.reads, place, float(x[place])))
    return Ledger(call.name, index, (term,), float(y[index]), operation="identity")


def _padded(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    """The same value, or one of the zeros around."""
    m, (channel, row, column) = call.module, index
    assert isinstance(m, nn.ZeroPad2d)
    left, _, top, _ = m.padding
    place = (channel, row - top, column - left)
    inside = all(0 <= i < n for i, n in zip(place, x.shape, strict=True))
    factor = Factor(call.reads, place, float(x[place]) if inside else 0.0, padding=not inside)
    return Ledger(call.name, index, (Term(0, factor),), float(y[index]), operation="identity")


def _batchnorm(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    """y = x · s − mean · s + bias with s = weight / √(var + eps): the running statistics make it a fixed line."""
    m, c = call.module, index[0]
    assert isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)
    assert m.running_mean is not None
    assert m.running_var is not None
    weight = 1.0 if m.weight is None else float(m.weight[c].detach())
    scale = weight / (float(m.running_var[c]) + m.eps) ** 0.5
    s = Factor(f"{call.parameters}.weight/√(running_var+eps)", (c,), scale)
    minus = Factor(f"−{s.tensor}", (c,), -scale)
    mean = Factor(f"{call.parameters}.running_mean", (c,), float(m.running_mean[c]))
    bias = None if m.bias is None else Factor(f"{call.parameters}.bias", (c,), float(m.bias[c].detach()))
    terms = (Term(c, Factor(call.reads, index, float(x[index])), s), Term(c, mean, minus))
    return Ledger(call.name, index, terms, float(y[index]), bias)


def _adaptive_average(call: Call, x: Array, y: Array, index: Index) -> Ledger:
    """The mean of cell i of k: from ⌊i·n/k⌋ to ⌈(i+1)·n/k⌉ of n rows, and of columns likewise."""
    c, *place = index
    spans = [range(i * n // k, -(-(i + 1) * n // k)) for i, n, k in zip(place, x.shape[1:], y.shape[1:], strict=True)]
    n = prod(map(len, spans))
    share = Factor(f"1/{n}", (), 1 / n)
    cells = product(*spans)
    terms = tuple(Term(c, Factor(call.reads, (c, *cell), float(x[(c, *cell)])), share) for cell in cells)
    return Ledger(call.name, index, terms, float(y[index]))


def _linear_input(trace: Trace, call: Call, index: Index, place: int) -> Ledger:
    m = call.module
    assert isinstance(m, nn.Linear)
    assert trace.image_gradient is not None
    upstream, weight = trace.gradients[call.name], m.weight.detach().cpu().float().numpy()
    terms = tuple(
        Term(
            o, Factor(f"∂loss/∂{call.name}", (o,), float(u)), Factor(f"{call.parameters}.weight", (o, place), float(w))
        )
        for o, (u, w) in enumerate(zip(upstream, weight[:, place], strict=True))
    )
    return Ledger(f"∂loss/∂{IMAGE}", index, terms, float(trace.image_gradient[index]), by="output")


def _inside(call: Call, index: Index) -> Array:
    """The call's output, in which ``index`` lies."""
    if call.output is None:
        raise UsageError(f"{call.name} does not make one tensor: it has no ledger")
    check_inside(call.name, index, call.output.shape)
    return call.output


def check_inside(layer: str, index: Index, shape: tuple[int, ...]) -> None:
    """Raises UsageError where ``index`` lies outside the ``shape`` of what ``layer`` makes."""
    if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        what = "channel,row,column" if len(shape) == 3 else number_of(len(shape), "number")
        raise UsageError(f"{layer}[{_text(index)}] lies outside its shape {shape}", f"give {what}, counted from 0")


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))  # also of one number alone


def _text(index: Index) -> str:
    return ",".join(map(str, index))
