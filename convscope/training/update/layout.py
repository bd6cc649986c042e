"""Weights that were kept, where and how a net's own lie in memory, so that one kernel takes both."""

import torch
from torch import Tensor


def laid_as(now: dict[str, Tensor], kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """``kept`` by the names of ``now``, on its devices and with its strides; those that lie so already are not copied.

    What was read from a file is contiguous and on the CPU.
    """
    return {name: _as(tensor, kept[name]) for name, tensor in now.items()}


def _as(now: Tensor, kept: Tensor) -> Tensor:
    if (kept.device, kept.stride()) == (now.device, now.stride()):
        return kept
    return torch.empty_like(now).copy_(kept)
