"""A ledger as text: aligned columns, subtotals, and the check against PyTorch at the end."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from ..language import say
from ..language.counts import number_of
from ..language.width import ljust, width
from .terms import Factor, Subtotal, Term

TINY, HUGE = 1e-4, 1e12  # whose columns are written with a power of ten
DIGITS = 7  # of the largest number in a column; the others get as many decimals, so that the printed column adds up


class Ledger(Protocol):
    """What is read here of a :class:`~convscope.explain.ledger.Ledger`, which shows itself by this text."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def terms(self) -> tuple[Term, ...]: ...  # noqa: D102
    @property
    def bias(self) -> Factor | None: ...  # noqa: D102
    @property
    def subtotals(self) -> tuple[Subtotal, ...]: ...  # noqa: D102
    @property
    def operation(self) -> str: ...  # noqa: D102
    @property
    def by(self) -> str: ...  # noqa: D102
    @property
    def winner(self) -> int | None: ...  # noqa: D102
    @property
    def reported(self) -> float: ...  # noqa: D102
    @property
    def total(self) -> float: ...  # noqa: D102
    @property
    def difference(self) -> float: ...  # noqa: D102
    @property
    def magnitude(self) -> float: ...  # noqa: D102
    @property
    def tolerance(self) -> float: ...  # noqa: D102


def ledger_text(ledger: Ledger, by_size: bool = False, limit: int | None = 40) -> str:
    """The ledger, one term a line. ``by_size`` sorts by |term|, largest first; else terms stand in window order.

    No more than ``limit`` terms are printed (None: all); what is left out of the middle is counted and summed up.
    """
    order = list(range(len(ledger.terms)))
    if by_size:
        order.sort(key=lambda i: -abs(ledger.terms[i].product))
    head, tail = order, order[:0]
    if limit is not None and len(order) > limit:
        last = 3 if by_size else limit // 2
        head, tail = order[: max(0, limit - last)], order[len(order) - min(last, limit) :]
    hidden = order[len(head) : len(order) - len(tail)]
    rows = [_row(ledger, i) for i in head] + [_row(ledger, i) for i in tail]
    lines = _aligned(rows)
    if hidden:
        rest = sum(ledger.terms[i].product for i in hidden)
        zeros = sum(ledger.terms[i].product == 0 for i in hidden)
        what = f"  … {number_of(len(hidden), 'more term')}" + (
            f", together {number(rest)}" if ledger.operation == "sum" else ""
        )
        what += f", {zeros:,} of them 0" if zeros else ""
        lines.insert(len(head), what)
    return "\n".join([f"{ledger.text} = {number(ledger.reported)}, {_kind(ledger)}", *lines, *_foot(ledger)])


def number(value: float) -> str:
    """Up to nine significant digits, which tell any two float32 apart; whole numbers without a point."""
    return f"{value + 0.0:.9g}"


def column(values: Sequence[float], digits: int = DIGITS) -> list[str]:
    """``values`` with their points below each other; the largest with ``digits`` digits, whole numbers without any.

    Where all are tiny or huge they share one power of ten, so that they still add up by eye.
    """
    finite = [abs(v) for v in values if math.isfinite(v)]
    largest = max(finite, default=0.0)
    if all(v == int(v) and v < 1e9 for v in finite):
        places = 0
    elif not TINY < largest < HUGE:
        power = math.floor(math.log10(largest))
        return [_scaled(v, power, digits - 1) if math.isfinite(v) else "−∞" for v in values]
    else:
        places = max(1, digits - 1 - math.floor(math.log10(largest)))
    texts = [f"{v + 0.0:.{places}f}" for v in values if math.isfinite(v)]
    while places > 1 and all(text.endswith("0") for text in texts):
        texts, places = [text[:-1] for text in texts], places - 1
    rest = iter(texts)
    return [next(rest) if math.isfinite(v) else "−∞" for v in values]  # −∞ is the padding of max pooling


