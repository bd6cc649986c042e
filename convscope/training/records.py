"""What the loop says as it trains, and why it ended. Who reads finished runs needs these, and no PyTorch."""

from dataclasses import dataclass
from typing import Literal

Stop = Literal["epochs", "target_loss", "patience", "max_seconds"]  # why a run ended


@dataclass(frozen=True)
class Tick:
    """Some updates have been taken: ``epoch_step`` of ``epoch_steps`` in ``epoch`` (from 1), ``step`` in all.

    ``loss`` is the mean loss of these updates, those since the last Tick.
    """

    epoch: int
    epoch_step: int
    epoch_steps: int
    step: int
    loss: float


@dataclass(frozen=True)
class Progress:
    """The mean loss of the last log interval, which ended with update ``step`` (from 1) of ``epoch``."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to. Accuracies are fractions; ``seconds`` is the time in training steps alone."""

    epoch: int
    train_loss: float
    test_loss: float
    test_accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    val_loss: float | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True)
class Evaluating:
    """A part of the test after ``epoch`` is done: nothing to show, but a place where one can stop."""

    epoch: int


Record = Tick | Progress | Epoch | Evaluating
