"""The eager engine: PyTorch, any layer, any device. The reference that the other engine is compared with."""

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from ..data.batches import Normalize
from ..errors import UsageError
from ..net.loss import loss_of
from .base import EVALUATION_BATCH, Problem


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
        self.normalize = Normalize(problem.mean, problem.std, device)
        self.optimizer = _optimizer(problem, self.net)
        self.random = any(isinstance(module, _DropoutNd) for module in self.net.modules())
        self.generator_state = torch.Generator().manual_seed(problem.seed).get_state()
        self.cuda_state = (
            torch.Generator(device).manual_seed(problem.seed).get_state() if device.type == "cuda" else None
        )

    def steps(self, index: Tensor, batch_size: int, lrs: list[float]) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.train()
        losses = []
        cuda = [self.device] if self.device.type == "cuda" else []
        # Dropout draws from torch's global generator; the caller's random state is put back afterwards.
        with torch.random.fork_rng(devices=cuda, enabled=self.random), torch.backends.cudnn.flags(deterministic=True):
            self._restore_random()
            for batch, lr in zip(index.to(self.device).split(batch_size), lrs, strict=True):
                losses.append(self._step(batch, lr))
            self._keep_random()
        return torch.stack(losses)

    def _step(self, batch: Tensor, lr: float) -> Tensor:
        inputs = self.normalize(self.images[batch]).contiguous(memory_format=self.format)  # (B, C, H, W)
        loss = loss_of(self.problem.loss, self.net(inputs), self.labels[batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        return loss.detach()  # not .item(): reading it would wait for the device

    def logits(self, images: Tensor) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`."""
        self.net.eval()
        with torch.inference_mode():
            parts = [
                self.net(self.normalize(part.to(self.device)).contiguous(memory_format=self.format))
                for part in images.split(EVALUATION_BATCH)
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
        if self.random:
            result["rng.cpu"] = self.generator_state
            if self.cuda_state is not None:
                result["rng.cuda"] = self.cuda_state
        return result

    def load_state(self, state: dict[str, Tensor]) -> None:
        """See :class:`~convscope.engine.base.Engine`. Raises UsageError where names or shapes do not fit the net."""
        self.optimizer.state.clear()
        known = dict(self.net.named_parameters())
        for key, value in state.items():
            slot, _, name = key.partition(".")
            if key == "step":
                for parameter in known.values():
                    self.optimizer.state[parameter]["step"] = value.float().to(self.device).clone()  # one each
            elif key == "rng.cpu":
                self.generator_state = value
            elif key == "rng.cuda":
                if self.cuda_state is not None:  # else the run began on another device
                    self.cuda_state = value
            elif name in known and value.shape == known[name].shape:
                slot = "momentum_buffer" if slot == "momentum" else slot
                buffer = torch.empty_like(known[name], requires_grad=False)  # keeps the memory format
                self.optimizer.state[known[name]][slot] = buffer.copy_(value)
            else:
                raise UsageError(f"the optimizer state {key!r} of shape {tuple(value.shape)} does not fit the net")

    def _restore_random(self) -> None:
        if self.random:
            torch.set_rng_state(self.generator_state)
            if self.cuda_state is not None:
                torch.cuda.set_rng_state(self.cuda_state, self.device)

    def _keep_random(self) -> None:
        if self.random:
            self.generator_state = torch.get_rng_state()
            if self.cuda_state is not None:
                self.cuda_state = torch.cuda.get_rng_state(self.device)


def _optimizer(problem: Problem, net: nn.Module) -> torch.optim.Optimizer:
    parameters = list(net.parameters())
    fused = parameters[0].device.type in ("cpu", "cuda")  # one kernel for all parameters
    if problem.optimizer == "adam":
        return torch.optim.Adam(parameters, betas=problem.betas, weight_decay=problem.weight_decay, fused=fused)
    return torch.optim.SGD(parameters, lr=0.0, momentum=problem.momentum, nesterov=problem.nesterov,
                           weight_decay=problem.weight_decay, fused=fused)  # fmt: skip