def _scaled(value: float, power: int, places: int) -> str:
    """``value`` as a multiple of 10 to the ``power``; an exact zero stays one, what is too small has its own power."""
    if not value:
        return f"0{' ' * (places + 5)}"
    mantissa = float(Decimal(value).scaleb(-power))  # 10.0 ** power itself may lie beyond a float
    return f"{mantissa:.{places}f}e{power:+03d}" if abs(mantissa) >= 0.1**places else f"{value:.{places}e}"


def _kind(ledger: Ledger) -> str:
    """What the number is, in words."""
    if ledger.operation not in ("sum", "max"):
        what = "unchanged from" if ledger.operation == "identity" else f"{ledger.operation} of"
        return f"{what} {ledger.terms[0].x.text}"
    what = "product" if ledger.terms and ledger.terms[0].w else "number"
    count = f"{len(ledger.terms):,} {what}{'s' * (len(ledger.terms) != 1)}"
    if ledger.operation == "max":
        return f"the largest of {count}"
    return f"the sum of {count}" + (" and a bias" if ledger.bias is not None else "")


def _row(ledger: Ledger, place: int) -> tuple[Term, str]:
    term = ledger.terms[place]
    remark = ""
    if place == ledger.winner:
        remark = "← the largest"
    for factor in (term.x, term.w):
        if factor is not None and factor.padding:
            cell = "" if factor.copy_of is None else f", a copy of [{','.join(map(str, factor.copy_of))}]"
            remark = f"padding{cell}"
    return term, remark


def _aligned(rows: list[tuple[Term, str]]) -> list[str]:
    if not rows:
        return []
    terms = [term for term, _ in rows]
    cells = [[term.x.text for term in terms], column([term.x.value for term in terms])]
    factors = [term.w for term in terms if term.w is not None]
    if len(factors) == len(terms):
        cells += [["×"] * len(terms), [f.text for f in factors], column([f.value for f in factors])]
        cells += [["="] * len(terms), column([term.product for term in terms])]
    for place in (1, 4, 6)[: len(cells) // 2]:  # the numbers
        cells[place] = [_plain_zero(text) for text in cells[place]]
    left = {0, 3}
    sizes = [max(map(len, part)) for part in cells]
    return [
        (
            "  "
            + "  ".join(
                text.ljust(w) if i in left else text.rjust(w)
                for i, (text, w) in enumerate(zip(line, sizes, strict=True))
            )
            + (f"  {say(remark)}" if remark else "")
        ).rstrip()
        for line, (_, remark) in zip(zip(*cells, strict=True), rows, strict=True)
    ]


def _plain_zero(text: str) -> str:
    """ "0.0000" as "0", its place kept: what a ReLU has cut off is seen at once."""
    return text if float(text.replace("−∞", "-inf")) or "." not in text else "0".ljust(len(text) - text.index("0"))


def _foot(ledger: Ledger) -> list[str]:
    """Subtotals, bias, total, and how far PyTorch's number is from it."""
    parts: list[tuple[str, float]] = []
    if len(ledger.subtotals) > 1:
        parts = [(say(f"{ledger.by} {part.channel}"), part.total) for part in ledger.subtotals[:12]]
        rest = ledger.subtotals[12:]
        if rest:
            parts.append((say(f"{len(rest)} more {ledger.by}s"), sum(part.total for part in rest)))
    if ledger.bias is not None:
        parts.append((ledger.bias.text, ledger.bias.value))
    parts += [(say("total"), ledger.total), (say("PyTorch (float32)"), ledger.reported)]
    values = column([value for _, value in parts], digits=9)
    left, right = max(width(name) for name, _ in parts), max(map(len, values))
    lines = [f"  {ljust(name, left)}  {value:>{right}}" for (name, _), value in zip(parts, values, strict=True)]
    difference = "0" if ledger.difference == 0 else f"{ledger.difference:.1e}"
    allowed = f"allowed: {ledger.tolerance:g} of the sum of |terms|, {ledger.magnitude:.4g}"
    return [*lines, f"  {ljust(say('difference'), left)}  {difference:>{right}}  {say(f'({allowed})')}"]
