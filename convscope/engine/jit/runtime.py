"""Memory and threads for a compiled program.

Helper threads are plain Python threads. They sleep between calls; for a call, each enters the program's foreign
function, which lets go of Python's lock, and they meet at the program's own barriers.
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import slots
from .layout import LINE

Native = Callable[[int, int], None]


def aligned(count: int, dtype: type = np.float32) -> NDArray[np.generic]:
    """``count`` zeros that begin at a cache line."""
    size = count * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype)


def _yield_address() -> int:
    """The operating system's function that gives the core to another thread that is ready."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def native(address: int) -> Native:
    """The function at ``address``: (job, thread) → nothing. It runs without Python's lock."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)


class Job:
    """The slots that a program reads, in memory that stays where it is. Arrays put into slots are kept alive."""

    def __init__(self, threads: int) -> None:
        self.slots = aligned(slots.SLOTS, np.int64)
        self.address = self.slots.ctypes.data
        self.kept: dict[int, object] = {}
        self.threads = self.slots[slots.THREADS] = threads
        self.slots[slots.YIELD] = _yield_address()

    def number(self, slot: int, value: int) -> None:
        """Put a number into a slot."""
        self.slots[slot] = value

    def array(self, slot: int, values: NDArray[np.generic]) -> None:
        """Put the address of an array into a slot."""
        assert values.flags.c_contiguous
        self.kept[slot] = values
        self.slots[slot] = values.ctypes.data


Work = tuple[Native, Job, int]
Answers: TypeAlias = "SimpleQueue[None]"


class Helpers:
    """``count`` threads that sleep until ``run`` wakes them. They end with the process, or with their owner."""

    def __init__(self, count: int) -> None:
        # What a helper gets: a call; a queue to answer into once it is there, all earlier calls done; None: the end.
        self._queues: list[SimpleQueue[Work | Answers | None]] = [SimpleQueue() for _ in range(count)]
        self._idle = True
        threads = [
            threading.Thread(target=_serve, args=(queue,), name=f"convscope-{number + 1}", daemon=True)
            for number, queue in enumerate(self._queues)
        ]
        for thread in threads:
            thread.start()
        weakref.finalize(self, _close, self._queues, threads)

    def run(self, function: Native, job: Job) -> None:
        """Call ``function(job, t)`` for t = 0 (here) and 1, 2, ... (the helpers), and wait for all of them."""
        if not self._idle:  # an interrupt left the call before this one while its helpers were at work
            self._wait()
        self._idle = False
        job.slots[slots.ABANDONED] = job.slots[slots.ARRIVED] = job.slots[slots.DONE] = 0
        try:
            for number, queue in enumerate(self._queues):
                queue.put((function, job, number + 1))
            function(job.address, 0)
        finally:
            job.slots[slots.ABANDONED] = 1  # lets helpers go that would wait for a thread that never came
            self._wait()

    def _wait(self) -> None:
        """Until every helper has done all that it was given. An interrupt may come at any line: ask once more.

        Not with an Event: an interrupt inside its wait may leave its lock taken, and the helper that sets it stuck.
        """
        answers: Answers = SimpleQueue()
        for queue in self._queues:
            queue.put(answers)
        for _ in self._queues:
            answers.get()
        self._idle = True


def _serve(queue: "SimpleQueue[Work | Answers | None]") -> None:
    while (given := queue.get()) is not None:
        if isinstance(given, SimpleQueue):
            given.put(None)
        else:
            function, job, number = given
            function(job.address, number)


def _close(queues: "list[SimpleQueue[Work | Answers | None]]", threads: list[threading.Thread]) -> None:
    for queue in queues:
        queue.put(None)
    # A thread that woke up after the interpreter's end would be torn down inside foreign code, which aborts.
    for thread in threads:
        thread.join(timeout=1)
