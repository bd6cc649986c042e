"""Room 4: a convolution whose input, kernels and settings are all in the user's hands."""

from dataclasses import asdict, dataclass
from functools import partial
from math import gcd, prod
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response
from torch import nn

from ...errors import UsageError
from ...explain.concepts.convolution import Convolution, Settings, convolve
from ...explain.concepts.shapes import Diagnosis, LayerError, check, make
from ...explain.ledger import Ledger
from ...language.counts import number_of
from ..programs.scripts import conv_script
from ..reply import Reply
from .tensors import PICTURES, Array, Natural, Number, Pen, Strokes, Whole, affordable, array, bounded, drawing, picture

router = APIRouter(prefix="/api/convolution", tags=["convolution"])

Pair = tuple[int, int]


class ConvolutionRequest(BaseModel):
    """One image (C, H, W), or a picture's name, the weight (O, C/groups, kh, kw), the bias, Conv2d's settings.

    The picture "drawing" is made of ``strokes`` by a pen ``pen`` pixels wide.
    """

    input: list[list[list[Number]]] | None = None
    picture: Literal["digit", "china", "flower", "drawing"] | None = None
    strokes: Strokes = Field(default_factory=list)
    pen: Pen = 10
    in_channels: Natural
    weight: list[list[list[list[Number]]]]
    bias: list[Number] | None = None
    stride: tuple[Natural, Natural] = (1, 1)
    padding: tuple[Whole, Whole] | Literal["same"] = (0, 0)
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    dilation: tuple[Natural, Natural] = (1, 1)
    groups: Natural = 1
    at: tuple[Whole, Whole, Whole] = (0, 0, 0)


@dataclass(frozen=True)
class SettingsFix:
    """One change of settings, tried: ``what`` in PyTorch's words, ``patch`` the fields that change."""

    what: str
    patch: dict[str, Any]


@dataclass(frozen=True)
class AxisFacts:
    """One axis: how much padding lies before the input, how many cells no window reaches, the size formula."""

    before: int
    after: int
    dropped: int
    output: int
    formula: str


@dataclass(frozen=True)
class ConvolutionReply:
    """The convolution, or why there is none. ``padded`` is the input with its padding's real values."""

    input: Array
    refused: Diagnosis | None = None
    fixes: tuple[SettingsFix, ...] = ()
    padded: Array | None = None
    output: Array | None = None
    rows: AxisFacts | None = None
    columns: AxisFacts | None = None
    parameters: int = 0
    products_each: int = 0
    products: int = 0
    script: str = ""


def computed(question: ConvolutionRequest) -> Convolution:
    """The convolution. Raises LayerError where PyTorch refuses, UsageError where the lab does."""
    image, weight, settings = _read(question)
    bias = None if question.bias is None else array(question.bias, "bias", 1)
    out, kernel = weight.shape[0], weight.shape[2:]
    make(
        lambda: nn.Conv2d(
            question.in_channels, out, kernel, settings.stride, settings.padding, settings.dilation, settings.groups
        ),
        (1, *image.shape),
    )
    if weight.shape[1] != question.in_channels // question.groups:
        raise UsageError(
            f"weight has shape {weight.shape}, but {number_of(question.in_channels, 'channel')} "
            f"in {number_of(question.groups, 'group')} make {question.in_channels // question.groups} a kernel"
        )
    if bias is not None and bias.shape != (out,):
        raise UsageError(f"bias has shape {bias.shape}, expected ({out},): one number a kernel")
    return convolve(image, weight, bias, settings)


