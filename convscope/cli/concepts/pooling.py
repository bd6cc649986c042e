"""``convscope pool``: max and average pooling of numbers that the user gives."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError, near
from ...storage.loading import loading
from . import reading, text
from .answer import Answer
from .options import AsJson, At, Input, InputGradient, Plot, Seed, Shape, Sort, Steps, Whole

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Array
    from ...explain.concepts.pooling import Pooling
    from ...explain.ledger import Ledger

Kind = Annotated[str, typer.Argument(help="max or avg.")]
KernelSize = Annotated[str, typer.Option(metavar="K|HxW", help="The window.")]
Stride = Annotated[str | None, typer.Option(metavar="S|HxW", help="Its step.  [default: the window]")]
Padding = Annotated[str, typer.Option(metavar="P|HxW", help="Cells added: −∞ for max, 0 for avg.")]
Dilation = Annotated[str, typer.Option(metavar="D|HxW", help="Distance between its cells (max).")]
CeilMode = Annotated[bool, typer.Option("--ceil-mode", help="Round the size up: windows may reach out.")]
CountIncludePad = Annotated[bool, typer.Option(help="Whether avg counts padding as cells.")]


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command("pool")(pool)


def pool(
    kind: Kind = "max",
    source: Input = None,
    shape: Shape = None,
    kernel_size: KernelSize = "2",
    stride: Stride = None,
    padding: Padding = "0",
    dilation: Dilation = "1",
    ceil_mode: CeilMode = False,
    count_include_pad: CountIncludePad = True,
    at: At = None,
    input_gradient: InputGradient = None,
    steps: Steps = False,
    sort: Sort = False,
    whole: Whole = False,
    seed: Seed = 0,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Max or average pooling of numbers that you give: winners, sizes, and where the gradient goes."""
    with loading():
        from ...explain.concepts import pooling

    if kind not in ("max", "avg"):
        raise UsageError(f"no pooling is called {kind[:40]!r}", near(kind[:40], ["max", "avg"]))
    image, axes = reading.image(source, shape, seed)
    settings = reading.pool_settings(kernel_size, stride, padding, dilation, ceil_mode, count_include_pad)
    if kind == "avg" and settings.dilation != (1, 1):
        raise UsageError("average pooling has no dilation", "leave --dilation out, or use max")
    reading.bounded_pool(image.shape, settings)
    found = pooling.pool("avg" if kind == "avg" else "max", image, settings)
    answer = Answer(found, axes, at, steps, sort, whole)
    gradient, explained = _gradient(found, input_gradient)
    ledgers = answer.ledgers + explained
    if plot:
        from ...report.pooling import draw_pooling

        answer.draw(draw_pooling, plot)
    if as_json:
        answer.emit({}, {"winners": found.winners, "gradient": gradient}, ledgers)
    else:
        _show(answer, gradient, ledgers)


def _gradient(found: "Pooling", cell: str | None) -> "tuple[Array, list[Ledger]]":
    """The gradient of the output's sum for the input, and the ledger of its ``cell``, if one is named."""
    import numpy as np

    upstream = np.ones_like(found.output)
    gradient = found.input_gradient(upstream)
    if not cell:
        return gradient, []
    c, row, column = reading.index(cell, found.input.shape, "--input-gradient")
    return gradient, [found.gradient_ledger(upstream, gradient, (c, row, column))]


def _show(answer: "Answer[Pooling]", gradient: "Array", ledgers: "list[Ledger]") -> None:
    found = answer.found
    print(f"input   {(1, *found.input.shape)}")
    text.show_shape(found.output, found.rows, found.columns)
    text.show_array(found.output, answer.whole, "output")
    if found.winners is not None:
        text.show_winners(found, answer.whole)
    text.show_array(gradient, answer.whole, "gradient of the output's sum for the input")
    answer.show_rest(ledgers)
