"""convscope trains convolutional networks on your own machine and lets you see through them.

import convscope

run = convscope.train("mnist", net="note", epochs=10)
run.accuracy, run.history, run.net, run.predict(images), run.plot()
run = convscope.load("runs/note-mnist-1")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import explain
    from .api import Run, load, resume, train
    from .errors import ConvscopeError, DataError, Interrupted, TrainingError, UsageError
    from .recipe import Recipe

# Public name → module. They are imported when first used, so that ``convscope --help`` need not load torch.
_PUBLIC = {
    "train": "api",
    "resume": "api",
    "load": "api",
    "Run": "api",
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
    "load",
    "explain",
    "Run",
    "Recipe",
    "ConvscopeError",
    "UsageError",
    "DataError",
    "TrainingError",
    "Interrupted",
]


def __getattr__(name: str) -> Any:
    if name == "explain":  # a package that can be called: convscope.explain(model, image)
        return import_module(".explain", __name__)
    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module 'convscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
