"""Signals that ask a run to end where it is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, a polite kill (systems that shut down, batch queues), a terminal that closes; on Windows, Ctrl-Break.
ASKING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Interruption:
    """``number`` is the signal that came first; 0: none yet."""

    def __init__(self) -> None:
        self.number = 0

    def __bool__(self) -> bool:
        return self.number != 0


@contextmanager
def interruption() -> Iterator[Interruption]:
    """What becomes true at the first of the signals ASKING; a Ctrl-C after that kills at once.

    A signal that is ignored stays ignored: whoever said ``nohup``, or started the program in the background of a
    script, wants it to continue.
    """
    came = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield came  # signals belong to the main thread
        return
    # None: a handler that is not Python's, which could not be put back.
    heard = [number for number in ASKING if signal.getsignal(number) not in (signal.SIG_IGN, None)]

    def stop(number: int, _frame: FrameType | None) -> None:
        came.number = came.number or number
        if signal.SIGINT in heard:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
