"""What a program's threads learn of those in other processes.

Every process has memory for the threads of all, and computes in that of its own. Where these have met, the first of
them calls ``address``: the same bytes of every thread's memory are brought here from the process that computed them.
What follows then is the same program on the same numbers as in one process with as many threads.
"""

import ctypes

import numpy as np
import torch
from numpy.typing import NDArray

from ....distributed.team import Team
from . import slots
from .runtime import Job


class Meeting:
    """Calls between the processes of ``team``. ``error`` is what went wrong in one: the program is left then."""

    def __init__(self, team: Team) -> None:
        self.error: BaseException | None = None
        self._team, self._most = team, max(team.threads)
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(self._meet)
        self.address = ctypes.cast(self._call, ctypes.c_void_p).value or 0
        self._job: Job | None = None
        self._arenas = np.zeros((0, 0), np.uint8)

    def begin(self, job: Job, arenas: NDArray[np.generic]) -> None:
        """The coming calls are of ``job``; ``arenas`` is the memory of all threads, one after the other."""
        self._job, self.error = job, None
        self._arenas = arenas.view(np.uint8).reshape(sum(self._team.threads), -1)
        job.number(slots.ABANDONED, 0)
        job.number(slots.MEET, self.address)

    def _meet(self, place: int, size: int) -> None:
        # Machine code has called: an exception must not leave this function.
        try:
            if self.error is None:
                self._exchange(slice(place, place + size), size)
        except BaseException as error:
            self.error = error
            assert self._job
            self._job.number(slots.ABANDONED, 1)

    def _exchange(self, part: slice, size: int) -> None:
        team, first = self._team, self._team.first_thread()
        own = np.zeros((self._most, size), np.uint8)
        count = team.threads[team.rank]
        own[:count] = self._arenas[first : first + count, part]
        found = team.gather(torch.from_numpy(own)).numpy()
        number = 0
        for rank, threads in enumerate(team.threads):
            if rank != team.rank:
                self._arenas[number : number + threads, part] = found[rank, :threads]
            number += threads
