"""Runs side by side: what each came to, or how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..errors import ConvscopeError
from .folder import RunFolder

COLUMNS = (
    "run",
    "data",
    "net",
    "state",
    "epochs",
    "test_accuracy",
    "test_loss",
    "train_seconds",
    "images_per_second",
    "engine",
)

# Accuracies, and what they are by the mean over views.
VIEWS = {"test_accuracy": "tta_accuracy", "val_accuracy": "tta_val_accuracy", "accuracy": "tta_accuracy"}


def columns(entries: Sequence[Mapping[str, Any]], names: Sequence[str] = COLUMNS) -> list[str]:
    """``names`` for a table of ``entries``; behind an accuracy that by the mean over views, where one of them has it,
    and which views these are.
    """
    found: list[str] = []
    for name in names:
        found.append(name)
        views = VIEWS.get(name, "")
        if any(one.get(views) is not None for one in entries):
            found += [views, "tta"]
    return found


def entry(folder: RunFolder) -> dict[str, Any]:
    """The summary of a run and its state; where there is none yet, its recipe and how it stands."""
    try:
        summary = folder.summary()
        if summary is not None:
            views = "none" if summary.tta_accuracy is None else folder.recipe().tta
            return {**asdict(summary), "tta": views, "run": str(folder.path), "state": "finished"}
        recipe = folder.recipe()
        return {"run": str(folder.path), "data": recipe.data, "net": recipe.net, "state": "unfinished"}
    except ConvscopeError:
        return {"run": str(folder.path), "state": "damaged"}
