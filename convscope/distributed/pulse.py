"""Whether the other processes live: each counts up a number in the store that torchrun keeps, and looks at the others'.

A connection that breaks says at once that somebody has ended, but not who; and a machine whose cable is drawn breaks
none. So twice a second a thread of its own says that this process lives, or how it ended.
"""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BEAT = 0.5  # seconds between two signs of life
SILENT = 6.0  # seconds without one: the process, or the way to it, is gone
DONE, FAILED = "done", "failed: "
STORE = -1  # the number of torchrun itself, which keeps the store, among the lost
WORDS = 300  # letters of another process's error that are repeated


class Store(Protocol):
    """What is needed of torch.distributed.TCPStore."""

    def set(self, key: str, value: str) -> None:
        """Keep ``value``."""
        ...

    def multi_get(self, keys: list[str]) -> list[bytes]:
        """What is kept; waits for what is missing."""
        ...


@dataclass(frozen=True)
class Loss:
    """Who is lost, and their last words: "" where there were none."""

    rank: int
    words: str = ""


@dataclass(frozen=True)
class Member:
    """Where a rank is. Processes whose ``place`` is the same, and known, have numbers in one list."""

    host: str
    process: int
    place: str

    def is_dead(self, place: str) -> bool:
        """Whether it is one of the processes at ``place``, and is not there any more."""
        if not place or place != self.place:
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        return _has_ended(self.process)


def _has_ended(process: int) -> bool:
    """Whether a process that is in the list is there only until its parent asks how it ended (a "zombie")."""
    try:
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return False


def place_of_processes() -> str:
    """What tells this machine, as it runs now, and its list of processes from all others; "" where nobody knows."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


class Pulse:
    """The signs of life of ``rank`` and of all ``ranks``, until :meth:`end`. ``keeper`` is who keeps the store."""

    def __init__(self, store: Store, rank: int, ranks: int, keeper: int = STORE) -> None:
        self._store, self._rank, self._keeper = store, rank, keeper
        self._others = [other for other in range(ranks) if other != rank]
        self.loss: Loss | None = None
        self._members: Sequence[Member] = ()
        self._place = place_of_processes()
        self._ended = threading.Event()
        self._seen = dict.fromkeys(self._others, "")
        self._since = dict.fromkeys(self._others, time.monotonic())
        self._store.set(_key(rank), "0")
        self._thread = threading.Thread(target=self._run, name="convscope-pulse", daemon=True)

    def begin(self) -> None:
        """Beat from now on; all ranks have given their first sign of life."""
        self._since = dict.fromkeys(self._others, time.monotonic())
        self._thread.start()

    def watch(self, members: Sequence[Member]) -> None:
        """Where the ranks are is known from now on."""
        self._members = members

    def end(self, failure: str | None) -> None:
        """Tell the others that this process has done its part, or why it has not."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=BEAT)
        if self.loss is None or self.loss.rank != self._keeper:
            self._say(DONE if failure is None else FAILED + failure[:WORDS])

    def who(self, seconds: float = SILENT + 2 * BEAT) -> Loss | None:
        """Who is lost, once that is known; waits for it for so many seconds."""
        until = time.monotonic() + seconds
        while self.loss is None and time.monotonic() < until and not self._ended.is_set():
            time.sleep(0.05)
        return self.loss

    def _say(self, text: str) -> None:
        try:
            self._store.set(_key(self._rank), text)
        except RuntimeError:  # torch's errors of a store, whose process has ended
            self.loss = self.loss or Loss(self._keeper)

    def _run(self) -> None:
        count = 0
        while not self._ended.is_set() and self.loss is None:
            count += 1
            self._say(str(count))
            self._look()
            self._ended.wait(BEAT)

    def _look(self) -> None:
        try:
            beats = self._store.multi_get([_key(other) for other in self._others])
        except RuntimeError:
            self.loss = self.loss or Loss(self._keeper)
            return
        now = time.monotonic()
        for other, beat in zip(self._others, (beat.decode(errors="replace") for beat in beats), strict=True):
            if beat != self._seen[other]:
                self._seen[other], self._since[other] = beat, now
            if beat.startswith(FAILED):
                self.loss = Loss(other, beat.removeprefix(FAILED))
                return
            if beat == DONE:
                continue
            dead = bool(self._members) and self._members[other].is_dead(self._place)
            if dead or now - self._since[other] > SILENT:
                self.loss = Loss(other)
                return


def _key(rank: int) -> str:
    return f"convscope/pulse/{rank}"
