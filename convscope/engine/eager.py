"""The eager engine: PyTorch, any layer, any device. The reference that the other engine is compared with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd

from ..data.batches import Normalize, images_together
from ..errors import UsageError
from ..net.build import Seeded
from ..net.loss import loss_of
from .base import NOTHING_TRAINED, UNFREEZE, Problem
from .drawn import drawn_from, draws
from .dropout import Kept, layer_key, signed, update_key
from .muon import DecoupledSGD, hidden
from .precision import Chip, chosen
from .recorded import Recordings
from .recorder import Recorder

# The names of an fp16 run's loss scale in its state, and in that of torch.amp.GradScaler.
SCALE = {"loss_scale": "scale", "loss_scale_steps": "_growth_tracker"}


class EagerEngine:
    """Steps by autograd. Images stay uint8 on the device and are normalised batch by batch.

    With a ``recorder`` steps are recorded and repeated as a whole, and no step of a call waits for the device.
    ``forward`` is what computes the scores, the net or what torch.compile makes of it. Raises UsageError where the
    device does not have the precision.
    """

    name = "eager"

    def __init__(self, problem: Problem, device: torch.device, recorder: Recorder | None = None) -> None:
        self.problem, self.device = problem, device
        self.precision = chosen(problem.precision, Chip.of(device), problem.net)
        # Convolutions and pools on the CPU are up to twice as fast with channels last (docs/LOG.md).
        self.format = torch.channels_last if device.type in ("cpu", "cuda") else torch.contiguous_format
        self.net = problem.net.to(device)
        for parameter in self.net.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=self.format)
        self.forward: Callable[[Tensor], Tensor] = self.net
        self.images, self.labels = problem.images.to(device), problem.labels.to(device)
        weights = problem.class_weights
        self.class_weights = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
        weights_of = problem.sample_weights
        self.sample_weights = None if weights_of is None else weights_of.float().to(device)
        self.normalize = Normalize(problem.mean, problem.std, device)
        self.optimizer = _optimizer(problem, self.net)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision.scales_loss)
        self.random = any(isinstance(module, _DropoutNd) for module in self.net.modules())
        self.draws = draws(self.net)
        # Updates so far, which decide what dropout keeps and others draw. None in a run that was begun by convscope
        # before: there it is drawn from generators, whose state is stored.
        self.update: int | None = 0
        self.generators = {kind: torch.Generator(kind).manual_seed(problem.seed) for kind in {"cpu", device.type}}
        self._begin_momentum()
        # A recording has one rate for all parameters, and repeats what is drawn.
        self.recordings = None
        if recorder is not None and not problem.lr_factors and not self.draws:
            self.recordings = Recordings(recorder, self._update, self.images, self.net)

    @property
    def compile_seconds(self) -> float:
        """See :class:`~convscope.engine.base.Engine`."""
        return 0.0 if self.recordings is None else self.recordings.seconds

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.train()
        shown = None if pixels is None else pixels.to(self.device, non_blocking=True)
        with torch.enable_grad(), self._convolutions(tf32=self.precision.name == "tf32"):
            if self.recordings is None or self.update is None:
                return self._launched(index.to(self.device), batch_size, lrs, shown)
            return self._recorded(self.recordings, index, batch_size, lrs, shown)

    def _launched(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None) -> Tensor:
        batches = index.split(batch_size)
        shown = (self.images[batch] for batch in batches) if pixels is None else iter(pixels.split(batch_size))
        losses = []
        for batch, images, lr in zip(batches, shown, lrs, strict=True):
            for group in self.optimizer.param_groups:
                group["lr"] = lr * group["factor"]
            losses.append(self._step(batch, images))
        return torch.stack(losses)

    def own(self, count: int, batch_size: int) -> slice:  # noqa: ARG002 - the protocol's
        """See :class:`~convscope.engine.base.Engine`: all of a batch."""
        return slice(0, count)

    def _recorded(
        self, recordings: Recordings, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None
    ) -> Tensor:
        first = self.update or 0
        keys = [signed(update_key(self.problem.seed, first + i)) if self.random else 0 for i in range(len(lrs))]
        for group in self.optimizer.param_groups:
            group["lr"], group["capturable"] = recordings.rate, True
        losses = recordings.run(index, batch_size, lrs, keys, pixels)
        self.update = first + len(lrs)
        return losses

    def _convolutions(self, tf32: bool) -> AbstractContextManager[None]:
        """cuDNN computes them, the same bits every time."""
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32)

    @contextmanager
    def _drawn(self, batch: Tensor, key: int | Tensor | None, part: int = 0) -> Iterator[None]:
        """What decides which elements dropout keeps, and what else is drawn for the ``part`` of a batch."""
        with ExitStack() as blocks:
            if self.random:
                drawn = SeededDropout(self.generators[self.device.type]) if key is None else Kept(key, batch)
                blocks.enter_context(drawn)
            if self.draws and isinstance(key, int):
                blocks.enter_context(drawn_from(layer_key(key, part), self.device))
            yield

    def _step(self, batch: Tensor, images: Tensor) -> Tensor:
        if self.update is None:
            return self._update(batch, images, None)
        key = update_key(self.problem.seed, self.update) if self.random or self.draws else 0
        loss = self._update(batch, images, key)
        self.update += 1
        return loss

    def _update(self, batch: Tensor, images: Tensor, key: int | Tensor | None) -> Tensor:
        """One update on the images that are called ``batch``; the loss () before it, which nobody has waited for."""
        p = self.problem
        inputs = self.normalize(images).contiguous(memory_format=self.format)  # (B, C, H, W)
        with self._drawn(batch, key), self.precision.around():
            scores = self.forward(inputs)
        counts = None if self.sample_weights is None else self.sample_weights[batch]
        loss = loss_of(p.loss, scores.float(), self.labels[batch], p.label_smoothing, self.class_weights, counts)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if p.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.net.parameters(), p.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def logits(self, images: Tensor) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.eval()
        with torch.inference_mode(), self._convolutions(tf32=False):  # float32, as whoever predicts computes them
            parts = [
                self.net(self.normalize(part.to(self.device)).contiguous(memory_format=self.format))
                for part in images.split(images_together(*images.shape[2:]))
            ]
        return torch.cat(parts).cpu()

    def state(self) -> dict[str, Tensor]:
        """See :class:`~convscope.engine.base.Engine`."""
        result: dict[str, Tensor] = {}
        for name, parameter in self.net.named_parameters():
            slots = self.optimizer.state.get(parameter, {})
            for slot in ("exp_avg", "exp_avg_sq"):
                if slot in slots:
                    result[f"{slot}.{name}"] = _copy(slots[slot])
            if slots.get("momentum_buffer") is not None:
                result[f"momentum.{name}"] = _copy(slots["momentum_buffer"])
            if "step" in slots:
                result["step"] = slots["step"].detach().to(torch.int64)
        if self.random and self.update is None:
            result |= {f"rng.{kind}": generator.get_state() for kind, generator in self.generators.items()}
        elif (self.random or self.draws) and self.update:
            result["update"] = torch.tensor(self.update)
        if self.scaler.is_enabled():
            told = self.scaler.state_dict()
            result |= {name: torch.tensor(float(told[key])) for name, key in SCALE.items()}
        return result

    def load_state(self, state: dict[str, Tensor]) -> None:
        """See :class:`~convscope.engine.base.Engine`. Raises UsageError where names or shapes do not fit the net."""
        self.optimizer.state.clear()
        if self.recordings is not None:
            self.recordings.forget()  # they write into the state that was there
        self._load_scale(state)
        self.update = None if any(key.startswith("rng.") for key in state) else int(state.get("update", 0))
        known = {name: parameter for name, parameter in self.net.named_parameters() if parameter.requires_grad}
        for key, value in state.items():
            slot, _, name = key.partition(".")
            if key == "step":
                for parameter in known.values():
                    self.optimizer.state[parameter]["step"] = value.float().to(self.device).clone()  # one each
            elif key == "update" or key in SCALE:
                continue
            elif slot == "rng":
                if name in self.generators:  # else the run began on another device
                    self.generators[name].set_state(value)
            elif name in known and value.shape == known[name].shape:
                slot = "momentum_buffer" if slot == "momentum" else slot
                buffer = torch.empty_like(known[name], requires_grad=False)  # keeps the memory format
                self.optimizer.state[known[name]][slot] = buffer.copy_(value)
            else:
                raise UsageError(f"the optimizer state {key!r} of shape {tuple(value.shape)} does not fit the net")
        self._begin_momentum()

    def _begin_momentum(self) -> None:
        """A first update that overflows is left out, and torch's fused SGD would keep momentum that it never set."""
        if self.scaler.is_enabled() and self.problem.optimizer == "sgd" and self.problem.momentum:
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    self.optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))

    def _load_scale(self, state: dict[str, Tensor]) -> None:
        if self.scaler.is_enabled() and state.keys() >= SCALE.keys():
            told = {"scale": float(state["loss_scale"]), "_growth_tracker": int(state["loss_scale_steps"])}
            self.scaler.load_state_dict(self.scaler.state_dict() | told)


