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
    lines = [f"GPUs     {len(found.gpus)}"]
    lines += [f"         cuda:{i}  {gpu.name}, {gpu.memory / 2**30:.1f} GiB" for i, gpu in enumerate(found.gpus)]
    lines += [
        f"MPS      {'yes' if found.mps else 'no'}",
        f"CPU      {found.cpu}",
        f"cores    {found.cores}",
        f"threads  {found.threads}" + (f" ({found.limit})" if found.limit else ""),
        f"vectors  {found.vectors}",
        f"engines  {', '.join(found.engines)}",
        f"auto     {found.auto}",
    ]
    for line in lines:
        terminal.out().print(line, markup=False)
