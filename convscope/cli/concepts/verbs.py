"""``convscope loss``, ``conv`` and ``pool``: the note's concepts on numbers that the user gives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError, near
from .. import terminal
from . import reading as concept_input
from . import text as concept_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...explain.concepts.convolution import Convolution
    from ...explain.ledger import Ledger

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, the result under its key output.")]
Plot = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: a .png, .svg or .pdf file.")]
Input = Annotated[
    str | None,
    typer.Option("--input", help="'1 2 / 3 4' (rows: /, channels: |), JSON, or a .csv, .npy or image file."),
]
Shape = Annotated[str | None, typer.Option(metavar="1xCxHxW", help="Random input of this shape instead (--seed).")]
At = Annotated[
    str | None, typer.Option(metavar="CHANNEL,ROW,COLUMN", help="Explain this element of the output, counted from 0.")
]
Steps = Annotated[bool, typer.Option("--steps", help="Walk all windows.")]
Sort = Annotated[bool, typer.Option("--sort", help="The largest terms first.")]
Whole = Annotated[bool, typer.Option("--all", help="Print everything, however long.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Decides all random numbers.")]


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(loss)
    app.command()(conv)
    app.command()(pool)


def loss(
    name: Annotated[str, typer.Argument(help="mse, l2, mae or cross-entropy.")],
    pred: Annotated[str, typer.Option(help="Predictions: '1,2,3', rows separated by /, or a .csv or .npy file.")],
    target: Annotated[str, typer.Option(help="As --pred; for cross-entropy the class index of each row.")],
    index: Annotated[int, typer.Option(min=0, help="Which prediction --plot varies.")] = 0,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """A loss, element by element, with the derivative for every prediction.

    mse = Σ(ŷ−y)²/n, l2 = √Σ(ŷ−y)², mae = Σ|ŷ−y|/n; cross-entropy takes raw scores (logits) and class indices.
    """
    from ...data.literal import read_array
    from ...explain.concepts import losses

    prediction, wanted = read_array(pred, "--pred"), read_array(target, "--target")
    if name == "cross-entropy" and wanted.size == 1 and prediction.ndim == 1:
        wanted = wanted.reshape(())
    found = losses.loss(name, prediction, wanted)
    for warning in found.warnings:
        terminal.note(f"warning: {warning}")
    if plot:
        from ...report.concepts import draw_loss

        if index >= prediction.size:
            raise UsageError(f"--index {index} is no prediction", f"they are numbered 0..{prediction.size - 1}")
        _save(draw_loss(name, prediction, wanted, index), plot)
    if as_json:
        terminal.emit_json({"output": found.value, **vars(found)})
    elif found.rows:
        concept_text.show_cross_entropy(found)
    else:
        others = [other for other in ("mse", "l2", "mae") if other != name]
        concept_text.show_regression(found, {other: losses.value(other, prediction, wanted) for other in others})


def conv(
    source: Input = None,
    shape: Shape = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(help="One kernel, written as --input; repeat the option for more output channels."),
    ] = None,
    out_channels: Annotated[int | None, typer.Option(help="Random kernels instead: how many.")] = None,
    kernel_size: Annotated[str | None, typer.Option(metavar="K|HxW", help="... and their size.")] = None,
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
    from ...explain.concepts.convolution import convolve
    from ...explain.concepts.shapes import LayerError

    image, axes = concept_input.image(source, shape, seed)
    settings = concept_input.settings(stride, padding, padding_mode, dilation, groups)
    random = (out_channels, kernel_size, in_channels)
    weight, offset = concept_input.kernels(kernel, random, bias, image, settings, seed, shape is not None)
    concept_input.bounded(image.shape, weight.shape, settings)
    try:
        found = convolve(image, weight, offset, settings)
    except LayerError as error:
        if kernel and "channel" in error.diagnosis.problem:
            error.help += "; a kernel has as many channels as the input: separate those of a --kernel by |"
        raise
    place = None if at is None else concept_input.index(at, found.output.shape, "--at")
    ledgers = _conv_ledgers(found, place, weight_gradient, input_gradient)
    if plot:
        from ...report.concepts import draw_convolution

        _save(draw_convolution(found, place or (0, 0, 0)), plot)
    output = found.output.reshape((1,) * (axes - 3) + found.output.shape)
    if axes == 2 and len(weight) == 1:
        output = found.output[0]
    if as_json:
        terminal.emit_json({
            "output": output, "input_shape": (1, *image.shape), "weight_shape": weight.shape,
            "output_shape": (1, *found.output.shape), "height": found.rows, "width": found.columns,
            "products_each": found.products_each, "products": found.products, "ledgers": ledgers,
            "steps": list(found.steps(place[0] if place else 0)) if steps else None,
        })  # fmt: skip
        return
    biased = "no bias" if offset is None else f"{len(offset)} biases" if len(offset) > 1 else "1 bias"
    print(f"input   {(1, *image.shape)}")
    print(f"weight  {weight.shape}, {biased}")
    concept_text.show_shape(found.output, found.rows, found.columns)
    print(f"each element is the sum of {found.products_each:,} products; {found.products:,} in all")
    concept_text.show_array(found.output, whole, "output")
    if steps:
        concept_text.show_steps(found, place[0] if place else 0, whole)
    concept_text.show_ledgers(ledgers, sort, whole)


def pool(
    kind: Annotated[str, typer.Argument(help="max or avg.")] = "max",
    source: Input = None,
    shape: Shape = None,
    kernel_size: Annotated[str, typer.Option(metavar="K|HxW", help="The window.")] = "2",
    stride: Annotated[str | None, typer.Option(metavar="S|HxW", help="Its step.  [default: the window]")] = None,
    padding: Annotated[str, typer.Option(metavar="P|HxW", help="Cells added: −∞ for max, 0 for avg.")] = "0",
    dilation: Annotated[str, typer.Option(metavar="D|HxW", help="Distance between its cells (max).")] = "1",
    ceil_mode: Annotated[bool, typer.Option("--ceil-mode", help="Round the size up: windows may reach out.")] = False,
    count_include_pad: Annotated[bool, typer.Option(help="Whether avg counts padding as cells.")] = True,
    at: At = None,
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
    """Max or average pooling of numbers that you give: winners, sizes, and where the gradient goes."""
    import numpy as np

    from ...explain.concepts import pooling

    if kind not in ("max", "avg"):
        raise UsageError(f"no pooling is called {kind[:40]!r}", near(kind[:40], ["max", "avg"]))
    image, axes = concept_input.image(source, shape, seed)
    settings = concept_input.pool_settings(kernel_size, stride, padding, dilation, ceil_mode, count_include_pad)
    if kind == "avg" and settings.dilation != (1, 1):
        raise UsageError("average pooling has no dilation", "leave --dilation out, or use max")
    concept_input.bounded_pool(image.shape, settings)
    found = pooling.pool("avg" if kind == "avg" else "max", image, settings)
    place = None if at is None else concept_input.index(at, found.output.shape, "--at")
    upstream = np.ones_like(found.output)
    gradient = found.input_gradient(upstream)
    ledgers = [found.ledger(*place)] if place else []
    if input_gradient:
        c, row, column = concept_input.index(input_gradient, image.shape, "--input-gradient")
        ledgers.append(found.gradient_ledger(upstream, gradient, (c, row, column)))
    if plot:
        from ...report.concepts import draw_pooling

        _save(draw_pooling(found, place or (0, 0, 0)), plot)
    output = found.output.reshape((1,) * (axes - 3) + found.output.shape) if axes != 2 else found.output[0]
    if as_json:
        terminal.emit_json({
            "output": output, "input_shape": (1, *image.shape), "output_shape": (1, *found.output.shape),
            "height": found.rows, "width": found.columns, "winners": found.winners, "gradient": gradient,
            "ledgers": ledgers, "steps": list(found.steps(place[0] if place else 0)) if steps else None,
        })  # fmt: skip
        return
    print(f"input   {(1, *image.shape)}")
    concept_text.show_shape(found.output, found.rows, found.columns)
    concept_text.show_array(found.output, whole, "output")
    if found.winners is not None:
        concept_text.show_winners(found, whole)
    concept_text.show_array(gradient, whole, "gradient of the output's sum for the input")
    if steps:
        concept_text.show_steps(found, place[0] if place else 0, whole)
    concept_text.show_ledgers(ledgers, sort, whole)


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
        o, c, i, j = concept_input.index(weight, found.weight.shape, "--weight-gradient")
        ledgers.append(found.weight_gradient(gradients, (o, c, i, j)))
    if cell is not None:
        c, row, column = concept_input.index(cell, found.input.shape, "--input-gradient")
        ledgers.append(found.input_gradient(gradients, (c, row, column)))
    return ledgers


def _save(figure: "Figure", path: Path) -> None:
    from ...report.style import save_figure

    save_figure(figure, path)
    terminal.note(f"drawn: {path}")
