"""Pixels mixed with a colour, in whole numbers: the bytes are the same on every machine."""

import torch
from torch import Tensor


def beside(images: Tensor, drawn: Tensor) -> Tensor:
    """``drawn`` on the device of ``images``; nobody waits for it to arrive."""
    return drawn.to(images.device, non_blocking=True)


def mean_colour(images: Tensor) -> Tensor:
    """uint8 (M, C, 1, 1), rounded down. Sums of whole numbers: their order has no say."""
    area = images.shape[2] * images.shape[3]
    return (images.sum((2, 3), keepdim=True, dtype=torch.int64) // area).to(torch.uint8)


def rounded(factors: Tensor) -> Tensor:
    """int32, in units of 1/4096."""
    return (factors * 4096).round().int()


def blended(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """f · image + (1 − f) · other, rounded and cut to 0..255. ``factors`` int32 (M,) are f in units of 1/4096."""
    f = beside(images, factors)[:, None, None, None]
    return (images.int() * f + other.int() * (4096 - f) + 2048 >> 12).clamp(0, 255).to(torch.uint8)
