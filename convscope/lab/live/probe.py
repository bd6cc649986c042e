"""Probe images: what the net makes of the same few test images while it is trained, and how large its gradients are.

A look costs a forward pass of ten images, one of one image with every map kept, and one gradient. Looks wait until they
take no more than 3 % of the time; of these the page is shown about one a second, the film (:mod:`.film`) keeps more.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.batches import Normalize
from ...engine.plain import one_thread
from ...explain.trained.trace import trace
from ...job import Started
from ...net.loss import loss_of
from ...net.model import evaluation
from ...training.scores import confidence_of, confidences
from ..binary import pack
from .histograms import histogram, watched

Values = NDArray[np.floating | np.integer]
Arrays = dict[str, Values]

EVERY = 0.4  # seconds between two looks, at least
SHARE = 0.03  # of the time, at most
IMAGES = 10
BATCH = 64  # training images of the gradient, fewer where they are large
PIXELS = 2**18  # of these images together
MOST_FLOATS = 2**16  # of maps in one probe, and of kernels: 256 KiB each


@dataclass(frozen=True)
class Look:
    """What one look into the net found: ``head`` and ``arrays`` as the page gets them, and what a film ``kept`` of it.

    ``whole`` says whether a film has the whole state dict, so that the net can be built again from it.
    """

    head: dict[str, Any]
    arrays: Arrays
    kept: Arrays
    whole: bool

    def packed(self) -> bytes:
        """Head and arrays as :func:`~convscope.lab.binary.pack` writes them."""
        return pack(self.head, self.arrays)


class Probe:
    """Looks into the net of a run between two events; the net and the random stream of the run stay untouched."""

    def __init__(self, started: Started) -> None:
        self.net, data = started.model.net, started.data
        self.loss, self.label_smoothing = started.recipe.loss, started.recipe.label_smoothing
        labels = data.test.labels
        firsts = [int(np.flatnonzero(labels == c)[0]) for c in range(len(data.classes)) if (labels == c).any()]
        self.index = np.array(firsts[:IMAGES])
        device = next(self.net.parameters()).device
        normalize = Normalize(data.mean, data.std, device)
        self.pixels = data.test.images[self.index]
        self.images = normalize(torch.from_numpy(self.pixels))
        self.labels: list[int] = labels[self.index].tolist()
        count = max(1, min(BATCH, PIXELS // data.train.images[0].size))
        self.batch = normalize(torch.from_numpy(data.train.images[:count]))
        self.targets = torch.from_numpy(data.train.labels[:count]).to(device)
        self.layers = [name for name, module in self.net.named_children() if any(True for _ in module.parameters())]
        self.next = 0.0
        self.costs: list[float] = []  # seconds of the last probes

    def due(self, now: float) -> bool:
        """Whether the next probe may be taken at monotonic second ``now``."""
        return now >= self.next

    def take(self, step: int, chosen: int) -> Look:
        """The net after ``step`` updates.

        The head has ``step``, ``chosen``, the probe images' ``index`` among the test images, ``labels`` and
        ``confidences`` (of each image, every class; ``confidence`` says whether they are probabilities or scores),
        ``norms`` (‖∂loss/∂θ‖ of every layer with parameters, on the first training images) and ``layers``. ``weights``
        and ``outputs`` are histograms (see :mod:`.histograms`) of every layer's weights, and of its outputs on all
        probe images. Arrays: ``image`` (C, H, W) in 0..255, ``map.<layer>`` for the chosen image, ``weight.<layer>`` of
        every convolution.
        """
        began = time.monotonic()
        with one_thread():  # beside the engine's own threads, a second one waits more than it works
            result = self._look(step, min(max(chosen, 0), len(self.index) - 1))
        now = time.monotonic()
        self.costs = [*self.costs[-4:], now - began]
        self.next = now + max(EVERY, min(self.costs) / SHARE)  # the least: others may have used the machine meanwhile
        return result

    def _look(self, step: int, chosen: int) -> Look:
        with evaluation(self.net):
            with torch.inference_mode(), watched(self.net) as outputs:
                p = confidences(self.net(self.images).cpu(), self.loss)
            norms = self._gradient_norms()
        image: Arrays = {"image": self.pixels[chosen]}
        maps: Arrays = {}
        layers = maps_of(trace(self.net, self.images[chosen]).calls, maps)
        kernels = self._kernels()
        state = self._state()
        head = {
            "step": step,
            "chosen": chosen,
            "index": self.index,
            "labels": self.labels,
            "confidence": confidence_of(self.loss),
            "confidences": p.numpy(),
            "norms": norms,
            "layers": layers,
            "weights": [histogram(name, layer.weight) for name, layer in self._weighted()],
            "outputs": outputs,
        }
        kept = {"confidences": p.numpy(), **image, **maps, **(state or _renamed(kernels))}
        return Look(
            head, {**image, **maps, **{f"weight.{name}": kernel for name, kernel in kernels.items()}}, kept, bool(state)
        )

    def _weighted(self) -> list[tuple[str, Any]]:
        return [
            (name, part)
            for name, part in self.net.named_children()
            if isinstance(getattr(part, "weight", None), Tensor)
        ]

    def _kernels(self) -> dict[str, Values]:
        """The kernels of the convolutions, by layer, up to MOST_FLOATS."""
        found, budget = {}, MOST_FLOATS
        for name, module in self.net.named_children():
            if isinstance(module, nn.Conv2d) and module.weight.numel() <= budget:
                budget -= module.weight.numel()
                found[name] = module.weight.detach().cpu().numpy()
        return found

    def _state(self) -> Arrays:
        """The whole state dict, as ``state.<name>``; nothing where it is larger than MOST_FLOATS."""
        state = self.net.state_dict()
        if sum(tensor.numel() for tensor in state.values()) > MOST_FLOATS:
            return {}
        return {f"state.{name}": tensor.cpu().numpy().copy() for name, tensor in state.items()}

    def _gradient_norms(self) -> list[float]:
        """‖∂loss/∂θ‖ of each layer in ``layers``, with dropout off and stored statistics."""
        parts = [list(getattr(self.net, name).parameters()) for name in self.layers]
        with torch.enable_grad():
            loss = loss_of(self.loss, self.net(self.batch), self.targets, self.label_smoothing)
            gradients = iter(torch.autograd.grad(loss, [p for part in parts for p in part]))
        return [float(sum(float(next(gradients).double().square().sum()) for _ in part) ** 0.5) for part in parts]


def _renamed(kernels: dict[str, Values]) -> Arrays:
    return {f"state.{name}.weight": kernel for name, kernel in kernels.items()}


def maps_of(calls: Any, arrays: Any) -> list[dict[str, Any]]:
    """Put the maps of every layer into ``arrays``, of large layers the first channels; what they are."""
    budget, layers = MOST_FLOATS, []
    for name, call in calls.items():
        if call.output is None or call.output.ndim != 3 or call.output[0].size > budget:
            continue
        values = call.output[: budget // call.output[0].size]
        budget -= values.size
        arrays[f"map.{name}"] = values
        layers.append({"name": name, "kind": call.kind, "shape": call.output.shape, "shown": len(values)})
    return layers
