"""``convscope bundle``: everything of a run that one sends, in one .zip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...storage.loading import loading
from .. import terminal
from ..options import AsJson, Offline, RunArgument, path_option


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(bundle)


def bundle(
    run: RunArgument,
    output: Annotated[Path | None, path_option("The file.  [default: RUN/export/NET-DATA-bundle.zip]", "FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Put model, ONNX, page, report, card and checksums of a run into one .zip."""
    with loading():
        from ...export.bundle import bundle as bundled
        from ...runs import folder as runs

    done = bundled(runs.find(run), output, force=force, offline=offline)
    for line in done.notes:
        terminal.note(line)
    if as_json:
        terminal.emit_json(done.told())
    else:
        print(done.path)
