"""The run under way, as the server knows it: a worker process, and what it has said so far.

One at a time: a training run uses every core. A reader thread takes in what the worker says; whoever asks gets the
latest, so slow pages never hold training up.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TrainingError, UsageError
from ...storage.strict_json import dumps
from ..binary import unpack
from ..shelf import png
from .messages import BrokenMessage, read

log = logging.getLogger("convscope.lab")

PACKAGE_HOME = Path(__file__).parents[3]
MOST_POINTS = 4000  # of a curve; beyond, neighbours are merged
MOST_EPOCHS = 1000  # rows; beyond, every second one of the older half is dropped
GONE = "the training process ended without a word"
TORN = "the training process was cut off in the middle of a message"
LOOK = "the terminal where the lab runs may say more; the run can be resumed from where it was saved"
STAGES = ("start", "ready", "data", "net")
ENDED = ("finished", "stopped", "failed")
# What a user's Python is told by these is not for the training process: it would wait for a keyboard, or run a file.
NOT_FOR_WORKERS = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONBREAKPOINT", "PYTHONPATH")


@dataclass
class RunStatus:
    """Everything the worker has told. ``status`` is opening, training, paused, finished, stopped or failed.

    ``stage`` is what it is busy with while it opens: "start" (Python and PyTorch), "ready", "data" or "net".
    ``losses`` are (update, mean loss of the updates since the point before), ``norms`` (update, gradient norm of each
    layer); ``thumbnails`` are the probe images as PNG files; ``film`` are the updates of which the film has a frame.
    ``version`` grows with every change, ``probe_version`` with every ``probe``, ``lines_version`` with every update
    that was taken alone, of which ``lines`` are the latest. ``found`` is what a range test found.
    """

    status: str = "opening"
    stage: str = "start"
    intro: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    steps_per_second: float | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)
    norms: list[tuple[int, list[float]]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    found: dict[str, Any] | None = None
    message: str = ""
    help: str = ""
    thumbnails: list[bytes] = field(default_factory=list)
    probe: bytes = b""
    probe_version: int = 0
    film: list[int] = field(default_factory=list)
    lines: bytes = b""
    lines_version: int = 0
    version: int = 0

    def take(self, message: Mapping[str, Any], body: bytes) -> None:
        """One message of the worker. Raises BrokenMessage for one that it would not write; late ones are not heard."""
        if self.status in ENDED:
            return
        try:
            self._take(message, body)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise BrokenMessage(f"a message of kind {str(message.get('kind'))[:40]!r} is damaged") from error
        self.version += 1

    def _take(self, message: Mapping[str, Any], body: bytes) -> None:
        match message["kind"]:
            case "started":
                self.thumbnails = [png(image.astype(np.uint8)) for image in unpack(body)[1]["images"]]
                self.intro = {key: value for key, value in message.items() if key != "kind"}
                self.status, self.step = "training", message["resumed_at"]
            case "stage" if message["stage"] in STAGES:
                self.stage = message["stage"]
            case "ticks":
                self.losses += [(step, loss) for step, loss in message["points"]]
                if len(self.losses) > MOST_POINTS:
                    self.losses = halved(self.losses)
                self.step, self.epoch = message["step"], message["epoch"]
                self.steps_per_second = message["steps_per_second"]
                self.status = "paused" if message["paused"] else "training"
            case "going":
                self.status = "paused" if message["paused"] else "training"
            case "probe":
                norms = unpack(body)[0]["norms"]
                self.probe, self.probe_version = body, self.probe_version + 1
                self.norms = [*(old for old in self.norms if old[0] < message["step"]), (message["step"], norms)]
                if len(self.norms) > MOST_POINTS:
                    self.norms = self.norms[::2]
            case "lines":
                unpack(body)
                self.lines, self.lines_version = body, self.lines_version + 1
            case "rates":
                self.found, self.status = dict(message["found"]), "finished"
            case "film":
                self.film = [int(step) for step in message["steps"]]
            case "epoch":
                self.epochs.append(message["epoch"])
                if len(self.epochs) > MOST_EPOCHS:
                    old = MOST_EPOCHS // 2
                    self.epochs = self.epochs[:old:2] + self.epochs[old:]
            case "finished":
                self.losses += [(step, loss) for step, loss in message["points"]]
                self.summary, self.step = message["summary"], message["summary"]["steps"]
                self.status = "finished"
            case "stopped" | "failed" as status:
                self.status, self.message, self.help = status, message["message"], message.get("help", "")
            case _:
                raise ValueError


def halved(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Every two neighbours merged into one point at the later update, with the mean loss of the updates of both."""
    merged, before = [], 0
    for (first, a), (second, b) in zip(points[0::2], points[1::2], strict=False):
        merged.append((second, (a * (first - before) + b * (second - first)) / (second - before)))
        before = second
    return merged + points[len(points) - len(points) % 2 :]


