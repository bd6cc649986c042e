"""Every combination of some choices, each a run of its own; ranked on images that are held out, never on the test."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import job
from ..data.images import Dataset
from ..errors import ConvscopeError, UsageError
from ..recipe import CHOICES, Recipe, fits, flag
from ..runs import folder as runs
from ..runs import listing
from ..runs.folder import RunFolder
from ..training.augment import settled

MOST = 1000  # runs of one sweep
SILENT = ("remark", "log_interval", "save_seconds", "threads", "data_dir")  # they have no say in the result


def combinations(recipe: Recipe, values: Mapping[str, Sequence[Any]]) -> list[Recipe]:
    """``recipe`` with every combination of ``values`` of its choices. Raises UsageError for too many."""
    made = [replace(recipe, **dict(zip(values, taken, strict=True))) for taken in itertools.product(*values.values())]
    if len(made) > MOST:
        raise UsageError(f"that makes {len(made):,} runs, more than {MOST:,}", "give fewer values")
    return made


def read(name: str, text: str) -> list[Any]:
    """The values of a choice between commas: "0.01,0.1". Raises UsageError for one that cannot be read."""
    kind = CHOICES[name].kind
    found: list[Any] = []
    for word in map(str.strip, text.split(",")):
        value: Any = word
        if fits(0, kind):
            try:
                value = int(word) if fits(1, kind) and not fits(0.5, kind) else float(word)
            except ValueError:
                raise UsageError(f"{flag(name)} {word[:40]!r} is not a number", "give numbers with commas") from None
        found.append(value)
    return found


def trained(recipe: Recipe, data: Dataset, out: Path) -> RunFolder:
    """The run of ``recipe`` in ``out``: the one that lies there, resumed where it was stopped, or a new one."""
    recipe = settled(recipe, data)
    folder = begun(recipe, out)
    if folder is None:
        return run_of(job.start(recipe, data, out))
    return folder if folder.summary() is not None else run_of(job.resume(folder, data))


def begun(recipe: Recipe, out: Path) -> RunFolder | None:
    """A run in ``out`` that was begun with this very recipe, finished or not; None where there is none."""
    for folder in runs.every(out):
        try:
            if _same(folder.recipe(), recipe):
                return folder
        except ConvscopeError:  # damaged: it is no obstacle
            continue
    return None


def _same(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes are the same but for what has no say in the result."""
    left, right = asdict(one), asdict(other)
    return all(left[name] == right[name] for name in CHOICES if name not in SILENT)


def run_of(events: Iterator[job.Event]) -> RunFolder:
    """Let a run come to its end."""
    folder = None
    for event in events:
        if isinstance(event, job.Finished):
            folder = event.folder
    assert folder is not None, "a job ends with Finished or an error"
    return folder


def row(folder: RunFolder, names: Sequence[str]) -> dict[str, Any]:
    """What a table of a sweep over ``names`` says of a run; ``tta_val_accuracy`` is by the mean over its views."""
    recipe, summary = folder.recipe(), folder.summary()
    return {
        **{name: getattr(recipe, name) for name in names},
        "val_accuracy": best_validation(folder),
        "tta_val_accuracy": summary.tta_val_accuracy if summary else None,
        "tta": recipe.tta,
        "train_seconds": summary.train_seconds if summary else None,
        "run": str(folder.path),
    }


def columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Those of a table with these rows."""
    return listing.columns(rows, (*names, "val_accuracy", "train_seconds", "run"))


def best_validation(folder: RunFolder) -> float:
    """The accuracy on the held-out images of the weights that the run keeps: those with the least validation loss."""
    epochs = [epoch for epoch in folder.epochs() if epoch.val_loss is not None]
    return min(epochs, key=lambda epoch: epoch.val_loss or 0.0).val_accuracy or 0.0
