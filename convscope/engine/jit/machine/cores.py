"""Each thread of a call on a core of its own.

Threads that wait for each other keep each other busy. Where two begin on one core, as Linux often wakes them, each
looks like one at work, and they may stay together for a whole run: steps then take twice as long, short ones longer.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress

_current_core: Callable[[], int] | None = ctypes.CDLL(None).sched_getcpu if sys.platform == "linux" else None


class Cores:
    """The cores on which the threads of one call have begun."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> None:
        """Take the calling thread's core; where another thread of the call has it, move to a free one first.

        Nothing is bound: the system may move the thread again. It does nothing but on Linux, where alone it can.
        """
        if sys.platform != "linux" or _current_core is None:
            return
        core = _current_core()
        if core in self._taken:
            with suppress(OSError):  # where a container forbids it, threads begin where they are
                allowed = os.sched_getaffinity(0)
                free = min(allowed - self._taken, default=core)
                os.sched_setaffinity(0, {free})
                os.sched_setaffinity(0, allowed)
                core = free
        self._taken.add(core)
