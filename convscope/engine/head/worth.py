"""What the images of a class are worth to a fitted last layer: how much worse it is without some of them.

    f₋S(x) = k(x)ᵀ(α − G₍:,S₎ G₍S,S₎⁻¹ α_S)     with G = (K + λI)⁻¹ and α = G Y

is ridge regression without the images S, from the one with all of them (the leave-k-out identity of kernel ridge
regression). It is judged on images that neither fit has seen, a fifth of all in turn, by the mean probability of the
right class: where probabilities are calibrated that is the accuracy to be expected, and it is smoother than counting.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .ridge import fit

FOLDS, DRAWS = 5, 4


@dataclass(frozen=True)
class Worth:
    """What ``left_out`` images of class ``label`` bring: ``gain`` as a share of all images (0..1), ± ``error``.

    ``error`` is the standard error over the parts and draws.
    """

    label: int
    left_out: int
    gain: float
    error: float


def worth(features: Tensor, labels: Tensor, classes: int, seed: int = 0, most: int = 20) -> list[Worth]:
    """What ``most`` images of each class are worth, or half of the class where it has fewer; the most worth first.

    ``features`` float32 (N, D), ``labels`` int64 (N,). Classes with fewer than four images are passed over.
    """
    head = fit(features, labels, classes)
    x = features.double()
    deviation = x.std(0, correction=0)
    x = (x - x.mean(0)) / torch.where(deviation > 1e-6 * deviation.max(), deviation, torch.inf)
    penalty = head.strength * float(x.square().sum()) / len(x)
    random = np.random.default_rng(seed)
    part_of = _parts(labels, random)
    falls: dict[int, list[float]] = {}
    taken: dict[int, int] = {}
    for part in range(FOLDS):
        here, held = (part_of != part).nonzero().flatten(), (part_of == part).nonzero().flatten()
        if len(held):
            _judge(_Fit(x, labels, here, held, classes, penalty, head.scale), random, most, falls, taken)
    found = [
        Worth(label, taken[label], float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5))
        for label, values in falls.items()
        if len(values) > 1
    ]
    return sorted(found, key=lambda one: -one.gain)


def _parts(labels: Tensor, random: np.random.Generator) -> Tensor:
    """A part 0..FOLDS−1 for every image, each class shared out evenly."""
    part_of = torch.empty(len(labels), dtype=torch.int64)
    for label in labels.unique():
        here = (labels == label).nonzero().flatten()
        order = torch.from_numpy(random.permutation(len(here)))
        part_of[here[order]] = (torch.arange(len(here)) + int(random.integers(FOLDS))) % FOLDS
    return part_of


class _Fit:
    """A fit to the images ``here``, and what it and fits to fewer of them say of those ``held`` out."""

    def __init__(
        self, x: Tensor, labels: Tensor, here: Tensor, held: Tensor, classes: int, penalty: float, scale: float
    ) -> None:
        self.labels, self.truth, self.scale = labels[here], labels[held], scale
        constant = x.square().sum() / len(x)  # a feature that is the same for all: the intercept, hardly penalised
        kernel = x[here] @ x[here].T + constant
        self.across = x[held] @ x[here].T + constant
        self.inverse = torch.cholesky_inverse(
            torch.linalg.cholesky(kernel + penalty * torch.eye(len(here), dtype=x.dtype))
        )
        self.alpha = self.inverse @ F.one_hot(self.labels, classes).double()

    def right(self, without: Tensor | None = None) -> float:
        """The mean probability of the right class, of the fit without the images at these places."""
        alpha = self.alpha
        if without is not None:
            columns = self.inverse[:, without]
            alpha = alpha - columns @ torch.linalg.solve(columns[without], alpha[without])
        p = (self.scale * (self.across @ alpha)).softmax(1)
        return float(p.gather(1, self.truth[:, None]).mean())


def _judge(
    found: _Fit, random: np.random.Generator, most: int, falls: dict[int, list[float]], taken: dict[int, int]
) -> None:
    """Leave images of every class out, DRAWS times, and note by how much the fit falls."""
    whole = found.right()
    for label in found.labels.unique().tolist():
        here = (found.labels == label).nonzero().flatten().numpy()
        count = min(most, len(here) // 2)
        if count < 2:
            continue
        for _ in range(DRAWS):
            without = torch.from_numpy(random.choice(here, count, replace=False))
            falls.setdefault(label, []).append(whole - found.right(without))
            taken[label] = count