class Live:
    """A worker process, which waits for its task or is at it."""

    def __init__(self) -> None:
        self.number, self.said = 0, RunStatus()
        try:
            self.process = subprocess.Popen(
                command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), start_new_session=True
            )
        except OSError as error:
            raise TrainingError(
                f"the training process cannot be started: {error.strerror}", "close some programs and try again"
            ) from error
        self.lock = threading.Lock()
        self.listening = threading.Thread(target=self._listen, daemon=True)
        self.listening.start()

    def begin(self, number: int, task: dict[str, Any]) -> "Live":
        """Give it its task."""
        self.number = number
        self.tell(task)
        return self

    @property
    def running(self) -> bool:
        """Whether the worker still works on its task."""
        return self.said.status in ("opening", "training", "paused")

    def tell(self, order: dict[str, Any]) -> None:
        """Send one order; a worker that is gone is no error here."""
        assert self.process.stdin is not None
        with self.lock, contextlib.suppress(OSError, ValueError):  # the pipe is broken, or closed by us
            self.process.stdin.write(dumps(order).encode() + b"\n")
            self.process.stdin.flush()

    def close(self, seconds: float = 60) -> None:
        """Let the worker save and end, as it does when this process dies; wait for that."""
        self._hang_up()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:  # it hangs; what it saved last is whole
            self.process.kill()
            self.process.wait()

    def _hang_up(self) -> None:
        assert self.process.stdin is not None
        with self.lock, contextlib.suppress(OSError):
            self.process.stdin.close()

    def _listen(self) -> None:
        """Take in what the worker says until it ends. One that talks nonsense is let save its work, and not heard."""
        why = GONE
        assert self.process.stdout is not None
        with self.process.stdout as out:
            try:
                for message, body in read(out):
                    self.said.take(message, body)
            except BrokenMessage as error:
                why = f"{TORN} ({error.message})"
            except Exception:  # whatever it is, the lab must know that nobody listens any more
                log.exception("the lab failed on a message of the training process")
                why = TORN
        self._hang_up()
        code = self.process.wait()
        self.said.take({"kind": "failed", "message": f"{why} (exit code {code})", "help": LOOK}, b"")


def command() -> list[str]:
    """What starts a worker: this Python, by its whole path, and no module of the working folder (``-P``)."""
    return [str(Path(sys.executable).absolute()), "-P", "-m", "convscope.lab.live.worker"]


def environment() -> dict[str, str]:
    """The worker's: where this package lies, and of PYTHONPATH the folders that mean the same everywhere."""
    own = {name: value for name, value in os.environ.items() if name not in NOT_FOR_WORKERS}
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if Path(entry).is_absolute()]
    return {**own, "PYTHONPATH": os.pathsep.join([str(PACKAGE_HOME), *kept]), "PYTHONSAFEPATH": "1"}


class Trainer:
    """Starts runs, one at a time. ``spare`` is a worker that has loaded what takes long, and waits for its task."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self.spare: Live | None = None
        self.finding: Live | None = None
        self._lock = threading.Lock()

    def ready(self) -> None:
        """Have a worker wait, for somebody may start a run soon."""
        with self._lock:
            if self.spare is None or not self.spare.running:
                self.spare = Live()

    def start(self, task: dict[str, Any]) -> Live:
        """A worker at ``task``. Raises UsageError while another trains."""
        with self._lock:
            self._free()
            number = 1 if self.live is None else self.live.number + 1
            self.live = self._worker().begin(number, task)
            return self.live

    def find(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """What the range test of ``task`` finds, None where it was stopped. Raises UsageError while another trains,
        TrainingError with the worker's words where it fails.
        """
        with self._lock:
            self._free()
            finding = self.finding = self._worker().begin(0, task)
        finding.listening.join()
        said = finding.said
        if said.status == "failed":
            raise TrainingError(said.message, said.help)
        return said.found

    def _free(self) -> None:
        """Raise UsageError where a worker is busy: a run uses the whole machine."""
        if self.live is not None and self.live.running:
            name = self.live.said.intro.get("run", "a run")
            raise UsageError(f"{name} is still training", "stop it first: a run uses the whole machine")
        if self.finding is not None and self.finding.running:
            raise UsageError("a learning rate is being looked for", "wait for it or stop it: it uses the whole machine")

    def _worker(self) -> Live:
        spare, self.spare = self.spare, None
        return spare if spare is not None and spare.running else Live()

    def current(self) -> Live:
        """The run under way, or the last one. Raises UsageError where there was none."""
        if self.live is None:
            raise UsageError("nothing is being trained", "start a run first")
        return self.live

    def job(self, number: int | None) -> Live | None:
        """The run under way, or the last one; None where ``number`` is that of an earlier one, which a page has not
        heard of yet. Raises UsageError where there was none, or none of that number.
        """
        live = self.current()
        if number is not None and number > live.number:
            raise UsageError(f"there is no job {number}", "ask for /api/train: it says which one is under way")
        return live if number in (None, live.number) else None

    def close(self) -> None:
        """End all workers; a run under way is saved."""
        for worker in (self.spare, self.finding, self.live):
            if worker is not None and worker.running:
                worker.close()
