"""Room 5: max and average pooling, forward and backward."""

from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import UsageError
from ...explain.concepts.pooling import Pooling, PoolSettings, pool
from ...explain.concepts.shapes import Diagnosis, LayerError
from ...explain.ledger import Ledger
from ..programs.scripts import pool_script
from ..reply import Reply
from .convolution import AxisFacts, SettingsFix
from .tensors import PICTURES, Array, Natural, Number, Whole, affordable, array, bounded, picture

MOST_CELLS = 400  # of a window: what goes back to one cell is told window by window

router = APIRouter(prefix="/api/pooling", tags=["pooling"])


class PoolingRequest(BaseModel):
    """One image (C, H, W) or a picture's name, and the settings of MaxPool2d or AvgPool2d.

    ``upstream`` (C, H', W') is ∂loss/∂output, all ones unless given. ``at`` is an element of the output; with
    ``backward`` of the input.
    """

    input: list[list[list[Number]]] | None = None
    picture: Literal["digit", "china", "flower"] | None = None
    kind: Literal["max", "avg"] = "max"
    kernel_size: tuple[Natural, Natural] = (2, 2)
    stride: tuple[Natural, Natural] = (2, 2)
    padding: tuple[Whole, Whole] = (0, 0)
    dilation: tuple[Natural, Natural] = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True
    upstream: list[list[list[Number]]] | None = None
    backward: bool = False
    at: tuple[Whole, Whole, Whole] = (0, 0, 0)


@dataclass(frozen=True)
class PoolingReply:
    """The pooling, or why there is none. ``winners`` (C, H', W', 2) are rows and columns in the input (max only)."""

    input: Array
    refused: Diagnosis | None = None
    fixes: tuple[SettingsFix, ...] = ()
    output: Array | None = None
    winners: Any = None
    upstream: Array | None = None
    gradient: Array | None = None
    rows: AxisFacts | None = None
    columns: AxisFacts | None = None
    script: str = ""


def _read(question: PoolingRequest) -> tuple[Array, PoolSettings]:
    if (question.input is None) == (question.picture is None):
        raise UsageError("give either input or picture", f"pictures: {', '.join(PICTURES)}")
    image = picture(question.picture) if question.picture else array(question.input, "input", 3)
    sizes = [n + 2 * p for n, p in zip(image.shape[1:], question.padding, strict=True)]
    bounded("the padded input", image.shape[0], *sizes)
    window = prod(question.kernel_size)
    if window > MOST_CELLS:
        raise UsageError(f"a window covers {window:,} cells", f"the lab shows windows of at most {MOST_CELLS:,}")
    places = prod(n // s + 1 for n, s in zip(sizes, question.stride, strict=True))
    affordable(image.shape[0] * places * window, window)
    return image, _settings(question)


def _settings(question: PoolingRequest, **changed: Any) -> PoolSettings:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "count_include_pad")
    values = {name: getattr(question, name) for name in names}
    if question.kind == "avg":
        values["dilation"] = (1, 1)  # AvgPool2d has none
    return PoolSettings(**{**values, **changed})


def _upstream(question: PoolingRequest, p: Pooling) -> Array:
    if question.upstream is None:
        return np.ones_like(p.output)
    upstream = array(question.upstream, "upstream", 3)
    if upstream.shape != p.output.shape:
        raise UsageError(f"upstream has shape {upstream.shape}, expected that of the output: {p.output.shape}")
    return upstream


def answer(question: PoolingRequest) -> PoolingReply:
    """What room 5 shows. A refusal by PyTorch is an answer too."""
    image, settings = _read(question)
    try:
        p = pool(question.kind, image, settings)
    except LayerError as error:
        return PoolingReply(image, error.diagnosis, tuple(_fixes(question, image)))
    upstream = _upstream(question, p)
    rows, columns = (
        AxisFacts(axis.before, axis.after, axis.dropped, axis.output, axis.formula) for axis in (p.rows, p.columns)
    )
    return PoolingReply(
        image, None, (), p.output, p.winners, upstream, p.input_gradient(upstream), rows, columns, pool_script(p)
    )


def ledger(question: PoolingRequest) -> Ledger:
    """The ledger of one output element, or with ``backward`` of one element of the input's gradient."""
    p = pool(question.kind, *_read(question))
    shape = (p.input if question.backward else p.output).shape
    if any(i >= size for i, size in zip(question.at, shape, strict=True)):
        name = "∂loss/∂input" if question.backward else "output"
        raise UsageError(f"there is no {name}[{','.join(map(str, question.at))}]", f"its shape is {shape}")
    if not question.backward:
        return p.ledger(*question.at)
    upstream = _upstream(question, p)
    return p.gradient_ledger(upstream, p.input_gradient(upstream), question.at)


def _fixes(question: PoolingRequest, image: Array) -> list[SettingsFix]:
    """Changes of one setting after which PyTorch pools; tried, not guessed."""
    half = tuple(k // 2 for k in question.kernel_size)
    fitting = tuple(min(k, n) for k, n in zip(question.kernel_size, image.shape[1:], strict=True))
    tries: list[dict[str, Any]] = [
        {"padding": tuple(min(p, h) for p, h in zip(question.padding, half, strict=True))},
        {"kernel_size": fitting},
        {"dilation": (1, 1)},
        {"padding": half},
        {"ceil_mode": True},
    ]
    found: dict[str, SettingsFix] = {}
    for patch in tries:
        try:
            pool(question.kind, image, _settings(question, **patch))
        except UsageError:
            continue
        what = ", ".join(f"{name}={value!r}" for name, value in patch.items())
        found.setdefault(what, SettingsFix(what, patch))
    return list(found.values())


@router.post("")
def ask(question: PoolingRequest) -> Response:
    """A pooling with its winners and the gradient that goes back, or PyTorch's refusal and fixes that were tried."""
    return Reply(answer(question))


@router.post("/ledger")
def ask_ledger(question: PoolingRequest) -> Response:
    """What one output element, or one element of the input's gradient, is made of."""
    return Reply(asdict(ledger(question)))
