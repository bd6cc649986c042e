"""The eager engine where a batch is divided: gradients of its slices, in this and other processes, added in order."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from ..distributed.crew import Crew, Seat
from ..distributed.norm import Together
from ..distributed.team import Team, in_order
from ..errors import UsageError
from ..net.loss import loss_of
from .base import Problem
from .dropout import update_key
from .eager import EagerEngine


class SlicedEngine(EagerEngine):
    """Steps by autograd, slice by slice: the loss is that of the whole batch, and so is its gradient.

    ``team`` says how many slices there are, and which of them this process computes. The sums of a batch have the order
    of the slices, whichever process computed them.
    """

    def __init__(self, problem: Problem, device: torch.device, team: Team) -> None:
        super().__init__(problem, device)
        if len(team.own_slices()) > 1 and device.type != "cpu":
            raise UsageError(f"a process on {device} computes one slice of a batch", "start as many as there are GPUs")
        if problem.sample_weights is not None:
            raise UsageError("several processes do not weigh single images", "train in one process")
        if self.precision.scales_loss:
            raise UsageError(f"{self.precision.name} is not for several processes", "take --precision bf16, or fp32")
        self.team, self.crew = team, Crew(team)
        # Slices that are computed at once share the parameters; each has buffers of its own, the first the net's.
        shared = {id(parameter): parameter for parameter in self.net.parameters()}
        self._nets = [self.net, *(copy.deepcopy(self.net, dict(shared)) for _ in self.crew.seats[1:])]
        self._norms = any(isinstance(module, _BatchNorm) for module in self.net.modules())

    def own(self, count: int, batch_size: int) -> slice:  # noqa: ARG002 - the protocol's
        """See :class:`~convscope.engine.base.Engine`."""
        slices = self.team.own_slices()
        return slice(count * slices.start // self.team.slices, count * slices.stop // self.team.slices)

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`. Every step is launched by itself, none is recorded.

        Raises UsageError for a run of convscope 0.1 with dropout, and where a slice has no variance of its own.
        """
        if self.update is None:
            raise UsageError(
                "an earlier convscope began this run: its dropout cannot be divided", "resume it in one process"
            )
        for net in self._nets:
            net.train()
        with self._convolutions(tf32=self.precision.name == "tf32"):
            batches = index.to(self.device).split(batch_size)
            shown = [None] * len(batches) if pixels is None else pixels.split(batch_size)
            losses = [self._shared_step(*taken) for taken in zip(batches, shown, lrs, strict=True)]
        return torch.stack(losses)

    def _shared_step(self, batch: Tensor, pixels: Tensor | None, lr: float) -> Tensor:
        for net in self._nets[1:]:
            for own, buffer in zip(net.buffers(), self.net.buffers(), strict=True):
                own.copy_(buffer)
        key = update_key(self.problem.seed, self.update or 0)
        total = in_order(self.crew.gather(self.crew.run(lambda seat: self._slice(seat, batch, pixels, key))))
        start = 0
        for parameter in self._trained():
            part = total[start : start + parameter.numel()].view(parameter.shape)
            parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(part)  # keeps the memory format
            start += parameter.numel()
        if self.problem.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._trained(), self.problem.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        self.optimizer.step()
        self.update = (self.update or 0) + 1
        return total[-1]

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.net.parameters() if parameter.requires_grad]

    def _slice(self, seat: Seat, batch: Tensor, pixels: Tensor | None, key: int) -> Tensor:
        """The part of one slice in the gradient, all parameters in one row, and in the loss."""
        slices, trained = self.team.slices, self._trained()
        part = slice(len(batch) * seat.slice // slices, len(batch) * (seat.slice + 1) // slices)
        chosen = batch[part]
        together = self._norms and not self.problem.local_batchnorm
        if not len(chosen) and not together:
            return torch.zeros(sum(parameter.numel() for parameter in trained) + 1, device=self.device)
        images = self.images[chosen] if pixels is None else pixels[part]
        inputs = self.normalize(images).contiguous(memory_format=self.format)
        with torch.enable_grad():
            with self._drawn(chosen, key, seat.slice), self.precision.around():
                logits = self._scores(seat, inputs, together)
            loss = self._loss(logits.float(), self.labels[chosen], self.labels[batch])
        grads = torch.autograd.grad(loss, trained, materialize_grads=True, allow_unused=True)
        return torch.cat([*(grad.reshape(-1) for grad in grads), loss.detach().view(1)])

    def _scores(self, seat: Seat, inputs: Tensor, together: bool) -> Tensor:
        net = self._nets[seat.local]
        if together:
            with Together(seat):
                logits: Tensor = net(inputs)
            return logits
        try:
            logits = net(inputs)
        except ValueError as error:  # what torch's batch norm raises for one number a channel
            raise UsageError(
                f"a slice of {len(inputs)} of a batch's images has no variance: {error}",
                "leave --local-batchnorm out, or take larger batches",
            ) from None
        return logits

    def _loss(self, logits: Tensor, labels: Tensor, all_labels: Tensor) -> Tensor:
        """This slice's part of the mean over the batch. Nothing of it waits for a GPU."""
        p = self.problem
        if not len(labels):
            return logits.sum() * 0.0
        if self.class_weights is None:
            return loss_of(p.loss, logits, labels, p.label_smoothing) * (len(labels) / len(all_labels))
        total = F.cross_entropy(logits, labels, self.class_weights, reduction="sum", label_smoothing=p.label_smoothing)
        return total / self.class_weights[all_labels].sum()
