"""Filters that whiten the patches of images (K. Jordan 2024, airbench: arXiv 2404.00498, section 3.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..words import Pair

EPSILON = 5e-4  # of airbench; in units of the squares of normalised pixels
TOGETHER = 1 << 24  # numbers of patches at once


def whitening(images: Tensor, kernel: Pair, dilation: Pair, count: int) -> Tensor:
    """``count`` filters float32 (count, C, KH, KW) by which the patches of ``images`` (N, C, H, W) are whitened.

    With the mean Σ of x xᵀ over all patches x and its eigenvectors Σ e = λ e, largest λ first, the filters are
    e / √(λ + ε), ε = 0.0005, and, as far as ``count`` goes, the negatives of these from the first on. So the mean of
    the squares of a filter's answers is λ / (λ + ε), and that of the products of two different e's answers is 0. Of e
    and −e, the one is taken whose largest component is positive.
    """
    moment = _second_moment(images, kernel, dilation)
    values, vectors = torch.linalg.eigh(moment)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1).T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    filters = vectors * largest.sign() / (values + EPSILON).sqrt()[:, None]
    half = filters[: -(-count // 2)]
    both = torch.cat([half, -half])[:count]
    return both.to(torch.float32).view(count, images.shape[1], *kernel)


def _second_moment(images: Tensor, kernel: Pair, dilation: Pair) -> Tensor:
    """The mean of x xᵀ over all patches x of the images, float64 (C·KH·KW, C·KH·KW)."""
    size = images.shape[1] * kernel[0] * kernel[1]
    total, count = torch.zeros(size, size, dtype=torch.float64), 0
    for part in images.split(max(1, TOGETHER // (size * images.shape[2] * images.shape[3]))):
        patches = F.unfold(part, kernel, dilation).double().transpose(0, 1).flatten(1)
        total += patches @ patches.T
        count += patches.shape[1]
    return total / count
