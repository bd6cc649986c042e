"""Memory and threads for a compiled program.

Helper threads are plain Python threads. They sleep between calls; for a call, each enters the program's foreign
function, which lets go of Python's lock, and they meet at the program's own barriers.
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....errors import UsageError
from ....storage.memory import require_room
from ..ir.arrays import LINE
from . import slots
from .cores import Cores

Native = Callable[[int, int], None]
LARGE = 64 * 2**20  # bytes
GRACE = 5.0  # seconds that an interrupt waits for helpers: a call of the training loop takes a tenth of one


def aligned(count: int, dtype: type = np.float32) -> NDArray[np.generic]:
    """``count`` zeros that begin at a cache line. Raises UsageError where there is no memory for so many."""
    size = count * np.dtype(dtype).itemsize
    if size > LARGE:  # what is smaller need not cost a look
        require_room(size, "the CPU engine's memory for this net")
    raw = np.zeros(size + 2 * LINE, np.uint8)  # a vector that begins in the last row may look beyond it
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
    """The slots that a program reads, in memory that stays where it is.

    Arrays put into slots are kept alive, and so is ``code``, the program itself: after an interrupt, helpers may be at
    work on a job that everybody else has forgotten.
    """

    def __init__(self, threads: int, code: object) -> None:
        self.code = code
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


Work = tuple[Native, Job, int, Cores]
Answers: TypeAlias = "SimpleQueue[None]"


class Helpers:
    """``count`` threads that sleep until ``run`` wakes them. They end with the process, or with their owner.

    Where threads wait for each other inside a program, the caller's own does none of the work: it waits in Python,
    where Ctrl-C is answered at once. For one thread there are no helpers, and ``run`` is a plain call.
    Raises UsageError where so many threads cannot be started; those begun are ended.
    """

    def __init__(self, count: int) -> None:
        self._count = count if count > 1 else 0
        self._idle = True
        self._job: Job | None = None  # of the call that was begun last
        # What a helper gets: a call; a queue to answer into once it is there, all earlier calls done; None: the end.
        self._queues: list[SimpleQueue[Work | Answers | None]] = []
        self._start()

    def forked(self) -> None:
        """In a forked child, where only the thread that forked continues: start again when there is work."""
        self._finalizer.detach()
        self._idle, self._queues = True, []

    def run(self, function: Native, job: Job, barriers: bool = True) -> None:
        """Call ``function(job, t)`` for t = 0, 1, ... at once, and wait for all of them.

        Without ``barriers`` in it, the caller's thread is the first of them: that saves waking one more.
        After an interrupt the helpers are waited for, up to ``GRACE``: a call that can be ended takes no longer.
        """
        if not self._count:
            job.slots[slots.DONE] = 0
            function(job.address, 0)
            return
        if not self._queues:
            self._start()
        if not self.settle():  # an interrupt left the call before this one while its helpers were at work
            raise UsageError("threads of the engine are still at work on a call that was interrupted", "try again")
        self._idle, self._job, cores = False, job, Cores()
        job.slots[slots.ABANDONED] = job.slots[slots.ARRIVED] = job.slots[slots.DONE] = 0
        try:
            first = 0 if barriers else 1
            for number in range(self._count - 1, first - 1, -1):  # thread 0 last: nobody passes a barrier without it
                self._queues[number].put((function, job, number, cores))
            if not barriers:
                cores.take()
                function(job.address, 0)
            self._idle = _all_done(self._queues[first:], None)
        except BaseException:
            self.settle(GRACE)
            raise

    def settle(self, seconds: float | None = None) -> bool:
        """Whether the helpers have done all that they were given, or do so within ``seconds``.

        An interrupt may have come at any line of ``run``. Once thread 0 has answered, either it was never called, and
        the others wait for it at the first barrier until the call is abandoned; or all of the call is done.
        """
        if not self._idle and self._job is not None:
            led = _all_done(self._queues[:1], seconds)
            self._job.slots[slots.ABANDONED] = 1
            self._idle = led and _all_done(self._queues[1:], seconds)
        return self._idle

    def _start(self) -> None:
        self._queues = [SimpleQueue() for _ in range(self._count)]
        begun: list[threading.Thread] = []
        try:
            for number, queue in enumerate(self._queues):
                thread = threading.Thread(target=_serve, args=(queue,), name=f"convscope-{number}", daemon=True)
                thread.start()
                begun.append(thread)
        except BaseException as error:
            _close(self._queues, begun)
            self._queues = []
            if isinstance(error, RuntimeError | MemoryError):
                raise UsageError(
                    f"only {len(begun)} of {self._count} threads could be started", "take fewer threads"
                ) from None
            raise
        self._finalizer = weakref.finalize(self, _close, self._queues, begun)


def _all_done(queues: "Sequence[SimpleQueue[Work | Answers | None]]", seconds: float | None) -> bool:
    """Whether who serves ``queues`` has done all that was in them, within ``seconds`` each (None: wait for it).

    Not with an Event: an interrupt inside its wait may leave its lock taken, and the helper that sets it stuck.
    """
    answers: Answers = SimpleQueue()
    for queue in queues:
        queue.put(answers)
    try:
        for _ in queues:
            answers.get(timeout=seconds)
    except Empty:
        return False
    return True


def _serve(queue: "SimpleQueue[Work | Answers | None]") -> None:
    while (given := queue.get()) is not None:
        if isinstance(given, SimpleQueue):
            given.put(None)
        else:
            function, job, number, cores = given
            cores.take()
            function(job.address, number)


def _close(queues: "list[SimpleQueue[Work | Answers | None]]", threads: list[threading.Thread]) -> None:
    for queue in queues:
        queue.put(None)
    # A thread that woke up after the interpreter's end would be torn down inside foreign code, which aborts.
    for thread in threads:
        thread.join(timeout=1)
