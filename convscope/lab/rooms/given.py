"""What a net is given for a request: a test image, a picture file, a drawing, or the pixels themselves."""

import base64
import io
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from pydantic import BaseModel, Field

from ...data.batches import Normalize
from ...data.ink import Pixels, Prepared, Steps
from ...data.pictures.decode import read_image
from ...errors import UsageError
from ...explain.trained.drawing import rasterise
from ...language.counts import number_of
from ..shelf import Opened
from .tensors import Pen, Strokes

MOST_BASE64 = 3 * 2**20  # characters of a picture


class ImageRequest(BaseModel):
    """An image for a run: a test image by its index, a picture file in base64, strokes on a sheet of 112×112, or the
    ``pixels`` themselves, prepared already: the bytes of uint8 (C, H, W) in base64.

    ``crop``, ``box`` and ``centre`` are the steps that a drawing goes through; None does what the run's preparation
    does. ``invert`` exchanges dark and light.
    """

    run: str = Field(max_length=300)
    test: int | None = Field(None, ge=0, lt=2**31)
    picture: str | None = Field(None, max_length=MOST_BASE64)
    pixels: str | None = Field(None, max_length=MOST_BASE64)
    strokes: Strokes = Field(default_factory=list)
    pen: Pen = 10
    crop: bool | None = None
    box: bool | None = None
    centre: bool | None = None
    invert: bool = False


@dataclass(frozen=True)
class NetInput:
    """What a net is given: uint8 (C, H, W), as it normalises it, and how a drawing came to be that."""

    pixels: Pixels
    tensor: torch.Tensor
    prepared: Prepared | None


def see(opened: Opened, given: ImageRequest) -> NetInput:
    """The image that ``given`` names, as the net of the run takes it. Raises UsageError for a test image too many."""
    prepared = None
    if given.test is not None:
        pixels = opened.test_image(given.test)
    elif given.picture is not None:
        pixels = read_image(io.BytesIO(_bytes(given.picture)), opened.preparation)
    elif given.pixels is not None:
        pixels = _prepared(_bytes(given.pixels), opened.image)
    else:
        prepared = opened.preparation.stages(rasterise(given.strokes, given.pen), steps(opened, given))
        pixels = np.broadcast_to(prepared.centred, opened.image)
    if given.invert:
        pixels = 255 - pixels
    pixels = pixels.copy()  # one that is ours and contiguous
    return NetInput(pixels, Normalize(opened.mean, opened.std)(torch.from_numpy(pixels)[None])[0], prepared)


def steps(opened: Opened, given: ImageRequest) -> Steps:
    """The steps that a drawing goes through: those of the run's preparation, but where ``given`` says otherwise."""
    own = opened.preparation.ink or Steps(crop=False, box=False, centre=False)
    chosen = {"crop": given.crop, "box": given.box, "centre": given.centre}
    return replace(own, **{name: value for name, value in chosen.items() if value is not None})


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii's, or of letters beyond ASCII
        raise UsageError("the picture is no base64", "send the bytes of an image file in base64") from None


def _prepared(values: bytes, image: tuple[int, int, int]) -> Pixels:
    """uint8 (C, H, W) from as many bytes. Raises UsageError where there are more or fewer."""
    if len(values) != math.prod(image):
        size = "×".join(map(str, image))
        raise UsageError(
            f"the picture has {number_of(len(values), 'number')}", f"this net takes {size} = {math.prod(image):,}"
        )
    return np.frombuffer(values, np.uint8).reshape(image)
