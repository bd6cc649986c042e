"""The last resort: a process that hangs in a call which nothing ends, though another rank is lost.

While NCCL makes its connections, and where its abort itself waits, no Python code of that thread runs any more.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import ConvscopeError
from ..language import say
from . import voice
from .pulse import Loss, Pulse

LOOK = 0.25  # seconds between two looks
GRACE = 2.0  # seconds that a call has for ending by itself, once a rank is lost


class LastResort:
    """Ends this process where a call is still :meth:`watched` ``GRACE`` seconds after ``pulse`` has missed a rank.

    ``told`` makes the error of a loss, whose text is printed; ``end`` ends the process with its exit code, at once.
    """

    def __init__(
        self, pulse: Pulse, told: Callable[[Loss], ConvscopeError], end: Callable[[int], object] = os._exit
    ) -> None:
        self._pulse, self._told, self._end = pulse, told, end
        self._calls = 0
        self._lost_at: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="convscope-last-resort", daemon=True)

    def begin(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing is watched any more."""
        self._over.set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A call that may hang."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def _run(self) -> None:
        while not self._over.wait(LOOK):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """End the process where it hangs at the second ``now``."""
        loss = self._pulse.loss
        if loss is None or not self._calls:
            self._lost_at = None
            return
        if self._lost_at is None:
            self._lost_at = now
        elif now - self._lost_at >= GRACE:
            error = self._told(loss)
            voice.speak_for(error)
            print(say("error:"), error, file=sys.stderr, flush=True)
            self._over.set()
            self._end(error.exit_code)
