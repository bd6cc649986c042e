"""The update rules that a descent may take, as torch.optim has them: what happens between a gradient and the step."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, near

Vector = NDArray[np.floating]
Optimizer = Literal["sgd", "momentum", "nesterov", "adam"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
BETAS = (0.9, 0.999)
EPS = 1e-8


@dataclass(frozen=True)
class UpdateRule:
    """An update rule and its numbers: ``momentum`` counts for momentum and nesterov."""

    optimizer: Optimizer
    lr: float
    momentum: float = 0.9

    def begin(self) -> "Memory":
        """The rule before its first update."""
        return Memory(self)

    def limit(self, curvature: float) -> float | None:
        """The learning rate from which exact gradients lead away where the largest second derivative is ``curvature``.

        2/λ for gradient descent; 2·(1 + μ)/λ with momentum and 2·(1 + μ)/((1 + 2μ)·λ) with Nesterov's: where a root of
        z² − (1 + μ − lr·λ)·z + μ, or of z² − (1 + μ)(1 − lr·λ)·z + μ(1 − lr·λ), leaves the unit circle (Goh, Why
        Momentum Really Works, Distill 2017). None for Adam, whose steps are about as long as lr whatever the curvature.
        """
        if self.optimizer == "adam" or curvature <= 0:
            return None
        stretched = {
            "sgd": 1.0,
            "momentum": 1 + self.momentum,
            "nesterov": (1 + self.momentum) / (1 + 2 * self.momentum),
        }
        return 2 * stretched[self.optimizer] / curvature


@dataclass
class Memory:
    """What a rule keeps from one update to the next.

    ``first`` (P,) is the velocity of momentum and nesterov, or Adam's m̂; ``second`` (P,) Adam's √v̂ + ε.
    """

    rule: UpdateRule
    updates: int = 0
    first: Vector = field(default_factory=lambda: np.zeros(0))
    second: Vector = field(default_factory=lambda: np.zeros(0))
    _moments: tuple[Vector, Vector] | None = None

    def step(self, parameters: Vector, gradient: Vector) -> Vector:
        """The parameters (P,) after one update, as torch.optim.SGD (dampening 0) and torch.optim.Adam make it."""
        self.updates += 1
        return parameters - self.rule.lr * self._direction(gradient)

    def _direction(self, gradient: Vector) -> Vector:
        if self.rule.optimizer == "sgd":
            return gradient
        if self.rule.optimizer == "adam":
            return self._adam(gradient)
        momentum = self.rule.momentum
        self.first = gradient if self.updates == 1 else momentum * self.first + gradient
        return gradient + momentum * self.first if self.rule.optimizer == "nesterov" else self.first

    def _adam(self, gradient: Vector) -> Vector:
        """Kingma and Ba, Adam, 2015, algorithm 1."""
        slow, square = self._moments or (np.zeros_like(gradient), np.zeros_like(gradient))
        slow = BETAS[0] * slow + (1 - BETAS[0]) * gradient
        square = BETAS[1] * square + (1 - BETAS[1]) * gradient**2
        self._moments = slow, square
        self.first = slow / (1 - BETAS[0] ** self.updates)
        self.second = np.sqrt(square / (1 - BETAS[1] ** self.updates)) + EPS
        return self.first / self.second


def rule(optimizer: str, lr: float, momentum: float = 0.9) -> UpdateRule:
    """The rule of that name. Raises UsageError."""
    for known in OPTIMIZERS:
        if optimizer == known:
            break
    else:
        raise UsageError(f"there is no optimizer {optimizer[:40]!r}", near(optimizer, OPTIMIZERS))
    if not 0 < lr < 1e6:
        raise UsageError(f"--lr is {lr}, expected a positive number below 1,000,000")
    if not 0 <= momentum < 1:
        raise UsageError(f"--momentum is {momentum}, expected a number from 0 to below 1", "0.9 is usual")
    return UpdateRule(known, lr, momentum)
