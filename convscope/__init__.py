"""convscope trains convolutional networks on your own machine and lets you see through them.

import convscope

run = convscope.train("mnist", net="note", epochs=10)
run.accuracy, run.history, run.net, run.predict(images), run.plot()
run = convscope.load("runs/note-mnist-1")

Every name of ``dir(convscope)`` is public, and its docstring says what it does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    # "as" tells type checkers that a name is meant to be imported from here.
    from .audit.check import check as check
    from .errors import ConvscopeError as ConvscopeError
    from .errors import DataError as DataError
    from .errors import Interrupted as Interrupted
    from .errors import TrainingError as TrainingError
    from .errors import UsageError as UsageError
    from .explain.trained.explanation import explain as explain
    from .export.leave import export as export
    from .job import Finished as Finished
    from .job import Started as Started
    from .python.classifier import Classifier as Classifier
    from .python.compiled import compile as compile  # noqa: A004 - as torch.compile
    from .python.concepts import backprop as backprop
    from .python.concepts import batches as batches
    from .python.concepts import conv as conv
    from .python.concepts import descent as descent
    from .python.concepts import devices as devices
    from .python.concepts import loss as loss
    from .python.concepts import pool as pool
    from .python.concepts import shapes as shapes
    from .python.leaving import bundle as bundle
    from .python.loggers import CSV as CSV
    from .python.loggers import MLflow as MLflow
    from .python.loggers import TensorBoard as TensorBoard
    from .python.loggers import Trackio as Trackio
    from .python.loggers import WandB as WandB
    from .python.metric import Metric as Metric
    from .python.repeated import folds as folds
    from .python.repeated import seeds as seeds
    from .python.run import Run as Run
    from .python.run import compare as compare
    from .python.run import evaluate as evaluate
    from .python.run import load as load
    from .python.run import predict as predict
    from .python.training import prepare as prepare
    from .python.training import resume as resume
    from .python.training import steps as steps
    from .python.training import train as train
    from .python.tuning import augment as augment
    from .python.tuning import lr as lr
    from .python.tuning import sweep as sweep
    from .recipe import Recipe as Recipe
    from .report.document.asked import report as report
    from .training.loop import Epoch as Epoch
    from .training.loop import Progress as Progress
    from .training.loop import Tick as Tick

# Public name → module, in the order of use. They are imported when first used, so that ``convscope --help`` need not
# load torch. "" is a package that can itself be called: convscope.explain(model, image), convscope.export(run).
_PUBLIC = {
    "train": "python.training",
    "resume": "python.training",
    "steps": "python.training",
    "prepare": "python.training",
    "load": "python.run",
    "predict": "python.run",
    "evaluate": "python.run",
    "compare": "python.run",
    "check": "audit.check",
    "export": "",
    "report": "",
    "bundle": "python.leaving",
    "lr": "python.tuning",
    "augment": "python.tuning",
    "sweep": "python.tuning",
    "seeds": "python.repeated",
    "folds": "python.repeated",
    "explain": "",
    "conv": "python.concepts",
    "pool": "python.concepts",
    "loss": "python.concepts",
    "backprop": "python.concepts",
    "descent": "python.concepts",
    "batches": "python.concepts",
    "shapes": "python.concepts",
    "devices": "python.concepts",
    "compile": "python.compiled",
    "Metric": "python.metric",
    "CSV": "python.loggers",
    "TensorBoard": "python.loggers",
    "MLflow": "python.loggers",
    "WandB": "python.loggers",
    "Trackio": "python.loggers",
    "Classifier": "python.classifier",
    "Run": "python.run",
    "Started": "job",
    "Tick": "training.loop",
    "Progress": "training.loop",
    "Epoch": "training.loop",
    "Finished": "job",
    "Recipe": "recipe",
    "ConvscopeError": "errors",
    "UsageError": "errors",
    "DataError": "errors",
    "TrainingError": "errors",
    "Interrupted": "errors",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    place = _PUBLIC[name]
    return getattr(import_module(f".{place}", __name__), name) if place else import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
