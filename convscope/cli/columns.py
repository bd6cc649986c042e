"""Aligned columns as plain text, 100 wide everywhere: what a document shows is what every machine prints."""

from collections.abc import Collection, Sequence

from ..language import say, say_cell
from ..language.width import fit, ljust, rjust, width
from . import terminal

WIDTH = 100
GAP = "  "


def heading(text: str) -> None:
    """An empty line, then ``text``, bold where it is seen."""
    console = terminal.out()
    print()
    console.print(text, style="bold", markup=False)


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> None:
    """Print a table on stdout, its header bold on a terminal."""
    header, *lines = align(columns, rows, right)
    terminal.out().print(header, style="bold", markup=False)
    for line in lines:
        print(line)


def align(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = (), most: int = WIDTH
) -> list[str]:
    """Header and rows as lines of at most ``most`` columns of text; the columns in ``right`` are flush right.

    Where the natural width is too much, the widest columns give way and their cells end in "…".
    """
    lines = [[say(name) for name in columns], *([say_cell(cell) for cell in row] for row in rows)]
    widths = [max(map(width, cells)) for cells in zip(*lines, strict=True)]
    while sum(widths) + len(GAP) * (len(widths) - 1) > most and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    return [
        GAP.join(
            rjust(fit(cell, size), size) if name in right else ljust(fit(cell, size), size)
            for name, cell, size in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
