"""``convscope pool``: max and average pooling of numbers that the user gives."""

from typing import Annotated

import typer

from ...errors import UsageError, near
from ...storage.loading import loading
from .. import terminal
from . import reading, text
from .options import AsJson, At, Input, Plot, Seed, Shape, Sort, Steps, Whole, save_plot


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command("pool")(pool)


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
    place = None if at is None else reading.index(at, found.output.shape, "--at")
    upstream = np.ones_like(found.output)
    gradient = found.input_gradient(upstream)
    ledgers = [found.ledger(*place)] if place else []
    if input_gradient:
        c, row, column = reading.index(input_gradient, image.shape, "--input-gradient")
        ledgers.append(found.gradient_ledger(upstream, gradient, (c, row, column)))
    if plot:
        from ...report.pooling import draw_pooling

        save_plot(draw_pooling(found, place or (0, 0, 0)), plot)
    output = found.output.reshape((1,) * (axes - 3) + found.output.shape) if axes != 2 else found.output[0]
    if as_json:
        terminal.emit_json(
            {
                "output": output,
                "input_shape": (1, *image.shape),
                "output_shape": (1, *found.output.shape),
                "height": found.rows,
                "width": found.columns,
                "winners": found.winners,
                "gradient": gradient,
                "ledgers": ledgers,
                "steps": list(found.steps(place[0] if place else 0)) if steps else None,
            }
        )
        return
    print(f"input   {(1, *image.shape)}")
    text.show_shape(found.output, found.rows, found.columns)
    text.show_array(found.output, whole, "output")
    if found.winners is not None:
        text.show_winners(found, whole)
    text.show_array(gradient, whole, "gradient of the output's sum for the input")
    if steps:
        text.show_steps(found, place[0] if place else 0, whole)
    text.show_ledgers(ledgers, sort, whole)
