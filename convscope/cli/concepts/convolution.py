"""``convscope conv``: a convolution of numbers that the user gives, every element as a sum of products."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...storage.loading import loading
from .. import terminal
from . import reading, text
from .options import AsJson, At, Input, Plot, Seed, Shape, Sort, Steps, Whole, save_plot

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Convolution
    from ...explain.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command("conv")(conv)


def conv(
    source: Input = None,
    shape: Shape = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(help="One kernel, written as --input; repeat the option for more output channels."),
    ] = None,
    out_channels: Annotated[int | None, typer.Option(help="Random kernels instead: how many.")] = None,
    kernel_size: Annotated[
        str | None, typer.Option(metavar="K|HxW", help="... and their size; or that of a --kernel written as one row.")
    ] = None,
    in_channels: Annotated[int | None, typer.Option(help="... and their channels, if not the input's.")] = None,
    stride: Annotated[str, typer.Option(metavar="S|HxW", help="Step of the window.")] = "1",
    padding: Annotated[str, typer.Option(metavar="P|HxW|same|valid", help="Cells added on every side.")] = "0",
    padding_mode: Annotated[str, typer.Option(help="zeros, reflect, replicate or circular.")] = "zeros",
    dilation: Annotated[str, typer.Option(metavar="D|HxW", help="Distance between kernel points.")] = "1",
    groups: Annotated[int, typer.Option(min=1, help="Groups of channels that do not mix.")] = 1,
    bias: Annotated[
        str | None, typer.Option(help="One number a kernel, no, or random.  [default: no; random for random kernels]")
    ] = None,
    at: At = None,
    weight_gradient: Annotated[
        str | None, typer.Option(metavar="O,C,ROW,COLUMN", help="Explain ∂(sum of the output)/∂(this weight).")
    ] = None,
    input_gradient: Annotated[
        str | None, typer.Option(metavar="C,ROW,COLUMN", help="Explain ∂(sum of the output)/∂(this input).")
    ] = None,
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
        from ...explain.concepts.shapes import LayerError

    image, axes = reading.image(source, shape, seed)
    settings = reading.settings(stride, padding, padding_mode, dilation, groups)
    random = (out_channels, kernel_size, in_channels)
    weight, offset = reading.kernels(kernel, random, bias, image, settings, seed, source is None)
    reading.bounded(image.shape, weight.shape, settings)
    try:
        found = convolve(image, weight, offset, settings)
    except LayerError as error:
        if kernel and "channel" in error.diagnosis.problem:
            error.help += "; a kernel has as many channels as the input: separate those of a --kernel by |"
        raise
    place = None if at is None else reading.index(at, found.output.shape, "--at")
    ledgers = _conv_ledgers(found, place, weight_gradient, input_gradient)
    if plot:
        from ...report.convolution import draw_convolution

        save_plot(draw_convolution(found, place or (0, 0, 0)), plot)
    output = found.output.reshape((1,) * (axes - 3) + found.output.shape)
    if axes == 2 and len(weight) == 1:
        output = found.output[0]
    if as_json:
        terminal.emit_json(
            {
                "output": output,
                "input_shape": (1, *image.shape),
                "weight_shape": weight.shape,
                "output_shape": (1, *found.output.shape),
                "height": found.rows,
                "width": found.columns,
                "products_each": found.products_each,
                "products": found.products,
                "ledgers": ledgers,
                "steps": list(found.steps(place[0] if place else 0)) if steps else None,
            }
        )
        return
    biased = "no bias" if offset is None else f"{len(offset)} biases" if len(offset) > 1 else "1 bias"
    print(f"input   {(1, *image.shape)}")
    print(f"weight  {weight.shape}, {biased}")
    text.show_shape(found.output, found.rows, found.columns)
    print(f"each element is the sum of {found.products_each:,} products; {found.products:,} in all")
    text.show_array(found.output, whole, "output")
    if steps:
        text.show_steps(found, place[0] if place else 0, whole)
    text.show_ledgers(ledgers, sort, whole)


def _conv_ledgers(
    found: "Convolution", place: tuple[int, ...] | None, weight: str | None, cell: str | None
) -> "list[Ledger]":
    """The ledgers that were asked for; gradients are those of the sum of all outputs, so upstream is 1 everywhere."""
    import numpy as np

    ledgers = [] if place is None else [found.ledger(*place)]
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
