"""How nodes hang together, whatever they are: who takes from whom, and how that is drawn beside a table."""

from collections.abc import Sequence
from dataclasses import dataclass

IMAGE = "image"  # the name of a net's own input
Inputs = tuple[str, ...]


def elsewhere(names: Sequence[str], inputs: Sequence[Inputs]) -> dict[str, Inputs]:
    """Of nodes in forward order those that do not simply take what the one before them makes."""
    before = (IMAGE, *names)
    return {name: given for name, given, last in zip(names, inputs, before, strict=False) if given != (last,)}


@dataclass(frozen=True)
class Jump:
    """``target`` reads ``source``, which is not the row before it. Rows count from the image's, 0.

    Jumps of one ``level`` do not cross each other; shorter ones have lower levels, from 1 on.
    """

    source: int
    target: int
    level: int


def jumps(names: Sequence[str], inputs: Sequence[Inputs]) -> list[Jump]:
    """All connections over other rows."""
    row = {name: number for number, name in enumerate((IMAGE, *names))}
    pairs = {
        (row[source], row[name])
        for name, given in zip(names, inputs, strict=True)
        for source in given
        if source in row and row[source] < row[name] - 1
    }
    found: list[Jump] = []
    for source, target in sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair)):
        below = [jump.level for jump in found if jump.source < target and source < jump.target]
        found.append(Jump(source, target, 1 + max(below, default=0)))
    return found


def brackets(names: Sequence[str], inputs: Sequence[Inputs]) -> list[str]:
    """One text a row, the image's first: lines from what is read later than by the next row to who reads it.

    ╭ starts at what is read, ├ reads it, ╰ is the last to do so. All texts are equally wide; empty for a chain.
    """
    readers: dict[int, list[int]] = {}
    for jump in jumps(names, inputs):
        readers.setdefault(jump.source, []).append(jump.target)
    columns: list[list[str]] = []
    for start, rows in sorted(readers.items()):
        free = (column for column in columns if not any(mark.strip() for mark in column[start:]))
        column = next(free, None)
        if column is None:
            column = [" "] * (len(names) + 1)
            columns.append(column)
        column[start] = "╭"
        for at in range(start + 1, max(rows)):
            column[at] = "├" if at in rows else "│"
        column[max(rows)] = "╰"
    return ["".join(marks) for marks in zip(*columns[::-1], strict=True)] if columns else [""] * (len(names) + 1)
