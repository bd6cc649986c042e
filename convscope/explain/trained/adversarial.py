"""FGSM, the fast gradient sign method: every pixel is moved by ε, to where the loss grows.

    x' = clip(x + ε · sign(∂loss/∂x), 0, 255)

(I. Goodfellow, J. Shlens and C. Szegedy, Explaining and Harnessing Adversarial Examples, 2014, arXiv:1412.6572, section
4). ε is in units of a pixel, of which there are 255; the loss is the cross entropy for one class. Normalisation divides
by a positive deviation, so the sign is the same for what the net is given and for the pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.batches import Normalize
from ...net.model import Model
from ...recipe import LossName
from ...training.scores import confidences
from .trace import trace

Pixels = NDArray[np.uint8]
MOST = 64  # ε: a quarter of what a pixel can be
TOGETHER = 13  # images of one forward pass


@dataclass(frozen=True)
class Answer:
    """What the net makes of the image that was moved by ``epsilon`` (of 255) against class ``target``.

    ``scores`` (K,) are raw, ``predicted`` is the likeliest class and ``confidence`` how sure the net is of it;
    ``flips_at`` is the smallest ε with another likeliest class than the unmoved image has, None where none has.
    """

    epsilon: int
    target: int
    predicted: int
    confidence: float
    scores: NDArray[np.float32]
    flips_at: int | None


@dataclass(frozen=True)
class Attack:
    """FGSM against class ``target`` of one image uint8 (C, H, W): ``signs`` int8 (C, H, W) of the loss's gradient, and
    ``logits`` float32 (ε from 0 to the largest, classes), the net's raw scores of the image moved by ε.
    """

    pixels: Pixels
    target: int
    signs: NDArray[np.int8]
    logits: NDArray[np.float32]

    def moved(self, epsilon: int) -> Pixels:
        """The image moved by ε, uint8 (C, H, W)."""
        moved: Pixels = np.clip(self.pixels.astype(np.int16) + epsilon * self.signs, 0, 255).astype(np.uint8)
        return moved

    def answer(self, epsilon: int, loss: LossName) -> Answer:
        """The answer to the image moved by ε, of a net that was trained with ``loss``."""
        scores = self.logits[epsilon]
        sure = confidences(torch.from_numpy(scores)[None], loss)[0]
        predicted = int(scores.argmax())
        return Answer(epsilon, self.target, predicted, float(sure[predicted]), scores, self.flips_at)

    @property
    def flips_at(self) -> int | None:
        """The smallest ε with another likeliest class than without; None where no ε has one."""
        likeliest = self.logits.argmax(1)
        other = np.flatnonzero(likeliest != likeliest[0])
        return int(other[0]) if len(other) else None


def fgsm(
    model: Model, pixels: Pixels, target: int, most: int = MOST, check: Callable[[], None] = lambda: None
) -> Attack:
    """Attack ``pixels`` uint8 (C, H, W) with every whole ε up to ``most``, one gradient for all of them.

    ``check`` is called again and again; what it raises ends that. Raises UsageError for a class that there is none of.
    """
    given = Normalize(model.mean, model.std)(torch.from_numpy(pixels.copy())[None])[0]
    gradient = trace(model.net, given, target).image_gradient
    assert gradient is not None
    attack = Attack(pixels, target, np.sign(gradient).astype(np.int8), np.zeros((0, 0), np.float32))
    logits = []
    for start in range(0, most + 1, TOGETHER):
        check()
        images = np.stack([attack.moved(epsilon) for epsilon in range(start, min(start + TOGETHER, most + 1))])
        logits.append(model.logits(torch.from_numpy(images)).numpy())
    return Attack(pixels, target, attack.signs, np.concatenate(logits))
