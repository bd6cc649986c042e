"""What a channel likes: the test images that excite it most, and a picture made for it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response

from ....errors import DataError, UsageError, near
from ....explain.trained.channels import Excited, best_images, maximise, with_channels
from ....explain.trained.receptive import receptive_fields
from ....explain.trained.trace import trace
from ....net.model import Model
from ....storage.strict_json import plain
from ...binary import floats
from ...patience import Check, while_waited_for
from ...shelf import Opened, Shelf

router = APIRouter()

MOST_IMAGES = 2000  # test images that are looked through, evenly spread over the set


class ChannelRequest(BaseModel):
    """A channel of a layer of a run; without ``layer`` that of the first one."""

    run: str = Field(max_length=300)
    layer: str | None = Field(None, max_length=200)
    channel: int = Field(0, ge=0, lt=2**31)


@dataclass(frozen=True)
class Shown:
    """A test image of class ``label`` with the channel's largest element, and the part of the image which that sees:
    the first row and column, and the size, of an image ``height`` × ``width``.
    """

    image: int
    value: float
    index: tuple[int, ...]
    label: int
    row: int
    column: int
    rows: int
    columns: int
    height: int
    width: int


@router.post("/channel")
async def channel(question: ChannelRequest, request: Request) -> Response:
    """The nine best test images, and activation maximisation: ``made`` (C, H, W) in 0 … 255, ``means`` step by step."""
    shelf: Shelf = request.app.state.shelf
    return await while_waited_for(request, lambda check: _channel(question, shelf, check))


def _channel(question: ChannelRequest, shelf: Shelf, check: Check) -> Response:
    opened = shelf.open(question.run)
    pixels, missing = _test_images(opened)
    with opened.alone() as model:
        known = with_channels(trace(model.net, torch.zeros(model.image)))
        if question.layer is not None and question.layer not in known:
            raise UsageError(f"the net has no layer {question.layer[:60]!r}", near(question.layer, known))
        layer = question.layer or next(iter(known))
        which = np.unique(np.linspace(0, len(pixels) - 1, min(len(pixels), MOST_IMAGES)).round().astype(int))
        found = best_images(model, pixels[which], layer, question.channel, check=check) if len(which) else []
        shown = _shown(model, opened, which, found, layer)
        made = maximise(model, layer, question.channel, check=check)
    head: dict[str, Any] = {
        "layers": [{"name": name, "shape": shape} for name, shape in known.items()],
        "layer": layer,
        "channel": question.channel,
        "best": plain(shown),
        "of": len(which),
        "all": len(pixels),
        "missing": missing,
        "largest": made.largest,
    }
    return floats(head, {"made": made.pixels, "means": np.array(made.means)})


def _test_images(opened: Opened) -> tuple[NDArray[np.uint8], str]:
    """The test images of a run, or none and why; then a picture can still be made."""
    try:
        return opened.images.images, ""
    except DataError as error:
        return np.zeros((0, *opened.image), np.uint8), error.message


def _shown(model: Model, opened: Opened, which: NDArray[np.int64], found: list[Excited], layer: str) -> list[Shown]:
    fields = receptive_fields(model.net, model.image, layer, [one.index for one in found]) if found else []
    rows = []
    for one, field in zip(found, fields, strict=True):
        number = int(which[one.image])
        rows.append(
            Shown(
                image=number,
                value=one.value,
                index=one.index,
                label=int(opened.images.labels[number]),
                row=field.top,
                column=field.left,
                rows=field.bottom - field.top + 1,
                columns=field.right - field.left + 1,
                height=model.image[1],
                width=model.image[2],
            )
        )
    return rows
