"""JitEngine: the Engine whose steps are machine code written for its net."""

from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...distributed.team import ALONE, Team
from ...errors import UsageError
from ...language.counts import number_of
from ..base import Problem
from ..dropout import update_key
from ..muon import BetweenCalls, hidden
from .block import Learning
from .compiled import Compiled, Floats, Loaded
from .ir.arrays import padded
from .machine import slots
from .machine.meeting import Meeting
from .machine.products import product
from .machine.runtime import aligned
from .optimizers import Rule
from .ways.first.normed import norm_of


class JitEngine:
    """Trains ``problem.net`` with machine code written for it. See :class:`convscope.engine.base.Engine`.

    ``threads`` share every batch. ``isa`` forces a narrower instruction set ("avx2", "sse"). Compiled programs are kept
    in ``cache_dir``, or in the user's cache. ``batch_size`` is compiled for at once, others when they are first used.
    The threads of all processes of ``team`` share every batch: the bits are those of one process with as many.
    Raises UsageError where :func:`why_not` has a reason, or the data do not fit the net.
    """

    name = "jit"

    def __init__(
        self,
        problem: Problem,
        threads: int = 1,
        isa: str | None = None,
        cache_dir: Path | None = None,
        batch_size: int = 64,
        team: Team = ALONE,
    ) -> None:
        images, labels = problem.images, problem.labels
        if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
            raise UsageError(
                f"images must be uint8 (N, C, H, W), but are {images.dtype} of shape {tuple(images.shape)}"
            )
        if labels.dtype != torch.int64 or labels.shape != (len(images),):
            raise UsageError(f"labels must be int64 ({len(images)},), but are {labels.dtype} {tuple(labels.shape)}")
        momentum = problem.momentum if problem.optimizer in ("sgd", "sgdw", "muon") else 0.0
        apart = dict.fromkeys(hidden(problem.net, images.shape[1:]), 0.0) if problem.optimizer == "muon" else {}
        factors = {**problem.lr_factors, **apart}
        self.rule = Rule(
            problem.optimizer,
            momentum,
            problem.nesterov,
            problem.betas,
            problem.weight_decay,
            bool(factors),
        )
        _, *shape = images.shape
        self._core = Compiled(
            problem.net,
            (shape[0], shape[1], shape[2]),
            problem.mean,
            problem.std,
            threads,
            isa,
            cache_dir,
            Learning(problem.loss, self.rule, problem.label_smoothing, problem.clip_norm, problem.local_batchnorm),
            team,
        )
        self._meeting = Meeting(team) if team.ranks > 1 else None
        if int(labels.min()) < 0 or int(labels.max()) >= self._core.classes:
            raise UsageError(
                f"labels run from {int(labels.min())} to {int(labels.max())}, "
                f"but the net has {number_of(self._core.classes, 'output')}"
            )
        self.net = problem.net
        self._images, self._labels = images.cpu().contiguous(), labels.cpu().contiguous()
        self._room = padded(self._core.layout.trained)  # of one state of all parameters, in numbers
        rooms = len(self.rule.states) + self.rule.factored
        self._states: Floats = aligned(max(1, rooms) * self._room).view(np.float32)
        if factors:
            self._set_factors(factors)
        self._muon = self._between_calls(apart, problem.lr_factors) if apart else None
        self._step = 0
        self._used: Compiled | None = None
        self._seed = problem.seed
        self._draws = any(node.op.draws for node in self._core.nodes)
        self._batch = min(batch_size, len(images))
        self._core.program(self._batch)

    @property
    def images(self) -> Tensor:
        """See :class:`convscope.engine.base.Engine`."""
        return self._images

    @property
    def compile_seconds(self) -> float:
        """Seconds spent so far on writing and compiling programs, or on reading them from the cache."""
        return self._core.compile_seconds + (self._used.compile_seconds if self._used else 0.0)

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """Take ``len(lrs)`` steps; see :meth:`Engine.steps`. Everything is checked before the foreign call.

        Raises UsageError for an ``index``, sizes or ``pixels`` that do not fit, for a batch of one number a channel
        where a variance is needed, and where an earlier call was broken off half way.
        """
        count, steps = len(index), len(lrs)
        if index.dtype != torch.int64 or index.ndim != 1 or batch_size < 1:
            raise UsageError(f"index must be int64 (M,) and the batch size at least 1, not {index.dtype}, {batch_size}")
        if not steps or not (steps - 1) * batch_size < count <= steps * batch_size:
            raise UsageError(f"{count} images do not make {steps} batches of {batch_size}")
        if int(index.min()) < 0 or int(index.max()) >= len(self._images):
            raise UsageError(f"index must lie in 0..{len(self._images) - 1}")
        self._check_counts(count - (steps - 1) * batch_size)
        if pixels is not None and (pixels.dtype != torch.uint8 or pixels.shape != (count, *self._images.shape[1:])):
            raise UsageError(f"pixels must be uint8 ({count}, C, H, W), but are {pixels.dtype} {tuple(pixels.shape)}")
        with self._core.change():
            return self._steps(index, batch_size, lrs, pixels)

    def own(self, count: int, batch_size: int) -> slice:
        """See :meth:`Engine.own`."""
        core = self._core
        lanes = core.program(min(batch_size, len(self._images))).program.lanes.count
        blocks, first = -(-count // lanes), core.team.first_thread()
        start, stop = (blocks * thread // core.all_threads * lanes for thread in (first, first + core.threads))
        return slice(min(start, count), min(stop, count))

    def _check_counts(self, least: int) -> None:
        """Whether the smallest batch has more than one number for each mean and variance."""
        for op, shape in ((node.op, node.output) for node in self._core.nodes):
            norm = norm_of(op)
            if norm and least * prod(shape[1:]) * prod(op.window) < 2:
                raise UsageError(
                    f"{norm.name} takes the variance of a channel over a batch of one image, one number",
                    "choose another batch size, so that the last batch holds more images",
                )

    def _steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None) -> Tensor:
        count, steps, before = len(index), len(lrs), self._step
        # The program for whole batches also where only a last, smaller one is asked for: which updates share a call
        # must not change their bits.
        ready = self._core.program(min(batch_size, len(self._images)))
        job = ready.job
        self._core.read()
        losses = torch.empty(steps, dtype=torch.float32, device="cpu")
        chosen = index.cpu().contiguous().numpy()
        # Words take Python 8 µs each, a fifth of a small net's step: none where no layer draws.
        keys = [update_key(self._seed, before + i) if self._draws else 0 for i in range(steps)]
        of_images = {slots.PLACES: chosen if pixels is None else np.arange(count), slots.INDEX: chosen}
        of_steps = {
            slots.LOSSES: losses.numpy(),
            slots.RATES: np.array([self.rule.rates(lr, before + i + 1) for i, lr in enumerate(lrs)], np.float32),
            slots.KEYS: np.array(keys, np.uint32),
        }
        job.array(slots.IMAGES, (self._images if pixels is None else pixels.cpu().contiguous()).numpy())
        job.array(slots.LABELS, self._labels.numpy())
        job.array(slots.STATES, self._states)
        job.number(slots.BATCH, batch_size)
        together = 1 if self._muon else steps
        try:
            for first in range(0, steps, together):
                end = min((first + together) * batch_size, count)
                for slot, values in of_images.items():
                    job.array(slot, values[first * batch_size : end])
                for slot, values in of_steps.items():
                    job.array(slot, values[first : first + together])
                job.number(slots.COUNT, end - first * batch_size)
                job.number(slots.STEPS, together)
                self._call(ready, lrs[first])
        finally:
            if self._core.helpers.settle(0):  # else the call was broken off, and its weights are half written
                self._core.write(self._step - before)
        return losses

    def _call(self, ready: Loaded, lr: float) -> None:
        """Take the steps of which the job tells, by one call of the program; ``lr`` is the rate of the first."""
        assert ready.train
        if self._meeting:
            self._meeting.begin(ready.job, ready.arenas)
        if self._muon:
            self._muon.begin()
        try:
            self._core.helpers.run(ready.train, ready.job)
            if self._meeting and self._meeting.error:
                raise self._meeting.error
        finally:
            if self._core.helpers.settle(0):
                done = int(ready.job.slots[slots.DONE])
                self._step += done
                if self._muon and done:
                    self._muon.step(lr)

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (M, K) for uint8 images (M, C, H, W)."""
        core = self._scores()
        with core.lock:
            core.read()
            ready = core.program(self._batch)
        return core.logits(images, ready)

    def _scores(self) -> Compiled:
        """Programs that predict: where layers compute something else in training, they are others."""
        if any(node.op.training_only for node in self._core.nodes):
            if self._used is None:
                core = self._core
                self._used = Compiled(
                    self.net, core.image, core.mean, core.std, core.threads, core.isa, core.folder, None, core.team
                )
            return self._used
        return self._core

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state by name; see :meth:`Engine.state`."""
        with self._core.lock:
            return self._state()

    def _state(self) -> dict[str, Tensor]:
        if not self._step:
            return {}
        found = {f"{name}.{parameter}": place.clone() for name, parameter, place in self._state_views()}
        if self.rule.adam:
            found["step"] = torch.tensor(self._step)
        if self._draws:
            found["update"] = torch.tensor(self._step)
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what ``state`` returned. Raises UsageError where it does not fit; then nothing is changed."""
        views = self._state_views()
        foreign = state.keys() - {f"{name}.{parameter}" for name, parameter, _ in views} - {"step", "update"}
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
            self._step = int(state.get("step", state.get("update", bool(state))))

    def _set_factors(self, factors: Mapping[str, float]) -> None:
        """Each number of each parameter gets its parameter's factor of the rate, behind the optimizer's state."""
        layout, behind = self._core.layout, len(self.rule.states) * self._room
        for name, value in self.net.named_parameters():
            if name not in layout.frozen:
                start = behind + layout.places[name]
                self._states[start : start + value.numel()] = factors.get(name, 1.0)

    def _between_calls(self, names: Iterable[str], factors: Mapping[str, float]) -> BetweenCalls:
        """What moves the weights ``names`` once a step has summed up their momentum."""
        flat, momenta = self._core.flat, {parameter: place for _, parameter, place in self._state_views()}
        places = []
        for name in names:
            m, start = momenta[name], self._core.layout.places[name]
            places.append((flat[start : start + m.numel()].view(m.shape), m, factors.get(name, 1.0)))
        rule = self.rule
        return BetweenCalls(places, self._core.threads, rule.momentum, rule.nesterov, rule.weight_decay, product)

    def _state_views(self) -> list[tuple[str, str, Tensor]]:
        """(state's name, parameter's name, the values) of all of the optimizer's state. Frozen parameters have none."""
        layout, found = self._core.layout, []
        for n, name in enumerate(self.rule.states):
            for parameter, value in self.net.named_parameters():
                if parameter not in layout.frozen:
                    start = n * self._room + layout.places[parameter]
                    place = torch.from_numpy(self._states[start : start + value.numel()]).view(value.shape)
                    found.append((name, parameter, place))
        return found
