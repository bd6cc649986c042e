"""What a ledger adds up: factors, their products, and what those of one channel come to."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Factor:
    """One number and where it stands: ``tensor[index]``, counted from 0, without the batch axis.

    ``index`` is (channel, row, column) in an image or a feature map, (out, in, row, column) in a kernel, (feature,)
    after flattening, () for a constant. Where ``padding`` is true, row and column count from the input's corner, so
    row −1 is the first row above it; ``copy_of`` is then the cell of the tensor whose value the padding repeats
    (None for zeros).
    """

    tensor: str
    index: tuple[int, ...]
    value: float
    padding: bool = False
    copy_of: tuple[int, ...] | None = None

    @property
    def text(self) -> str:
        """Such as "weight[3,0,2,2]"."""
        return self.tensor + (f"[{','.join(map(str, self.index))}]" if self.index else "")


@dataclass(frozen=True)
class Term:
    """``x`` × ``w``, or ``x`` alone where ``w`` is None. ``channel`` is the subtotal that it counts to."""

    channel: int
    x: Factor
    w: Factor | None = None
    product: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "product", self.x.value * (1.0 if self.w is None else self.w.value))


@dataclass(frozen=True)
class Subtotal:
    """What the ``terms`` terms of one channel come to."""

    channel: int
    terms: int
    total: float
