"""Room 8: a drawn or picked image in a trained net; every map, every number's ledger, and what speaks for a class."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import Field
from starlette.responses import Response

from ...data.ink import Pixels
from ...errors import UsageError
from ...explain.ledger import Factor, Ledger, Term
from ...explain.trained import layers
from ...explain.trained.receptive import receptive_field
from ...explain.trained.saliency import saliency
from ...explain.trained.trace import Call, Trace, trace
from ...net.model import Model
from ...net.wiring import IMAGE, brackets
from ...storage.strict_json import plain
from ...training.scores import confidence_of, confidences
from ..binary import floats
from ..patience import Check, while_waited_for
from ..programs.inside_script import script
from ..reply import Reply
from ..shelf import Opened, Shelf
from .given import ImageRequest, see, steps

router = APIRouter(prefix="/api/inside", tags=["inside"])

MOST_FLOATS = 2**20  # of maps in one answer: 4 MiB; of larger layers the first channels are sent
MOST_TERMS = 4096  # of a ledger in one answer


class ElementRequest(ImageRequest):
    """An element of a layer's output for that image: (channel, row, column), or (feature,)."""

    layer: str = Field(max_length=200)
    index: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(min_length=1, max_length=4)


class SaliencyRequest(ImageRequest):
    """A class of the run, or the likeliest one."""

    target: int | None = Field(None, ge=0, lt=2**31)


@dataclass(frozen=True)
class LayerHead:
    """A layer of the answer: its output's whole shape, of which the first ``shown`` channels are sent.

    ``marks`` draws where branches begin and end, as :func:`convscope.net.wiring.brackets` has it.
    """

    name: str
    kind: str
    source: str | None
    inputs: tuple[str, ...]
    marks: str
    shape: tuple[int, ...]
    shown: int
    low: float
    high: float
    ledger: bool


@dataclass(frozen=True)
class FieldOfView:
    """A receptive field on the image: inclusive bounds, and the places (row · width + column) within that are not seen.

    ``height`` and ``width`` are the image's; an element that sees only padding has bottom < top.
    """

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int
    holes: list[int]


@dataclass(frozen=True)
class LedgerReply:
    """One number explained by its ``ledger``, in which ``omitted`` terms, the smallest, are left out.

    They come to ``omitted_total``.
    """

    ledger: dict[str, Any]
    omitted: int
    omitted_total: float
    sight: FieldOfView


