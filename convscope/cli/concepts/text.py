"""Losses, convolutions and poolings as plain text: every line is the same on every machine."""

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ...explain.ledger import Ledger
from ...explain.ledger_text import column, ledger_text, number
from ...language.counts import number_of
from .. import columns

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Array, Convolution
    from ...explain.concepts.losses import Loss
    from ...explain.concepts.pooling import Pooling
    from ...explain.concepts.window import Axis

MANY = 400  # numbers of an array that are printed without --all
LINE = 60  # characters of an array on one line
WINDOWS = 100  # windows that --steps prints without --all


def show_regression(loss: "Loss", others: dict[str, float]) -> None:
    """The table of mse, l2 or mae, its sum, and what the ``others`` make of the same numbers."""
    part = "|difference|" if loss.name == "mae" else "square"
    shown = [*loss.elements[:20], *loss.elements[-20:]] if len(loss.elements) > 40 else list(loss.elements)
    derivatives = [float(loss.derivative[e.index]) for e in shown] if _one_to_one(loss) else []
    cells = [
        [_index(e.index) for e in shown],
        column([e.prediction for e in shown]),
        column([e.target for e in shown]),
        column([e.difference for e in shown]),
        column([e.term for e in shown]),
    ]
    names = ["index", "prediction", "target", "difference", part]
    if derivatives:
        cells.append(column(derivatives))
        names.append("∂loss/∂prediction")
    rows = list(zip(*cells, strict=True))
    if len(shown) < len(loss.elements):
        rows.insert(20, ("…",) * len(names))
    columns.show(names, rows, right=names)
    if len(shown) < len(loss.elements):
        print(f"(the first and last 20 of {len(loss.elements):,})")
    print(f"\n{loss.name} = {loss.formula}")
    _show_check(loss)
    if not derivatives:
        print(f"∂loss/∂prediction, each over all the pairs that it is in: {_flat(loss.derivative.ravel().tolist())}")
    print("for comparison: " + ", ".join(f"{name} {value:.6g}" for name, value in others.items()))


def show_cross_entropy(loss: "Loss") -> None:
    """For each sample the way from logits to −log p."""
    for i, row in enumerate(loss.rows[:10]):
        slope = loss.derivative.reshape(len(loss.rows), -1)[i]
        cells = zip(
            [f"{k} ←" if k == row.target else str(k) for k in range(len(row.logits))],
            column(row.logits),
            column(row.shifted),
            column(row.exponentials),
            column(row.probabilities),
            column(list(slope)),
            strict=True,
        )
        if len(loss.rows) > 1:
            print(f"sample {i}")
        names = [
            "class",
            "logit",
            f"− max {number(row.maximum)}",
            "exp",
            f"÷ {row.total:.6g} = softmax",
            "∂loss/∂logit",
        ]
        columns.show(names, list(cells), right=names)
        print(f"−log({row.probabilities[row.target]:.6g}) = {row.loss:.6g}   (class {row.target} is the target)\n")
    if len(loss.rows) > 10:
        print(f"… {number_of(len(loss.rows) - 10, 'more sample')}\n")
    print(f"cross-entropy = {loss.formula}")
    _show_check(loss)


def show_shape(output: "Array", rows: "Axis", across: "Axis") -> None:
    """The output's shape and where it comes from."""
    print(f"output  {(1, *output.shape)}")
    print(f"height  {rows.formula}")
    print("width   the same" if rows.formula == across.formula else f"width   {across.formula}")
    for axis, word in ((rows, "row"), (across, "column")):
        if axis.dropped:
            where = " of the padding" if axis.dropped <= axis.after else ", padding included" if axis.after else ""
            print(f"no window reaches the last {word if axis.dropped == 1 else f'{axis.dropped} {word}s'}{where}")


def show_array(array: "Array", whole: bool, title: str) -> None:
    """Numbers (C, H, W) as grids, and small ones once more on a line that --input takes."""
    print(f"\n{title}")
    if array.size > MANY and not whole:
        print(
            f"  {array.size:,} numbers from {number(float(array.min()))} to {number(float(array.max()))}"
            "  (--all prints them, --json holds them)"
        )
        return
    for c, channel in enumerate(array):
        if len(array) > 1:
            print(f"  channel {c}")
        texts = column([float(v) for v in channel.ravel()])
        width, across = max(map(len, texts)), channel.shape[1]
        for start in range(0, len(texts), across):
            print("  " + " ".join(text.rjust(width) for text in texts[start : start + across]))
    line = " | ".join(" / ".join(" ".join(number(float(v)) for v in row) for row in channel) for channel in array)
    if array.size > 1 and len(line) <= 2 * LINE:
        print(f"= {line}")


