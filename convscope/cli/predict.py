"""``convscope predict``: what a trained net says of images of one's own."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import UsageError
from ..language import Name, verbatim
from ..language.counts import number_of, some
from ..storage.loading import loading
from . import terminal
from .options import AsJson, SkipBad, Tta, run_argument

if TYPE_CHECKING:
    from ..data.preparation import Preparation
    from ..runs.predict import Prediction
    from ..training.scores import Confidence

NONE = "none of these"
SHOWN = 5  # names in a note
NO_INVERT = "Take pictures as they are, where the net's preparation looks for ink on paper."


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(predict)


def predict(
    run: Annotated[str, run_argument("A run, a model.safetensors, or an exported .onnx.")],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, folders, .zip or Parquet of them, or patterns: '*.png'.")
    ],
    top: Annotated[str | None, typer.Option(metavar="K|all", help="The K likeliest classes, one a line.")] = None,
    min_probability: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="P", help=f"A class less sure than this is {NONE!r}.")
    ] = None,
    no_invert: Annotated[bool, typer.Option("--no-invert", help=NO_INVERT)] = False,
    tta: Tta = "none",
    skip_bad: SkipBad = False,
    form: Annotated[Literal["auto", "table", "csv", "jsonl"],
                    typer.Option("--format", help="auto: a table on a terminal, else CSV.")] = "auto",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Classify your own images: class, probability and the runner-up of each."""
    with loading():
        from ..data.folders.files import image_files
        from ..runs import folder as runs
        from ..runs import predict as core
        from ..runs.views import TEXTS, views_of
        from ..storage.strict_json import dumps
        from ..training.scores import confidence_of

    views = views_of(tta)
    model = runs.find(run).answering()
    count = _top(top, len(model.classes))
    files, notes = image_files(images)
    for line in notes:
        terminal.note(line)
    preparation = as_it_is(model.preparation) if no_invert else model.preparation
    predictions = list(core.predict_files(model, files, preparation, skip_bad, count or 2, views))
    if views != "none":
        terminal.note(f"--tta {views}: {TEXTS[views]}")
    if len(predictions) < len(files):
        terminal.note(f"{number_of(len(files) - len(predictions), 'unreadable image')} left out")
    _warn(predictions)
    answers = Answers(confidence_of(model.loss), count, min_probability or 0.0)
    if as_json:
        terminal.emit_json({"run": run, "tta": views, "predictions": [answers.whole(p) for p in predictions]})
    elif form == "table" or (form == "auto" and sys.stdout.isatty()):
        columns, left = answers.table_head()
        rows = [row for p in predictions for row in answers.table_rows(p)]
        terminal.out().print(terminal.table(columns, rows, left=left))
    elif form == "jsonl":
        with verbatim():
            for p in predictions:
                print(dumps(answers.whole(p) if count else answers.row(p)))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        with verbatim():
            writer.writerow(answers.columns)
            writer.writerows(line for p in predictions for line in answers.lines(p))


@dataclass(frozen=True)
class Answers:
    """How predictions are written. ``word``: probability or score; ``top`` classes, one a line, None: class and
    runner-up in one; classes below ``least`` are none of them.
    """

    word: Confidence
    top: int | None
    least: float

    @property
    def columns(self) -> list[str]:
        """The header of CSV."""
        if self.top:
            return ["file", "rank", "class", self.word]
        return ["file", "class", self.word, "second_class", f"second_{self.word}"]

    def named(self, name: str, confidence: float) -> str:
        """The class's name, or what stands for it."""
        return name if confidence >= self.least else NONE

    def lines(self, p: Prediction) -> Iterator[list[str | int | float]]:
        """The lines of CSV."""
        if self.top:
            for rank, (name, sure) in enumerate(self.ranking(p), 1):
                yield [p.file, rank, name, round(sure, 6)]
        else:
            yield list(self.row(p).values())

    def row(self, p: Prediction) -> dict[str, str | float]:
        """Class and runner-up. A net of one class has no other runner-up."""
        (first, sure), (second, less) = p.ranking[0], p.ranking[min(1, len(p.ranking) - 1)]
        values = (p.file, self.named(first, sure), round(sure, 6), second, round(less, 6))
        return dict(zip(["file", "class", self.word, "second_class", f"second_{self.word}"], values, strict=True))

    def ranking(self, p: Prediction) -> list[tuple[str, float]]:
        """The classes that are sure enough; where none is, the likeliest one's confidence without its name."""
        return [one for one in p.ranking if one[1] >= self.least] or [(NONE, p.confidence)]

    def whole(self, p: Prediction) -> dict[str, object]:
        """One prediction for JSON."""
        if self.top:
            classes = [{"class": name, self.word: sure} for name, sure in self.ranking(p)]
            return {"file": p.file, "classes": classes, "strange": p.strange}
        (first, sure), (second, less) = p.ranking[0], p.ranking[min(1, len(p.ranking) - 1)]
        return {"file": p.file, "class_name": self.named(first, sure), self.word: sure, "second_class": second,
                f"second_{self.word}": less, "strange": p.strange}  # fmt: skip

    def table_head(self) -> tuple[list[str], list[str]]:
        """The columns for people, and which of them stand on the left."""
        if self.top:
            return ["file", "rank", "class", self.word], ["file", "class"]
        return ["file", "class", self.word, "second", self.word], ["file", "class", "second"]

    def table_rows(self, p: Prediction) -> Iterator[list[str]]:
        """The rows for people: the file's name stands in its first one."""
        if self.top:
            for rank, (name, sure) in enumerate(self.ranking(p), 1):
                yield [Name(p.file if rank == 1 else ""), str(rank), Name(name), terminal.confidence(self.word, sure)]
            return
        (first, sure), (second, less) = p.ranking[0], p.ranking[min(1, len(p.ranking) - 1)]
        shown = [terminal.confidence(self.word, value) for value in (sure, less)]
        yield [Name(p.file), self.named(Name(first), sure), shown[0], Name(second), shown[1]]


def _top(text: str | None, classes: int) -> int | None:
    """How many classes to name; None for class and runner-up."""
    if text is None:
        return None
    if text == "all":
        return classes
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise UsageError(f"--top is {text[:40]!r}", "give the number of classes to name, or all")
    return min(int(text[:9]), classes)


def _warn(predictions: Sequence[Prediction]) -> None:
    """Say which pictures look like none of the training images."""
    odd = [Path(p.file).name for p in predictions if p.strange]
    if odd:
        shown = some(odd, SHOWN)
        looks = "looks" if len(odd) == 1 else "look"
        terminal.note(
            f"{len(odd)} of {number_of(len(predictions), 'image')} {looks} unlike any training image, "
            f"so perhaps no class fits: {shown}"
        )


def as_it_is(preparation: Preparation) -> Preparation:
    """The preparation with which a picture's dark and light stay as they are (--no-invert)."""
    if preparation.ink is None:
        terminal.note("--no-invert is not needed: this net's preparation never exchanges dark and light")
    return replace(preparation, ink=None)
