"""Which elements dropout keeps: a pure function of (seed, update, layer, image, element), the same in every engine.

Nothing is drawn, and nothing has to be kept: the backward pass, and a run that is resumed, compute it again. Words of
32 bits are mixed by C. Wellons' ``lowbias32`` (Prospecting for hash functions, 2018); elements count up in steps of
⌊2³²/φ⌋ and are mixed, as in SplitMix by G. Steele, D. Lea and C. Flood (2014).

    k = mix(… mix(mix(seed) ^ update) …)     k_layer = mix(k + (layer + 1)·G)     k_image = mix(k_layer ^ image)
    element e is kept where mix(k_image + e·G) ≥ p·2³²
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

WORD = 0xFFFFFFFF
STEP = 0x9E3779B9  # G
FIRST, SECOND = 0x7FEB352D, 0x846CA68B


def mix(x: int) -> int:
    """A word of 32 bits from another one: every bit depends on every bit."""
    x ^= x >> 16
    x = x * FIRST & WORD
    x ^= x >> 15
    x = x * SECOND & WORD
    return x ^ x >> 16


def update_key(seed: int, update: int) -> int:
    """The word that stands for an update (from 0) of a run."""
    key = 0
    for number in (seed, update):
        for word in (number & WORD, number >> 32 & WORD):
            key = mix((key ^ word) + STEP & WORD)
    return key


def layer_key(key: int, layer: int) -> int:
    """The word that stands for the dropout layer number ``layer`` (from 0), in forward order."""
    return mix(key + (layer + 1) * STEP & WORD)


def threshold(p: float) -> int:
    """Words below it are dropped; all of them where it is 2³²."""
    return round(p * 2**32)


def kept(key: int | Tensor, images: Tensor, elements: int, p: float) -> Tensor:
    """Which elements of each image a layer with ``key`` keeps: bool (N, elements), for the images' numbers (N,).

    ``key`` is the word, or int32 () with its bits where it lies on the device.
    """
    word = key if isinstance(key, Tensor) else signed(key)
    image = mix_each(word ^ images.to(torch.int32))
    steps = torch.arange(elements, dtype=torch.int32, device=images.device) * signed(STEP)
    words = mix_each(image[:, None] + steps)
    if threshold(p) > WORD:
        return torch.zeros_like(words, dtype=torch.bool)
    return words ^ signed(1 << 31) >= signed(threshold(p) ^ 1 << 31)  # as numbers without a sign


def mix_each(x: Tensor) -> Tensor:
    """``mix`` of int32; shifts of it bring in the sign, which is cut off."""
    x = x ^ (x >> 16 & 0xFFFF)
    x = x * signed(FIRST)
    x = x ^ (x >> 15 & 0x1FFFF)
    x = x * signed(SECOND)
    return x ^ (x >> 16 & 0xFFFF)


def signed(word: int) -> int:
    """The int32 with the same bits."""
    return word - (1 << 32) if word >> 31 else word


class Kept(TorchFunctionMode):
    """Inside the block dropout keeps what this module says, for a batch of ``images`` (their numbers in the set).

    ``key`` is the update's: a word, or int32 () with its bits, which may differ each time that a recorded step is
    repeated.
    """

    def __init__(self, key: int | Tensor, images: Tensor) -> None:
        super().__init__()
        self.key, self.images, self.layer = key, images, 0

    def _layer_key(self) -> int | Tensor:
        """The word of the next dropout layer."""
        layer, self.layer = self.layer, self.layer + 1
        if isinstance(self.key, Tensor):
            return mix_each(self.key + signed((layer + 1) * STEP & WORD))
        return layer_key(self.key, layer)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (F.dropout, F.dropout2d):
            return self._dropout(func is F.dropout2d, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(
        self, channels: bool, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """x (N, C, ...) / (1 − p) where it is kept, else 0; whole channels at a time for Dropout2d."""
        if not training:
            return x
        key = self._layer_key()
        if p == 0:
            return x
        shape = x.shape[:2] + (1,) * (x.ndim - 2) if channels else x.shape
        noise = kept(key, self.images, shape[1:].numel(), p).view(shape).to(x.dtype)
        noise = noise.div_(1 - p) if p < 1 else noise
        return x.mul_(noise) if inplace else x * noise
