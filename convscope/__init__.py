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
    from . import explain
    from .data.check import check
    from .errors import ConvscopeError, DataError, Interrupted, TrainingError, UsageError
    from .python.classifier import Classifier
    from .python.compiled import compile  # noqa: A004 - as torch.compile
    from .python.concepts import backprop, batches, conv, descent, devices, loss, pool, shapes
    from .python.run import Run, compare, evaluate, load, predict
    from .python.training import prepare, resume, steps, train
    from .recipe import Recipe

# Public name → module, in the order of use. They are imported when first used, so that ``convscope --help`` need not
# load torch. ``explain`` is a package that can be called: convscope.explain(model, image).
_PUBLIC = {
    "train": "python.training",
    "resume": "python.training",
    "steps": "python.training",
    "prepare": "python.training",
    "load": "python.run",
    "predict": "python.run",
    "evaluate": "python.run",
    "compare": "python.run",
    "check": "data.check",
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
    "Classifier": "python.classifier",
    "Run": "python.run",
    "Recipe": "recipe",
    "ConvscopeError": "errors",
    "UsageError": "errors",
    "DataError": "errors",
    "TrainingError": "errors",
    "Interrupted": "errors",
}

__all__ = [  # noqa: RUF022 - in the order of use
    "train",
    "resume",
    "steps",
    "prepare",
    "load",
    "predict",
    "evaluate",
    "compare",
    "check",
    "explain",
    "conv",
    "pool",
    "loss",
    "backprop",
    "descent",
    "batches",
    "shapes",
    "devices",
    "compile",
    "Classifier",
    "Run",
    "Recipe",
    "ConvscopeError",
    "UsageError",
    "DataError",
    "TrainingError",
    "Interrupted",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    place = _PUBLIC[name]
    return getattr(import_module(f".{place}", __name__), name) if place else import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
