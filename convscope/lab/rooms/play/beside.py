"""Two runs on one image: the logits of both, class by class."""

import numpy as np
import torch
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from ....errors import UsageError
from ....explain.trained.trace import trace
from ....net.ops.base import shape_text
from ....training.scores import confidence_of, confidences
from ...reply import Reply
from ...shelf import Opened, Shelf
from ..given import ImageRequest, NetInput, see

router = APIRouter()


class BesideRequest(ImageRequest):
    """An image for ``run``, which the run ``other`` is given as well."""

    other: str = Field(max_length=300)


@router.post("/beside")
def beside(question: BesideRequest, request: Request) -> Response:
    """What both runs make of one image: ``runs`` with their scores, confidences and likeliest class.

    A drawing or a picture file is prepared as each run prepares it; test images and pixels are the same for both, which
    must then take images of one shape. Raises UsageError where they do not, or do not know the same classes.
    """
    shelf: Shelf = request.app.state.shelf
    first, other = shelf.open(question.run), shelf.open(question.other)
    if first.classes != other.classes:
        raise UsageError(
            f"{question.other} knows other classes than {question.run}",
            "choose a run of the same data",
        )
    seen = see(first, question)
    sides = [_side(question.run, first, seen), _side(question.other, other, _given(question, first, other, seen))]
    return Reply({"classes": first.classes, "runs": sides})


def _given(question: BesideRequest, first: Opened, other: Opened, seen: NetInput) -> NetInput:
    """What the other run is given: the same drawing, or the same pixels."""
    if question.test is None and question.pixels is None:
        return see(other, question.model_copy(update={"run": question.other}))
    if first.image != other.image:
        raise UsageError(
            f"{question.other} takes images of {shape_text(other.image)}, {question.run} of {shape_text(first.image)}",
            "draw, or choose a run that takes images of the same shape",
        )
    pixels = seen.pixels
    normalised = (torch.from_numpy(pixels.astype(np.float32)) / 255 - _column(other.mean)) / _column(other.std)
    return NetInput(pixels, normalised, None)


def _column(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1)


def _side(name: str, opened: Opened, seen: NetInput) -> dict[str, object]:
    with opened.alone() as model:
        scores = torch.from_numpy(trace(model.net, seen.tensor).output.astype(np.float64))
    return {
        "run": name,
        "net": opened.spec,
        "scores": scores.tolist(),
        "confidence": confidence_of(opened.loss),
        "confidences": confidences(scores[None], opened.loss)[0].tolist(),
    }
