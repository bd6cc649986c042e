"""``convscope evaluate``: what a trained net is worth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from . import terminal
from .train import AsJson, DataDir, Offline, RunArgument, SkipBad, open_data

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.images import ImageSet
    from ..net.model import Model
    from ..recipe import LossName
    from ..runs.folder import RunFolder
    from ..training.scores import Evaluation

MOST_CLASSES_IN_TEXT = 20  # of the confusion matrix; the picture shows all


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(evaluate)


def evaluate(
    run: RunArgument,
    data: Annotated[str | None, typer.Argument(help="Other data: their test part, or all of them.")] = None,
    worst: Annotated[int, typer.Option(min=0, max=400, help="Pictures on the sheet of worst mistakes.")] = 40,
    out: Annotated[Path | None, typer.Option(help="Folder for pictures and tables.  [default: in the run]")] = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Test a run: accuracy with its interval, every class, confusion matrix, worst mistakes, predictions.csv."""
    import torch

    from ..report import evaluation as pictures
    from ..report.style import save_figure
    from ..runs import folder as runs
    from ..storage.files import make_folder
    from ..training import scores

    folder = runs.find(run)
    model = folder.model()
    recipe = folder.recipe()
    images = _images_to_test(folder, model, data, data_dir, offline, skip_bad)
    logits = model.logits(torch.from_numpy(images.images))
    labels = torch.from_numpy(images.labels)
    result = scores.evaluate(logits, labels, model.classes, recipe.loss)

    target = out or folder.path / ("evaluation" if data is None else f"evaluation-{Path(data).resolve().stem}")
    make_folder(target)
    _write_predictions(target / "predictions.csv", images, logits, model, recipe.loss)
    save_figure(pictures.draw_confusion(result.confusion, model.classes), target / "confusion.png")
    wrong = scores.most_wrong(logits, labels, worst)
    p = scores.probabilities(logits)
    sheet = [
        pictures.Picture(
            images.images[i],
            (Path(images.name(i)).name[-22:], f"is {model.classes[images.labels[i]]}",
             f"→ {model.classes[int(p[i].argmax())][:13]} ({100 * float(p[i].max()):.1f} %)"),
        ) for i in wrong.tolist()
    ]  # fmt: skip
    mistakes = result.images - round(result.accuracy * result.images)
    what = f"the {len(sheet)} most confident of {mistakes} mistakes" if mistakes else "no mistakes"
    save_figure(pictures.draw_sheet(sheet, f"{folder.name}: {what}"), target / "worst.png")
    if as_json:
        terminal.emit_json({"run": str(folder.path), "folder": target, **asdict(result)})
        return
    _print_evaluation(result)
    for name in ("confusion.png", "worst.png", "predictions.csv"):
        terminal.out().print(f"{name.split('.')[0]:<12}{target / name}", markup=False)


def _images_to_test(
    folder: RunFolder, model: Model, data: str | None, data_dir: Path | None, offline: bool, skip_bad: bool
) -> ImageSet:
    """The run's own test images; or those of other data: their test part, or all where none came with them."""
    from dataclasses import replace

    from ..data.sources import adapted, read_parts

    recipe = folder.recipe()
    if data_dir is not None:
        recipe = replace(recipe, data_dir=str(data_dir))
    if data is None or Path(data).resolve() == Path(recipe.data).resolve():
        return open_data(recipe, offline).test
    size = model.image[1] if model.image[1] == model.image[2] else None
    place = Path(recipe.data_dir) if recipe.data_dir else None
    parts = read_parts(data, place, offline, size, skip_bad or recipe.skip_bad)
    if parts.skipped:
        terminal.note(f"{terminal.count(parts.skipped, 'unreadable image')} left out")
    images = parts.train if parts.test is None else parts.test
    terminal.note(f"tested on the {len(images):,} {'images' if parts.test is None else 'test images'} of {data}")
    return _by_class(adapted(images, model.image, data), model, data)


def _by_class(images: ImageSet, model: Model, data: str) -> ImageSet:
    """The same images with labels that index the net's classes, matched by name."""
    from dataclasses import replace

    import numpy as np

    unknown = [name for name in images.classes if name not in model.classes]
    if unknown:
        raise DataError(
            f"{data} has classes that the net does not know: {', '.join(unknown[:5])}",
            f"the net knows: {', '.join(model.classes[:20])}",
        )
    if not len(images):
        raise DataError(f"{data} holds no images to test on", "put images into it, or name other data")
    number = np.array([model.classes.index(name) for name in images.classes])
    return replace(images, labels=number[images.labels], classes=model.classes)


def _write_predictions(path: Path, images: ImageSet, logits: Tensor, model: Model, loss: LossName) -> None:
    import torch

    from ..net.loss import losses_of
    from ..storage.files import write_atomic
    from ..training.scores import probabilities

    p = probabilities(logits)
    top = p.argmax(1)
    losses = losses_of(loss, logits, torch.from_numpy(images.labels))
    lines = ["file,label,prediction,probability,label_probability,loss"]
    for i, label in enumerate(images.labels.tolist()):
        cells = [images.name(i), model.classes[label], model.classes[int(top[i])]]
        numbers = [f"{float(value):.6f}" for value in (p[i, top[i]], p[i, label], losses[i])]
        lines.append(",".join([*map(_csv_cell, cells), *numbers]))
    write_atomic(path, "\n".join(lines) + "\n")


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _print_evaluation(result: Evaluation) -> None:
    def percent(value: float | None) -> str:
        return "—" if value is None else f"{100 * value:.2f} %"

    low, high = result.interval
    out = terminal.out()
    out.print(
        f"accuracy    {percent(result.accuracy)} of {result.images:,} images "
        f"(95 % interval {percent(low)} to {percent(high)})",
        f"loss        {terminal.loss(result.loss)}",
        f"calibration {percent(result.calibration_error)} mean distance of confidence from accuracy",
        "", sep="\n", markup=False,
    )  # fmt: skip
    rows = [[c.name, percent(c.precision), percent(c.recall), percent(c.f1), f"{c.support:,}"] for c in result.classes]
    out.print(terminal.table(["class", "precision", "recall", "F1", "support"], rows, left=["class"]))
    names = [c.name for c in result.classes]
    if len(names) <= MOST_CLASSES_IN_TEXT:
        out.print("\nconfusion: rows are true classes, columns predicted ones", markup=False)
        cells = [
            [name, *(str(n) if n else "·" for n in row)]
            for name, row in zip(names, result.confusion.tolist(), strict=True)
        ]
        room = max(4, (out.width - max(map(len, names))) // len(names) - 1)
        out.print(terminal.table(["", *(name[:room] for name in names)], cells, left=[""]))
    out.print()
