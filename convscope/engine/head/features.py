"""The features of images: what goes into a net's last layer, computed once for every image and kept.

An image is looked at alone and by one thread, so its features depend on nothing but itself; the cores share the
images. That is also the fastest way: whatever one image makes stays in the processor's cache.
"""

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batches import Normalize
from ...language import say
from ...net.graph import GraphNet, parts
from ..plain import one_thread
from . import store

KEPT = 256  # images after which what was computed is written down
TOGETHER = 64  # images in one pass on a GPU


class Features:
    """What goes into the last layer of ``net``, for images uint8 (N, C, H, W).

    ``digest`` names the net's weights and what ``normalize`` does: features are kept under it.
    """

    def __init__(
        self,
        net: nn.Sequential,
        digest: str,
        normalize: Normalize,
        device: torch.device,
        threads: int,
    ) -> None:
        last = parts(net)[-1].module
        assert isinstance(last, nn.Linear), "a pretrained net ends with a linear layer"
        self.width = last.in_features
        self.trunk, self.digest, self.normalize = _trunk(net), digest, normalize
        self.device, self.threads = device, threads
        self.known: dict[bytes, np.ndarray] = {}

    def __call__(self, images: Tensor, what: str = "") -> Tensor:
        """Float32 (N, D). ``what`` names the images on the progress bar, which is drawn where somebody watches."""
        keys = [self._key(image) for image in images]
        missing = {key: number for number, key in enumerate(keys) if key not in self.known}
        kept = store.read(list(missing)).items()
        self.known |= {key: row for key, row in kept if len(row) == self.width}  # others are damaged
        missing = {key: number for key, number in missing.items() if key not in self.known}
        if missing:
            self._compute(images, missing, what)
        return torch.from_numpy(np.stack([self.known[key] for key in keys]))

    def _key(self, image: Tensor) -> bytes:
        digest = hashlib.sha256(f"{self.digest}\0{torch.__version__}\0{tuple(image.shape)}\0".encode())
        digest.update(image.contiguous().numpy().data)
        return digest.digest()

    def _compute(self, images: Tensor, missing: dict[bytes, int], what: str) -> None:
        """Look at the images of ``missing`` (key → number), and write down what came out as it comes."""
        from tqdm import tqdm

        fresh: dict[bytes, np.ndarray] = {}
        label, shown = say(f"features of {what}"), bool(what) and sys.stderr.isatty()
        unit = f" {say('images')}"
        with tqdm(total=len(missing), desc=label, unit=unit, disable=not shown, leave=False) as bar:
            for key, row in zip(missing, self._rows(images, list(missing.values())), strict=True):
                fresh[key] = row
                bar.update()
                if len(fresh) == KEPT:
                    self._keep(fresh)
                    fresh = {}
        self._keep(fresh)

    def _keep(self, rows: dict[bytes, np.ndarray]) -> None:
        store.write(rows)
        self.known |= rows

    def _rows(self, images: Tensor, numbers: list[int]) -> Iterator[np.ndarray]:
        """The features of the images with these numbers, in their order."""
        if self.device.type != "cpu":
            for part in torch.tensor(numbers).split(TOGETHER):
                yield from self._look(images[part]).cpu().numpy()
            return
        with one_thread(), ThreadPoolExecutor(self.threads) as pool:
            waiting = pool.map(lambda number: self._look(images[number : number + 1])[0].numpy(), numbers)
            try:
                yield from waiting
            finally:
                pool.shutdown(cancel_futures=True)

    def _look(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            inputs = self.normalize(images.to(self.device)).contiguous(memory_format=torch.channels_last)
            found: Tensor = self.trunk(inputs)
        return found


def _trunk(net: nn.Sequential) -> GraphNet:
    """``net`` without its last layer; an activation whose input nobody else reads works in place."""
    *before, last = parts(net)
    readers = [name for part in (*before, last) for name in part.inputs]
    modules: dict[str, nn.Module] = {}
    for part in before:
        module = part.module
        if isinstance(module, nn.ReLU6 | nn.ReLU) and readers.count(part.inputs[0]) == 1:
            module = copy(module)
            module.inplace = True
        modules[part.name] = module
    inputs = net.inputs if isinstance(net, GraphNet) else {}
    return GraphNet(modules, {name: given for name, given in inputs.items() if name in modules}).eval()
