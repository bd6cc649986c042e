"""The options that the concepts' verbs share, and how they save a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import terminal
from ..options import plot_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, the result under its key output.")]
Plot = Annotated[Path | None, plot_option("Draw it: a .png, .svg or .pdf file.", "FILE")]
Input = Annotated[
    str | None,
    typer.Option("--input", help="'1 2 / 3 4' (rows: /, channels: |), JSON, or a .csv, .npy or image file."),
]
Shape = Annotated[
    str | None, typer.Option(metavar="1xCxHxW", help="Random input of this shape (--seed), or the shape of --input.")
]
At = Annotated[
    str | None, typer.Option(metavar="CHANNEL,ROW,COLUMN", help="Explain this element of the output, counted from 0.")
]
InputGradient = Annotated[
    str | None, typer.Option(metavar="C,ROW,COLUMN", help="Explain ∂(sum of the output)/∂(this input).")
]
Steps = Annotated[bool, typer.Option("--steps", help="Walk all windows.")]
Sort = Annotated[bool, typer.Option("--sort", help="The largest terms first.")]
Whole = Annotated[bool, typer.Option("--all", help="Print everything, however long.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Decides all random numbers.")]


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a verb's picture and say where it is."""
    from ...report import style

    style.save_plot(figure, path)
    terminal.note(f"drawn: {path}")
