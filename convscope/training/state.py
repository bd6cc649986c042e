"""Where a run stands: all that the loop needs to be continued from, as numbers, text and the best weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, get_args

from torch import Tensor, nn

from ..recipe import fits
from .records import Stop
from .update.average import Average
from .update.lookahead import Lookahead


@dataclass
class Mean:
    """A mean that grows: Σ value · weight over Σ weight."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float, weight: int = 1) -> None:
        """Take one more value."""
        self.total += value * weight
        self.count += weight

    @property
    def value(self) -> float:
        """The mean of what was added, at least one value."""
        return self.total / self.count


@dataclass
class Best:
    """The lowest validation loss so far, its epoch, the weights that it was measured with, and the epochs since."""

    loss: float | None = None
    epoch: int | None = None
    since: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, loss: float, epoch: int, net: nn.Module) -> None:
        """An epoch was validated: remember its weights where it is the best. A loss that is not finite never is."""
        if math.isfinite(loss) and (self.loss is None or loss < self.loss):
            self.loss, self.epoch, self.since = loss, epoch, 0
            self.weights = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
        else:
            self.since += 1


@dataclass
class Seconds:
    """Wall-clock time in training steps, of the epoch under way and in all, and in tests."""

    epoch: float = 0.0
    train: float = 0.0
    test: float = 0.0


@dataclass
class Result:
    """What the last epoch came to; None before there was one."""

    train_loss: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass
class State:
    """Where a run stands between two records. ``epoch`` counts completed epochs, ``epoch_step`` the updates in the one
    under way, ``step`` and ``images`` updates and images in all.

    ``interval`` is the mean loss of the updates since the last Progress, ``mean`` that of the images of the epoch.
    """

    epoch: int = 0
    epoch_step: int = 0
    step: int = 0
    images: int = 0
    interval: Mean = field(default_factory=Mean)
    mean: Mean = field(default_factory=Mean)
    seconds: Seconds = field(default_factory=Seconds)
    last: Result = field(default_factory=Result)
    best: Best = field(default_factory=Best)
    average: Average = field(default_factory=Average)
    lookahead: Lookahead = field(default_factory=Lookahead)
    stopped_by: Stop | None = None

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights that the run keeps in place of the last ones: the best, or the average; empty: the last ones."""
        return self.best.weights or self.average.weights

    def begin_epoch(self) -> None:
        """The epoch under way is complete: count it. What came after its last full log interval is not logged."""
        self.epoch, self.epoch_step = self.epoch + 1, 0
        self.interval, self.mean, self.seconds.epoch = Mean(), Mean(), 0.0

    def numbers(self) -> dict[str, int | float | str | None]:
        """All but the weights, for JSON."""
        return {name: getattr(getattr(self, part) if part else self, key) for name, (part, key, _) in NUMBERS.items()}

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> "State":
        """:meth:`numbers` read back, strictly; what is missing is as at the beginning. Raises ValueError."""
        state = cls()
        for name, value in numbers.items():
            if name not in NUMBERS:
                raise ValueError(f"{name[:40]!r} is unknown")
            part, key, kind = NUMBERS[name]
            if not fits(value, kind) or (isinstance(value, int | float) and value < 0):
                raise ValueError(f"{name} is {str(value)[:40]!r}")
            setattr(getattr(state, part) if part else state, key, value)
        if state.stopped_by is not None and state.stopped_by not in get_args(Stop):
            raise ValueError(f"stopped_by is {str(state.stopped_by)[:40]!r}")
        return state


# The names in resume files: the part of the state in which a number lies, its name there, and its type.
NUMBERS: dict[str, tuple[str, str, type | UnionType]] = {
    "epoch": ("", "epoch", int),
    "epoch_step": ("", "epoch_step", int),
    "step": ("", "step", int),
    "images": ("", "images", int),
    "interval_loss": ("interval", "total", float),
    "interval_steps": ("interval", "count", int),
    "epoch_loss": ("mean", "total", float),
    "epoch_images": ("mean", "count", int),
    "epoch_seconds": ("seconds", "epoch", float),
    "train_seconds": ("seconds", "train", float),
    "test_seconds": ("seconds", "test", float),
    "train_loss": ("last", "train_loss", float | None),
    "test_loss": ("last", "test_loss", float | None),
    "test_accuracy": ("last", "test_accuracy", float | None),
    "best_val_loss": ("best", "loss", float | None),
    "best_epoch": ("best", "epoch", int | None),
    "epochs_since_best": ("best", "since", int),
    "stopped_by": ("", "stopped_by", str | None),
}
