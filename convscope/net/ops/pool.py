"""Pools: the largest or the mean of each window, and the mean of cells that cover an image."""

from dataclasses import dataclass
from typing import ClassVar, Self

from ..words import Pair, Words, option_text, pair_text
from .base import Misfit, Op, Shape, Shapes, TorchCall, changed, shape_text
from .window import too_large, windows


@dataclass(frozen=True)
class Pool(Op):
    """MaxPool2d; ``stride`` is the window's size unless given."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    ceil_mode: bool = False
    kind = "pool"
    usage = "pool K[xK] [stride=K] [padding=0] [ceil_mode=no]"
    takes_images = True
    average: ClassVar[bool] = False

    @classmethod
    def read(cls, words: Words) -> Self:
        word = words.take("a window size, such as 2")
        kernel = words.pair(word, word.text, "the window", 1)
        stride = words.option_pair("stride", kernel)
        padding = words.option_pair("padding", (0, 0), least=0)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise words.fail(words.options["padding"], "padding of a pool can be at most half of its window")
        return cls(kernel, stride, padding, words.option_bool("ceil_mode", False))

    def text(self) -> str:
        words = [self.kind, pair_text(self.kernel), *option_text("stride", self.stride, self.kernel)]
        words += option_text("padding", self.padding, (0, 0))
        return " ".join(words + ["ceil_mode=yes"] * self.ceil_mode)

    def problem(self, shapes: Shapes) -> Misfit | None:
        return too_large(shapes[0], self.kernel, self.padding)

    def output(self, shapes: Shapes) -> Shape:
        return (shapes[0][0], *self._windows(shapes[0])[0])

    def formula(self, shapes: Shapes) -> str:
        return self._windows(shapes[0])[1]

    def _windows(self, shape: Shape) -> tuple[Pair, str]:
        return windows(shape, self.kernel, self.stride, self.padding, ceil_mode=self.ceil_mode)

    def call(self, shapes: Shapes) -> TorchCall:
        options = changed(
            stride=(self.stride, self.kernel), padding=(self.padding, (0, 0)), ceil_mode=(self.ceil_mode, False)
        )
        return TorchCall("AvgPool2d" if self.average else "MaxPool2d", (self.kernel,), options)


@dataclass(frozen=True)
class AvgPool(Pool):
    """AvgPool2d; the padding counts."""

    kind = "avgpool"
    usage = "avgpool K[xK] [stride=K] [padding=0] [ceil_mode=no]"
    average = True


@dataclass(frozen=True)
class AdaptiveAvgPool(Op):
    """AdaptiveAvgPool2d: the mean of ``size`` cells, whatever the image's size."""

    size: Pair
    kind = "adaptiveavgpool"
    usage = "adaptiveavgpool H[xW]"
    takes_images = True

    @classmethod
    def read(cls, words: Words) -> Self:
        word = words.take("the size that comes out, such as 4 or 2x3")
        return cls(words.pair(word, word.text, "the size", 1))

    def text(self) -> str:
        return f"{self.kind} {pair_text(self.size)}"

    def output(self, shapes: Shapes) -> Shape:
        return (shapes[0][0], *self.size)

    def formula(self, shapes: Shapes) -> str:
        return f"{shape_text(self.size)} cells of {shape_text(shapes[0][1:])}, each a mean"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("AdaptiveAvgPool2d", (self.size,))


@dataclass(frozen=True)
class GlobalAvg(Op):
    """The mean over each channel's whole image: (C, H, W) → (C, 1, 1)."""

    kind = "globalavg"
    usage = "globalavg"
    takes_images = True

    def output(self, shapes: Shapes) -> Shape:
        return (shapes[0][0], 1, 1)

    def formula(self, shapes: Shapes) -> str:
        return f"mean over {shape_text(shapes[0][1:])}"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("AdaptiveAvgPool2d", (1,))
