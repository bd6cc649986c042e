"""Pictures of concepts, runs and explanations.

The package itself can be called: ``convscope.report(run)``.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


class _Report(ModuleType):
    def __call__(
        self,
        run: Any,
        path: str | Path | None = None,
        *,
        compare: Sequence[Any] = (),
        card: bool = False,
        force: bool = False,
        offline: bool = False,
    ) -> Path:
        """As :func:`convscope.report.document.asked.report`."""
        from .document.asked import report

        return report(run, path, compare=compare, card=card, force=force, offline=offline)


# Python's documented way to give a module behaviour; the name is both the floor's and the public verb's.
sys.modules[__name__].__class__ = _Report