@router.post("/look")
def look(given: ImageRequest, request: Request) -> Response:
    """The image, its preparation, the probabilities and every layer's maps, as float32 (see convscope.lab.binary)."""
    opened = _shelf(request).open(given.run)
    seen = see(opened, given)
    with opened.alone() as model:
        traced = trace(model.net, seen.tensor)
        known = set(layers.explained(traced))
    arrays: dict[str, NDArray[np.floating | np.integer]] = {"image": seen.pixels, "given": traced.image}
    if seen.prepared is not None:
        stages = seen.prepared
        arrays |= {"raw": stages.raw, "cropped": stages.cropped, "fitted": stages.fitted, "centred": stages.centred}
    heads, budget = [], MOST_FLOATS
    calls = {name: call for name, call in traced.calls.items() if call.output is not None and call.output.size}
    marks = brackets(list(calls), [call.inputs for call in calls.values()])[1:]
    for (name, call), mark in zip(calls.items(), marks, strict=True):
        assert call.output is not None
        values = call.output[: max(1, budget // max(1, call.output[0].size))]
        budget -= values.size
        arrays[f"map.{name}"] = values
        heads.append(_head(call, call.output, len(values), name in known, mark))
    scores = torch.from_numpy(traced.output.astype(np.float64))
    label = None if given.test is None else int(opened.images.labels[given.test])
    head = {
        "classes": opened.classes, "scores": scores.tolist(), "confidence": confidence_of(opened.loss),
        "confidences": confidences(scores[None], opened.loss)[0].tolist(),
        "label": label, "layers": heads, "blank": _blank(opened),
        "ink": seen.prepared.ink if seen.prepared else None, "mass": seen.prepared.mass if seen.prepared else None,
        "corner": seen.prepared.corner if seen.prepared else None,
        "steps": steps(opened, given) if seen.prepared else None,
    }  # fmt: skip
    return floats(head, arrays)


def _blank(opened: Opened) -> list[int]:
    """A pixel where nothing is, channel by channel: no ink, or in photographs the mean pixel."""
    if opened.preparation.ink is not None:
        return [0] * opened.image[0]
    return [round(255 * mean) for mean in opened.mean]


def _head(call: Call, output: NDArray[np.floating], shown: int, ledger: bool, marks: str) -> LayerHead:
    return LayerHead(
        name=call.name,
        kind=call.kind,
        source=call.source,
        inputs=call.inputs,
        marks=marks,
        shape=output.shape,
        shown=shown,
        low=float(output.min()),
        high=float(output.max()),
        ledger=ledger,
    )


@router.post("/pixel")
def pixel(place: ElementRequest, request: Request) -> Response:
    """Why one element of a layer is what it is: its ledger and its receptive field on the image."""
    opened = _shelf(request).open(place.run)
    seen = see(opened, place)
    with opened.alone() as model:
        traced = trace(model.net, seen.tensor)
        return Reply(tell(model, seen.pixels, traced, place.layer, tuple(place.index)))


@router.post("/script")
def as_pytorch(given: ImageRequest, request: Request) -> Response:
    """A program that needs only torch: it loads the weights, computes the scores of this image and asserts them."""
    opened = _shelf(request).open(given.run)
    seen = see(opened, given)
    with opened.alone() as model:
        output = trace(model.net, seen.tensor).output
    return Reply({"script": script(opened, seen.pixels, output.tolist())})


def tell(model: Model, pixels: Pixels, traced: Trace, layer: str, index: tuple[int, ...]) -> LedgerReply:
    """The ledger of ``layer[index]``, cut to its largest terms where it is very long, and what it sees."""
    height, width = model.image[1:]
    if layer == IMAGE:
        row, column = index[1:] if len(index) == 3 else (0, 0)
        return LedgerReply(
            *cut(normalised(model, pixels, traced, index)), FieldOfView(row, row, column, column, height, width, [])
        )
    ledger = layers.ledger(traced, layer, index)
    seen = receptive_field(model.net, model.image, layer, index)
    inside = seen.mask[seen.top : seen.bottom + 1, seen.left : seen.right + 1]
    rows, columns = np.nonzero(~inside)
    holes = ((rows + seen.top) * width + columns + seen.left).tolist()
    sight = FieldOfView(seen.top, seen.bottom, seen.left, seen.right, height, width, holes)
    return LedgerReply(*cut(ledger), sight)


def normalised(model: Model, pixels: Pixels, traced: Trace, index: tuple[int, ...]) -> Ledger:
    """Why a number that the net is given is what it is: the pixel's value 0..255, scaled and shifted."""
    shape = model.image
    if len(index) != 3 or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise UsageError(f"image[{','.join(map(str, index))}] lies outside {shape}", "channel,row,column, from 0")
    mean, std = model.mean[index[0]], model.std[index[0]]
    term = Term(
        index[0], Factor("pixel", index, float(pixels[index])), Factor("1/(255·std)", (index[0],), 1 / (255 * std))
    )
    shift = Factor("−mean/std", (index[0],), -mean / std)
    return Ledger(IMAGE, index, (term,), float(traced.image[index]), shift)


def cut(ledger: Ledger) -> tuple[dict[str, Any], int, float]:
    """The ledger for JSON with its largest terms, the number of the others, and their sum."""
    whole: dict[str, Any] = plain(ledger)
    count = len(ledger.terms)
    if count <= MOST_TERMS:
        return whole, 0, 0.0
    order = sorted(range(count), key=lambda i: -abs(ledger.terms[i].product))
    kept = sorted(order[:MOST_TERMS])
    winner = kept.index(ledger.winner) if ledger.winner in kept else None
    rest = math.fsum(ledger.terms[i].product for i in order[MOST_TERMS:])
    return {**whole, "terms": [whole["terms"][i] for i in kept], "winner": winner}, count - MOST_TERMS, rest


@router.post("/saliency")
async def why(question: SaliencyRequest, request: Request) -> Response:
    """Which pixels speak for a class: gradient × input, occlusion and Grad-CAM, as float32."""
    shelf = _shelf(request)
    return await while_waited_for(request, lambda check: _why(question, shelf, check))


def _why(question: SaliencyRequest, shelf: Shelf, check: Check) -> Response:
    opened = shelf.open(question.run)
    classes = opened.classes
    if question.target is not None and question.target >= len(classes):
        raise UsageError(f"there is no class {question.target}", f"they are counted from 0 to {len(classes) - 1}")
    seen = see(opened, question)
    target = question.target
    with opened.alone() as model:
        if target is None:
            target = int(trace(model.net, seen.tensor).output.argmax())
        found = saliency(model.net, seen.tensor, target, check=check)
    ways = {"gradient_input": found.gradient_input, "occlusion": found.occlusion, "grad_cam": found.grad_cam}
    arrays = {name: values for name, values in ways.items() if values is not None}
    head = {"target": target, "score": found.score, "square": found.square, "layer": found.layer}
    return floats(head, arrays)


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
