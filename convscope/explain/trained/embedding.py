"""A map of images by what the last layer reads: principal components at once, and neighbours by t-SNE in rounds.

PCA is scikit-learn's (K. Pearson 1901; randomised: N. Halko, P.-G. Martinsson and J. Tropp 2011), so a new image lands
by the same two directions. t-SNE (L. van der Maaten and G. Hinton, JMLR 9, 2008; L. van der Maaten, JMLR 15, 2014)
keeps neighbours together and knows no new images: :func:`among` puts one where its nearest neighbours are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...net.model import Model, evaluation

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

Features = NDArray[np.float32]
Places = NDArray[np.float32]
ROUNDS, EACH = 4, 250  # of t-SNE: 250 iterations are the fewest that scikit-learn takes
NEIGHBOURS = 5


@dataclass(frozen=True)
class Plane:
    """Two principal directions of features; ``explained`` is the part of their variance that each has."""

    pca: "PCA"
    places: Places
    explained: tuple[float, ...]

    def land(self, features: Features) -> Places:
        """Where features (n, F) land: (n, 2)."""
        return _flat(self.pca.transform(features))


def features(model: Model, images: NDArray[np.uint8]) -> tuple[Features, NDArray[np.float32]]:
    """What the last linear layer reads of each of ``images`` uint8 (N, C, H, W), float32 (N, F), and the scores (N, K).

    In a net without a linear layer the scores are the features, too.
    """
    last = next((module for module in reversed(list(model.net.modules())) if isinstance(module, nn.Linear)), None)
    given = torch.from_numpy(np.ascontiguousarray(images))
    if last is None:
        scores = model.logits(given)
        return scores.float().numpy(), scores.numpy()
    latest: list[Tensor] = []
    read: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        latest[:] = inputs[:1]  # a layer may be used twice

    def done(*_: object) -> None:
        read.append(latest.pop().flatten(1).cpu())

    with evaluation(model.net), last.register_forward_pre_hook(keep), model.net.register_forward_hook(done):
        scores = model.logits(given)
    return torch.cat(read).float().numpy(), scores.numpy()


def plane(found: Features) -> Plane:
    """The plane of the two directions in which features (N, F) differ most; one feature makes a line."""
    from sklearn.decomposition import PCA

    count = min(2, *found.shape)
    pca = PCA(count, svd_solver="randomized", random_state=0).fit(found)
    share = np.nan_to_num(pca.explained_variance_ratio_)  # features that are all the same have none
    return Plane(pca, _flat(pca.transform(found)), tuple(float(part) for part in share))


def neighbourly(found: Features, start: Places) -> Iterator[Places]:
    """t-SNE of features (N, F) from ``start`` (N, 2): where the images are after every one of :data:`ROUNDS` rounds.

    The first round exaggerates, so that clusters form; the others continue where it ended.
    """
    from sklearn.manifold import TSNE

    spread = float(start[:, 0].std()) or 1.0
    places = (start / spread * 1e-4).astype(np.float32)
    perplexity = min(30.0, max(1.0, (len(found) - 1) / 3))
    for n in range(ROUNDS):
        exaggeration = 12.0 if n == 0 else 1.0
        method = TSNE(
            perplexity=perplexity, early_exaggeration=exaggeration, max_iter=EACH, init=places, random_state=0, n_jobs=1
        )
        places = method.fit_transform(found).astype(np.float32)
        yield places


def among(found: Features, one: Features, count: int = NEIGHBOURS) -> NDArray[np.int64]:
    """The ``count`` of features (N, F) that are nearest to ``one`` (F,), the nearest first."""
    return np.argsort(((found - one) ** 2).sum(1), kind="stable")[:count]


def _flat(places: NDArray[np.floating]) -> Places:
    """(n, 2), the second column 0 where there is only one direction."""
    whole = np.zeros((len(places), 2), np.float32)
    whole[:, : places.shape[1]] = places
    return whole
