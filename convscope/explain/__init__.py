"""Why a number is what it is: ledgers of its terms, checked against PyTorch.

The package itself can be called: ``convscope.explain(model, image)``.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trained.explanation import Explanation


class _Explain(ModuleType):
    def __call__(self, model: Any, image: Any, classes: "tuple[str, ...] | None" = None) -> "Explanation":
        """As :func:`convscope.explain.trained.explanation.explain`."""
        from .trained.explanation import explain

        return explain(model, image, classes)


# Python's documented way to give a module behaviour; the name is both the floor's and the public verb's.
sys.modules[__name__].__class__ = _Explain
