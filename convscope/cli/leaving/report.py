"""``convscope report``: a run as one HTML file to send, or as a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import UsageError
from ...storage.loading import loading
from .. import terminal
from ..options import AsJson, Offline, path_option, run_argument


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(report)


def report(
    runs: Annotated[list[str], run_argument("A run's folder, or its name.", metavar="RUN")],
    compare: Annotated[
        list[str] | None, typer.Option("--compare", metavar="RUN...", help="Put these runs beside it.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Write a model card (Markdown) instead.")] = False,
    output: Annotated[Path | None, path_option("The file.  [default: RUN/report.html, RUN/README.md]", "FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Write all that is known of a run as one HTML file that needs nothing else."""
    with loading():
        from ...report.document import write
        from ...runs import folder as folders

    if len(runs) > 1 and not compare:
        raise UsageError("a report is about one run", f"convscope report {runs[0]} --compare {' '.join(runs[1:])}")
    run, *others = [folders.find(name) for name in (runs[0], *(compare or ()), *runs[1:])]
    done = write.report(run, output, compare=others, card=card, force=force, offline=offline)
    for line in done.notes:
        terminal.note(line)
    if as_json:
        terminal.emit_json(done.told())
    else:
        print(done.path)
