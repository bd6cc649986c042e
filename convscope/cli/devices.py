"""``convscope devices`` and ``cache``: what this machine can compute with, and what is kept on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ..storage.loading import loading
from . import terminal
from .options import AsJson

SHOWN = 10  # data sets, those used last first


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(devices)
    app.command()(cache)


def devices(as_json: AsJson = False) -> None:
    """Show GPUs, CPU, cores, threads, vector width and engines."""
    with loading():
        from ..engine.devices import survey

    found = survey()
    if as_json:
        terminal.emit_json(found)
        return
    for line in found.told():
        terminal.out().print(line, markup=False)


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove what is made again here; what was downloaded stays.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what is kept between runs (decoded pixels, features, programs, weights) with its size, or clear it."""
    from ..data.pictures.room import limit
    from ..storage import kept
    from ..storage.memory import size_text
    from ..storage.places import cache_dir

    freed = kept.clear() if clear else None
    kinds, pixels, most = kept.kept(), kept.kept_pixels(), limit()
    if as_json:
        told = {"place": cache_dir(), "kinds": [asdict(kind) for kind in kinds], "pixels": [asdict(e) for e in pixels]}
        terminal.emit_json(told | {"limit": most, "freed": freed})
        return
    rows = [[kind.what, f"{kind.files:,}", size_text(kind.size)] for kind in kinds]
    terminal.out().print(terminal.table(["kept", "files", "size"], rows, left=["kept"]))
    lines = [f"\nplace   {cache_dir()}", f"limit   {size_text(most)} of decoded pixels (CONVSCOPE_CACHE_GB)"]
    lines += [f"pixels  {size_text(entry.size)} of {entry.data}" for entry in pixels[: -SHOWN - 1 : -1]]
    lines += [f"        and those of {len(pixels) - SHOWN:,} more (--json lists all)"] if len(pixels) > SHOWN else []
    lines += [] if freed is None else [f"cleared {size_text(freed)}"]
    for line in lines:
        terminal.out().print(line, markup=False)
