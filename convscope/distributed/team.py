"""The processes that train one net together, each with a *rank* from 0 on. Rank 0 alone writes, prints and locks.

What they compute from each other's numbers, every one computes in the order of the ranks. So all have the same bits,
and they are those of one process that adds in that order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import TrainingError

SAVED = "what rank 0 saved last is whole: convscope resume RUN"


class PeerLost(TrainingError):
    """Another process of the team has ended before its time (exit code 1); ``rank`` is its number."""

    def __init__(self, message: str, rank: int, help: str = "") -> None:  # noqa: A002 - as its root's
        super().__init__(message, help)
        self.rank = rank


class Line(Protocol):
    """How processes reach each other."""

    waited: float  # seconds in which this process waited for others

    def gather(self, own: Tensor) -> Tensor:
        """What every rank gave, in their order: uint8 (M,), of equal M, becomes (ranks, M) on the same device.

        Raises PeerLost.
        """
        ...

    def carries(self, device: torch.device) -> bool:
        """Whether tensors there can be gathered; others by way of main memory."""
        ...

    def join_gpus(self, device: torch.device) -> None:
        """From now on carry tensors on ``device``, each rank's own GPU. All call it at once. Raises TrainingError."""
        ...


@dataclass(frozen=True)
class Team:
    """This process is number ``rank`` of ``ranks``; number ``local_rank`` of those on its machine.

    ``threads`` are those of each rank: threads of all ranks are numbered through, and the jit engine adds in their
    order. ``slices`` are the parts of a batch whose gradients the eager engine adds in order; a rank computes one or
    several. ``isa`` is the instruction set that all have, None where it is each one's own.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    line: Line | None = field(default=None, compare=False)
    threads: tuple[int, ...] = ()
    slices: int = 1
    isa: str | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def waited(self) -> float:
        """Seconds in which this process has waited for others."""
        return self.line.waited if self.line else 0.0

    def first_thread(self) -> int:
        """The number of this process's first thread among those of all."""
        return sum(self.threads[: self.rank])

    def all_threads(self, own: int) -> int:
        """The threads of all ranks, of which this one has ``own``."""
        return sum(self.threads) or own

    def own_slices(self) -> range:
        """The slices of a batch that this process computes."""
        return range(self.slices * self.rank // self.ranks, self.slices * (self.rank + 1) // self.ranks)

    def gather(self, own: Tensor) -> Tensor:
        """``own``, the same shape (...) and type on every rank, as (ranks, ...).

        It lies where ``own`` does, or in main memory where GPUs are not joined.
        """
        if self.line is None:
            return own[None]
        here = own.detach() if self.line.carries(own.device) else own.detach().cpu()
        flat = here.contiguous().view(-1).view(torch.uint8)
        return self.line.gather(flat).view(own.dtype).view(self.ranks, *own.shape)

    def gather_numbers(self, *own: float) -> list[tuple[float, ...]]:
        """The numbers of every rank."""
        if self.line is None:
            return [own]
        return [tuple(row) for row in self.gather(torch.tensor(own, dtype=torch.float64)).tolist()]

    def first(self, *own: float) -> tuple[float, ...]:
        """The numbers of rank 0, for all to go by: what follows from a clock must not differ."""
        return self.gather_numbers(*own)[0]

    def largest(self, own: float) -> float:
        """The largest of the ranks' numbers."""
        return max(number for (number,) in self.gather_numbers(own))

    def gather_bytes(self, own: bytes) -> list[bytes]:
        """The bytes of every rank, of any length."""
        if self.line is None:
            return [own]
        lengths = [int(length) for (length,) in self.gather_numbers(len(own))]
        padded = np.zeros(max(1, *lengths), np.uint8)
        padded[: len(own)] = np.frombuffer(own, np.uint8)
        rows = self.gather(torch.from_numpy(padded)).numpy()
        return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]

    def gather_json(self, own: Any) -> list[Any]:
        """What every rank says. Nothing is unpickled: it travels as JSON."""
        return [json.loads(text) for text in self.gather_bytes(json.dumps(own).encode())]

    def share(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rank 0's tensors, by the same names and of the same shapes as each one's own."""
        if self.line is None:
            return tensors
        flat = [tensor.detach().cpu().contiguous().view(-1).view(torch.uint8) for tensor in tensors.values()]
        sizes = [len(part) for part in flat]
        parts = self.gather(torch.cat(flat) if flat else torch.zeros(0, dtype=torch.uint8))[0].split(sizes)
        return {
            name: part.clone().view(tensor.dtype).view(tensor.shape)
            for part, (name, tensor) in zip(parts, tensors.items(), strict=True)
        }


def in_order(parts: Sequence[Tensor] | Tensor) -> Tensor:
    """Σ of ``parts``, added one after the other."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


ALONE = Team()
