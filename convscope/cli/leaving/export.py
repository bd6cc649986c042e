"""``convscope export``: a trained net as a file that needs nothing of convscope."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...recipe import ExportName
from ...storage.loading import loading
from .. import terminal
from ..options import AsJson, Offline, path_option, run_argument


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(export)


def export(
    run: Annotated[str, run_argument("A run's folder or name, or a model.safetensors file.")],
    to: Annotated[ExportName, typer.Option("--to", help="What to write.")],
    output: Annotated[Path | None, path_option("The file.  [default: RUN/export/NET-DATA…]", "FILE")] = None,
    quantize: Annotated[
        bool, typer.Option("--quantize", help="onnx in int8; what accuracy that costs is said.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not run the file again; it says so.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained net as a file for elsewhere, and prove that it answers as the net does."""
    with loading():
        from ...export.leave import leave
        from ...runs import folder as runs

    left = leave(runs.find(run), to, output, quantize=quantize, force=force, verify=not no_verify, offline=offline)
    for line in left.notes:
        terminal.note(line)
    if left.proof:
        terminal.note(str(left.proof))
    if as_json:
        terminal.emit_json(left.told())
    else:
        print(left.path)
