"""Every kernel of a net's program against the peak of one core: multiply-adds, time, rate, bytes it must move."""

import ctypes
import time
from dataclasses import dataclass
from math import prod

import torch

from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine
from convscope.engine.jit.ir.kernel import Kernel, Reduction
from convscope.engine.jit.machine import slots
from convscope.engine.jit.ways.conv import Conv
from convscope.engine.jit.ways.node import Node
from convscope.net.build import build
from convscope.net.zoo import ZOO, resolve

from .peak import Peak


@dataclass
class Figures:
    """One kernel's figures for one block of images."""

    name: str
    word: str  # what it does
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
    entry = ZOO.get(net, ZOO["resnet8"])  # a spec is for colour images of 32×32
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2 * batch, *entry.image), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (2 * batch,), generator=generator)
    model = build(resolve(net), entry.image, 10)
    channels = entry.image[0]
    problem = Problem(model, images, labels, (0.13,) * channels, (0.31,) * channels)
    return JitEngine(problem, threads, isa, batch_size=batch)


def measure(
    net: str = "note", batch: int = 32, isa: str | None = None, rounds: int = 30
) -> tuple[list[Figures], float]:
    """The kernels of one training step on one thread, the best of ``rounds``, and the peak in GFLOP/s."""
    jit = engine(net, batch, isa)
    core = jit._core
    core.loaded.clear()
    core.exported = True
    jit.steps(torch.arange(batch), batch, [0.01])
    ready = core.program(batch)
    program, lanes = ready.program, ready.program.lanes
    arena, parameters = int(ready.job.slots[slots.ARENAS]), int(ready.job.slots[slots.PARAMETERS])
    loop = Peak(isa)
    peak, found = 0.0, []
    for kernel in program.module.functions:
        if not isinstance(kernel, Kernel) or isinstance(kernel, Reduction):
            continue
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(ready.code.address(kernel.name))
        best = 1e9
        for _ in range(rounds):
            start = time.thread_time()  # a kernel of some milliseconds may have to share the core
            call(arena, parameters, arena + program.header.gradients, arena + program.plan.size)
            best = min(best, time.thread_time() - start)
        peak = max(peak, *(loop.once() for _ in range(3)))
        node = None if kernel.node is None else program.nodes[kernel.node]
        first = kernel.node is None or not any(conv_multiply_adds(n) for n in program.nodes[: kernel.node])
        flop = 2.0 * _multiply_adds(node, kernel.word, first) * lanes.count
        found.append(Figures(kernel.name, kernel.word, flop, _bytes(node, kernel.word, lanes.count), best * 1e6, 0.0))
    for figures in found:
        figures.peak = peak
    return found, peak


def _multiply_adds(node: Node | None, word: str, first: bool) -> int:
    """Of one image; 0 for kernels that are not convolutions. ``first``: no convolution stands before the node.

    ``backward`` is Winograd's way; counted is what the direct way would take, so that its rate may exceed the peak.
    """
    if node is None or word not in ("forward", "weight_gradient", "input_gradient", "backward"):
        return 0
    return conv_multiply_adds(node) * (2 if word == "backward" and not first else 1)


def _bytes(node: Node | None, word: str, images: int) -> float:
    """Compulsory traffic of a convolution's kernel; a fused pool counts only what is stored."""
    if node is None or not isinstance(node.op, Conv):
        return 0
    conv = node.op
    full = prod(node.output) * (1 if word == "forward" else prod(conv.window))
    return 4.0 * (images * (prod(node.shapes[0]) + full) + conv.outputs * conv.fan_in * prod(conv.kernel))


def conv_multiply_adds(node: Node) -> int:
    """Multiply-adds of one image in one direction through a node; 0 where it is no convolution."""
    if not isinstance(node.op, Conv):
        return 0
    return prod(node.output) * prod(node.op.window) * node.op.fan_in * prod(node.op.kernel)


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
