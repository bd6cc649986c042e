"""``convscope runs``, ``compare`` and ``recipe``: what has been trained, side by side, and how to repeat it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..language import say, verbatim
from ..language.width import ljust, rjust, width
from . import terminal
from .options import AsJson, path_option, plot_option, run_argument
from .shell import completion

Out = Annotated[Path, path_option("The folder that holds the runs.")]


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(runs)
    app.command()(compare)
    app.command()(recipe)


def runs(out: Out = Path("runs"), as_json: AsJson = False) -> None:
    """List the runs."""
    from ..runs import folder as folders
    from ..runs.listing import entry

    entries = [entry(folder) for folder in folders.every(out)]
    if as_json:
        terminal.emit_json({"runs": entries})
    elif not entries:
        terminal.out().print(f"no runs in {out}; convscope train makes one", markup=False)
    else:
        _print(entries)


def compare(
    names: Annotated[list[str], run_argument("Two or more runs.", "RUN RUN...")],
    plot: Annotated[Path, plot_option("Where the picture of all curves goes.")] = Path("compare.png"),
    out: Out = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Compare runs in a table and in one picture of their curves."""
    from ..report.curves import draw_curves
    from ..report.style import save_plot
    from ..runs import folder as folders
    from ..runs.listing import entry

    if len(names) < 2:
        raise UsageError("compare needs two runs or more", "convscope runs lists them")
    found = [folders.find(name, out) for name in names]
    entries = [entry(folder) for folder in found]
    save_plot(draw_curves(found), plot)
    if as_json:
        terminal.emit_json({"runs": entries, "plot": plot})
        return
    _print(entries)
    terminal.out().print(f"\nplot    {plot}", markup=False)


def recipe(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run's folder or name, or a recipe that comes along: mnist-99.",
            autocompletion=completion.runs_and_recipes,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of TOML.")] = False,
) -> None:
    """Print the recipe of a run, for train --recipe FILE to repeat it; without RUN, all choices and what they mean."""
    from ..recipe import Recipe
    from ..recipes import text

    choices = asdict(Recipe()) if run is None else _choices(run)
    if as_json:
        terminal.emit_json(choices)
    else:
        written = text.template() if run is None else text.to_toml(choices)
        with verbatim():  # what is to be said in Chinese is so already
            print(written, end="")


def _choices(run: str) -> dict[str, Any]:
    from .. import recipes
    from ..runs import folder as runs

    known = recipes.names()
    return recipes.shipped(run).choices if run in known else asdict(runs.find(run, recipes=known).recipe())


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


HEADS = {
    "test_accuracy": "test acc %",
    "tta_accuracy": "tta acc %",
    "test_loss": "test loss",
    "train_seconds": "train s",
    "images_per_second": "images/s",
}
NUMBERS: dict[str, Callable[[float], str]] = {
    "epochs": str,
    "test_accuracy": _percent,
    "tta_accuracy": _percent,
    "test_loss": terminal.loss,
    "train_seconds": "{:.1f}".format,
    "images_per_second": "{:,.0f}".format,
}


def _cell(entry: dict[str, Any], column: str) -> str:
    value = entry.get(column)
    if column in NUMBERS:
        return NUMBERS[column](value) if isinstance(value, int | float) else "—"
    text = "—" if value is None else str(value)
    return _short(Path(text).name) if column == "data" else _short(text) if column == "net" else text


def _print(entries: list[dict[str, Any]]) -> None:
    from ..runs.listing import columns, told_apart

    called = told_apart([Path(entry["run"]) for entry in entries])
    entries = [{**entry, "run": name} for entry, name in zip(entries, called, strict=True)]
    names = columns(entries)
    rows = [[terminal.printable(_cell(entry, name)) for name in names] for entry in entries]
    at = names.index("state")
    rows = [[*row[:at], say(row[at]), *row[at + 1 :]] for row in rows]
    right = [i for i, name in enumerate(names) if name in NUMBERS]
    lines = [[say(HEADS.get(name, name)) for name in names], *rows]
    widths = [max(map(width, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:  # by hand: rich takes a second for a thousand rows
        cells = [(rjust if i in right else ljust)(cell, widths[i]) for i, cell in enumerate(line)]
        print("  ".join(cells).rstrip())
