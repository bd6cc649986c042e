"""``python -m bench.engine [peak] [nets] [inference] [growth]``: the engine's claims, on all cores.

All contenders run in one process, in turn, on the same threads; n, median and range are printed. Images are random: the
arithmetic does not care. The peak is that of a loop of independent multiply-adds on as many cores, measured in between.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from convscope.engine.base import Engine, Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine
from convscope.engine.jit.graph import graph
from convscope.engine.jit.ways.conv import Conv
from convscope.net.build import build
from convscope.net.zoo import ZOO, resolve
from convscope.storage.cores import cores

from . import runtimes
from .kernels import conv_multiply_adds
from .measure import Timing, columns, conditions, interleaved, ratio, trained
from .peak import Peak

Shape = tuple[int, int, int]
COUNTS = {"mlp": 16_384, "tiny-vgg": 1024}  # images a repeat; of the other nets 4,096
NETS, BATCHES = ("note", "lenet5", "tiny-vgg", "mlp"), (1, 16, 64, 256, 1024)


def random_problem(net: str, image: Shape, count: int) -> Problem:
    """``count`` random images and labels for a net or spec."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *image), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (count,), generator=generator)
    return Problem(build(resolve(net), image, 10), images, labels, (0.5,) * image[0], (0.3,) * image[0])


def training_gflop(net: nn.Sequential, image: Shape) -> float:
    """GFLOP of one image's training step: forward, weight gradients, and input gradients after the first layer."""
    total, first = 0, True
    for node in graph(net, image, training=True):
        if isinstance(node.op, Conv):
            total += conv_multiply_adds(node) * (2 if first else 3)
            first = False
    return 2e-9 * total


@cache
def the_peak() -> Peak:
    return Peak()


def share(net: nn.Sequential, image: Shape, images: int, timing: Timing, threads: int) -> tuple[float, float]:
    """(GFLOP/s, share of the peak of ``threads`` cores) of training ``images`` images in the median time."""
    rate = training_gflop(net, image) * images / timing.median
    return rate, rate / the_peak().measure(threads)


def work(engine: Engine, index: Tensor, batch: int) -> Callable[[], object]:
    return lambda: trained(engine.steps(index, batch, [0.01] * -(-len(index) // batch)))


def nets_and_batches(repeats: int, threads: int) -> None:
    """Point 3: zoo nets at several batch sizes, eager against jit."""
    print(f"\nTraining steps, {threads} threads; n = {repeats}, interleaved; images/s are medians\n")
    rows = []
    for name in NETS:
        image = ZOO[name].image
        for batch in BATCHES:
            # Enough for some tenths of a second: PyTorch's threads keep spinning for a while after their call.
            count = 256 if batch == 1 else COUNTS.get(name, 4096)
            problem = random_problem(name, image, count)
            index = torch.arange(count)
            other = random_problem(name, image, count)
            contenders = {
                "eager": work(EagerEngine(problem, torch.device("cpu")), index, batch),
                "jit": work(JitEngine(other, threads, batch_size=batch), index, batch),
            }
            eager, jit = interleaved(contenders, repeats)
            rate, part = share(problem.net, image, count, jit, threads)
            median, least, most = ratio(eager, jit)
            times = f"{median:.1f} ({least:.1f}–{most:.1f})"
            cells = f"{count / eager.median:,.0f}", f"{count / jit.median:,.0f}", times, f"{rate:.0f}", f"{part:.0%}"
            rows.append([name, str(batch), *cells])
    print(columns(["net", "batch", "eager /s", "jit /s", "times (range)", "GFLOP/s", "of peak"], rows))


def print_inference(repeats: int, threads: int) -> None:
    print(runtimes.inference(repeats, threads))


def _processor_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


Row = tuple[int, float, float, float]


def growth(repeats: int, threads: int) -> dict[str, list[Row]]:
    """Point 5: (size, median and least µs an image, share of peak in the least) against what grows."""
    peaks = {workers: the_peak().measure(workers) for workers in range(1, cores() + 1)}

    def one(size: int, spec: str, image: Shape, batch: int, workers: int) -> Row:
        count = max(batch, 1024 if batch < 16 else 4096)  # many steps a call, as in training
        problem = random_problem(spec, image, count)
        engine = JitEngine(problem, workers, batch_size=batch)
        run = work(engine, torch.arange(count), batch)
        (timing,) = interleaved({"jit": run}, repeats)
        peaks[workers] = max(peaks[workers], the_peak().measure(workers))  # the machine at its best, as the least time
        # One thread's own processor time is the same on a busy machine; with more, some of it is waiting.
        least = min(_processor_seconds(run) for _ in range(repeats)) if workers == 1 else min(timing.seconds)
        rate = training_gflop(problem.net, image) * count / least
        return size, timing.median / count * 1e6, least / count * 1e6, rate / peaks[workers]

    wide = "conv {0} 3 padding=1 | relu | conv {0} 3 padding=1 | pool 2 | relu | linear"
    note, grey = ZOO["note"].spec, (1, 28, 28)
    result = {
        "batch size": [one(b, note, grey, b, threads) for b in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)],
        "threads": [one(t, note, grey, 64, t) for t in range(1, cores() + 1)],
        "image side": [one(s, note, (1, s, s), 64, threads) for s in (16, 28, 32, 48, 64, 96)],
        "channels": [one(c, wide.format(c), (3, 16, 16), 64, threads) for c in (4, 8, 12, 16, 24, 32, 48, 64)],
    }
    print(f"\nCost of a training step, {threads} threads unless varied; n = {repeats}; of peak: the least")
    for what, rows in result.items():
        print(f"\n| {what} | µs an image, median | least, own time | of peak |\n|---|---|---|---|")
        for size, median, least, part in rows:
            print(f"| {size} | {median:.2f} | {least:.2f} | {part:.0%} |")
    return result


def share_of_peak(repeats: int, threads: int) -> None:
    """Point 2: net note at batch 64; the epoch counts 150 GFLOP for 60,000 images."""
    problem = random_problem("note", (1, 28, 28), 60_000)
    engine = JitEngine(problem, threads, batch_size=64)
    peaks, rates = [], []
    run = work(engine, torch.randperm(60_000), 64)
    for timing in [interleaved({"jit": run}, 1)[0] for _ in range(repeats)]:
        peaks.append(the_peak().measure(threads, 3))
        rates.append(150 / timing.median)
    parts = [rate / peak for rate, peak in zip(rates, peaks, strict=True)]
    print(
        f"\nOne epoch of net note, batch 64, {threads} threads, n = {repeats}: {statistics.median(rates):.0f} GFLOP/s"
    )
    print(
        f"{statistics.median(parts):.0%} ({min(parts):.0%}–{max(parts):.0%}) of {statistics.median(peaks):.0f} GFLOP/s"
    )


TABLES = {"peak": share_of_peak, "nets": nets_and_batches, "inference": print_inference, "growth": growth}

if __name__ == "__main__":
    torch.set_num_threads(cores())
    print(conditions())
    for table in sys.argv[1:] or TABLES:
        TABLES[table](5, cores())
