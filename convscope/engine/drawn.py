"""What layers draw by themselves, from torch's own generators: it follows from the seed and the update, too."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

KEPT = (nn.Dropout, nn.Dropout2d)  # what those keep is said by dropout.py
DRAWING = (_DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.MultiheadAttention)
_LOCK = threading.Lock()


def draws(net: nn.Module) -> bool:
    """Whether a layer of ``net`` may draw, in training, what dropout.py does not say: any of somebody's own may."""
    return any(
        type(module).__module__.partition(".")[0] not in ("torch", "convscope")
        or (isinstance(module, DRAWING) and type(module) not in KEPT)
        for module in net.modules()
    )


@contextmanager
def drawn_from(key: int, device: torch.device) -> Iterator[None]:
    """torch's generators begin at ``key`` inside the block, and are as before afterwards.

    One thread at a time: they belong to all.
    """
    with _LOCK, torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(key)
        yield


def _after_fork() -> None:
    """In a forked child nobody gives back what another thread held."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
