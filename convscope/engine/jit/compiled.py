"""What engine and predictor share: a net, its flat parameters, and its programs by width of block, loaded."""

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...distributed.team import ALONE, Team
from ...errors import UsageError
from ...language.counts import number_of
from ..base import NOTHING_TRAINED, UNFREEZE
from .block import Learning
from .covers import why_not
from .graph import graph, statistics
from .ir.arrays import Lanes, Shape, padded
from .layout import Layout
from .machine import slots
from .machine.host import COMPILING, Code, Machine, machine
from .machine.runtime import Helpers, Job, Native, aligned, native
from .program import Program
from .ways.conv import Conv
from .ways.first.normed import norm_of
from .ways.norm.layer import BatchNorm
from .ways.scale import Scale, take_up

Floats = NDArray[np.float32]
PIECE = 4096  # images in one foreign call of ``logits``, so that Ctrl-C is answered and others have their turn
MOST_THREADS = 1024


class _HalfDone:
    """In the lock's place where weights or optimizer state are half written, and nobody will write the rest."""

    def __enter__(self) -> None:
        raise UsageError(
            "the engine's last call was broken off half way, by Ctrl-C or by a fork beside it", "build it again"
        )

    def __exit__(self, *_: object) -> None: ...


class Loaded:
    """A program, compiled and with memory: one for each width of block that is asked for."""

    def __init__(self, program: Program, host: Machine, threads: int, folder: Path | None, team: Team = ALONE) -> None:
        code = Code(program.text, host, folder)
        self.program, self.code = program, code
        self.job = Job(threads, code)
        self.all_threads = team.all_threads(threads) if program.learning else threads
        self.job.number(slots.TEAM, self.all_threads)
        self.job.number(slots.FIRST, team.first_thread() if program.learning else 0)
        self.blocks = -1
        self.hold(0)
        self.predict: Native | None = native(code.address("predict")) if program.predicts else None
        self.train: Native | None = native(code.address("train")) if program.learning else None

    def hold(self, blocks: int) -> None:
        """Have memory for a thread's share of so many blocks, where the program keeps more than one at a time."""
        plan = self.program.plan
        if self.blocks < 0 or (plan.each and blocks > self.blocks):
            stride = plan.size + blocks * plan.each
            self.arenas = aligned(self.all_threads * stride, np.uint8)
            self.blocks = blocks
            self.job.array(slots.ARENAS, self.arenas)
            self.job.number(slots.STRIDE, stride)


