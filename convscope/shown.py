"""How results look: aligned text in a terminal, HTML in a notebook, a DataFrame where they are tables.

A result is told as lines of text and tables (``told``), once; the three looks are made from that.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import UsageError
from .language import say, say_cell
from .language.width import ljust, rjust, width

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped, unused-ignore]

T = TypeVar("T")
SHOWN = 40  # rows of a table; of longer ones the first and the last
GAP = "  "
PRE = "font-family:monospace;line-height:1.3"  # some notebooks give prose's letters to it, and nothing is aligned
STYLE = "text-align:{side};padding:0 .8em 0 0;font-family:monospace;white-space:pre"


@dataclass(frozen=True)
class Table:
    """Rows of values below the names of their columns. Numbers stand to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def cells(self) -> tuple[list[list[str]], list[bool]]:
        """The header and the rows as text, the middle of long tables left out; and which columns are numbers."""
        half, rows = SHOWN // 2, [list(row) for row in self.rows]
        right = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(self.columns))]
        shown = [[say_cell(_cell(value)) for value in row] for row in rows]
        if len(rows) > SHOWN:
            left_out = [say(f"… {len(rows) - 2 * half:,} more"), *[""] * (len(self.columns) - 1)]
            shown = [*shown[:half], left_out[: len(self.columns)], *shown[-half:]]
        return [[say(name) for name in self.columns], *shown], right

    def text(self) -> str:
        """Aligned columns."""
        cells, right = self.cells()
        widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
        lines = [
            GAP.join(
                rjust(cell, size) if is_right else ljust(cell, size)
                for cell, size, is_right in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in cells
        ]
        return "\n".join(lines)

    def html(self) -> str:
        """A <table>."""
        cells, right = self.cells()
        styles = [STYLE.format(side="right" if is_right else "left") for is_right in right]
        rows = [
            "".join(f'<{tag} style="{style}">{escape(cell)}</{tag}>' for cell, style in zip(row, styles, strict=True))
            for tag, row in zip(["th"] + ["td"] * len(cells), cells, strict=False)
        ]
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


@dataclass(frozen=True)
class Picture:
    """What only a notebook shows: ``draw`` makes a PNG when it is asked for, ``title`` stands above it.

    Each of its pixels stays a square where they are ``crisp``.
    """

    title: str
    draw: Callable[[], bytes]
    crisp: bool = False

    def html(self) -> str:
        """An <img> with the picture in it, its pixels as they are."""
        data, title = b64encode(self.draw()).decode(), escape(say(self.title))
        style = "display:block;max-width:100%" + ";image-rendering:pixelated" * self.crisp
        return (
            f'<div style="font-family:monospace;margin-top:.5em">{title}</div>'
            f'<img style="{style}" alt="{title}" src="data:image/png;base64,{data}">'
        )


Part = str | Table | Picture


class Shown:
    """A result that shows itself as what it says, where a dataclass would show its fields.

    A dataclass that is shown is made with ``repr=False``.
    """

    def told(self) -> Iterable[Part]:
        """What the result says: text, tables and pictures, in order."""
        raise NotImplementedError

    def __repr__(self) -> str:
        parts = (part for part in self.told() if not isinstance(part, Picture))
        return "\n".join(say(part) if isinstance(part, str) else part.text() for part in parts)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        parts: list[str] = []
        lines: list[str] = []  # of text, which stand together
        for part in [*self.told(), None]:
            if isinstance(part, str):
                lines.append(part)
                continue
            if lines:
                parts.append(f'<pre style="{PRE}">{escape(say(chr(10).join(lines)))}</pre>')
                lines = []
            if part is not None:
                parts.append(part.html())
        return "\n".join(parts)


class Tabular(Shown):
    """A result whose first table is what it comes to."""

    def to_pandas(self) -> "pandas.DataFrame":
        """The table as a pandas.DataFrame. Raises UsageError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise UsageError("a DataFrame needs pandas, which is not installed", "pip install pandas") from None
        table = next(part for part in self.told() if isinstance(part, Table))
        return pandas.DataFrame([list(row) for row in table.rows], columns=list(table.columns))


class Records(Tabular, list[T]):
    """A list of equal dataclasses, such as the epochs of a run: a list in every way, shown as a table.

    Its ``columns`` are the fields, unless a class chooses; fields that no record has are left out of the table.
    """

    columns: ClassVar[tuple[str, ...]] = ()

    def told(self) -> Iterable[Part]:
        """The fields as columns."""
        if not self:
            yield "nothing yet"
            return
        records: list[Any] = list(self)
        known = self.columns or tuple(field.name for field in fields(records[0]))
        names = [name for name in known if any(getattr(record, name) is not None for record in records)]
        yield Table(names, [[getattr(record, name) for name in names] for record in records])


def _cell(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value  # it may be a Name
    return f"{value:.6g}" if isinstance(value, float) else str(value)
