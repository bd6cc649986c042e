"""``convscope evaluate``: what a trained net is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..language import Name
from ..language.counts import number_of
from ..language.width import fit
from ..storage.loading import loading
from . import terminal
from .options import AsJson, DataDir, Moved, Offline, RunArgument, SkipBad, Tta, data_argument, path_option, together

if TYPE_CHECKING:
    from ..training.scores import Evaluation

MOST_CLASSES_IN_TEXT = 20  # of the confusion matrix; the picture shows all


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(evaluate)


def evaluate(
    run: RunArgument,
    data: Annotated[list[str] | None, data_argument("Other data: their test part, or all of them.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Test on the images that came to the run's data since.")] = False,
    moved: Moved = None,
    worst: Annotated[int, typer.Option(min=0, max=400, help="Pictures on the sheet of worst mistakes.")] = 40,
    tta: Tta = "none",
    out: Annotated[Path | None, path_option("Folder for pictures and tables.  [default: in the run]")] = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Test a run: accuracy with its interval, every class, confusion matrix, worst mistakes, predictions.csv."""
    with loading():
        from ..report.evaluation import save_pictures
        from ..runs import folder as runs
        from ..runs.evaluation import images_to_test, test_model, warning
        from ..runs.views import TEXTS, explained, others_of, views_of
        from ..storage.files import make_folder, write_csv

    other = together(data) if data else None
    if other is not None and (new or moved is not None):
        raise UsageError(
            f"{'--new' if new else '--data'} is about the run's own data, but {other} are other data",
            "leave one of them out",
        )
    views = views_of(tta)
    folder = runs.find(run)
    model = folder.model()
    test = images_to_test(
        folder, model, other, moved=moved, new=new, data_dir=data_dir, offline=offline, skip_bad=skip_bad
    )
    for note in test.notes:
        terminal.note(note)
    tested = test_model(model, test.images, views)
    others = {
        other: test_model(model, test.images, other).evaluation.accuracy
        for other in others_of(views, folder.recipe().tta)
    }
    target = out or folder.path / test.name
    make_folder(target)
    write_csv(target / "predictions.csv", tested.table())
    save_pictures(tested, target, folder.name, worst)
    found = warning(folder, tested, test, views)
    if found:
        terminal.note(str(found))
    if as_json:
        more = {"trained_on": test.trained_on, "warning": str(found) if found else None, "tta": views}
        by_views = {"accuracies": {views: tested.evaluation.accuracy, **others}}
        terminal.emit_json({"run": str(folder.path), "folder": target, **asdict(tested.evaluation), **more, **by_views})
        return
    if views != "none":
        terminal.out().print(f"tta         {views}: {TEXTS[views]}", markup=False)
    _print_evaluation(tested.evaluation, [explained(accuracy, other) for other, accuracy in others.items()])
    for name in ("confusion.png", "worst.png", "predictions.csv"):
        terminal.out().print(f"{name.split('.')[0]:<12}{target / name}", markup=False)


def _print_evaluation(result: Evaluation, others: Sequence[str]) -> None:
    """``others`` are accuracies by other views of the same images."""

    def percent(value: float | None) -> str:
        return "—" if value is None else f"{100 * value:.2f} %"

    low, high = result.interval
    out = terminal.out()
    out.print(
        f"accuracy    {percent(result.accuracy)} of {number_of(result.images, 'image')} "
        f"(95 % interval {percent(low)} to {percent(high)})",
        *(f"{'':<12}{text}" for text in others),
        f"loss        {terminal.loss(result.loss)}",
        f"calibration {percent(result.calibration_error)} mean distance of confidence from accuracy"
        if result.calibration_error is not None
        else "calibration — (the loss is not finite)"
        if not isfinite(result.loss)
        else "calibration — (the net was not trained with cross entropy: it gives scores, no probabilities)",
        "",
        sep="\n",
        markup=False,
    )
    rows = [
        [Name(c.name), percent(c.precision), percent(c.recall), percent(c.f1), f"{c.support:,}"] for c in result.classes
    ]
    out.print(terminal.table(["class", "precision", "recall", "F1", "support"], rows, left=["class"]))
    names = [c.name for c in result.classes]
    if len(names) <= MOST_CLASSES_IN_TEXT:
        out.print("\nconfusion: rows are true classes, columns predicted ones", markup=False)
        cells = [
            [Name(name), *(str(n) if n else "·" for n in row)]
            for name, row in zip(names, result.confusion.tolist(), strict=True)
        ]
        room = max(4, (out.width - max(map(len, names))) // len(names) - 1)
        out.print(terminal.table(["", *(Name(fit(name, room, room // 2)) for name in names)], cells, left=[""]))
    out.print()
