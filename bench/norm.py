"""What batch norm costs, how wide nets fare, and what it takes to have the program of ``resnet8``.

The same net with and without batch norm, and PyTorch's eager engine with it, in turn. Images are random.
"""

import gc
import tempfile
from pathlib import Path

import torch

from convscope.engine.base import Engine
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine
from convscope.net.zoo import ZOO

from .engine import random_problem, share, work
from .measure import columns, interleaved, ratio

BEFORE = "conv 64 3 padding=1{0} | relu | pool 2 | conv 128 3 padding=1{0} | relu | pool 2"
WIDE = BEFORE + " | conv 256 3 padding=1{0} | relu | globalavg | flatten | linear"
TWICE = "conv 10 3{0} | relu | conv 10 3{0} | relu | pool 2"
NORM = " | batchnorm"
PROGRAM = "resnet8"
# Name: spec, image, batch, images a repeat.
NETS = {
    "3→64→128→256 at 32×32": (WIDE, (3, 32, 32), 256, 512),
    "size of note": ("conv 10 5{0} | pool 2 | relu | conv 20 5{0} | pool 2 | relu | linear", (1, 28, 28), 64, 4096),
    "tiny-vgg": (f"{TWICE} | {TWICE} | linear", (3, 64, 64), 256, 512),
    PROGRAM: (ZOO[PROGRAM].spec.replace(NORM, "{0}"), (3, 32, 32), 256, 512),
}


def cost_of_norm(repeats: int, threads: int) -> str:
    """A row for each net: µs an image, what batch norm adds, times PyTorch, and the share of the direct peak."""
    rows = []
    for name, (spec, image, batch, count) in NETS.items():
        index = torch.arange(count)
        problems = [random_problem(spec.format(norm), image, count) for norm in ("", NORM, NORM)]
        jit = [JitEngine(problem, threads, batch_size=batch) for problem in problems[:2]]
        engines: dict[str, Engine] = {
            "without": jit[0],
            "with": jit[1],
            "PyTorch": EagerEngine(problems[2], torch.device("cpu")),
        }
        contenders = {name: work(engine, index, batch) for name, engine in engines.items()}
        without, norm, eager = interleaved(contenders, repeats)
        cost, times = ratio(norm, without), ratio(eager, norm)
        _, part = share(problems[1].net, image, count, norm, threads)
        rows.append([
            name, f"{batch}", f"{without.median / count * 1e6:.1f}", f"{norm.median / count * 1e6:.1f}",
            f"{cost[0] - 1:+.0%} ({cost[1] - 1:+.0%} to {cost[2] - 1:+.0%})",
            f"{times[0]:.1f} ({times[1]:.1f}–{times[2]:.1f})", f"{part:.0%}",
        ])  # fmt: skip
    title = f"Training with batch norm, {threads} threads; medians of n = {repeats}, interleaved; the whole net's peak"
    header = ["net", "batch", "without, µs an image", "with", "batch norm costs", "times PyTorch", "of peak"]
    return f"\n{title}\n\n{columns(header, rows)}"


def programs(repeats: int, threads: int) -> str:
    """Seconds until an engine for PROGRAM at a batch of 256 is there, and the memory of its arenas."""
    problem = random_problem(PROGRAM, (3, 32, 32), 256)
    engine = None

    def make(folder: Path) -> None:
        nonlocal engine
        engine = JitEngine(problem, threads, cache_dir=folder, batch_size=256)

    with tempfile.TemporaryDirectory() as base:
        fresh = (Path(base) / str(number) for number in range(repeats + 1))
        timings = interleaved(
            {"first": lambda: make(next(fresh)), "from the cache": lambda: make(Path(base) / "0")}, repeats
        )
        gc.collect()
    lines = [f"{t.name}: {t.median:.2f} s ({min(t.seconds):.2f}–{max(t.seconds):.2f})" for t in timings]
    assert engine is not None
    arenas = engine._core.program(256).arenas.nbytes
    return (
        f"\n{PROGRAM} at 32×32, batch 256, {threads} threads; n = {repeats}\nan engine is there, "
        + "; ".join(lines)
        + f"\narenas of all threads: {arenas / 1e6:.0f} MB"
    )
