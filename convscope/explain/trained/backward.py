"""The gradient of one weight, place by place: upstream × input wherever the weight was used, and where that lies.

A weight of a convolution is used once for every element of its kernel's map, so its gradient is a sum over the map:

    ∂loss/∂weight[o, c, i, j] = Σ over y, x of  ∂loss/∂output[o, y, x] · padded input[c, y·s + i·d, x·s + j·d]

(I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 9.5). A bias is used as often, with an input
of 1; a weight of a linear layer is used once. The terms are those of :func:`.layers.weight_gradient`, whose ledger
holds their sum against autograd.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...engine.plain import plain_torch
from ...net.wiring import IMAGE
from ..ledger import Factor, Ledger, Term
from . import layers
from .receptive import centres
from .trace import Trace

Map = NDArray[np.float64]
Index = tuple[int, ...]


@dataclass(frozen=True)
class WeightUse:
    """Everywhere that one weight was used. The maps (h, w) have one place for every use, (1, 1) in a linear layer:
    ``upstream``, the number that was ``read`` there (1 for a bias) and their product in ``products``.

    ``on_image`` (H, W) has the products where they lie in the image: at the very pixel where the layer reads the
    image, else at the middle of what the element that was read can see. It comes to the gradient as the ledger does;
    None where the place in the image is not known. ``rows`` and ``columns`` (h, w) are these places, −1 where there is
    none: zeros of the padding.
    """

    ledger: Ledger
    upstream: Map
    read: Map
    products: Map
    on_image: Map | None
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class Differentiable:
    """A layer whose weights' gradients can be taken to pieces: its weight's shape, and whether it has a bias."""

    name: str
    kind: str
    parameters: str
    shape: tuple[int, ...]
    bias: bool


@contextmanager
def with_gradients(net: nn.Module) -> Iterator[None]:
    """Every weight of the net takes part in gradients inside the block, also of one that was frozen.

    For who has the net to himself (:func:`~convscope.net.model.evaluation`): which weights do is known to all.
    """
    before = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    net.requires_grad_(True)
    try:
        yield
    finally:
        for parameter, own in before:
            parameter.requires_grad_(own)


def differentiable(trace: Trace) -> list[Differentiable]:
    """The layers of a trace with gradients of whose weights :func:`weight_use` tells, in order."""
    calls = [call for call in trace.calls.values() if f"{call.parameters}.weight" in trace.weights]
    names = [call.parameters for call in calls]
    known = []
    for call in calls:
        m = call.module
        fits = isinstance(m, nn.Conv2d) or (
            isinstance(m, nn.Linear) and call.input is not None and call.input.ndim == 1
        )
        if fits and names.count(call.parameters) == 1 and call.name in trace.gradients:
            shape = trace.weights[f"{call.parameters}.weight"].shape
            bias = f"{call.parameters}.bias" in trace.weights
            known.append(Differentiable(call.name, call.kind, call.parameters, shape, bias))
    return known


@plain_torch()
def weight_use(trace: Trace, parameter: str, index: Index) -> WeightUse:
    """Everywhere that ``parameter``[index] was used, such as ("conv1.weight", (3, 0, 2, 2)). The trace needs a target.

    Raises UsageError where the parameter is not known, or not of a convolution or a linear layer that is used once.
    """
    ledger = layers.weight_gradient(trace, parameter, index)
    call = next(call for call in trace.calls.values() if call.parameters == parameter.rpartition(".")[0])
    assert call.output is not None
    size: tuple[int, int] = (1, 1) if call.output.ndim == 1 else (call.output.shape[1], call.output.shape[2])
    bias = parameter.endswith(".bias")
    upstream = _maps([term.x.value for term in ledger.terms], size)
    read = _maps([1.0 if term.w is None else term.w.value for term in ledger.terms], size)
    products = _maps([term.product for term in ledger.terms], size)
    places = _places(trace, call.name if bias else call.source, ledger.terms, bias)
    if places is None:
        nowhere = np.full(size, -1)
        return WeightUse(ledger, upstream, read, products, None, nowhere, nowhere)
    rows, columns = places[:, 0].reshape(size), places[:, 1].reshape(size)
    laid: Map = np.zeros(trace.image.shape[1:])
    inside = rows >= 0
    np.add.at(laid, (rows[inside], columns[inside]), products[inside])
    return WeightUse(ledger, upstream, read, products, laid, rows, columns)


def _maps(values: list[float], size: tuple[int, int]) -> Map:
    return np.array(values, float).reshape(size)


def _places(trace: Trace, source: str | None, terms: tuple[Term, ...], bias: bool) -> NDArray[np.int64] | None:
    """(n, 2): the pixel at which the product of each term lies, −1 where zeros of the padding were read."""
    read = [_cell(term.x if bias or term.w is None else term.w) for term in terms]
    if source == IMAGE:
        return np.array([(-1, -1) if cell is None else cell[-2:] for cell in read])
    if source is None:
        return None
    made = trace.calls[source]
    if made.output is not None and made.output.ndim == 1:  # the features of a linear layer: what they were before
        return _flat(trace, source, read)
    if made.output is None or made.output.ndim != 3:
        return None
    shape = trace.image.shape
    rows, columns = centres(trace.net, (shape[0], shape[1], shape[2]), source, made.output.shape[1:])
    return np.array([(-1, -1) if cell is None else (_near(rows[cell[-2]]), _near(columns[cell[-1]])) for cell in read])


def _flat(trace: Trace, source: str, read: list[Index | None]) -> NDArray[np.int64] | None:
    """The same where features are read that a flatten laid behind each other, perhaps after other such layers."""
    found = []
    for cell in read:
        place: Factor | None = Factor(source, cell or (), 0.0)
        while place is not None and place.tensor in trace.calls and len(place.index) == 1:
            called = layers.explained(trace)
            below = layers.ledger(trace, place.tensor, place.index) if place.tensor in called else None
            place = below.terms[0].x if below is not None and len(below.terms) == 1 else None
        if place is None or len(place.index) != 3:
            return None
        if place.tensor == IMAGE:
            found.append(place.index[1:])
            continue
        shape, made = trace.image.shape, trace.calls[place.tensor].output
        assert made is not None
        rows, columns = centres(trace.net, (shape[0], shape[1], shape[2]), place.tensor, (made.shape[1], made.shape[2]))
        found.append((_near(rows[place.index[1]]), _near(columns[place.index[2]])))
    return np.array(found)


def _cell(x: Factor) -> Index | None:
    """The cell whose value was read: that which the padding repeats; None for its zeros."""
    if x.padding:
        return x.copy_of
    return x.index


def _near(place: float) -> int:
    return int(np.floor(place + 0.5))
