"""Convolutions: ``conv``, ``depthwise``, and the 1×1 ``projection`` that is put in where a sum needs it."""

from dataclasses import dataclass
from math import prod
from typing import Literal, Self, cast

from ...language.counts import some
from ..words import Pair, Words, option_text, pair_text
from .base import Misfit, Op, Shape, Shapes, TorchCall, changed, shape_text
from .window import same_padding, too_large, windows

Padding = Pair | Literal["same"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
MODES: tuple[PaddingMode, ...] = ("zeros", "reflect", "replicate", "circular")
OPTIONS = "[stride=1] [padding=0|same] [padding_mode=zeros] [dilation=1]"


@dataclass(frozen=True)
class Conv(Op):
    """Conv2d. ``padding`` is a pair or "same" (stride 1: the output is as large as the input)."""

    out: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"
    kind = "conv"
    usage = f"conv OUT K[xK] {OPTIONS} [groups=1] [bias=yes]"
    takes_images = True

    @classmethod
    def read(cls, words: Words) -> Self:
        word = words.take("the number of output channels and the kernel size")
        out = words.number(word, word.text, "the number of output channels", 1)
        kernel, stride, padding, dilation, mode = _window(words)
        found = words.option("groups")
        groups = words.number(*found, "groups", 1) if found else 1
        return cls(out, kernel, stride, padding, dilation, groups, words.option_bool("bias", True), mode)

    def text(self) -> str:
        words = [self.kind, str(self.out), *_window_text(self)]
        words += [f"groups={self.groups}"] * (self.groups != 1)
        return " ".join(words + ["bias=no"] * (not self.bias))

    def pads(self) -> tuple[Pair, Pair]:
        """The padding before and after the image, as (height, width) pairs."""
        return same_padding(self.kernel, self.dilation) if self.padding == "same" else (self.padding, self.padding)

    def problem(self, shapes: Shapes) -> Misfit | None:
        channels = shapes[0][0]
        if channels % self.groups or self.out % self.groups:
            both = [g for g in range(1, min(channels, self.out) + 1) if channels % g == self.out % g == 0]
            return (
                f"groups={self.groups} must divide the {channels} input and the {self.out} output channels",
                f"groups that work here: {some(map(str, both), 12)}",
            )
        if self.padding_mode in ("reflect", "circular") and (found := self._padding_problem(shapes[0])):
            return found
        return None if self.padding == "same" else too_large(shapes[0], self.kernel, self.padding, self.dilation)

    def _padding_problem(self, shape: Shape) -> Misfit | None:
        """What is repeated comes from the image, so there can be no more of it than the image has."""
        inner = self.padding_mode == "reflect"  # the edge itself is not repeated
        need = max(p - n + inner for pads in self.pads() for p, n in zip(pads, shape[1:], strict=True))
        if need <= 0:
            return None
        limit = "smaller than the image" if inner else "no larger than the image"
        return (
            f"padding_mode={self.padding_mode} takes its values from the image, so the padding must be {limit}, "
            f"which is {shape_text(shape[1:])} here",
            "use less padding, padding_mode=replicate or padding_mode=zeros",
        )

    def output(self, shapes: Shapes) -> Shape:
        return (self.out, *self._windows(shapes[0])[0])

    def formula(self, shapes: Shapes) -> str:
        return self._windows(shapes[0])[1]

    def _windows(self, shape: Shape) -> tuple[Pair, str]:
        if self.padding == "same":
            return (shape[1], shape[2]), f"same: {shape_text(shape[1:])}"
        return windows(shape, self.kernel, self.stride, self.padding, self.dilation)

    def parameters(self, shapes: Shapes) -> int:
        return self.out * (self._products(shapes) + self.bias)

    def multiply_adds(self, shapes: Shapes) -> int:
        return prod(self.output(shapes)) * self._products(shapes)

    def _products(self, shapes: Shapes) -> int:
        """Of one output element."""
        height, width = self.kernel
        return shapes[0][0] // self.groups * height * width

    def call(self, shapes: Shapes) -> TorchCall:
        options = changed(
            stride=(self.stride, (1, 1)),
            padding=(self.padding, (0, 0)),
            dilation=(self.dilation, (1, 1)),
            groups=(self.groups, 1),
            bias=(self.bias, True),
            padding_mode=(self.padding_mode, "zeros"),
        )
        return TorchCall("Conv2d", (shapes[0][0], self.out, self.kernel), options)


@dataclass(frozen=True)
class Depthwise(Op):
    """A convolution of every channel for itself: ``multiplier`` output channels for each (groups = channels)."""

    kernel: Pair
    multiplier: int = 1
    stride: Pair = (1, 1)
    padding: Padding = (0, 0)
    dilation: Pair = (1, 1)
    bias: bool = True
    padding_mode: PaddingMode = "zeros"
    kind = "depthwise"
    usage = f"depthwise K[xK] [multiplier=1] {OPTIONS} [bias=yes]"
    takes_images = True

    @classmethod
    def read(cls, words: Words) -> Self:
        kernel, stride, padding, dilation, mode = _window(words)
        found = words.option("multiplier")
        multiplier = words.number(*found, "multiplier", 1) if found else 1
        return cls(kernel, multiplier, stride, padding, dilation, words.option_bool("bias", True), mode)

    def text(self) -> str:
        words = [self.kind, *_window_text(self)]
        words += [f"multiplier={self.multiplier}"] * (self.multiplier != 1)
        return " ".join(words + ["bias=no"] * (not self.bias))

    def here(self, shapes: Shapes, classes: int) -> Op:
        channels = shapes[0][0]
        return Conv(
            channels * self.multiplier,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            groups=channels,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )


@dataclass(frozen=True)
class Projection(Conv):
    """A 1×1 convolution without bias, put in where what came in does not have the shape of what is added to it.

    The shortcut of He et al. 2016, "Deep Residual Learning", section 3.3, option B.
    """

    kind = "projection"

    @classmethod
    def between(cls, before: Shape, after: Shape) -> "Projection | None":
        """The one that makes ``after`` (C, H, W) of ``before``; None where no stride does."""
        if len(before) != 3 or len(after) != 3:
            return None
        strides = [-(-n // m) for n, m in zip(before[1:], after[1:], strict=True)]
        made = [(n - 1) // s + 1 for n, s in zip(before[1:], strides, strict=True)]
        return cls(after[0], (1, 1), (strides[0], strides[1]), bias=False) if tuple(made) == after[1:] else None


def _window(words: Words) -> tuple[Pair, Pair, Padding, Pair, PaddingMode]:
    """Kernel, stride, padding, dilation and padding mode."""
    word = words.take("a kernel size, such as 3 or 3x5")
    kernel = words.pair(word, word.text, "the kernel size", 1)
    stride = words.option_pair("stride", (1, 1))
    padding: Padding = (0, 0)
    found = words.option("padding")
    if found and found[1] == "same":
        if stride != (1, 1):
            raise words.fail(found[0], "padding=same works with stride 1 only")
        padding = "same"
    elif found:
        padding = words.pair(*found, "padding", 0)
    dilation = words.option_pair("dilation", (1, 1))
    return kernel, stride, padding, dilation, cast(PaddingMode, words.option_choice("padding_mode", MODES))


def _window_text(op: Conv | Depthwise) -> list[str]:
    """The inverse of :func:`_window`."""
    words = [pair_text(op.kernel), *option_text("stride", op.stride, (1, 1))]
    words += ["padding=same"] if op.padding == "same" else option_text("padding", op.padding, (0, 0))
    words += [f"padding_mode={op.padding_mode}"] * (op.padding_mode != "zeros")
    return words + option_text("dilation", op.dilation, (1, 1))
