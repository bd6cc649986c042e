"""What is drawn for an image: a pure function of (seed, epoch, step of the augmentation, image), by counting.

Nothing has a state, so an epoch that is resumed in its middle, or seen by another engine, draws the same. The words
are mixed as those of dropout (:mod:`convscope.engine.dropout`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...engine.dropout import STEP, layer_key, mix_each, signed, update_key

AUGMENT = 0x61756700  # sets the words apart from those by which dropout draws


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step of an augmentation for some images, whose numbers in the training set are
    ``images`` int64 (M,). Each ``draw`` (from 0) is another number.
    """

    seed: int
    epoch: int
    step: int
    images: Tensor

    def below(self, draw: int, count: int) -> Tensor:
        """Whole numbers int64 (M,) from 0 to ``count`` − 1, all equally likely to within count/2³²."""
        return self._words(draw, self.epoch) * count >> 32

    def between(self, draw: int, low: float, high: float) -> Tensor:
        """Numbers float64 (M,) in low ≤ u < high."""
        return low + (high - low) * self._words(draw, self.epoch).double() / 2**32

    def coin(self) -> Tensor:
        """Bool (M,), the same in every epoch."""
        return self._words(0, 0) >> 31 == 1

    def _words(self, draw: int, epoch: int) -> Tensor:
        """Words of 32 bits as int64 (M,)."""
        key = layer_key(update_key(self.seed, AUGMENT) ^ update_key(epoch, AUGMENT + 1), self.step)
        image = mix_each(signed(key) ^ self.images.to(torch.int32))
        return mix_each(image + signed(draw * STEP & 0xFFFFFFFF)).long() & 0xFFFFFFFF
