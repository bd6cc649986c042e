"""``convscope conv``: a convolution of numbers that the user gives, every element as a sum of products."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...language.counts import number_of
from ...storage.loading import loading
from . import reading, text
from .answer import Answer
from .options import AsJson, At, Input, InputGradient, Plot, Seed, Shape, Sort, Steps, Whole

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Convolution
    from ...explain.ledger import Ledger

Kernel = Annotated[
    list[str] | None,
    typer.Option(help="One kernel, written as --input; repeat the option for more output channels."),
]
OutChannels = Annotated[int | None, typer.Option(help="Random kernels instead: how many.")]
KernelSize = Annotated[
    str | None, typer.Option(metavar="K|HxW", help="... and their size; or that of a --kernel written as one row.")
]
InChannels = Annotated[int | None, typer.Option(help="... and their channels, if not the input's.")]
Stride = Annotated[str, typer.Option(metavar="S|HxW", help="Step of the window.")]
Padding = Annotated[str, typer.Option(metavar="P|HxW|same|valid", help="Cells added on every side.")]
Mode = Annotated[str, typer.Option(help="zeros, reflect, replicate or circular.")]
Dilation = Annotated[str, typer.Option(metavar="D|HxW", help="Distance between kernel points.")]
Groups = Annotated[int, typer.Option(min=1, help="Groups of channels that do not mix.")]
Bias = Annotated[
    str | None, typer.Option(help="One number a kernel, no, or random.  [default: no; random for random kernels]")
]
WeightGradient = Annotated[
    str | None, typer.Option(metavar="O,C,ROW,COLUMN", help="Explain ∂(sum of the output)/∂(this weight).")
]


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command("conv")(conv)


def conv(
    source: Input = None,
    shape: Shape = None,
    kernel: Kernel = None,
    out_channels: OutChannels = None,
    kernel_size: KernelSize = None,
    in_channels: InChannels = None,
    stride: Stride = "1",
    padding: Padding = "0",
    padding_mode: Mode = "zeros",
    dilation: Dilation = "1",
    groups: Groups = 1,
    bias: Bias = None,
    at: At = None,
    weight_gradient: WeightGradient = None,
    input_gradient: InputGradient = None,
    steps: Steps = False,
    sort: Sort = False,
    whole: Whole = False,
    seed: Seed = 0,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """A convolution of numbers that you give: output, size formula, and every element as a sum of products."""
    with loading():
        from ...explain.concepts.convolution import convolve
    image, axes = reading.image(source, shape, seed)
    settings = reading.settings(stride, padding, padding_mode, dilation, groups)
    random = (out_channels, kernel_size, in_channels)
    weight, offset = reading.kernels(kernel, random, bias, image, settings, seed, source is None)
    reading.bounded(image.shape, weight.shape, settings)
    with _of_kernels(bool(kernel)):
        found = convolve(image, weight, offset, settings)
    answer = Answer(found, axes, at, steps, sort, whole)
    ledgers = answer.ledgers + _gradients(found, weight_gradient, input_gradient)
    if plot:
        from ...report.convolution import draw_convolution

        answer.draw(draw_convolution, plot)
    (_emit if as_json else _show)(answer, ledgers)


@contextmanager
def _of_kernels(written: bool) -> Iterator[None]:
    """Where the user has ``written`` the kernels, what does not fit is said of them."""
    from ...explain.concepts.shapes import LayerError

    try:
        yield
    except LayerError as error:
        if written and "channel" in error.diagnosis.problem:
            error.help += "; a kernel has as many channels as the input: separate those of a --kernel by |"
        raise


def _emit(answer: "Answer[Convolution]", ledgers: "list[Ledger]") -> None:
    found = answer.found
    products = {"products_each": found.products_each, "products": found.products}
    answer.emit({"weight_shape": found.weight.shape}, products, ledgers)


def _show(answer: "Answer[Convolution]", ledgers: "list[Ledger]") -> None:
    found, bias = answer.found, answer.found.bias
    biased = "no bias" if bias is None else number_of(len(bias), "bias", "biases")
    print(f"input   {(1, *found.input.shape)}")
    print(f"weight  {found.weight.shape}, {biased}")
    text.show_shape(found.output, found.rows, found.columns)
    print(f"each element is the sum of {number_of(found.products_each, 'product')}; {found.products:,} in all")
    text.show_array(found.output, answer.whole, "output")
    answer.show_rest(ledgers)


def _gradients(found: "Convolution", weight: str | None, cell: str | None) -> "list[Ledger]":
    """The ledgers of gradients that were asked for: those of the sum of all outputs, so upstream is 1 everywhere."""
    import numpy as np

    ledgers: list[Ledger] = []
    if weight is None and cell is None:
        return ledgers
    gradients = found.gradients(np.ones_like(found.output))
    if weight is not None:
        o, c, i, j = reading.index(weight, found.weight.shape, "--weight-gradient")
        ledgers.append(found.weight_gradient(gradients, (o, c, i, j)))
    if cell is not None:
        c, row, column = reading.index(cell, found.input.shape, "--input-gradient")
        ledgers.append(found.input_gradient(gradients, (c, row, column)))
    return ledgers
