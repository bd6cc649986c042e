"""Ledger: the terms that make one number, added up in float64 and held against the number that PyTorch computed.

Products of two float32 are exact in float64, and ``math.fsum`` rounds their sum once; so ``total`` is the number that
exact arithmetic gives. PyTorch rounds after every operation, in an order of its own. A sum of n products may be off by
n · 2⁻²⁴ · Σ|terms| in the worst case (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). But errors
mostly cancel: measured over random layers, sums of up to 4,096 terms stay below 6e-7 · Σ|terms|, even where all terms
are positive, and far below it where signs mix. So the tolerance is 1e-6 · Σ|terms| up to there, much tighter than the
worst case.

Longer sums are rare: gradients of weights that meet a large image. PyTorch adds them up one after the other, and with
positive terms the error is larger then: 6.6e-6 at 50,176 terms, 1.4e-5 at 158,404. Their tolerance is
√n · 2⁻²⁴ · Σ|terms|, which is how rounding errors of random sign add up (Higham and Mary 2019).

Equal terms round the same way each time, so within a flat image errors do not cancel: a mean of 31 × 31 equal pixels is
off by 1.4e-5, a quarter of the worst case, and so it is for weights under a white page. Where a value comes 16 times or
more, groups of m equal terms count as m errors of one sign: the tolerance is √(Σ m²) · 2⁻²⁴ · Σ|terms|, which is the
worst case where all terms are equal and √n · 2⁻²⁴ where none are.

Every ledger shows the tolerance that it was held to. Where PyTorch is further off, the ledger refuses to exist and says
by how much; whoever accepts that gives the ledger a ``tolerance``.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field

from ..errors import ConvscopeError
from ..shown import Shown
from .ledger_text import ledger_text
from .terms import Factor, Subtotal, Term

__all__ = ["Factor", "Ledger", "LedgerError", "Subtotal", "Term", "tolerance_for"]

TOLERANCE, SHORT = 1e-6, 4096  # relative to the sum of |terms|, for sums of so many; float32 on the CPU
FEW = 16  # so many equal terms do not lead further than that
UNDERFLOW = 2.0**-126  # the smallest normal float32: what a product may lose when the CPU flushes it to zero


def tolerance_for(terms: Sequence[float]) -> float:
    """What PyTorch's sum of these terms may be off, relative to the sum of their sizes."""
    groups = Counter(filter(None, terms)).values()  # zeros do not round
    if len(terms) <= SHORT and max(groups, default=0) < FEW:
        return TOLERANCE
    return max(TOLERANCE, math.sqrt(sum(m * m for m in groups)) * 2.0**-24)


class LedgerError(ConvscopeError):
    """The terms do not add up to the number that they are to explain (exit code 1)."""


@dataclass(frozen=True, repr=False)
class Ledger(Shown):
    """Explains ``name[index]``. ``operation`` says how the terms become the total:

    "sum": Σ products + bias. "max": the largest, padding counting as −∞; ``winner`` is its place among the terms, the
    first of equals. "identity": the only term. Else the name of a function of the only term: ``function`` makes of it
    the value and the sum of |terms| behind that. ``by`` names what the subtotals are by.
    ``reported`` is PyTorch's number, ``difference`` = reported − total, ``magnitude`` = Σ|terms| + |bias|.
    ``tolerance`` is that of :func:`tolerance_for` unless given. Raises LedgerError where |difference| > tolerance ·
    magnitude, or where a number is not finite.
    """

    name: str
    index: tuple[int, ...]
    terms: tuple[Term, ...]
    reported: float
    bias: Factor | None = None
    operation: str = "sum"
    by: str = "input channel"
    tolerance: float = 0.0
    function: InitVar[Callable[[float], tuple[float, float]] | None] = None
    subtotals: tuple[Subtotal, ...] = field(init=False)
    winner: int | None = field(init=False)
    total: float = field(init=False)
    difference: float = field(init=False)
    magnitude: float = field(init=False)

    def __post_init__(self, function: Callable[[float], tuple[float, float]] | None) -> None:
        products = [term.product for term in self.terms]
        addend = 0.0 if self.bias is None else self.bias.value
        real = [term.product for term in self.terms if self.operation != "max" or not term.x.padding]
        if not all(map(math.isfinite, [*real, addend, self.reported])):
            raise LedgerError(
                f"{self.text} has no ledger: it, or a number that makes it, is not finite",
                "the net's weights have probably diverged: train with a smaller --lr",
            )
        winner = None
        if self.operation == "max":
            winner = max(range(len(products)), key=products.__getitem__)
            total = magnitude = products[winner]
        elif self.operation == "sum":
            total = math.fsum([*products, addend])
            magnitude = math.fsum(map(abs, [*products, addend]))
        else:
            (only,) = products
            total, magnitude = (only, only) if function is None else function(only)
        difference = self.reported - total
        if not self.tolerance:
            object.__setattr__(self, "tolerance", tolerance_for(products))
        allowed = self.tolerance * abs(magnitude) + UNDERFLOW * (len(products) + 1)
        for name, value in {
            "subtotals": self._subtotals() if self.operation == "sum" else (),
            "winner": winner,
            "total": total,
            "difference": difference,
            "magnitude": abs(magnitude),
        }.items():
            object.__setattr__(self, name, value)
        if abs(difference) > allowed:
            raise LedgerError(
                f"{self.text}: the terms come to {total:.9g}, PyTorch has {self.reported:.9g}; the difference "
                f"{difference:.3g} is more than the {allowed:.3g} that tolerance {self.tolerance:g} allows",
                f"rounding in float32 alone can explain up to {(len(products) + 1) * 2.0**-24 * abs(magnitude):.3g}",
            )

    def _subtotals(self) -> tuple[Subtotal, ...]:
        parts: dict[int, list[float]] = {}
        for term in self.terms:
            parts.setdefault(term.channel, []).append(term.product)
        return tuple(Subtotal(channel, len(part), math.fsum(part)) for channel, part in parts.items())

    def told(self) -> Iterator[str]:
        """The terms, one a line, and the check against PyTorch."""
        yield ledger_text(self)

    @property
    def text(self) -> str:
        """What is explained, such as "conv1[3,7,4]"."""
        return self.name + (f"[{','.join(map(str, self.index))}]" if self.index else "")
