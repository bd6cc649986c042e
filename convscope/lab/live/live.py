"""The run under way, as the server knows it: a worker process, and what it has said so far.

One at a time: a training run uses every core. A reader thread takes in what the worker says; whoever asks gets the
latest, so slow pages never hold training up.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...storage.strict_json import dumps
from ..binary import unpack
from ..shelf import png

PACKAGE_HOME = Path(__file__).parents[3]
MOST_POINTS = 4000  # of a curve; beyond, neighbours are merged
MOST_EPOCHS = 1000  # rows; beyond, every second one of the older half is dropped
GONE = "the training process ended without a word"
LOOK = "the terminal where the lab runs may say more; the run can go on from where it was saved"


@dataclass
class Said:
    """Everything the worker has told. ``status`` is opening, training, paused, finished, stopped or failed.

    ``losses`` are (update, mean loss of the updates since the point before), ``norms`` (update, gradient norm of each
    layer); ``thumbnails`` are the probe images as PNG files. ``version`` grows with every change, ``probe_version``
    with every ``probe``.
    """

    status: str = "opening"
    intro: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    steps_per_second: float | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)
    norms: list[tuple[int, list[float]]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    message: str = ""
    help: str = ""
    thumbnails: list[bytes] = field(default_factory=list)
    probe: bytes = b""
    probe_version: int = 0
    version: int = 0

    def take(self, message: Mapping[str, Any], body: bytes) -> None:
        """One message of the worker."""
        match message["kind"]:
            case "started":
                self.intro = {key: value for key, value in message.items() if key not in ("kind", "bytes")}
                self.status, self.step = "training", message["resumed_at"]
                self.thumbnails = [png(image.astype(np.uint8)) for image in unpack(body)[1]["images"]]
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
                self.probe, self.probe_version = body, self.probe_version + 1
                norms = unpack(body)[0]["norms"]
                self.norms = [*(old for old in self.norms if old[0] < message["step"]), (message["step"], norms)]
                if len(self.norms) > MOST_POINTS:
                    self.norms = self.norms[::2]
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
        self.version += 1


def halved(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Every two neighbours merged into one point at the later update, with the mean of their losses."""
    pairs = zip(points[0::2], points[1::2], strict=False)
    merged = [(b[0], (a[1] + b[1]) / 2) for a, b in pairs]
    return merged + points[len(points) - len(points) % 2 :]


class Live:
    """A worker process at its task."""

    def __init__(self, number: int, task: dict[str, Any]) -> None:
        self.number, self.said = number, Said()
        path = os.pathsep.join([str(PACKAGE_HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convscope.lab.live.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
        )  # fmt: skip
        self.lock = threading.Lock()
        self.tell(task)
        threading.Thread(target=self._listen, daemon=True).start()

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
        self.process.wait(seconds)

    def _hang_up(self) -> None:
        assert self.process.stdin is not None
        with self.lock, contextlib.suppress(OSError):
            self.process.stdin.close()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                message = json.loads(line)
                body = out.read(message["bytes"])
                self.said.take(message, body)
        code = self.process.wait()
        self._hang_up()
        if self.running:
            self.said.take({"kind": "failed", "message": f"{GONE} (exit code {code})", "help": LOOK}, b"")


class Trainer:
    """Starts runs, one at a time."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self._lock = threading.Lock()

    def start(self, task: dict[str, Any]) -> Live:
        """A worker at ``task``. Raises UsageError while another trains."""
        with self._lock:
            if self.live is not None and self.live.running:
                name = self.live.said.intro.get("run", "a run")
                raise UsageError(f"{name} is still training", "stop it first: a run uses the whole machine")
            number = 1 if self.live is None else self.live.number + 1
            self.live = Live(number, task)
            return self.live

    def current(self) -> Live:
        """The run under way, or the last one. Raises UsageError where there was none."""
        if self.live is None:
            raise UsageError("nothing is being trained", "start a run first")
        return self.live