class Compiled:
    """What engine and predictor share: the net, its flat parameters, and its programs by width of block (images)."""

    def __init__(
        self,
        net: nn.Sequential,
        image: Shape,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        threads: int,
        isa: str | None,
        cache_dir: Path | None,
        learning: Learning | None,
        team: Team = ALONE,
    ) -> None:
        reason = why_not(net)
        if reason:
            raise UsageError(f"the CPU engine cannot run this net: {reason}", "take the eager engine (--engine eager)")
        if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads must be a whole number from 1 to {MOST_THREADS:,}, not {threads!r}")
        if mean is not None and std is not None:
            _check_statistics(image[0], mean, std)
        self.net, self.image, self.threads = net, image, threads
        self.team, self.all_threads = team, team.all_threads(threads)
        self.host = machine(isa)
        self.nodes = graph(net, image, learning is not None)
        self.streams = any(isinstance(node.op, BatchNorm) for node in self.nodes)
        self.largest = max(prod(shape) for node in self.nodes for shape in (*node.shapes, node.output))
        self.classes = self.nodes[-1].output[0]
        if self.nodes[-1].output[1:] != (1, 1):
            raise UsageError(
                "the CPU engine cannot run this net: it ends with an image, not with scores",
                "end the net with flatten or linear",
            )
        self.learning, self.folder = learning, cache_dir
        self.mean, self.std, self.isa = mean, std, isa
        self.dtype = torch.float32 if std is None else torch.uint8
        self.scale: list[float] | None = None  # images are floats, and taken as they are
        self.shift: list[float] = []
        if std is not None:
            deviations = np.asarray(std, np.float64)
            self.scale = (1 / (255 * deviations)).astype(np.float32).tolist()
            self.shift = (-np.asarray(mean, np.float64) / deviations).astype(np.float32).tolist()
        self.helpers = Helpers(threads)
        self.lock: threading.Lock | _HalfDone = threading.Lock()  # one call at a time: a program's memory is its own
        self.changing = False  # weights or optimizer state are being written
        _LIVING.add(self)
        self.compile_seconds = 0.0
        self.exported = False  # the bench calls kernels one by one
        self.loaded: dict[Lanes, Loaded] = {}
        self.layout = Layout(net, learning is not None)
        if learning and not self.layout.trained:
            raise UsageError(NOTHING_TRAINED, UNFREEZE)
        count, buffers = self.layout.count, sum(statistics(module) for module in net)
        # Behind the parameters of a net that is only used stand the factors and shifts of its normalisations.
        self.parameters: Floats = aligned(padded(count) + (0 if learning else buffers)).view(np.float32)
        self.flat = torch.from_numpy(self.parameters)
        self.running: Floats = aligned(buffers).view(np.float32)

    def program(self, batch: int) -> Loaded:
        """The program for batches of ``batch`` images; compiled or read from the cache when it is first asked for."""
        lanes = self.host.lanes(-(-batch // self.all_threads), self.largest, self.streams)
        ready = self._load(lanes, self.threads)
        ready.hold(-(-batch // (lanes.count * self.all_threads)))
        return ready

    def alone(self) -> Loaded:
        """The program for one image, which is not worth waking a thread for."""
        return self._load(self.host.alone(), 1)

    def _load(self, lanes: Lanes, threads: int) -> Loaded:
        ready = self.loaded.get(lanes)
        if ready is not None:
            return ready
        with COMPILING:
            if lanes not in self.loaded:  # else another thread was quicker
                start = time.perf_counter()
                program = Program(
                    self.nodes, lanes, self.scale, self.shift, self.learning, self.host.pause, self.exported
                )
                ready = Loaded(program, self.host, threads, self.folder, self.team)
                ready.job.array(slots.PARAMETERS, self.parameters)
                ready.job.array(slots.RUNNING, self.running)
                self.loaded[lanes] = ready  # last: others use it as soon as it is here
                self.compile_seconds += time.perf_counter() - start
            return self.loaded[lanes]

    @contextmanager
    def change(self) -> Iterator[None]:
        """The lock, for who writes weights or optimizer state."""
        with self.lock:
            self.changing = True
            try:
                yield
            finally:
                self.changing = not self.helpers.settle(0)
                if self.changing:  # an interrupt waited for helpers that do not come, and has given up
                    self.lock = _HalfDone()

    def forked(self) -> None:
        """In a forked child: its helpers are gone, and nobody will give back a lock that another thread held."""
        self.lock = _HalfDone() if self.changing else threading.Lock()
        self.helpers.forked()

    def views(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """The name of each of the net's parameters, the parameter, and its place in the flat copy."""
        for name, parameter in self.net.named_parameters():
            start, data = self.layout.places[name], parameter.detach()
            yield name, data, self.flat[start : start + data.numel()].view(data.shape)

    def read(self) -> None:
        """Take up the net's parameters and running statistics, whoever changed them."""
        for _, data, place in self.views():
            place.copy_(data)
        for buffer, place in self._running():
            place.copy_(buffer)
        for node in self.nodes:
            scale, weights = node.op, None
            if isinstance(node.op, Conv):
                scale, weights = node.op.scale or node.op, self.flat[node.op.weight :][: node.op.weights]
            if isinstance(scale, Scale):
                take_up(self.flat, scale, self.net.get_submodule(scale.name), weights)

    def write(self, steps: int) -> None:
        """Give the net its parameters and running statistics after ``steps`` steps."""
        # Not inside torch.no_grad(), which an interrupt could leave switched on: the views ask for no gradient.
        for name, data, place in self.views():
            if name not in self.layout.frozen:
                data.copy_(place)
        for buffer, place in self._running():
            buffer.copy_(place)
        for module in self.net:
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.num_batches_tracked is not None:
                module.num_batches_tracked += steps

    def _running(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Running means and variances, each with its place in the flat copy."""
        for op in (node.op for node in self.nodes):
            if norm := norm_of(op):
                module = self.net.get_submodule(norm.name)
                for n, buffer in enumerate((module.running_mean, module.running_var)):
                    start = norm.running + n * padded(norm.channels)
                    assert isinstance(buffer, Tensor)
                    yield buffer, torch.from_numpy(self.running[start : start + norm.channels])

    def logits(self, images: Tensor, ready: Loaded) -> Tensor:
        """Scores (M, K) of images (M, C, H, W), uint8, or float32 where no mean and deviation were given.

        Raises UsageError for images of another type or shape.
        """
        if images.dtype != self.dtype or images.ndim != 4 or tuple(images.shape[1:]) != self.image:
            wanted, given = (str(dtype).removeprefix("torch.") for dtype in (self.dtype, images.dtype))
            raise UsageError(
                f"images must be {wanted} of shape (M, {', '.join(map(str, self.image))}), but are "
                f"{given} of shape {tuple(images.shape)}"
            )
        count = len(images)
        result = torch.empty(count, self.classes, dtype=torch.float32, device="cpu")
        if not count:
            return result
        images = images.cpu().contiguous()
        assert ready.predict
        whole = count <= PIECE  # slices take microseconds
        for part, scores in [(images, result)] if whole else zip(images.split(PIECE), result.split(PIECE), strict=True):
            with self.lock:
                ready.job.array(slots.IMAGES, part.numpy())
                ready.job.array(slots.INDEX, np.arange(len(part)))
                ready.job.array(slots.LOGITS, scores.numpy())
                ready.job.number(slots.COUNT, len(part))
                if ready.job.threads == 1:
                    ready.predict(ready.job.address, 0)
                else:
                    self.helpers.run(ready.predict, ready.job, barriers=False)
        return result


_LIVING: "weakref.WeakSet[Compiled]" = weakref.WeakSet()


def _after_fork() -> None:
    """In a forked child, where only the thread that forked continues."""
    living = list(_LIVING)
    for core in living:
        core.forked()
    if living:  # copies of weights go through torch, whose own threads (OpenMP's) it would wait for without end
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _check_statistics(channels: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if len(mean) != channels or len(std) != channels or not all(s > 0 for s in std):
        raise UsageError(
            f"mean and std must have {number_of(channels, 'number')}, one a channel, std above 0, not {mean}, {std}"
        )
