"""``convscope loss``: a loss on numbers that the user gives, term by term."""

from typing import Annotated

import typer

from ...errors import UsageError
from ...storage.loading import loading
from .. import terminal
from . import text
from .options import AsJson, Plot, save_plot


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command("loss")(loss)


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
    with loading():
        from ...data.literal import read_array
        from ...explain.concepts import losses

    prediction, wanted = read_array(pred, "--pred"), read_array(target, "--target")
    if name == "cross-entropy" and wanted.size == 1 and prediction.ndim == 1:
        wanted = wanted.reshape(())
    found = losses.loss(name, prediction, wanted)
    for warning in found.warnings:
        terminal.note(f"warning: {warning}")
    if plot:
        from ...report.losses import draw_loss

        if index >= prediction.size:
            raise UsageError(f"--index {index} is no prediction", f"they are numbered 0..{prediction.size - 1}")
        save_plot(draw_loss(name, prediction, wanted, index), plot)
    if as_json:
        terminal.emit_json({"output": found.value, **vars(found)})
    elif found.rows:
        text.show_cross_entropy(found)
    else:
        others = [other for other in ("mse", "l2", "mae") if other != name]
        text.show_regression(found, {other: losses.value(other, prediction, wanted) for other in others})
