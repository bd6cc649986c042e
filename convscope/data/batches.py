"""The order of an epoch, and what happens to a batch on its way to the net.

The order is a function of (seed, epoch) alone. So it is the same on every device and for every engine, and a run
that resumes in the middle of an epoch needs to remember nothing but where it stood.
"""

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


class Normalize:
    """uint8 images (N, C, H, W) → float32 (x/255 − mean) / std, as one multiply-add for each pixel."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device | str = "cpu") -> None:
        mean_, std_ = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
        self.scale = (1 / (255 * std_)).float().view(1, -1, 1, 1).to(device)
        self.shift = (-mean_ / std_).float().view(1, -1, 1, 1).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise on this object's device."""
        return torch.addcmul(self.shift, images.to(self.scale.device, torch.float32), self.scale)
