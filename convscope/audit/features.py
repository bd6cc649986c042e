"""Numbers that tell classes apart well enough to find labels that are likely wrong.

Of colour images, the features of a pretrained net where its weights lie here and the images are few enough. Else
responses to random patches of the images themselves (after Coates, Ng and Lee 2011, "An Analysis of Single-Layer
Networks in Unsupervised Feature Learning"), which need no weights and seconds for tens of thousands.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.batches import Normalize
from ..data.preparation import Pixels
from ..engine.head.features import Features
from ..net.build import build
from ..net.pretrained.catalogue import PRETRAINED, digest
from ..net.pretrained.weights import available, load
from ..net.zoo import resolve
from ..storage.cores import cores

NET = "efficientnet-lite0"
MOST_LOOKED_AT = 2_500  # images through the pretrained net: some ten seconds
SIGHT = 128  # pixels in which the pretrained net sees them
SIDE = 32  # larger images are made as small for patches
FILTERS, PATCH, STRIDE, POOLED = 32, 5, 2, 3
SEEN = 2_000  # images that patches are cut out of
SMALLEST = PATCH + STRIDE * (POOLED - 1)  # pixels of a side
TOGETHER = 500


def features(images: Pixels, seed: int = 0) -> tuple[Tensor, str]:
    """Float32 (N, D) for images uint8 (N, C, H, W), and in words what they are."""
    if images.shape[1] == 3 and len(images) <= MOST_LOOKED_AT and available(NET):
        return _pretrained(images), f"features of {NET}"
    return patch_responses(images, seed), "responses to random patches"


def patch_responses(images: Pixels, seed: int = 0) -> Tensor:
    """Float32 (N, D): how much each of nine parts of an image looks like each of 32 random patches, and unlike it."""
    rng = np.random.default_rng(seed)
    chosen = _small(torch.from_numpy(images[np.sort(rng.permutation(len(images))[:SEEN])]))
    filters = _patches(chosen, rng)
    rows = []
    for start in range(0, len(images), TOGETHER):
        found = F.conv2d(_small(torch.from_numpy(images[start : start + TOGETHER])), filters, stride=STRIDE)
        mean = F.adaptive_avg_pool2d(found, POOLED).flatten(1)
        like = F.adaptive_avg_pool2d(found.relu_(), POOLED).flatten(1)
        rows.append(torch.cat([like, (like - mean).clamp(min=0)], 1).sqrt())  # x = relu(x) − relu(−x)
    return torch.cat(rows)


def _small(images: Tensor) -> Tensor:
    """Images as float32, no larger than SIDE and no smaller than a patch needs, each with mean 0 and deviation 1."""
    height, width = (min(SIDE, max(side, SMALLEST)) for side in images.shape[2:])
    values = images.float()
    if images.shape[2:] != (height, width):
        values = F.interpolate(values, (height, width), mode="area")
    values -= values.mean((1, 2, 3), keepdim=True)
    deviation = torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True) / math.sqrt(values[0].numel() - 1)
    small: Tensor = values / deviation.clamp(min=1)
    return small


def _patches(images: Tensor, rng: np.random.Generator) -> Tensor:
    """FILTERS patches (FILTERS, C, PATCH, PATCH) that show something, each with mean 0 and length 1."""
    patches = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1).permute(0, 2, 3, 1, 4, 5)
    count, rows, columns = patches.shape[:3]
    tries = 8 * FILTERS
    at = (rng.integers(0, count, tries), rng.integers(0, rows, tries), rng.integers(0, columns, tries))
    found = patches[tuple(torch.from_numpy(index) for index in at)]
    found = found - found.mean((1, 2, 3), keepdim=True)
    length = found.flatten(1).norm(dim=1)
    most = length.argsort(descending=True)[: tries // 2]
    chosen = most[torch.from_numpy(rng.permutation(len(most))[:FILTERS])]
    filters: Tensor = found[chosen] / length[chosen].clamp(min=1e-6).view(-1, 1, 1, 1)
    return filters


def _pretrained(images: Pixels) -> Tensor:
    entry = PRETRAINED[NET]
    net = build(resolve(NET), (images.shape[1], SIGHT, SIGHT), 2)
    net.load_state_dict(load(NET, images.shape[1]), strict=False)
    normalize = Normalize(entry.mean, entry.std)
    looker = Features(net, digest(NET), normalize, torch.device("cpu"), cores())
    return looker(_in_sight(torch.from_numpy(images)), "the images")


def _in_sight(images: Tensor) -> Tensor:
    """Images of SIGHT pixels a side: the net was trained with larger ones, and knows little of those of 32."""
    parts = images.split(TOGETHER)
    scaled = [F.interpolate(part.float(), (SIGHT, SIGHT), mode="bicubic", antialias=True) for part in parts]
    return torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in scaled])
