"""FGSM by a slider: the image moved by every ε against one class, and what the net makes of it."""

import torch
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from ....explain.trained.adversarial import fgsm
from ....explain.trained.trace import trace
from ....training.scores import confidence_of, confidences
from ...binary import floats
from ...patience import Check, while_waited_for
from ...shelf import Shelf
from ..given import ImageRequest, see
from .backward import class_of

router = APIRouter()


class AttackRequest(ImageRequest):
    """An image, and the class whose loss is raised: the true one of a test image, else the likeliest."""

    target: int | None = Field(None, ge=0, lt=2**31)


@router.post("/attack")
async def attack(question: AttackRequest, request: Request) -> Response:
    """FGSM with ε from 0 to 64 of 255: ``image`` and ``signs`` (C, H, W), ``scores`` and ``confidences`` (65, K)."""
    shelf: Shelf = request.app.state.shelf
    return await while_waited_for(request, lambda check: _attack(question, shelf, check))


def _attack(question: AttackRequest, shelf: Shelf, check: Check) -> Response:
    opened = shelf.open(question.run)
    seen = see(opened, question)
    target = class_of(opened, question, question.target)
    with opened.alone() as model:
        if target is None:
            target = int(trace(model.net, seen.tensor).output.argmax())
        found = fgsm(model, seen.pixels, target, check=check)
    sure = confidences(torch.from_numpy(found.logits), opened.loss).numpy()
    head = {"target": target, "confidence": confidence_of(opened.loss), "flips_at": found.flips_at}
    return floats(head, {"image": found.pixels, "signs": found.signs, "scores": found.logits, "confidences": sure})
