"""The linear layer: every output is a weighted sum of all features."""

from dataclasses import dataclass, field, replace
from typing import Self

from ..words import Words
from .base import Op, Shape, Shapes, TorchCall, changed


@dataclass(frozen=True)
class Linear(Op):
    """A weighted sum of all features for each output; without OUT there are as many as classes.

    ``of_classes`` says that ``out`` was not written but is the number of classes.
    """

    out: int | None = None
    bias: bool = True
    of_classes: bool = field(default=False, compare=False)
    kind = "linear"
    usage = "linear [OUT] [bias=yes]"

    @classmethod
    def read(cls, words: Words) -> Self:
        out = None
        if words.numbers:
            word = words.numbers.pop(0)
            out = words.number(word, word.text, "the number of outputs", 1)
        return cls(out, words.option_bool("bias", True))

    def text(self) -> str:
        out = [] if self.out is None or self.of_classes else [str(self.out)]
        return " ".join([self.kind, *out, *["bias=no"] * (not self.bias)])

    def here(self, shapes: Shapes, classes: int) -> Op:
        return replace(self, out=classes, of_classes=True) if self.out is None else self

    def output(self, shapes: Shapes) -> Shape:
        return (self._out(),)

    def formula(self, shapes: Shapes) -> str:
        return f"{shapes[0][0]} → {self._out()}" + " classes" * self.of_classes

    def parameters(self, shapes: Shapes) -> int:
        return self._out() * (shapes[0][0] + self.bias)

    def multiply_adds(self, shapes: Shapes) -> int:
        return self._out() * shapes[0][0]

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("Linear", (shapes[0][0], self._out()), changed(bias=(self.bias, True)))

    def _out(self) -> int:
        assert self.out is not None, "the number of classes is known where the net is laid out"
        return self.out
