"""The front page: a net made of glass. The page itself computes small nets; here it gets their weights, and gradients.

What the page computes is the exported page's arithmetic (``export/html/static/net.js``), layer by layer as PyTorch has
them: batch norm is not folded. Nets that are large, or not of convscope's layers, are computed by PyTorch for it.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Path, Request
from numpy.typing import NDArray
from pydantic import Field
from starlette.responses import Response

from ...errors import ConvscopeError, UsageError
from ...explain.trained import layers
from ...explain.trained.trace import trace
from ...export.html.page import page as page_of
from ...export.html.plan import told
from ...export.html.weights import arrays, packed
from ...export.program import Program, program
from ...export.subject import Subject, multiply_adds
from ...net.model import Model
from ..binary import floats
from ..reply import Reply
from ..shelf import BUNDLED, Shelf
from .given import ImageRequest, see

router = APIRouter(prefix="/api/glass", tags=["glass"])

Name = Annotated[str, Path(max_length=300)]
MOST_PRODUCTS = 12_000_000  # multiply-adds that a browser does within some ten milliseconds
MOST_WEIGHTS = 1_000_000
MOST_SENT = 2**20  # floats of gradients in one answer


class ShareRequest(ImageRequest):
    """An image, and the class whose score is differentiated: the likeliest one where none is named."""

    target: int | None = Field(None, ge=0, lt=2**31)


@dataclass(frozen=True)
class GlassLayer:
    """A layer as the page draws it: where its numbers come from, its shape, and whether they have ledgers."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    ledger: bool


@dataclass(frozen=True)
class GlassNet:
    """``net`` is what net.js runs; without steps, and without ``weights``, where PyTorch computes the maps."""

    run: str
    bundled: bool
    net: dict[str, Any]
    weights: str | None
    layers: list[GlassLayer]


@router.get("/{name}")
def net(name: Name, request: Request) -> Response:
    """A run's net for the page: its layers, and where it is small its weights, compressed and in base64."""
    opened = _shelf(request).open(name)
    with opened.alone() as model:
        return Reply(_glass(name, opened.folder == BUNDLED, model))


@router.get("/{name}/page")
def page(name: Name, request: Request) -> Response:
    """The net as one page that needs no server: what ``convscope export --format html`` writes."""
    opened = _shelf(request).open(name)
    with opened.alone() as model:
        return Response(page_of(Subject(model, name)), media_type="text/plain; charset=utf-8")


def _glass(name: str, bundled: bool, model: Model) -> GlassNet:
    blank = torch.zeros(model.image)
    traced = trace(model.net, blank)
    known = set(layers.explained(traced))
    shown = [
        GlassLayer(call.name, call.kind, call.inputs, call.output.shape, call.name in known)
        for call in traced.calls.values()
        if call.output is not None and call.output.size and call.output.ndim in (1, 3)
    ]
    found = small(model)
    subject = Subject(model, name)
    if found is None:
        bare = {**told(subject, Program(model.image, ())), "facts": {}}
        return GlassNet(name, bundled, bare, None, shown)
    return GlassNet(name, bundled, told(subject, found), packed(arrays(found)), shown)


def small(model: Model) -> Program | None:
    """The net's program where the page can run it; None where it is large or of other layers."""
    try:
        found = program(model, folded=False)
    except (ConvscopeError, NotImplementedError, KeyError):
        return None
    return found if multiply_adds(found) <= MOST_PRODUCTS and found.parameters <= MOST_WEIGHTS else None


@router.post("/shares")
def shares(given: ShareRequest, request: Request) -> Response:
    """What every number of every layer counts for a class: ∂score/∂number, float32 arrays of the layers' shapes.

    Times the number itself, added up over a map, it is the map's share in the score (gradient × input; M. Ancona,
    E. Ceolini, C. Öztireli and M. Gross, ICLR 2018).
    """
    opened = _shelf(request).open(given.run)
    if given.target is not None and given.target >= len(opened.classes):
        last = len(opened.classes) - 1
        raise UsageError(f"there is no class {given.target}", f"they are counted from 0 to {last}")
    seen = see(opened, given)
    with opened.alone() as model:
        target = given.target
        if target is None:
            target = int(trace(model.net, seen.tensor).output.argmax())
        traced = trace(model.net, seen.tensor, target, of="score")
    sent: dict[str, NDArray[Any]] = {}
    budget = MOST_SENT
    for name, gradient in traced.gradients.items():
        if budget >= gradient.size:
            sent[name] = gradient
            budget -= gradient.size
    return floats({"target": target, "score": float(traced.output[target])}, sent)


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
