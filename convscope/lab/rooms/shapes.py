"""Room 6: the shape after every layer, what does not fit, and changes that fix it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...net.fixes import Fix, fixes
from ...net.listing import listing
from ...net.ops import Join, Shape
from ...net.shapes import Row, ShapeError, table
from ...net.tree import pieces, text
from ...net.wiring import Inputs, brackets
from ...net.zoo import ZOO, resolve
from ..reply import Reply
from .feeding import Fed, feed, refused

router = APIRouter(prefix="/api/shapes", tags=["shapes"])

Size = Annotated[int, Field(ge=1, le=65535)]


class ShapesRequest(BaseModel):
    """A net (a zoo name or a spec), one image's channels, height and width, and the number of classes."""

    net: str = Field(max_length=20_000)
    image: tuple[Size, Size, Size]
    classes: int = Field(ge=1, le=1_000_000)
    feed: str = Field("", max_length=200, description="The shape of a tensor to feed to the net; empty: none.")


@dataclass(frozen=True)
class LayerLine:
    """One layer that fits. ``block`` is its place among the blocks of the net; None where the net put it in itself.

    ``marks`` draws where branches begin and end: one letter a branch, as :func:`convscope.net.wiring.brackets` has it.
    """

    name: str
    text: str
    inputs: Inputs
    input: Shape
    output: Shape
    formula: str
    parameters: int
    multiply_adds: int
    block: int | None
    marks: str
    note: str


@dataclass(frozen=True)
class Failure:
    """The layer that does not fit, why, PyTorch's words for it (empty where it would not object), and what to do.

    ``index`` is its place among the blocks of the net.
    """

    index: int
    name: str
    text: str
    problem: str
    pytorch: str
    help: str
    fixes: list[Fix]


@dataclass(frozen=True)
class ShapesReply:
    """All lines, or those before the failure. ``layers`` are the blocks of the net: layers and brackets as written."""

    net: str
    layers: list[str]
    lines: list[LayerLine]
    failure: Failure | None
    fed: Fed | None
    parameters: int
    multiply_adds: int
    script: str


def chain(question: ShapesRequest) -> ShapesReply:
    """The answer. Raises UsageError for a net that cannot be read; a net that does not fit is an answer too."""
    net = resolve(question.net)
    written = list(pieces(net))
    blocks = {path: index for index, (path, _) in enumerate(written)}  # of a bracket the closing one
    failure = None
    try:
        rows = table(net, question.image, question.classes)
    except ShapeError as error:
        rows = error.rows
        words = "" if error.op is None else refused(error.op, error.shapes)
        failure = Failure(
            blocks[error.path],
            error.layer,
            error.text,
            error.problem,
            words,
            error.fix,
            fixes(net, question.image, question.classes),
        )
    fed = None
    if question.feed.strip() and failure is None:
        fed = feed(net, question.image, question.classes, question.feed)
    marks = brackets([row.name for row in rows], [row.inputs for row in rows])
    lines = [
        _line(row, None if row.note else blocks[row.path], mark) for row, mark in zip(rows, marks[1:], strict=True)
    ]
    return ShapesReply(
        text(net),
        [piece for _, piece in written],
        lines,
        failure,
        fed,
        sum(r.parameters for r in rows),
        sum(r.multiply_adds for r in rows),
        script(rows, question.image),
    )


def _line(row: Row, block: int | None, marks: str) -> LayerLine:
    return LayerLine(
        name=row.name,
        text=row.text,
        inputs=row.inputs,
        input=row.input,
        output=row.output,
        formula=row.formula,
        parameters=row.parameters,
        multiply_adds=row.multiply_adds,
        block=block,
        marks=marks,
        note=row.note,
    )


def script(rows: list[Row], image: tuple[int, int, int]) -> str:
    """A program that builds the layers of ``rows`` and asserts the shapes shown."""
    shapes = ", ".join(f'"{row.name}": {row.output}' for row in rows if not isinstance(row.op, Join))
    indented = listing(rows).replace("\n", "\n    ").replace("\n    \n", "\n\n")
    counts = sum(row.parameters for row in rows)
    return f"""from collections import OrderedDict

import torch
from torch import nn

shapes = {{{shapes}}}


def check(name):
    def hook(layer, inputs, output):
        assert tuple(output.shape[1:]) == shapes[name], (name, output.shape)
    return hook


with torch.device("meta"):  # shapes without numbers
    {indented}
    for name, layer in net.eval().named_children():
        layer.register_forward_hook(check(name))
    net(torch.empty(1, {", ".join(map(str, image))}))

assert sum(p.numel() for p in net.parameters()) == {counts}
print("all {len(rows)} shapes and {counts:,} parameters are as shown")
"""


@router.post("")
def ask(question: ShapesRequest) -> Response:
    """The shape table of a net; where a layer does not fit, the failure and fixes that were tried."""
    return Reply(chain(question))


@router.get("/zoo")
def zoo() -> Response:
    """The named nets with their specs and the image they were made for."""
    return Reply(ZOO)
