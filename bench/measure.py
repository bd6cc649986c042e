"""How things are timed here: interleaved in one process, so that a drifting machine hurts all alike."""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.engine.devices import survey

REST = 0.1  # seconds


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat of one contender."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def interleaved(
    contenders: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> list[Timing]:
    """Run every contender once unmeasured, then all in turn, ``repeats`` times.

    Between two, the machine rests: the threads of torch (OpenMP) and onnxruntime keep spinning for some milliseconds
    after their work, and would take the next contender's cores.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for work in contenders.values():
        work()
    for _ in range(repeats):
        for name, work in contenders.items():
            time.sleep(REST)
            began = clock()
            work()
            seconds[name].append(clock() - began)
    return [Timing(name, tuple(values)) for name, values in seconds.items()]


def trained(losses: Tensor) -> Tensor:
    """``losses`` of updates that were timed. Raises RuntimeError where one is not finite: that was no training."""
    if not bool(losses.isfinite().all()):
        raise RuntimeError("what was timed is no training: a loss is not finite")
    return losses


def ratio(slow: Timing, fast: Timing) -> tuple[float, float, float]:
    """How many times faster ``fast`` is, repeat by repeat: (median, least, most)."""
    ratios = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def conditions() -> str:
    """The machine and the versions, in one line."""
    machine = survey()
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.vectors}; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def columns(header: list[str], rows: list[list[str]]) -> str:
    """A table as text: the first column to the left, the others to the right, two spaces between."""
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    lines = []
    for first, *others in [header, *rows]:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def table(timings: list[Timing], reference: str) -> str:
    """Median, range and speed relative to the contender called ``reference``."""
    base = next(timing for timing in timings if timing.name == reference)
    rows = []
    for timing in timings:
        median, least, most = ratio(base, timing)
        seconds = [f"{value:.2f}" for value in (timing.median, min(timing.seconds), max(timing.seconds))]
        rows.append([timing.name, *seconds, f"{median:.2f} ({least:.2f}–{most:.2f})"])
    return columns(["", "median s", "least", "most", f"times as fast as {reference}"], rows)
