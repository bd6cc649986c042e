"""An epoch of a net by plain PyTorch and by convscope on one device: the contenders, and how long each takes."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional as F

from convscope.data.batches import epoch_order
from convscope.data.images import Dataset
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.recorder import recorder_for
from convscope.net.build import build
from convscope.net.zoo import resolve
from convscope.recipe import PrecisionName

from .measure import REST, columns

PLAIN = "plain PyTorch"
COMPILE = ", torch.compile"
WARM_UP = 4  # epochs: a smaller last batch is recorded in its fourth

MAKING = 5.0  # seconds that making a contender may need

# The epoch, and what tells the seconds that it spent on recording.
Made = tuple[Callable[[], None], Callable[[], float]]


@dataclass(frozen=True)
class Work:
    """What every contender does: an epoch of a net of the zoo over the training images of ``data``."""

    device: torch.device
    net: str
    data: Dataset
    batch_size: int

    @property
    def steps(self) -> int:
        """Updates an epoch."""
        return -(-len(self.data.train) // self.batch_size)

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Measured:
    """Seconds: of each repeat, of the first epochs together with making the contender, and of recording."""

    epochs: list[float]
    first: float
    recording: float

    @property
    def median(self) -> float:
        return sorted(self.epochs)[len(self.epochs) // 2]


@dataclass
class Epochs:
    """What is known of a work's contenders: seconds by name, and by name why others have none."""

    title: str
    steps: int
    found: dict[str, Measured] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, raw: dict[str, Any]) -> "Epochs":
        """From what ``asdict`` has made of it."""
        found = {name: Measured(**measured) for name, measured in raw["found"].items()}
        return cls(raw["title"], raw["steps"], found, raw["failed"])

    def add(self, other: "Epochs") -> None:
        """What is known of other contenders of the same work."""
        self.found |= other.found
        self.failed |= other.failed

    def table(self) -> str:
        """A title, a row for each contender, and what became of those that have none."""
        base = next(iter(self.found.values())).median if self.found else 0.0
        first = next(iter(self.found), "")
        header = ["", "median ms", "range", "n", "µs an update", f"times {first}", "recording s", "first s"]
        rows = []
        for name, measured in self.found.items():
            median, epochs = measured.median, measured.epochs
            cells = [f"{1e3 * median:.1f}", f"{1e3 * min(epochs):.1f}–{1e3 * max(epochs):.1f}", f"{len(epochs)}"]
            cells += [f"{1e6 * median / self.steps:.0f}", f"{base / median:.2f}"]
            rows.append([name, *cells, f"{measured.recording:.2f}", f"{measured.first:.1f}"])
        lines = [
            f"## {self.title}",
            f"`first s`: making the contender and its first {WARM_UP} epochs, torch.compile's work included.",
            f"```\n{columns(header, rows)}\n```",
        ]
        return "\n\n".join([*lines, *(f"{name}: {reason}" for name, reason in self.failed.items())])


def contenders(work: Work) -> dict[str, Callable[[], Made]]:
    """By name what makes each, those of torch.compile last."""
    cuda = work.device.type == "cuda"
    precisions: tuple[PrecisionName, ...] = ("fp32", "tf32", "bf16", "fp16") if cuda else ("fp32", "bf16")
    makers: dict[str, Callable[[], Made]] = {
        PLAIN: lambda: _plain(work, False),
        "convscope, launched": lambda: _engine(work, precisions[0], recorded=False),
    }
    for precision in precisions:
        makers[f"convscope, {precision}"] = lambda p=precision: _engine(work, p)
    makers[PLAIN + COMPILE] = lambda: _plain(work, True)
    for precision in precisions[1:3]:
        makers[f"convscope, {precision}{COMPILE}"] = lambda p=precision: _engine(work, p, compiled=True)
    return makers


def _plain(work: Work, compiled: bool) -> Made:
    """As a careful user of PyTorch writes it: everything on the device, nothing waits for it."""
    data, device = work.data, work.device
    net = build(resolve(work.net), data.train.shape, len(data.classes)).to(device, memory_format=torch.channels_last)
    images, labels = (torch.from_numpy(part).to(device) for part in (data.train.images, data.train.labels))
    mean, std = (torch.tensor(part, device=device).view(1, -1, 1, 1) for part in (data.mean, data.std))
    x = ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
    forward = torch.compile(net, mode="reduce-overhead") if compiled else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.5, fused=True)

    def epoch() -> None:
        for batch in torch.randperm(len(x), device=device).split(work.batch_size):
            loss = F.cross_entropy(forward(x[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        work.wait()

    return epoch, lambda: 0.0


def _engine(work: Work, precision: PrecisionName, recorded: bool = True, compiled: bool = False) -> Made:
    """The same work by the engine."""
    data = work.data
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    net = build(resolve(work.net), data.train.shape, len(data.classes))
    problem = Problem(net, images, labels, data.mean, data.std, precision=precision)
    engine = EagerEngine(problem, work.device, recorder_for(net, work.device) if recorded else None)
    if compiled:
        engine.forward = torch.compile(engine.net)
    order = torch.from_numpy(epoch_order(len(images), 0, 1))
    rates = [0.01] * work.steps

    def epoch() -> None:
        engine.steps(order, work.batch_size, rates)
        work.wait()

    return epoch, lambda: engine.compile_seconds


def measure(work: Work, names: Sequence[str], repeats: int, seconds_left: Callable[[], float]) -> Iterator[Epochs]:
    """Time these contenders, each once when it is made and then all in turn; what is known, after every timed epoch.

    One that fails, or for which no time is left, costs no other.
    """
    count = len(work.data.train)
    known = Epochs(
        f"An epoch of {work.net}: {count:,} images, batch {work.batch_size}, {work.steps} updates", work.steps
    )
    makers, made = contenders(work), {}
    for name in names:
        if seconds_left() < MAKING:
            known.failed[name] = "left out for want of time"
            yield known
            continue
        began = time.perf_counter()
        try:
            epoch, recording = makers[name]()
            for _ in range(WARM_UP):
                epoch()
            first = time.perf_counter() - began
            known.found[name], made[name] = Measured([_timed(epoch)], first, recording()), epoch
        except Exception as error:
            traceback.print_exc(file=sys.stdout)
            known.failed[name] = f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        yield known
    for _ in range(repeats - 1):
        for name, epoch in made.items():
            if seconds_left() > 2 * known.found[name].median:
                known.found[name].epochs.append(_timed(epoch))
                yield known


def _timed(epoch: Callable[[], None]) -> float:
    time.sleep(REST)
    began = time.perf_counter()
    epoch()
    return time.perf_counter() - began
