"""Runs side by side: what each came to, or how far it is."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
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


def told_apart(folders: Sequence[Path]) -> list[str]:
    """The name of each folder; of those that share one, as much of the path before it as tells them apart."""
    every = [Path(os.path.abspath(folder)).parts for folder in folders]  # noqa: PTH100 - resolve() would follow links
    alike: dict[str, list[tuple[str, ...]]] = {}
    for parts in every:
        alike.setdefault(parts[-1], []).append(parts)
    names = []
    for parts in every:
        others = [other for other in alike[parts[-1]] if other != parts]
        size = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        names.append(str(Path(*parts[-size:])))
    return names


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
