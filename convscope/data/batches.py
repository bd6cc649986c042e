"""The order of an epoch, and what happens to a batch on its way to the net.

The order is a function of (seed, epoch) alone. So it is the same on every device and for every engine, and a run
that resumes in the middle of an epoch needs to remember nothing but where it stood.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation of 0..count-1 for ``epoch`` (from 1), the same wherever and whenever it is asked for."""
    stream = np.random.SeedSequence(seed, spawn_key=(epoch,))  # NumPy's way to independent streams from one seed
    return np.random.default_rng(stream).permutation(count)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Updates in one epoch: ⌈count / batch_size⌉, the last, smaller batch included."""
    return -(-count // batch_size)


@dataclass(frozen=True)
class Batches:
    """An epoch of ``count`` images cut into batches of ``size``; the last one holds what is left.

    ``joined``: one image that would be left alone goes into the batch before it.
    """

    count: int
    size: int
    joined: bool = False

    @property
    def steps(self) -> int:
        """Updates in an epoch."""
        return steps_per_epoch(self.count, self.size) - self.joined

    def images(self, steps: int) -> int:
        """Images in the first ``steps`` batches."""
        return self.count if steps >= self.steps else steps * self.size

    def call(self, step: int, most: int) -> tuple[int, int]:
        """How many updates, up to ``most``, can be taken in one call after ``step``, and the size of their batches.

        A batch that is larger than the others has a call of its own.
        """
        if not self.joined:
            return most, self.size
        last = self.steps - 1
        return (1, self.size + 1) if step == last else (min(most, last - step), self.size)


EVALUATION_BATCH = 500
LARGE = 64 * 64  # pixels of an image beyond which fewer go together


def images_together(height: int, width: int) -> int:
    """Images in one forward pass of an evaluation by PyTorch: enough to fill the cores, few enough for its memory.

    EVALUATION_BATCH up to 64×64, beyond that a divisor of it. Who tests in pieces makes them multiples of
    EVALUATION_BATCH: so every image has the same neighbours, on which the bits of its scores may depend.
    """
    most = EVALUATION_BATCH * LARGE // (height * width)
    return next((size for size in range(min(most, EVALUATION_BATCH), 1, -1) if EVALUATION_BATCH % size == 0), 1)


class Normalize:
    """uint8 images (N, C, H, W) → float32 (x/255 − mean) / std, as one multiply-add for each pixel."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device | str = "cpu") -> None:
        mean_, std_ = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
        self.scale = (1 / (255 * std_)).float().view(1, -1, 1, 1).to(device)
        self.shift = (-mean_ / std_).float().view(1, -1, 1, 1).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise on this object's device."""
        return torch.addcmul(self.shift, images.to(self.scale.device, torch.float32), self.scale)
