"""``convscope.report(run)``: the document of a run, asked for from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runs.folder import RunFolder, find
from . import write


def report(
    run: Any,
    path: str | Path | None = None,
    *,
    compare: Sequence[Any] = (),
    card: bool = False,
    force: bool = False,
    offline: bool = False,
) -> Path:
    """Write one HTML page about ``run`` (a run, its folder or name), with other runs beside it to ``compare``, and
    return its path: ``RUN/report.html``, or ``path``; or the run's model ``card``. On the command line:
    ``convscope report``.

    Raises UsageError where there is a file already (unless ``force``), DataError where there is no such run or it has
    no weights, TrainingError where the file cannot be written; then nothing is left behind.
    """
    place, own = None if path is None else Path(path), getattr(run, "own", None)
    others = [_folder(other) for other in compare]
    return write.report(_folder(run), place, compare=others, card=card, own=own, force=force, offline=offline).path


def _folder(run: Any) -> RunFolder:
    found: RunFolder = run.folder if hasattr(run, "folder") else find(str(run))
    return found
