"""Runs side by side: what each came to, or how far it is."""

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


def entry(folder: RunFolder) -> dict[str, Any]:
    """The summary of a run and its state; where there is none yet, its recipe and how it stands."""
    try:
        summary = folder.summary()
        if summary is not None:
            return {**asdict(summary), "run": str(folder.path), "state": "finished"}
        recipe = folder.recipe()
        return {"run": str(folder.path), "data": recipe.data, "net": recipe.net, "state": "unfinished"}
    except ConvscopeError:
        return {"run": str(folder.path), "state": "damaged"}
