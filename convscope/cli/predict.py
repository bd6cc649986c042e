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
from .options import AsJson, SkipBad

if TYPE_CHECKING:
    from ..data.preparation import Preparation
    from ..runs.predict import Prediction
    from ..training.scores import Confidence

NO_INVERT = "Take pictures as they are, where the net's preparation looks for ink on paper."


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(predict)


def predict(
    run: Annotated[str, typer.Argument(help="A run's folder or name, or a model.safetensors file.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, folders or .zip of them, or patterns: '*.png'.")],
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
    from ..training.scores import confidence_of

    model = runs.find(run).model()
    files, notes = image_files(images)
    for line in notes:
        terminal.note(line)
    preparation = as_it_is(model.preparation) if no_invert else model.preparation
    word = confidence_of(model.loss)
    predictions = list(core.predict_files(model, files, preparation, skip_bad))
    if len(predictions) < len(files):
        terminal.note(f"{terminal.count(len(files) - len(predictions), 'unreadable image')} left out")
    if as_json:
        terminal.emit_json({"run": run, "predictions": [_whole_row(p, word) for p in predictions]})
    elif form == "table" or (form == "auto" and sys.stdout.isatty()):
        rows = [
            [
                p.file,
                p.class_name,
                terminal.confidence(word, p.confidence),
                p.second_class,
                terminal.confidence(word, p.second_confidence),
            ]
            for p in predictions
        ]
        columns = ["file", "class", word, "second", word]
        terminal.out().print(terminal.table(columns, rows, left=["file", "class", "second"]))
    elif form == "jsonl":
        for line in _json_lines(predictions, word):
            print(line)
    else:
        _print_csv(predictions, word)


def as_it_is(preparation: Preparation) -> Preparation:
    """The preparation with which a picture's dark and light stay as they are (--no-invert)."""
    if preparation.ink is None:
        terminal.note("--no-invert is not needed: this net's preparation never exchanges dark and light")
    return replace(preparation, ink=None)


def _whole_row(p: Prediction, word: Confidence) -> dict[str, str | float]:
    """One prediction for --json. ``word`` says whether the net gives probabilities or scores."""
    return {
        "file": p.file,
        "class_name": p.class_name,
        word: p.confidence,
        "second_class": p.second_class,
        f"second_{word}": p.second_confidence,
    }


def _row(p: Prediction, word: Confidence) -> dict[str, str | float]:
    """One line of CSV or JSON lines."""
    return {
        "file": p.file,
        "class": p.class_name,
        word: round(p.confidence, 6),
        "second_class": p.second_class,
        f"second_{word}": round(p.second_confidence, 6),
    }


def _json_lines(predictions: Iterable[Prediction], word: Confidence) -> Iterator[str]:
    from ..storage.strict_json import dumps

    return (dumps(_row(p, word)) for p in predictions)


def _print_csv(predictions: Iterable[Prediction], word: Confidence) -> None:
    columns = ["file", "class", word, "second_class", f"second_{word}"]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(p, word) for p in predictions)
