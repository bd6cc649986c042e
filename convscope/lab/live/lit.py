"""One update, line by line: the batch, its loss, the gradients, and what the step made of a kernel.

An engine does an update in one piece. What is shown of it is computed again by autograd, from the weights as they were
before and the very batch, augmentation and dropout of that update; the weights after it are the engine's own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from ...data.batches import Normalize
from ...data.mapped.order import images_of_page, windows
from ...engine.dropout import Kept, update_key
from ...job import Started
from ...net.loss import loss_of
from ...training.augment import augmenter
from ...training.records import Tick
from ...training.scores import confidence_of, confidences
from ...training.update.schedule import rate
from ...training.update.weights import class_weights
from ..binary import pack

SHOWN = 16  # images of the batch
LARGEST = 5  # gradients
PIXELS = 2**18  # of the images that are shown, together


@dataclass(frozen=True)
class Gradient:
    """The gradient of one weight, at place ``at`` in parameter ``name``, and the weight before and after the update."""

    name: str
    at: list[int]
    before: float
    gradient: float
    after: float


class FourLines:
    """Tells the updates that are taken one by one."""

    def __init__(self, started: Started) -> None:
        self.started, self.net = started, started.model.net
        self.device = next(self.net.parameters()).device
        self.augment = augmenter(started.recipe, started.data)
        weights = class_weights(started.recipe.class_weight, started.data.train.labels, len(started.data.classes))
        self.weights = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=self.device)
        self.before: tuple[int, dict[str, Tensor]] | None = None

    def stand(self, step: int) -> None:
        """The run stands after ``step`` updates: these are the weights before the next."""
        state = self.net.state_dict()
        self.before = step, {name: tensor.detach().clone() for name, tensor in state.items()}

    def told(self, tick: Tick) -> bytes | None:
        """Update ``tick.step``, as :func:`~convscope.lab.binary.pack` writes it; None where the weights before it are
        not known.

        The head has ``step``, ``epoch``, ``lr``, ``loss`` as the engine had it, ``images`` (how many, of which those
        at ``index`` of the training images are shown, with ``labels`` and the ``confidences`` of every class),
        ``largest`` gradients and ``kernel``. Arrays: ``images`` uint8 (N, C, H, W), ``before``, ``gradient`` and
        ``after`` of the kernel.
        """
        if self.before is None or self.before[0] != tick.step - 1:
            return None
        (_, old), self.before = self.before, None
        index = self._batch(tick)
        pixels = torch.from_numpy(self.started.data.train.images)[index]
        if self.augment is not None:
            pixels = self.augment(pixels, index, tick.epoch)
        labels = torch.from_numpy(self.started.data.train.labels)[index]
        scores, gradients = self._differentiated(old, index, pixels, labels, tick.step)
        new = {name: tensor.detach() for name, tensor in self.net.named_parameters()}
        kernel, arrays = _kernel(old, gradients, new)
        shown = max(1, min(SHOWN, PIXELS // pixels[0].numel(), len(index)))
        recipe = self.started.recipe
        head = {
            "step": tick.step,
            "epoch": tick.epoch,
            "lr": rate(recipe, tick.step - 1, self.started.epoch_steps),
            "loss": tick.loss,
            "images": len(index),
            "index": index[:shown].tolist(),
            "labels": labels[:shown].tolist(),
            "confidence": confidence_of(recipe.loss),
            "confidences": confidences(scores[:shown].cpu(), recipe.loss).numpy(),
            "largest": _largest(old, gradients, new),
            "kernel": kernel,
        }
        return pack(head, {"images": pixels[:shown].cpu().numpy(), **arrays})

    def _batch(self, tick: Tick) -> Tensor:
        """The training images of that update."""
        batches, recipe, images = self.started.batches, self.started.recipe, self.started.data.train.images
        page = images_of_page(images[0].nbytes)
        order = np.concatenate(windows(batches.count, recipe.seed, tick.epoch, recipe.window or 0, page))
        return torch.from_numpy(order[batches.images(tick.epoch_step - 1) : batches.images(tick.epoch_step)])

    def _differentiated(
        self, old: dict[str, Tensor], index: Tensor, pixels: Tensor, labels: Tensor, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scores (N, K) of the batch by the ``old`` weights, and the gradient of its loss for each parameter."""
        recipe, data = self.started.recipe, self.started.data
        names = [name for name, _ in self.net.named_parameters()]
        leaves = {name: old[name].detach().clone().requires_grad_() for name in names}
        buffers = {name: tensor.clone() for name, tensor in old.items() if name not in leaves}
        x = Normalize(data.mean, data.std, self.device)(pixels.to(self.device))
        modes = [(module, module.training) for module in self.net.modules()]
        self.net.train()
        try:
            with torch.enable_grad(), Kept(update_key(recipe.seed, step - 1), index.to(self.device)):
                scores = functional_call(self.net, {**leaves, **buffers}, (x,))
                y = labels.to(self.device)
                loss = loss_of(recipe.loss, scores.float(), y, recipe.label_smoothing, self.weights)
            found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        finally:
            for module, training in modes:
                module.training = training
        return scores.detach(), {
            n: torch.zeros_like(old[n]) if g is None else g for n, g in zip(names, found, strict=True)
        }


def _largest(old: dict[str, Tensor], gradients: dict[str, Tensor], new: dict[str, Tensor]) -> list[Gradient]:
    """The weights with the largest gradients, each with its value before and after."""
    found = []
    for name, gradient in gradients.items():
        flat = gradient.flatten()
        for at in flat.abs().topk(min(LARGEST, flat.numel())).indices.tolist():
            place = [int(i) for i in np.unravel_index(at, tuple(gradient.shape))]
            before, slope, after = (float(values.flatten()[at]) for values in (old[name], gradient, new[name]))
            found.append(Gradient(name, place, before, slope, after))
    return sorted(found, key=lambda one: -abs(one.gradient))[:LARGEST]


def _kernel(
    old: dict[str, Tensor], gradients: dict[str, Tensor], new: dict[str, Tensor]
) -> tuple[dict[str, Any] | None, dict[str, np.ndarray[Any, Any]]]:
    """The kernel (KH, KW) with the largest gradient of the first convolution, before and after; None without one."""
    name = next((name for name, gradient in gradients.items() if gradient.ndim == 4), None)
    if name is None:
        return None, {}
    sums = gradients[name].square().sum((2, 3))
    out, into = divmod(int(sums.argmax()), sums.shape[1])
    arrays = {
        key: tensors[name][out, into].detach().cpu().numpy()
        for key, tensors in (("before", old), ("gradient", gradients), ("after", new))
    }
    return {"name": name, "at": [out, into]}, arrays
