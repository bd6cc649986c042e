"""Zeros around an image, as many before it as are wanted and others behind: what a convolution's padding cannot."""

from dataclasses import dataclass
from typing import Self

from ..words import Pair, Words, pair_text
from .base import Op, Shape, Shapes, TorchCall, shape_text


@dataclass(frozen=True)
class Pad(Op):
    """ZeroPad2d: ``before`` rows above and columns to the left, ``after`` rows below and columns to the right.

    TensorFlow's "same" with stride 2 is ``pad 0 1`` before a 3×3 window and ``pad 1 2`` before a 5×5 one, where the
    image's sides are even.
    """

    before: Pair
    after: Pair
    kind = "pad"
    usage = "pad BEFORE[xB] [AFTER[xA]]"
    takes_images = True

    @classmethod
    def read(cls, words: Words) -> Self:
        word = words.take("how many zeros stand before the image, such as 1 or 0x1")
        before = words.pair(word, word.text, "the zeros before the image", 0)
        if not words.numbers:
            return cls(before, before)
        word = words.take("")
        return cls(before, words.pair(word, word.text, "the zeros after the image", 0))

    def text(self) -> str:
        after = [] if self.after == self.before else [pair_text(self.after)]
        return " ".join([self.kind, pair_text(self.before), *after])

    def output(self, shapes: Shapes) -> Shape:
        channels, height, width = shapes[0]
        return channels, height + self.before[0] + self.after[0], width + self.before[1] + self.after[1]

    def formula(self, shapes: Shapes) -> str:
        sides = zip(self.before, shapes[0][1:], self.after, strict=True)
        return f"{' × '.join(f'({b} + {n} + {a})' for b, n, a in sides)} = {shape_text(self.output(shapes)[1:])}"

    def call(self, shapes: Shapes) -> TorchCall:
        (top, left), (bottom, right) = self.before, self.after
        return TorchCall("ZeroPad2d", ((left, right, top, bottom),))
