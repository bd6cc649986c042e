"""The two ends of the training process's pipes: what the page wants of it, and what it says."""

import _thread
import contextlib
import logging
import os
import signal
import threading
from typing import IO, Any

from ...storage.strict_json import dumps
from ...training.pace import Pace
from .messages import read

log = logging.getLogger("convscope.lab")


class Control:
    """What the page wants: run, pause, take one step, or stop."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.pace = Pace()
        self.paused = self.stopping = False
        self.steps = 0
        self.probe = 0

    def listen(self, pipe: IO[bytes]) -> None:
        """Obey every order; at their end, or where they are none, stop: then the server is not what it was."""
        try:
            for order, _ in read(pipe):
                self.obey(order)
        except Exception:  # torn, foreign, or read from a pipe that is gone
            log.exception("the training process no longer understands the lab")
        finally:
            self.obey({"do": "stop"})

    def obey(self, order: dict[str, Any]) -> None:
        """Take one order."""
        with self.changed:
            self.probe = order.get("probe", self.probe)
            match order.get("do"):
                case "pause":
                    self.paused, self.steps = True, 0
                case "go":
                    self.paused, self.steps = False, 0
                case "step":
                    self.paused, self.steps = True, self.steps + 1
                case "stop" if not self.stopping:
                    self.stopping = True
                    _thread.interrupt_main(signal.SIGTERM)  # Ctrl-C may be ignored: the job saves and ends
            self.pace.most = 1 if self.paused else Pace.most
            self.changed.notify_all()

    def must_wait(self) -> bool:
        """Whether the loop waits until the next order; call it with ``changed`` held."""
        return self.paused and self.steps == 0 and not self.stopping


class Reporter:
    """Writes to the server through file descriptor ``out``."""

    def __init__(self, out: int) -> None:
        self.out = out

    def __call__(self, kind: str, body: bytes = b"", **fields: Any) -> None:
        """One message. That the server is gone is learnt from standard input, so here it does not matter."""
        line = dumps({"kind": kind, **fields, "bytes": len(body)}).encode() + b"\n"
        rest = memoryview(line + body)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self.out, rest) :]
