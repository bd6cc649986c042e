"""JitPredictor: the forward half of the engine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .compiled import Compiled
from .ir.arrays import Shape
from .machine import slots
from .machine.runtime import native

MANY = 1 << 20  # images: blocks as wide as they get
ROWS = 64  # results that are allocated at a time, for one alone takes torch 1.7 µs
FEW = 8  # images that are computed sooner one by one than as one block, of which most lanes would be idle


class JitPredictor:
    """The forward half of the engine for a net without training data: ``logits`` of uint8 images (M, C, H, W).

    Without ``mean`` and ``std`` the images are float32, and the net takes them as they are.

    The weights are taken up when it is built; after they have changed, call ``refresh``. ``threads`` share a batch;
    one image alone is computed at once, without waking a thread.
    """

    def __init__(
        self,
        net: nn.Sequential,
        image: Shape,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        threads: int = 1,
        isa: str | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self.net = net
        self._core = Compiled(net, image, mean, std, threads, isa, cache_dir, None)
        self._alone = self._core.alone()
        self._alone.job.array(slots.INDEX, np.zeros(1, np.int64))
        assert self._alone.predict
        self._predict = self._alone.predict
        self._take_up = native(self._alone.code.address("refresh"))
        self._shape, self._dtype = torch.Size((1, *image)), self._core.dtype
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
        """Raw scores float32 (M, K) for images (M, C, H, W), uint8 or float32 as the predictor was built for."""
        if images.shape != self._shape or images.dtype is not self._dtype:
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
            self._predict(job.address, 0)
        return scores
