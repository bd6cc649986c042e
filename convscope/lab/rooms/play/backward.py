"""Backward: the gradient of one weight for one image, place by place, summed up and held against autograd's."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import Field
from starlette.responses import Response

from ....errors import UsageError, near
from ....explain.trained.backward import Differentiable, WeightUse, differentiable, weight_use, with_gradients
from ....explain.trained.trace import Trace, trace
from ....storage.strict_json import plain
from ...binary import floats
from ...shelf import Opened, Shelf
from ..given import ImageRequest, see
from ..inside import cut

router = APIRouter()

MOST_KERNEL = 2**18  # numbers of a kernel, or of a row of a linear layer, that are sent


class WeightRequest(ImageRequest):
    """A weight of a layer, or with ``bias`` a bias, by its ``index``; the loss is the cross entropy for ``target``.

    Without ``layer`` the first layer is taken; without ``index`` the weight of its first kernel with the largest
    gradient; without ``target`` the true class of a test image, else the likeliest.
    """

    layer: str | None = Field(None, max_length=200)
    bias: bool = False
    index: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = Field(None, min_length=1, max_length=4)
    target: int | None = Field(None, ge=0, lt=2**31)


@dataclass(frozen=True)
class WeightReply:
    """The chosen weight, its gradient's ledger, in which ``omitted`` terms, the smallest, are left out, and the layers
    whose weights can be chosen. ``read`` names what the layer reads.
    """

    layers: list[Differentiable]
    layer: str
    bias: bool
    index: tuple[int, ...]
    read: str
    target: int
    loss: float
    ledger: dict[str, Any]
    omitted: int
    omitted_total: float


@router.post("/backward")
def backward(question: WeightRequest, request: Request) -> Response:
    """∂loss/∂weight as Σ upstream × input over all places where the weight was used, as float32 maps.

    ``upstream``, ``read`` and ``products`` (h, w), ``rows`` and ``columns`` (h, w) of the image, ``on_image`` (H, W),
    and the chosen kernel's ``weight`` and ``gradient`` (I, kh, kw), of a linear layer (F,).
    """
    shelf: Shelf = request.app.state.shelf
    opened = shelf.open(question.run)
    seen = see(opened, question)
    target = class_of(opened, question, question.target)
    with opened.alone() as model, with_gradients(model.net):
        if target is None:
            target = int(trace(model.net, seen.tensor).output.argmax())
        traced = trace(model.net, seen.tensor, target)
        known = differentiable(traced)
        layer = _layer(known, question.layer)
        index = _index(traced, layer, question)
        use = weight_use(traced, f"{layer.parameters}.{'bias' if question.bias else 'weight'}", index)
        weight = dict(model.net.named_parameters())[f"{layer.parameters}.weight"][index[0]].detach().cpu().numpy()
    gradient = traced.weights[f"{layer.parameters}.weight"][index[0]]
    maps = _maps(use, weight, gradient)
    told, omitted, rest = cut(use.ledger)
    reply = WeightReply(
        layers=known,
        layer=layer.name,
        bias=question.bias,
        index=index,
        read=traced.calls[layer.name].reads,
        target=target,
        loss=float(traced.value or 0.0),
        ledger=told,
        omitted=omitted,
        omitted_total=rest,
    )
    return floats(plain(reply), maps)


def class_of(opened: Opened, given: ImageRequest, target: int | None) -> int | None:
    """The class that is asked for, else the true one of a test image; None where it is to be the likeliest."""
    if target is not None and target >= len(opened.classes):
        raise UsageError(f"there is no class {target}", f"they are counted from 0 to {len(opened.classes) - 1}")
    if target is None and given.test is not None:
        return int(opened.images.labels[given.test])
    return target


def _layer(known: list[Differentiable], name: str | None) -> Differentiable:
    if not known:
        raise UsageError("the net has no convolution and no linear layer", "choose a run whose net has one")
    found = known[0] if name is None else next((one for one in known if one.name == name), None)
    if found is None:
        names = [one.name for one in known]
        raise UsageError(
            f"{(name or '')[:60]!r} has no weights whose gradient can be taken apart", near(name or "", names)
        )
    return found


def _index(traced: Trace, layer: Differentiable, question: WeightRequest) -> tuple[int, ...]:
    """The weight that is asked for, else the one of the first kernel whose gradient is largest."""
    if question.bias and not layer.bias:
        raise UsageError(f"{layer.name} has no bias", "choose one of its weights")
    if question.index is not None:
        return tuple(question.index)
    if question.bias:
        return (0,)
    first = np.abs(traced.weights[f"{layer.parameters}.weight"][0])
    return (0, *(int(n) for n in np.unravel_index(int(first.argmax()), first.shape)))


def _maps(use: WeightUse, weight: NDArray[Any], gradient: NDArray[Any]) -> dict[str, NDArray[Any]]:
    maps = {"upstream": use.upstream, "read": use.read, "products": use.products}
    maps |= {"rows": use.rows.astype(float), "columns": use.columns.astype(float)}
    if use.on_image is not None:
        maps["on_image"] = use.on_image
    fits = max(1, MOST_KERNEL // max(1, weight[0].size)) if weight.ndim > 1 else MOST_KERNEL
    return {**maps, "weight": weight[:fits], "gradient": gradient[:fits]}
