"""The layers of a net, with PyTorch's names and defaults for their parameters. Pairs are height × width."""

from dataclasses import dataclass
from typing import Literal

Pair = tuple[int, int]


@dataclass(frozen=True)
class Conv:
    """Conv2d. ``padding`` is a pair or "same" (stride 1: the output is as large as the input)."""

    out: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair | Literal["same"] = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    kind = "conv"


@dataclass(frozen=True)
class Pool:
    """MaxPool2d or AvgPool2d; ``stride`` is the window's size unless given."""

    average: bool
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    @property
    def kind(self) -> str:
        """The layer's word in the language."""
        return "avgpool" if self.average else "pool"


@dataclass(frozen=True)
class Activation:
    """relu, tanh or sigmoid, element by element."""

    kind: Literal["relu", "tanh", "sigmoid"]


@dataclass(frozen=True)
class BatchNorm:
    """BatchNorm2d on images, BatchNorm1d on features."""

    kind = "batchnorm"


@dataclass(frozen=True)
class Dropout:
    """Sets elements to zero with probability ``p`` while training."""

    p: float
    kind = "dropout"


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) → (C·H·W,)."""

    kind = "flatten"


@dataclass(frozen=True)
class GlobalAvg:
    """The mean over each channel's whole image: (C, H, W) → (C, 1, 1)."""

    kind = "globalavg"


@dataclass(frozen=True)
class Linear:
    """Linear; ``out`` None means as many outputs as there are classes."""

    out: int | None = None
    bias: bool = True
    kind = "linear"


Layer = Conv | Pool | Activation | BatchNorm | Dropout | Flatten | GlobalAvg | Linear
