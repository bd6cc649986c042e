"""``convscope lab``: the local web page. Everything it needs is imported when it is called."""

from typing import Annotated

import typer

from ..storage.loading import loading
from . import terminal
from .shell import completion


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(lab)


def lab(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|DATA]",
            help="A run to look into, or data to train on.",
            autocompletion=completion.runs_and_data,
        ),
    ] = None,
    moved: Annotated[
        str | None, typer.Option("--data", help="Where the data of RUN are now, if not where they were.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; by default 8765, or a free one where it is taken.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    host: Annotated[str, typer.Option(help="Another address: other machines can then reach the lab.")] = "127.0.0.1",
) -> None:
    """Open the lab: a local web page where you can touch every number. It works offline; Ctrl-C ends it."""
    terminal.note("the lab is starting …")
    with loading():
        from ..lab.server.guard import Access
        from ..lab.server.serve import DEFAULT_PORT, address, is_loopback, listen, serve

    shelf, room = None, ""
    if what is not None or moved is not None:
        from ..lab.shelf import choose

        shelf, room = choose(what, moved)
    server = listen(host, port)
    access = Access(loopback=is_loopback(server))
    if port is None and server.getsockname()[1] != DEFAULT_PORT:
        terminal.note(f"port {DEFAULT_PORT} is taken, so the lab took a free one")
    if not access.loopback:
        terminal.note("other machines can reach this lab: whoever has the address can use it")
    print(f"the lab is at {address(server, access.token)}{room}", flush=True)
    terminal.note("Ctrl-C ends it")
    serve(server, access, browser, shelf, room)
