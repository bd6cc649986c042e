"""Memory and threads for a compiled program.

Helper threads are plain Python threads. They sleep between calls; for a call, each enters the program's foreign
function, which lets go of Python's lock, and they meet at the program's own barriers.
"""

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from . import program as slots
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
    library = ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)  # type: ignore[attr-defined,unused-ignore]
    function = library.SwitchToThread if os.name == "nt" else library.sched_yield
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
        self.slots[slots.THREADS] = threads
        self.slots[slots.YIELD] = _yield_address()

    def number(self, slot: int, value: int) -> None:
        """Put a number into a slot."""
        self.slots[slot] = value

    def array(self, slot: int, values: NDArray[np.generic]) -> None:
        """Put the address of an array into a slot."""
        assert values.flags.c_contiguous
        self.kept[slot] = values
        self.slots[slot] = values.ctypes.data


class Helpers:
    """``count`` threads that sleep until ``run`` wakes them. They end with the process, or with ``close``."""

    def __init__(self, count: int) -> None:
        self._work: list[SimpleQueue[tuple[Native, Job, int] | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[None] = SimpleQueue()
        self._busy = 0
        threads = [
            threading.Thread(target=_serve, args=(queue, self._done), name=f"convscope-{number + 1}", daemon=True)
            for number, queue in enumerate(self._work)
        ]
        for thread in threads:
            thread.start()
        weakref.finalize(self, _close, self._work, threads)

    def run(self, function: Native, job: Job) -> None:
        """Call ``function(job, t)`` for t = 0 (here) and 1, 2, ... (the helpers), and wait for all of them."""
        self._wait()  # an interrupt may have left a call before its helpers were done
        job.slots[slots.ABANDONED] = 0
        job.slots[slots.ARRIVED] = 0
        try:
            for number, queue in enumerate(self._work):
                self._busy += 1
                queue.put((function, job, number + 1))
            function(job.address, 0)
        finally:
            job.slots[slots.ABANDONED] = 1  # lets helpers go that would wait for a thread that never came
            self._wait()

    def _wait(self) -> None:
        while self._busy:
            self._done.get()
            self._busy -= 1


def _serve(queue: "SimpleQueue[tuple[Native, Job, int] | None]", done: "SimpleQueue[None]") -> None:
    while (work := queue.get()) is not None:
        function, job, number = work
        function(job.address, number)
        done.put(None)


def _close(queues: "list[SimpleQueue[tuple[Native, Job, int] | None]]", threads: list[threading.Thread]) -> None:
    for queue in queues:
        queue.put(None)
    # A thread that woke up after the interpreter's end would be torn down inside foreign code, which aborts.
    for thread in threads:
        thread.join(timeout=1)