class SeededDropout(Seeded):
    """Dropout draws from ``generator``: torch's own draws from a global one, which other threads may use."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (F.dropout, F.dropout2d):
            return self._dropout(func is F.dropout2d, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(
        self, channels: bool, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """x (N, C, ...) times noise that is 0 with probability p, else 1/(1−p); one noise for a whole channel."""
        if not training or p == 0:
            return x
        noise = x.new_empty(x.shape[:2] + (1,) * (x.ndim - 2)) if channels else torch.empty_like(x)
        noise = noise.bernoulli_(1 - p, generator=self.generator)
        noise = noise.div_(1 - p) if p < 1 else noise
        return x.mul_(noise) if inplace else x * noise


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().clone()


def _optimizer(problem: Problem, net: nn.Module) -> torch.optim.Optimizer:
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    if not trained:
        raise UsageError(NOTHING_TRAINED, UNFREEZE)
    apart = hidden(net, problem.images.shape[1:]) if problem.optimizer == "muon" else []
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        groups.setdefault((problem.lr_factors.get(name, 1.0), name in apart), []).append(parameter)
    parameters = [
        {"params": group, "factor": factor, "orthogonal": orthogonal} for (factor, orthogonal), group in groups.items()
    ]
    if problem.optimizer in ("sgdw", "muon"):
        return DecoupledSGD(parameters, problem.momentum, problem.nesterov, problem.weight_decay)
    fused = next(iter(trained.values())).device.type in ("cpu", "cuda")  # one kernel for all parameters
    if problem.optimizer != "sgd":
        kind = torch.optim.AdamW if problem.optimizer == "adamw" else torch.optim.Adam
        return kind(parameters, betas=problem.betas, weight_decay=problem.weight_decay, fused=fused)
    return torch.optim.SGD(parameters, lr=0.0, momentum=problem.momentum, nesterov=problem.nesterov,
                           weight_decay=problem.weight_decay, fused=fused)  # fmt: skip
