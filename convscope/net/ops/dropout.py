"""Dropout (Srivastava et al. 2014): zeros drawn at random while training."""

from dataclasses import dataclass
from typing import ClassVar, Self

from ..words import Words, decimal_text
from .base import Op, Shapes, TorchCall


@dataclass(frozen=True)
class Dropout(Op):
    """Sets elements to zero with probability p while training."""

    p: float
    kind = "dropout"
    usage = "dropout P"
    torch_name: ClassVar[str] = "Dropout"

    @classmethod
    def read(cls, words: Words) -> Self:
        return cls(words.fraction("probability", "0.5"))

    def text(self) -> str:
        return f"{self.kind} {decimal_text(self.p)}"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall(self.torch_name, (self.p,))


@dataclass(frozen=True)
class Dropout2d(Dropout):
    """Sets whole channels to zero with probability p while training (Tompson et al. 2015)."""

    kind = "dropout2d"
    usage = "dropout2d P"
    takes_images = True
    torch_name = "Dropout2d"