def _read(question: ConvolutionRequest) -> tuple[Array, Array, Settings]:
    if (question.input is None) == (question.picture is None):
        raise UsageError("give either input or picture", f"pictures: {', '.join(PICTURES)}, drawing")
    if question.picture == "drawing":
        image = drawing(question.strokes, question.pen)
    else:
        image = picture(question.picture) if question.picture else array(question.input, "input", 3)
    weight = array(question.weight, "weight", 4)
    settings = Settings(question.stride, question.padding, question.padding_mode, question.dilation, question.groups)
    before, after = settings.sides((weight.shape[2], weight.shape[3]))
    padded = [size + b + a for size, b, a in zip(image.shape[1:], before, after, strict=True)]
    bounded("the padded input", image.shape[0], *padded)
    bounded("the output", weight.shape[0], *padded)
    axes = zip(padded, weight.shape[2:], settings.stride, settings.dilation, strict=True)
    places = prod(max(0, (size - d * (k - 1) - 1) // s + 1) for size, k, s, d in axes)
    affordable(weight.size * places, weight[0].size)
    return image, weight, settings


def answer(question: ConvolutionRequest) -> ConvolutionReply:
    """What room 4 shows. A refusal by PyTorch is an answer too."""
    try:
        c = computed(question)
    except LayerError as error:
        image, weight, _ = _read(question)
        return ConvolutionReply(image, error.diagnosis, tuple(_fixes(question, image.shape, weight.shape)))
    before, after = c.settings.sides((c.weight.shape[2], c.weight.shape[3]))
    rows, columns = (
        AxisFacts(before[i], after[i], axis.dropped, axis.output, axis.formula)
        for i, axis in enumerate((c.rows, c.columns))
    )
    parameters = c.weight.size + (0 if c.bias is None else c.bias.size)
    return ConvolutionReply(
        c.input, None, (), c.padded, c.output, rows, columns, parameters, c.products_each, c.products, conv_script(c)
    )


def ledger(question: ConvolutionRequest) -> Ledger:
    """The ledger of the output element ``question.at``."""
    c = computed(question)
    if any(i >= size for i, size in zip(question.at, c.output.shape, strict=True)):
        raise UsageError(f"there is no output[{','.join(map(str, question.at))}]", f"the output is {c.output.shape}")
    return c.ledger(*question.at)


def _fixes(question: ConvolutionRequest, image: tuple[int, ...], weight: tuple[int, ...]) -> list[SettingsFix]:
    """Changes of one setting after which PyTorch takes the input; tried, not guessed."""
    channels, out, kernel = question.in_channels, weight[0], (weight[2], weight[3])
    most = min(image[1:]) - (question.padding_mode == "reflect")
    fitting = tuple(min(k, n) for k, n in zip(kernel, image[1:], strict=True))
    common = gcd(channels, out)
    tries: list[dict[str, Any]] = [
        {"in_channels": image[0]},
        *({"groups": g} for g in range(common, 0, -1) if common % g == 0),
        {"in_channels": image[0], "groups": 1},
        {"dilation": (1, 1)},
        {"stride": (1, 1)},
        {"padding_mode": "zeros"},
        {"padding": (most, most)},
        {"padding": (kernel[0] // 2, kernel[1] // 2)},
        {"kernel_size": fitting},
    ]
    settings = question.model_dump(include={"stride", "padding", "padding_mode", "dilation", "groups"})
    found: dict[str, SettingsFix] = {}
    for patch in tries:
        options: dict[str, Any] = {
            "in_channels": channels,
            "out_channels": out,
            "kernel_size": kernel,
            **settings,
            **patch,
        }
        try:
            check(make(partial(nn.Conv2d, **options), (1, *image)), (1, *image))
        except (LayerError, ValueError):
            continue
        what = ", ".join(f"{name}={value!r}" for name, value in patch.items())
        found.setdefault(what, SettingsFix(what, patch))
    return list(found.values())[:4]


@router.post("")
def ask(question: ConvolutionRequest) -> Response:
    """A convolution with its padded input and output, or PyTorch's refusal and fixes that were tried."""
    return Reply(answer(question))


@router.post("/ledger")
def ask_ledger(question: ConvolutionRequest) -> Response:
    """The products behind one output element."""
    return Reply(asdict(ledger(question)))
