"""How nodes hang together, whatever they are: who takes from whom, and how that is drawn beside a table."""

from collections.abc import Sequence

IMAGE = "image"  # the name of a net's own input
Inputs = tuple[str, ...]


def elsewhere(names: Sequence[str], inputs: Sequence[Inputs]) -> dict[str, Inputs]:
    """Of nodes in forward order those that do not simply take what the one before them makes."""
    before = (IMAGE, *names)
    return {name: given for name, given, last in zip(names, inputs, before, strict=False) if given != (last,)}


def brackets(names: Sequence[str], inputs: Sequence[Inputs]) -> list[str]:
    """One text a row, the image's first: lines from what is read later than by the next row to who reads it.

    ╭ starts at what is read, ├ reads it, ╰ is the last to do so. All texts are equally wide; empty for a chain.
    """
    row = {name: number for number, name in enumerate((IMAGE, *names))}
    readers: dict[int, list[int]] = {}
    for name, given in zip(names, inputs, strict=True):
        for source in given:
            if source in row and row[source] < row[name] - 1:
                readers.setdefault(row[source], []).append(row[name])
    columns: list[list[str]] = []
    for start, rows in sorted(readers.items()):
        free = (column for column in columns if not any(mark.strip() for mark in column[start:]))
        column = next(free, None)
        if column is None:
            column = [" "] * len(row)
            columns.append(column)
        column[start] = "╭"
        for at in range(start + 1, max(rows)):
            column[at] = "├" if at in rows else "│"
        column[max(rows)] = "╰"
    return ["".join(marks) for marks in zip(*columns[::-1], strict=True)] if columns else [""] * len(row)
