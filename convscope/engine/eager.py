"""The eager engine: PyTorch, any layer, any device. The reference that the other engine is compared with."""

from contextlib import AbstractContextManager, nullcontext
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
from .dropout import Kept


class EagerEngine:
    """Steps by autograd. Images stay uint8 on the device and are normalised batch by batch."""

    name = "eager"
    compile_seconds = 0.0

    def __init__(self, problem: Problem, device: torch.device) -> None:
        self.problem, self.device = problem, device
        # Convolutions and pools on the CPU are up to twice as fast with channels last (docs/LOG.md).
        self.format = torch.channels_last if device.type in ("cpu", "cuda") else torch.contiguous_format
        self.net = problem.net.to(device)
        for parameter in self.net.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=self.format)
        self.images, self.labels = problem.images.to(device), problem.labels.to(device)
        weights = problem.class_weights
        self.class_weights = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
        self.normalize = Normalize(problem.mean, problem.std, device)
        self.optimizer = _optimizer(problem, self.net)
        self.random = any(isinstance(module, _DropoutNd) for module in self.net.modules())
        # Updates so far, which decide what dropout keeps. None in a run that was begun by convscope 0.1: there it is
        # drawn from generators, whose state is stored.
        self.update: int | None = 0
        self.generators = {kind: torch.Generator(kind).manual_seed(problem.seed) for kind in {"cpu", device.type}}

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.train()
        with torch.enable_grad(), torch.backends.cudnn.flags(deterministic=True):
            batches = index.to(self.device).split(batch_size)
            shown = (self.images[batch] for batch in batches) if pixels is None else iter(pixels.split(batch_size))
            losses = [self._step(*taken) for taken in zip(batches, shown, lrs, strict=True)]
        return torch.stack(losses)

    def _drawn(self, batch: Tensor) -> AbstractContextManager[object]:
        """What decides which elements dropout keeps."""
        if not self.random:
            return nullcontext()
        if self.update is None:
            return SeededDropout(self.generators[self.device.type])
        return Kept(self.problem.seed, self.update, batch)

    def _step(self, batch: Tensor, images: Tensor, lr: float) -> Tensor:
        inputs = self.normalize(images).contiguous(memory_format=self.format)  # (B, C, H, W)
        with self._drawn(batch):
            p = self.problem
            loss = loss_of(p.loss, self.net(inputs), self.labels[batch], p.label_smoothing, self.class_weights)
        self.optimizer.zero_grad()
        loss.backward()
        if p.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), p.clip_norm)
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        if self.update is not None:
            self.update += 1
        return loss.detach()  # not .item(): reading it would wait for the device

    def logits(self, images: Tensor) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.eval()
        with torch.inference_mode():
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
                    result[f"{slot}.{name}"] = slots[slot].detach().cpu().contiguous().clone()
            if slots.get("momentum_buffer") is not None:
                result[f"momentum.{name}"] = slots["momentum_buffer"].detach().cpu().contiguous().clone()
            if "step" in slots:
                result["step"] = slots["step"].detach().cpu().to(torch.int64)
        if self.random and self.update is None:
            result |= {f"rng.{kind}": generator.get_state() for kind, generator in self.generators.items()}
        elif self.random and self.update:
            result["update"] = torch.tensor(self.update)
        return result

    def load_state(self, state: dict[str, Tensor]) -> None:
        """See :class:`~convscope.engine.base.Engine`. Raises UsageError where names or shapes do not fit the net."""
        self.optimizer.state.clear()
        self.update = None if any(key.startswith("rng.") for key in state) else int(state.get("update", 0))
        known = {name: parameter for name, parameter in self.net.named_parameters() if parameter.requires_grad}
        for key, value in state.items():
            slot, _, name = key.partition(".")
            if key == "step":
                for parameter in known.values():
                    self.optimizer.state[parameter]["step"] = value.float().to(self.device).clone()  # one each
            elif key == "update":
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


def _optimizer(problem: Problem, net: nn.Module) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not parameters:
        raise UsageError(NOTHING_TRAINED, UNFREEZE)
    fused = parameters[0].device.type in ("cpu", "cuda")  # one kernel for all parameters
    if problem.optimizer != "sgd":
        kind = torch.optim.AdamW if problem.optimizer == "adamw" else torch.optim.Adam
        return kind(parameters, betas=problem.betas, weight_decay=problem.weight_decay, fused=fused)
    return torch.optim.SGD(parameters, lr=0.0, momentum=problem.momentum, nesterov=problem.nesterov,
                           weight_decay=problem.weight_decay, fused=fused)  # fmt: skip
