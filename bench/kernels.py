"""Every kernel of a net's program against the peak of one core: multiply-adds, time, rate, bytes it must move."""

import ctypes
import time
from dataclasses import dataclass
from math import prod

import torch

from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine, slots
from convscope.engine.jit.conv import Conv
from convscope.engine.jit.stages import Stage
from convscope.net.build import build
from convscope.net.zoo import ZOO, resolve

from .peak import Peak


@dataclass
class Kernel:
    """One kernel's figures for one block of images."""

    name: str
    flop: float
    bytes: float  # of what it must read and write at least once: input, output, weights
    microseconds: float
    peak: float  # GFLOP/s of the peak loop, measured between the runs of the kernel

    @property
    def rate(self) -> float:
        """GFLOP/s."""
        return self.flop / self.microseconds / 1e3


def engine(net: str, batch: int, isa: str | None = None, threads: int = 1) -> JitEngine:
    """An engine for a named net on random images."""
    entry = ZOO[net]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2 * batch, *entry.image), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (2 * batch,), generator=generator)
    model = build(resolve(net), entry.image, 10)
    channels = entry.image[0]
    problem = Problem(model, images, labels, (0.13,) * channels, (0.31,) * channels)
    return JitEngine(problem, threads, isa, batch_size=batch)


def measure(net: str = "note", batch: int = 32, isa: str | None = None, rounds: int = 30) -> tuple[list[Kernel], float]:
    """The kernels of one training step on one thread, the best of ``rounds``, and the peak in GFLOP/s."""
    jit = engine(net, batch, isa)
    jit.steps(torch.arange(batch), batch, [0.01])
    core = jit._core
    ready = core.program(batch)
    plan, lanes = ready.program.plan, ready.program.lanes
    arena, parameters = int(ready.job.slots[slots.ARENAS]), int(ready.job.slots[slots.PARAMETERS])
    loop = Peak(isa)
    peak, found = 0.0, []
    for function in ready.program.module.functions:
        if not function.public or function.name in ("predict", "train"):
            continue
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
            ready.code.address(function.name)
        )
        best = 1e9
        for _ in range(rounds):
            start = time.thread_time()  # a kernel of some milliseconds may have to share the core
            call(arena, parameters, arena + plan.gradients)
            best = min(best, time.thread_time() - start)
        peak = max(peak, *(loop.once() for _ in range(3)))
        flop = 2.0 * _multiply_adds(ready.program.stages, function.name) * lanes.count
        moved = _bytes(ready.program.stages, function.name, lanes.count)
        found.append(Kernel(function.name, flop, moved, best * 1e6, 0.0))
    for kernel in found:
        kernel.peak = peak
    return found, peak


def _multiply_adds(stages: list[Stage], name: str) -> int:
    """Of one image, by the kernel's name; 0 for kernels that are not convolutions.

    ``backward`` is Winograd's way; counted is what the direct way would take, so that its rate may exceed the peak.
    """
    for word in ("forward", "weight_gradient", "input_gradient", "backward"):
        if name.startswith(word):
            number = int(name.removeprefix(word))
            first = all(conv_multiply_adds(stage) == 0 for stage in stages[:number])
            return conv_multiply_adds(stages[number]) * (2 if word == "backward" and not first else 1)
    return 0


def _bytes(stages: list[Stage], name: str, images: int) -> float:
    """Compulsory traffic of a convolution's kernel; a fused pool counts only what is stored."""
    number = name.lstrip("abcdefghijklmnopqrstuvwxyz_")
    if not number or not isinstance(stages[int(number)].op, Conv):
        return 0
    stage = stages[int(number)]
    conv = stage.op
    full = prod(stage.output) * (1 if name.startswith("forward") else prod(conv.pool or (1, 1)))
    return 4.0 * (images * (prod(stage.input) + full) + conv.outputs * conv.fan_in * prod(conv.kernel))


def conv_multiply_adds(stage: Stage) -> int:
    """Multiply-adds of one image in one direction through a stage; 0 where it is no convolution."""
    if not isinstance(stage.op, Conv):
        return 0
    conv, (channels, height, width) = stage.op, stage.output
    return channels * height * width * prod(conv.pool or (1, 1)) * conv.fan_in * prod(conv.kernel)


def main(net: str = "note", batch: int = 32, isa: str | None = None) -> None:
    kernels, peak = measure(net, batch, isa)
    total = sum(k.microseconds for k in kernels)
    print(f"{net}, {batch} images, one thread; peak {peak:.1f} GFLOP/s")
    for k in kernels:
        rate = f"{k.rate:8.1f} GFLOP/s {k.rate / peak:6.1%} of peak" if k.flop else ""
        print(f"{k.name:<20}{k.microseconds:9.1f} µs {k.microseconds / total:6.1%} {rate}")
    flop = sum(k.flop for k in kernels)
    print(
        f"{'all':<20}{total:9.1f} µs        {flop / total / 1e3:8.1f} GFLOP/s {flop / total / 1e3 / peak:6.1%} of peak"
    )


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:2], *(int(a) for a in sys.argv[2:3]), *sys.argv[3:4])
