"""``convscope devices``: what this machine can compute with."""

import typer

from . import terminal
from .options import AsJson


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(devices)


def devices(as_json: AsJson = False) -> None:
    """Show GPUs, CPU, cores, threads, vector width and engines."""
    from ..engine.devices import survey

    found = survey()
    if as_json:
        terminal.emit_json(found)
        return
    for line in found.told():
        terminal.out().print(line, markup=False)
