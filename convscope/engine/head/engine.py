"""The head engine: one step, which fits the last layer of a pretrained net in closed form to all images at once."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...data.batches import Normalize
from ...net.graph import parts
from ..base import Problem
from ..plain import one_thread
from .features import Features
from .ridge import Head, fit


class HeadEngine:
    """See :class:`~convscope.engine.base.Engine`. ``digest`` names the weights that ``problem.net`` came with.

    The loss of a step is the cross entropy on the left-out images of :class:`~convscope.engine.head.ridge.Head`,
    which says more of images to come than one on the images of the fit.
    """

    name = "head"
    compile_seconds = 0.0

    def __init__(self, problem: Problem, digest: str, device: torch.device, threads: int) -> None:
        self.net, self.images, self.labels = problem.net.to(device), problem.images, problem.labels
        normalize = Normalize(problem.mean, problem.std, device)
        self.features = Features(problem.net, digest, normalize, device, threads)
        last = parts(problem.net)[-1].module
        assert isinstance(last, torch.nn.Linear), "a pretrained net ends with a linear layer"
        self.last = last
        self.head: Head | None = None

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """Fit to each batch in turn: a run has one batch of all images. Learning rates have no say."""
        losses = []
        seen = self.images[index] if pixels is None else pixels
        for images, batch in list(zip(seen.split(batch_size), index.split(batch_size), strict=True))[: len(lrs)]:
            order = batch.argsort()  # the sums of a fit have one order, whatever the epoch's
            labels = self.labels[batch[order]]
            rows = self.features(images[order])
            with one_thread():  # two threads wait for each other longer than they compute, beside other programs
                self.head = fit(rows, labels, self.last.out_features)
            losses.append(F.cross_entropy(self.head.left_out, labels).float())
            with torch.no_grad():
                self.last.weight.copy_(self.head.weight)
                assert self.last.bias is not None
                self.last.bias.copy_(self.head.bias)
        return torch.stack(losses)

    def own(self, count: int, batch_size: int) -> slice:  # noqa: ARG002 - the protocol's
        """See :class:`~convscope.engine.base.Engine`: a fit is not divided."""
        return slice(0, count)

    def logits(self, images: Tensor) -> Tensor:
        """See :class:`~convscope.engine.base.Engine`: the last layer on features that are kept."""
        with torch.inference_mode():
            found: Tensor = self.last(self.features(images).to(self.last.weight.device))
        return found.cpu()

    def state(self) -> dict[str, Tensor]:
        """A fit remembers nothing of the one before."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """There is nothing to resume from."""
