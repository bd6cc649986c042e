"""``convscope predict``: what a trained net says of images of one's own."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import terminal
from .train import AsJson, RunArgument, SkipBad

if TYPE_CHECKING:
    from ..data.preparation import Preparation
    from ..runs.predict import Prediction

NO_INVERT = "Take pictures as they are, where the net's preparation looks for ink on paper."


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(predict)


def predict(
    run: RunArgument,
    images: Annotated[list[Path], typer.Argument(help="Image files, folders of images, or patterns: 'scans/*.png'.")],
    no_invert: Annotated[bool, typer.Option("--no-invert", help=NO_INVERT)] = False,
    skip_bad: SkipBad = False,
    form: Annotated[Literal["auto", "table", "csv", "jsonl"],
                    typer.Option("--format", help="auto: a table on a terminal, else CSV.")] = "auto",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Classify your own images: class, probability and the runner-up of each."""
    from ..data.folders.files import image_files
    from ..runs import folder as runs
    from ..runs import predict as core

    model = runs.find(run).model()
    files, notes = image_files(images)
    for line in notes:
        terminal.note(line)
    preparation = as_it_is(model.preparation) if no_invert else model.preparation
    predictions = list(core.predict_files(model, files, preparation, skip_bad))
    if len(predictions) < len(files):
        terminal.note(f"{terminal.count(len(files) - len(predictions), 'unreadable image')} left out")
    if as_json:
        terminal.emit_json({"run": run, "predictions": predictions})
    elif form == "table" or (form == "auto" and sys.stdout.isatty()):
        rows = [
            [
                p.file,
                p.class_name,
                f"{100 * p.probability:.2f} %",
                p.second_class,
                f"{100 * p.second_probability:.2f} %",
            ]
            for p in predictions
        ]
        columns = ["file", "class", "probability", "second", "probability"]
        terminal.out().print(terminal.table(columns, rows, left=["file", "class", "second"]))
    elif form == "jsonl":
        for line in _json_lines(predictions):
            print(line)
    else:
        _print_csv(predictions)


def as_it_is(preparation: Preparation) -> Preparation:
    """The preparation with which a picture's dark and light stay as they are (--no-invert)."""
    if preparation.ink is None:
        terminal.note("--no-invert is not needed: this net's preparation never exchanges dark and light")
    return replace(preparation, ink=None)


def _row(p: Prediction) -> dict[str, str | float]:
    return {"file": p.file, "class": p.class_name, "probability": round(p.probability, 6),
            "second_class": p.second_class, "second_probability": round(p.second_probability, 6)}  # fmt: skip


def _json_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    from ..storage.strict_json import dumps

    return (dumps(_row(p)) for p in predictions)


def _print_csv(predictions: Iterable[Prediction]) -> None:
    columns = ["file", "class", "probability", "second_class", "second_probability"]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(p) for p in predictions)
