"""Aligned columns as plain text, 100 wide everywhere: what a document shows is what every machine prints."""

from collections.abc import Collection, Sequence

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
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = (), width: int = WIDTH
) -> list[str]:
    """Header and rows as lines of at most ``width`` characters; the columns in ``right`` are flush right.

    Where the natural width is too much, the widest columns give way and their cells end in "…".
    """
    lines = [list(columns), *map(list, rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    return [
        GAP.join(
            _fit(cell, size).rjust(size) if name in right else _fit(cell, size).ljust(size)
            for name, cell, size in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