def show_winners(pooling: "Pooling", whole: bool) -> None:
    """Which cell of the input each window took."""
    winners = pooling.winners
    assert winners is not None
    print("\nwinners: row,column of each window's largest in the input")
    if winners.size > 2 * MANY and not whole:
        print(f"  {number_of(winners.size // 2, 'window')}  (--all prints them, --json holds them)")
        return
    for c, channel in enumerate(winners):
        if len(winners) > 1:
            print(f"  channel {c}")
        for row in channel:
            print("  " + "  ".join(f"{r},{q}" for r, q in row))


def show_steps(explained: "Convolution | Pooling", channel: int, whole: bool) -> None:
    """All windows of one output channel, one a line."""
    count = explained.rows.output * explained.columns.output
    print(f"\nall windows of output channel {channel}, row by row")
    found, lines = [], []
    for step in islice(explained.steps(channel), None if whole else WINDOWS):
        found.append(explained.ledger(channel, step.row, step.column))
        where = f"rows {_span(step.rows)}, columns {_span(step.columns)}"
        lines.append([f"[{channel},{step.row},{step.column}]", where, number(found[-1].reported)])
    room = columns.WIDTH - sum(
        max(len(cell) + len(columns.GAP) for cell in cells) for cells in zip(*lines, strict=True)
    )
    for line, ledger in zip(lines, found, strict=True):
        line.append(f"= {_sum(ledger, room - 2)}")
    columns.show(["output", "window", "value", ""], lines, right=["value"])
    if count > len(lines):
        print(f"… {number_of(count - len(lines), 'more window')} (--all prints them)")


def show_ledgers(ledgers: Iterable[Ledger], sort: bool, whole: bool) -> None:
    """Each ledger after an empty line."""
    for ledger in ledgers:
        print("\n" + ledger_text(ledger, by_size=sort, limit=None if whole else 40))


def _show_check(loss: "Loss") -> None:
    print(f"PyTorch: {loss.reported:.9g}")


def _one_to_one(loss: "Loss") -> bool:
    """Whether every prediction is in one pair, not repeated by broadcasting."""
    return len(loss.elements) == loss.derivative.size and len(loss.elements[0].index) == loss.derivative.ndim


def _sum(ledger: Ledger, room: int) -> str:
    """How the terms make the number, cut between two terms where it has more than ``room`` characters."""
    if ledger.operation == "max":
        return f"the maximum of {_joined([_brief(term.product) for term in ledger.terms], ', ', room)}"
    if len(ledger.terms) > 12:
        parts = [f"channel {part.channel}: {part.total:.6g}" for part in ledger.subtotals]
        products = f"{len(ledger.terms)} products"
        return products + (f" ({_joined(parts, ', ', room - len(products) - 3)})" if len(parts) > 1 else "")
    parts = [f"{_factor(term.x.value)}·{_factor(term.w.value)}" for term in ledger.terms if term.w is not None]
    bias = [] if ledger.bias is None else [_factor(ledger.bias.value)]
    return _joined(parts + bias, " + ", room)


def _joined(parts: Sequence[str], between: str, room: int) -> str:
    text = between.join(parts)
    count = len(parts)
    while len(text) > room and count > 1:
        count -= 1
        text = between.join([*parts[:count], f"… {len(parts) - count} more"])
    return text


def _factor(value: float) -> str:
    return f"({_brief(value)})" if value < 0 else _brief(value)


def _brief(value: float) -> str:
    if value == -math.inf:
        return "−∞"
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"


def _span(positions: Sequence[int]) -> str:
    """ "0–2", or "0,2,4" where the window has gaps."""
    if len(positions) == 1:
        return str(positions[0])
    whole = positions[-1] - positions[0] == len(positions) - 1
    return f"{positions[0]}…{positions[-1]}" if whole else ",".join(map(str, positions))


def _index(index: tuple[int, ...]) -> str:
    return ",".join(map(str, index))


def _flat(values: Sequence[float]) -> str:
    shown = [f"{v:.6g}" for v in values[:12]]
    return " ".join(shown) + (f" … {len(values) - 12:,} more" if len(values) > 12 else "")
