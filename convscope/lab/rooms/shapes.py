"""Room 6: the shape after every layer, what does not fit, and changes that mend it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...net.listing import listing
from ...net.mend import Mend, mends
from ...net.shapes import Row, Shape, ShapeError, table
from ...net.spec import layer_text, text
from ...net.zoo import ZOO, resolve
from ..reply import Reply
from .feeding import Fed, feed, refused

router = APIRouter(prefix="/api/shapes", tags=["shapes"])

Size = Annotated[int, Field(ge=1, le=65535)]


class Question(BaseModel):
    """A net (a zoo name or a spec), one image's channels, height and width, and the number of classes."""

    net: str = Field(max_length=20_000)
    image: tuple[Size, Size, Size]
    classes: int = Field(ge=1, le=1_000_000)
    feed: str = Field("", max_length=200, description="The shape of a tensor to feed to the net; empty: none.")


@dataclass(frozen=True)
class Line:
    """One layer that fits."""

    name: str
    text: str
    input: Shape
    output: Shape
    formula: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Failure:
    """The layer that does not fit, why, PyTorch's words for it (empty where it would not object), and what to do."""

    index: int
    name: str
    text: str
    problem: str
    pytorch: str
    help: str
    mends: list[Mend]


@dataclass(frozen=True)
class Chain:
    """All lines, or those before the failure. ``layers`` are the blocks of the net, failing ones included."""

    net: str
    layers: list[str]
    lines: list[Line]
    failure: Failure | None
    fed: Fed | None
    parameters: int
    multiply_adds: int
    script: str


def chain(question: Question) -> Chain:
    """The answer. Raises UsageError for a net that cannot be read; a net that does not fit is an answer too."""
    layers = resolve(question.net)
    failure = None
    try:
        rows = table(layers, question.image, question.classes)
    except ShapeError as error:
        rows = error.rows
        layer, shape = layers[len(rows)], rows[-1].output if rows else question.image
        words = refused(layer, shape)
        failure = Failure(len(rows), error.layer, layer_text(layer), error.problem, words, error.mend,
                          mends(layers, question.image, question.classes))  # fmt: skip
    fed = None
    if question.feed.strip() and failure is None:
        fed = feed(layers, question.image, question.classes, question.feed)
    lines = [Line(r.name, r.text, r.input, r.output, r.formula, r.parameters, r.multiply_adds) for r in rows]
    net = text(layers)
    return Chain(net, net.split(" | "), lines, failure, fed, sum(r.parameters for r in rows),
                 sum(r.multiply_adds for r in rows), script(rows, question.image))  # fmt: skip


def script(rows: list[Row], image: tuple[int, int, int]) -> str:
    """A program that builds the layers of ``rows`` and asserts the shapes shown."""
    shapes = ", ".join(f'"{row.name}": {row.output}' for row in rows)
    indented = listing(rows).replace("\n", "\n    ")
    counts = sum(row.parameters for row in rows)
    return f"""from collections import OrderedDict

import torch
from torch import nn

with torch.device("meta"):  # shapes without numbers
    {indented}
    x = torch.empty(1, {", ".join(map(str, image))})

shapes = {{{shapes}}}
for name, layer in net.eval().named_children():
    x = layer(x)
    assert tuple(x.shape[1:]) == shapes[name], (name, x.shape)
assert sum(p.numel() for p in net.parameters()) == {counts}
print("all {len(rows)} shapes and {counts:,} parameters are as shown")
"""


@router.post("")
def ask(question: Question) -> Response:
    """The shape table of a net; where a layer does not fit, the failure and mends that were tried."""
    return Reply(chain(question))


@router.get("/zoo")
def zoo() -> Response:
    """The named nets with their specs and the image they were made for."""
    return Reply(ZOO)
