"""JitEngine: the Engine whose steps are machine code written for its net. JitPredictor: its forward half."""

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

from ...errors import UsageError
from ..base import Problem
from . import slots
from .kernels import Learning
from .layout import Lanes
from .machine import COMPILING, Code, Machine, machine
from .optimizers import Rule
from .plan import padded
from .program import Program
from .runtime import Helpers, Job, Native, aligned, native
from .stages import Shape, stages, why_not

Floats = NDArray[np.float32]
MANY = 1 << 20  # images: blocks as wide as they get
ROWS = 64  # results that are allocated at a time, for one alone takes torch 1.7 µs
PIECE = 4096  # images in one foreign call of ``logits``, so that Ctrl-C is answered and others have their turn
MOST_THREADS = 1024
FEW = 8  # images that are computed sooner one by one than as one block, of which most lanes would be idle


class _HalfDone:
    """In the lock's place where weights or optimizer state are half written, and nobody will write the rest."""

    def __enter__(self) -> None:
        raise UsageError("the engine's last call was broken off half way, by Ctrl-C or by a fork beside it",
                         "build it again")  # fmt: skip

    def __exit__(self, *_: object) -> None: ...


class _Loaded:
    """A program, compiled and with memory: one for each width of block that is asked for."""

    def __init__(self, program: Program, host: Machine, threads: int, folder: Path | None) -> None:
        code = Code(program.text, host, folder)
        self.program, self.code = program, code
        self.job = Job(threads, code)
        self.arenas = aligned(threads * program.plan.size, np.uint8)
        self.job.array(slots.ARENAS, self.arenas)
        self.predict: Native = native(code.address("predict"))
        self.train: Native | None = native(code.address("train")) if program.learning else None


