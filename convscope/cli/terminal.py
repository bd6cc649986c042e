"""What every verb shares: results on stdout, progress and complaints on stderr, colour only where it is seen."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import ConvscopeError, Interrupted, UsageError
from ..language import say, say_cell, verbatim

# Columns of a table in a file or pipe, whatever the size of a terminal nearby: the same bytes everywhere.
FILE_WIDTH = 160


@cache
def out() -> Console:
    """The console for results."""
    return _console(stderr=False)


@cache
def err() -> Console:
    """The console for progress, notes and errors."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    return console


def check_language() -> None:
    """Raise UsageError where $CONVSCOPE_LANG names a language that convscope does not speak."""
    wanted = os.environ.get("CONVSCOPE_LANG", "")
    if wanted and not wanted.lower().startswith(("en", "zh")):
        raise UsageError(f"the environment variable CONVSCOPE_LANG is {wanted[:40]!r}", "it must be en or zh")


def fail(error: ConvscopeError) -> None:
    """Print an error as text: what is wrong, then what to do. To be stopped by the user is no error."""
    label = "" if isinstance(error, Interrupted) else f"[bold red]{say('error:')}[/] "
    err().print(f"{label}{escape(printable(say(error.message)))}")
    if error.help:
        err().print(f"[bold]{say('help:')}[/] {escape(printable(say(error.help)))}")


def note(text: str) -> None:
    """One line that the user should know, on stderr."""
    err().print(f"[dim]{escape(printable(say(text)))}[/]")


def printable(text: str) -> str:
    """``text`` without what would steer the terminal: names in files from outside may hold escape sequences."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def loss(value: float) -> str:
    """ "0.0355", and "7.47e+37" where a run went astray."""
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.2e}"


def confidence(word: str, value: float) -> str:
    """ "98.87 %" of a probability, "0.9887" of a score."""
    return f"{100 * value:.2f} %" if word == "probability" else f"{value:.4f}"


def emit_json(value: Any) -> None:
    """One strict JSON object on stdout and nothing else."""
    from ..storage.strict_json import dumps

    with verbatim():
        print(dumps(value, indent=2))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ()) -> Table:
    """A quiet table: numbers to the right, the columns named in ``left`` to the left."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        result.add_column(say(column), justify="left" if column in left else "right", overflow="fold")
    for row in rows:
        result.add_row(*(escape(printable(say_cell(cell))) for cell in row))
    return result
