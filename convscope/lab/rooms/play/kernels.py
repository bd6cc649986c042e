"""The kernels of a net's convolutions, to stand below their maps in room 8."""

from typing import Any

import torch
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response

from ....explain.trained.trace import trace
from ...binary import floats
from ...shelf import Shelf

router = APIRouter()

MOST_FLOATS = 2**18  # of kernels in one answer: 1 MiB; of further ones the first are sent
MOST_PLANES = 16  # of one kernel


class KernelsRequest(BaseModel):
    """A run, by its name."""

    run: str = Field(max_length=300)


@router.post("/kernels")
def kernels(question: KernelsRequest, request: Request) -> Response:
    """``kernel.<layer>`` float32 (kernels, planes, kh, kw) of every convolution: as many as fit into the answer."""
    shelf: Shelf = request.app.state.shelf
    opened = shelf.open(question.run)
    found: dict[str, NDArray[Any]] = {}
    budget = MOST_FLOATS
    with opened.alone() as model:
        weights = dict(model.net.named_parameters())
        for call in trace(model.net, torch.zeros(opened.image)).calls.values():
            weight = weights.get(f"{call.parameters}.weight")
            if call.kind == "Conv2d" and weight is not None and weight.ndim == 4:
                first = weight[:, :MOST_PLANES]
                kept = first[: budget // first[0].numel()].detach().cpu().numpy()
                budget -= kept.size
                if kept.size:
                    found[f"kernel.{call.name}"] = kept
    return floats({}, found)
