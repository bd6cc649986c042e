"""The slices of a batch: each is computed in a thread of its own, in this process or in another, and all of them meet.

A team of two processes has two slices. When its run is resumed by one process, that computes both, with the same sums
in the same order, so the bits stay.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from .team import Team

T = TypeVar("T")


@dataclass(frozen=True)
class Seat:
    """One slice of every batch: number ``slice`` of all, ``local`` of those in this process."""

    crew: "Crew"
    slice: int
    local: int

    def gather(self, own: Tensor) -> list[Tensor]:
        """What every slice gave, in order; ``own`` has the same shape in all. All slices must come."""
        return self.crew.meet(self.local, own)


class Crew:
    """The slices of ``team`` that this process computes."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self.seats = [Seat(self, number, local) for local, number in enumerate(team.own_slices())]
        count, ranks = team.slices, team.ranks
        self._counts = [count * (rank + 1) // ranks - count * rank // ranks for rank in range(ranks)]
        self._brought: list[Tensor] = [torch.empty(0)] * len(self.seats)
        self._found: list[Tensor] = []
        self._barrier = threading.Barrier(len(self.seats))

    def run(self, work: Callable[[Seat], T]) -> list[T]:
        """``work`` for each slice of this process, all at once, in order of the slices."""
        if len(self.seats) == 1:
            return [work(self.seats[0])]
        self._barrier.reset()
        with ThreadPoolExecutor(len(self.seats)) as pool:
            futures = [pool.submit(self._guarded, work, seat) for seat in self.seats]
        errors = [error for future in futures if (error := future.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
            raise error
        return [future.result() for future in futures]

    def _guarded(self, work: Callable[[Seat], T], seat: Seat) -> T:
        try:
            return work(seat)
        except BaseException:
            self._barrier.abort()  # nobody waits for who does not come
            raise

    def meet(self, local: int, own: Tensor) -> list[Tensor]:
        """See :meth:`Seat.gather`."""
        self._brought[local] = own
        self._barrier.wait()
        if local == 0:
            self._found = self.gather(self._brought)
        self._barrier.wait()
        return self._found

    def gather(self, brought: list[Tensor]) -> list[Tensor]:
        """What all slices of all processes gave, in order; ``brought`` is what those of this process did."""
        if self._team.ranks == 1:
            return list(brought)
        own = brought[0].new_zeros(max(self._counts), *brought[0].shape)
        for place, tensor in zip(own, brought, strict=False):
            place.copy_(tensor)
        found = self._team.gather(own)
        return [found[rank, n].to(brought[0].device) for rank, count in enumerate(self._counts) for n in range(count)]