class _Compiled:
    """What engine and predictor share: the net, its flat parameters, and programs by block size."""

    def __init__(self, net: nn.Sequential, image: Shape, mean: Sequence[float], std: Sequence[float], threads: int,
                 isa: str | None, cache_dir: Path | None, learning: Learning | None) -> None:  # fmt: skip
        reason = why_not(net)
        if reason:
            raise UsageError(f"the CPU engine cannot run this net: {reason}", "take the eager engine (--engine eager)")
        if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads must be a whole number from 1 to {MOST_THREADS:,}, not {threads!r}")
        _check_statistics(image[0], mean, std)
        self.net, self.image, self.threads = net, image, threads
        self.host = machine(isa)
        self.stages = stages(net, image)
        self.largest = max(prod(shape) for s in self.stages for shape in (s.input, s.output))
        self.classes = self.stages[-1].output[0]
        if self.stages[-1].output[1:] != (1, 1):
            raise UsageError("the CPU engine cannot run this net: it ends with an image, not with scores",
                             "end the net with flatten or linear")  # fmt: skip
        self.learning, self.folder = learning, cache_dir
        deviations = np.asarray(std, np.float64)
        self.scale: list[float] = (1 / (255 * deviations)).astype(np.float32).tolist()
        self.shift: list[float] = (-np.asarray(mean, np.float64) / deviations).astype(np.float32).tolist()
        self.helpers = Helpers(threads)
        self.lock: threading.Lock | _HalfDone = threading.Lock()  # one call at a time: a program's memory is its own
        self.changing = False  # weights or optimizer state are being written
        _LIVING.add(self)
        self.compile_seconds = 0.0
        self.loaded: dict[Lanes, _Loaded] = {}
        count = sum(p.numel() for p in net.parameters())
        self.parameters: Floats = aligned(padded(count)).view(np.float32)
        self.flat = torch.from_numpy(self.parameters)

    def program(self, batch: int) -> _Loaded:
        """The program for batches of ``batch`` images; compiled or read from the cache when it is first asked for."""
        return self._load(self.host.lanes(-(-batch // self.threads), self.largest), self.threads)

    def alone(self) -> _Loaded:
        """The program for one image, which is not worth waking a thread for."""
        return self._load(self.host.alone(), 1)

    def _load(self, lanes: Lanes, threads: int) -> _Loaded:
        ready = self.loaded.get(lanes)
        if ready is not None:
            return ready
        with COMPILING:
            if lanes not in self.loaded:  # else another thread was quicker
                start = time.perf_counter()
                program = Program(self.stages, lanes, self.scale, self.shift, self.learning, self.host.pause)
                ready = _Loaded(program, self.host, threads, self.folder)
                ready.job.array(slots.PARAMETERS, self.parameters)
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

    def views(self) -> list[tuple[Tensor, Tensor]]:
        """Each of the net's parameters, with its place in the flat copy."""
        found, start = [], 0
        for parameter in self.net.parameters():
            data = parameter.detach()
            found.append((data, self.flat[start : start + data.numel()].view(data.shape)))
            start += data.numel()
        return found

    def read(self) -> None:
        """Take up the net's parameters, whoever changed them."""
        for data, place in self.views():
            place.copy_(data)

    def logits(self, images: Tensor, ready: _Loaded) -> Tensor:
        """Scores (M, K) of uint8 images (M, C, H, W)."""
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != self.image:
            raise UsageError(f"images must be uint8 of shape (M, {', '.join(map(str, self.image))}), but are "
                             f"{str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}")  # fmt: skip
        count = len(images)
        result = torch.empty(count, self.classes, dtype=torch.float32, device="cpu")
        if not count:
            return result
        images = images.cpu().contiguous()
        for start in range(0, count, PIECE):
            part, scores = images[start : start + PIECE].numpy(), result[start : start + PIECE].numpy()
            with self.lock:
                ready.job.array(slots.IMAGES, part)
                ready.job.array(slots.INDEX, np.arange(len(part)))
                ready.job.array(slots.LOGITS, scores)
                ready.job.number(slots.COUNT, len(part))
                if ready.job.threads == 1:
                    ready.predict(ready.job.address, 0)
                else:
                    self.helpers.run(ready.predict, ready.job)
        return result


_LIVING: "weakref.WeakSet[_Compiled]" = weakref.WeakSet()


def _after_fork() -> None:
    for core in list(_LIVING):
        core.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class JitEngine:
    """Trains ``problem.net`` with machine code written for it. See :class:`convscope.engine.base.Engine`.

    ``threads`` share every batch. ``isa`` forces a narrower instruction set ("avx2", "sse"). Compiled programs are kept
    in ``cache_dir``, or in the user's cache. ``batch_size`` is compiled for at once, others when they are first used.
    Raises UsageError where :func:`why_not` has a reason, or the data do not fit the net.
    """

    name = "jit"

    def __init__(self, problem: Problem, threads: int = 1, isa: str | None = None, cache_dir: Path | None = None,
                 batch_size: int = 64) -> None:  # fmt: skip
        images, labels = problem.images, problem.labels
        if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
            raise UsageError(
                f"images must be uint8 (N, C, H, W), but are {images.dtype} of shape {tuple(images.shape)}"
            )
        if labels.dtype != torch.int64 or labels.shape != (len(images),):
            raise UsageError(f"labels must be int64 ({len(images)},), but are {labels.dtype} {tuple(labels.shape)}")
        momentum = problem.momentum if problem.optimizer == "sgd" else 0.0
        self.rule = Rule(problem.optimizer, momentum, problem.nesterov, problem.betas, problem.weight_decay)
        _, *shape = images.shape
        self._core = _Compiled(problem.net, (shape[0], shape[1], shape[2]), problem.mean, problem.std, threads, isa,
                               cache_dir, Learning(problem.loss, self.rule))  # fmt: skip
        if int(labels.min()) < 0 or int(labels.max()) >= self._core.classes:
            raise UsageError(f"labels run from {int(labels.min())} to {int(labels.max())}, "
                             f"but the net has {self._core.classes} outputs")  # fmt: skip
        self.net = problem.net
        self._images, self._labels = images.cpu().contiguous(), labels.cpu().contiguous()
        self._states: Floats = aligned(max(1, len(self.rule.states)) * len(self._core.parameters)).view(np.float32)
        self._step = 0
        self._batch = min(batch_size, len(images))
        self._core.program(self._batch)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent so far on writing and compiling programs, or on reading them from the cache."""
        return self._core.compile_seconds

    def steps(self, index: Tensor, batch_size: int, lrs: list[float]) -> Tensor:
        """Take ``len(lrs)`` steps; see :meth:`Engine.steps`. Everything is checked before the foreign call."""
        count, steps = len(index), len(lrs)
        if index.dtype != torch.int64 or index.ndim != 1 or batch_size < 1:
            raise UsageError(f"index must be int64 (M,) and the batch size at least 1, not {index.dtype}, {batch_size}")
        if not steps or not (steps - 1) * batch_size < count <= steps * batch_size:
            raise UsageError(f"{count} images do not make {steps} batches of {batch_size}")
        if int(index.min()) < 0 or int(index.max()) >= len(self._images):
            raise UsageError(f"index must lie in 0..{len(self._images) - 1}")
        with self._core.change():
            return self._steps(index, batch_size, lrs)

    def _steps(self, index: Tensor, batch_size: int, lrs: list[float]) -> Tensor:
        count, steps = len(index), len(lrs)
        # The program for whole batches also where only a last, smaller one is asked for: which updates share a call
        # must not change their bits.
        ready = self._core.program(min(batch_size, len(self._images)))
        job = ready.job
        self._core.read()
        losses = torch.empty(steps, dtype=torch.float32, device="cpu")
        rates = np.array([self.rule.rates(lr, self._step + i + 1) for i, lr in enumerate(lrs)], np.float32)
        job.array(slots.IMAGES, self._images.numpy())
        job.array(slots.LABELS, self._labels.numpy())
        job.array(slots.INDEX, index.cpu().contiguous().numpy())
        job.array(slots.LOSSES, losses.numpy())
        job.array(slots.RATES, rates)
        job.array(slots.STATES, self._states)
        for slot, value in ((slots.COUNT, count), (slots.BATCH, batch_size), (slots.STEPS, steps)):
            job.number(slot, value)
        assert ready.train
        try:
            self._core.helpers.run(ready.train, job)
        finally:
            if self._core.helpers.settle(0):  # else the call was broken off, and its weights are half written
                self._step += int(job.slots[slots.DONE])
                # Not inside torch.no_grad(), which an interrupt could leave switched on: the views ask for no gradient.
                for data, place in self._core.views():
                    data.copy_(place)
        return losses

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (M, K) for uint8 images (M, C, H, W)."""
        with self._core.lock:
            self._core.read()
            ready = self._core.program(self._batch)
        return self._core.logits(images, ready)

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state by name; see :meth:`Engine.state`."""
        with self._core.lock:
            return self._state()

    def _state(self) -> dict[str, Tensor]:
        if not self._step:
            return {}
        found = {f"{name}.{parameter}": place.clone() for name, parameter, place in self._state_views()}
        if self.rule.optimizer == "adam":
            found["step"] = torch.tensor(self._step)
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what ``state`` returned. Raises UsageError where it does not fit; then nothing is changed."""
        views = self._state_views()
        foreign = state.keys() - {f"{name}.{parameter}" for name, parameter, _ in views} - {"step"}
        if foreign:
            raise UsageError(f"the optimizer state {min(foreign)!r} does not fit the net")
        for name, parameter, place in views:  # all are checked before one is touched
            given = state.get(f"{name}.{parameter}")
            if given is not None and given.shape != place.shape:
                raise UsageError(f"{name}.{parameter} has shape {tuple(given.shape)}, not {tuple(place.shape)}")
        with self._core.change():
            for name, parameter, place in views:
                given = state.get(f"{name}.{parameter}")
                place.copy_(torch.zeros(()) if given is None else given)
            self._step = int(state["step"]) if "step" in state else int(bool(state))

    def _state_views(self) -> list[tuple[str, str, Tensor]]:
        """(state's name, parameter's name, the values) of all of the optimizer's state."""
        room, found = len(self._core.parameters), []
        for n, name in enumerate(self.rule.states):
            start = n * room
            for parameter, value in self.net.named_parameters():
                place = torch.from_numpy(self._states[start : start + value.numel()]).view(value.shape)
                found.append((name, parameter, place))
                start += value.numel()
        return found


class JitPredictor:
    """The forward half of the engine for a net without training data: ``logits`` of uint8 images (M, C, H, W).

    The weights are taken up when it is built; after they have changed, call ``refresh``. ``threads`` share a batch;
    one image alone is computed at once, without waking a thread.
    """

    def __init__(self, net: nn.Sequential, image: Shape, mean: Sequence[float], std: Sequence[float], threads: int = 1,
                 isa: str | None = None, cache_dir: Path | None = None) -> None:  # fmt: skip
        self.net = net
        self._core = _Compiled(net, image, mean, std, threads, isa, cache_dir, None)
        self._alone = self._core.alone()
        self._alone.job.array(slots.INDEX, np.zeros(1, np.int64))
        self._take_up = native(self._alone.code.address("refresh"))
        self._shape = torch.Size((1, *image))
        self._rows: list[Tensor] = []  # results that wait to be filled
        self.refresh()

    def refresh(self) -> None:
        """Take up the net's weights as they are now."""
        with self._core.change():
            self._core.read()
            self._take_up(self._alone.job.address, 0)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent so far on programs."""
        return self._core.compile_seconds

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (M, K) for uint8 images (M, C, H, W)."""
        if images.shape != self._shape or images.dtype is not torch.uint8:
            return self._core.logits(images, self._alone if len(images) <= FEW else self._core.program(MANY))
        if not images.is_cpu or not images.is_contiguous():  # asked first, for one image takes only microseconds
            images = images.cpu().contiguous()
        job = self._alone.job
        with self._core.lock:
            if not self._rows:
                self._rows = list(torch.empty(ROWS, 1, self._core.classes, dtype=torch.float32, device="cpu").unbind())
            scores = self._rows.pop()
            job.slots[slots.IMAGES], job.slots[slots.LOGITS] = images.data_ptr(), scores.data_ptr()
            job.slots[slots.COUNT] = 1
            self._alone.predict(job.address, 0)
        return scores


def _check_statistics(channels: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if len(mean) != channels or len(std) != channels or not all(s > 0 for s in std):
        raise UsageError(f"mean and std must have {channels} numbers, one a channel, std above 0, not {mean}, {std}")
