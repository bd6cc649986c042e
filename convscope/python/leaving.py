"""``convscope.bundle(run)``: all of a run in one file. ``export`` and ``report`` are packages that can be called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .run import Run, load

if TYPE_CHECKING:
    from ..export.bundle import Bundled


def bundle(
    run: str | Path | Run, path: str | Path | None = None, *, force: bool = False, offline: bool = False
) -> Bundled:
    """Put model, ONNX, page, report, card and checksums of a run into one .zip: ``RUN/export/NET-DATA-bundle.zip``, or
    ``path``. On the command line: ``convscope bundle``.

    ``.path`` is where it lies, ``.files`` what is in it, ``.left_out`` the parts that this net or machine cannot have,
    each with the reason. Raises UsageError where there is a file already (unless ``force``), DataError where there is
    no whole run, TrainingError where a part answers otherwise than the net; then nothing is written.
    """
    from ..export.bundle import bundle as bundled

    found, place = load(run), None if path is None else Path(path)
    return bundled(found.folder, place, own=found.own, force=force, offline=offline)
