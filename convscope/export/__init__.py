"""A trained net leaves: one module a format, each written from the same program of plain steps, each proved.

The package itself can be called: ``convscope.export(run, "net.onnx")``.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..recipe import ExportName


class _Export(ModuleType):
    def __call__(
        self,
        run: Any,
        path: str | Path | None = None,
        to: "ExportName | None" = None,
        *,
        quantize: bool = False,
        force: bool = False,
        verify: bool = True,
        offline: bool = False,
    ) -> Path:
        """As :func:`convscope.export.leave.export`."""
        from .leave import export

        return export(run, path, to, quantize=quantize, force=force, verify=verify, offline=offline)


# Python's documented way to give a module behaviour; the name is both the floor's and the public verb's.
sys.modules[__name__].__class__ = _Export
