"""Labels that are likely wrong, and classes that look alike: by a classifier that has not seen the image it judges.

A linear classifier is fitted in closed form to a part of the images; those are judged by the fit without them, the
others by the fit. Where it is sure of another class than the label, either is wrong; the images are ranked by how sure
it is (self-confidence: Northcutt, Jiang and Chuang 2021, "Confident Learning").
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.head.ridge import fit
from ..engine.plain import one_thread

MOST_FITTED = 6_000  # images that the classifier is fitted to
FEWEST = 5  # images of a class, to know what it looks like
UNLIKELY = 0.1  # probability of a label, at most
SURE = 0.6  # and of another class, at least
CONFUSED = 0.1  # share of two classes' images that are taken for the other
FEWEST_CONFUSED = 3


@dataclass(frozen=True)
class Suspect:
    """Image ``index`` with the probabilities of its label and of the ``likelier`` class."""

    index: int
    likelier: int
    own: float
    other: float


@dataclass(frozen=True)
class Alike:
    """Two classes, and the ``share`` of their images that is taken for the other."""

    one: int
    other: int
    share: float


@dataclass(frozen=True)
class Judgement:
    """``probabilities`` float64 (N, K) of every image by a fit without it, and the ``labels`` int64 (N,) it has."""

    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share of the images whose label is the likeliest class."""
        return float((self.probabilities.argmax(1) == self.labels).mean())

    def suspects(self) -> list[Suspect]:
        """The images whose label is likely wrong, the likeliest first."""
        p, rows = self.probabilities, np.arange(len(self.labels))
        likelier, own = p.argmax(1), p[rows, self.labels]
        other = p[rows, likelier]
        found = np.flatnonzero((own < UNLIKELY) & (other > SURE) & (likelier != self.labels))
        order = found[np.lexsort((found, own[found]))]
        return [Suspect(int(i), int(likelier[i]), float(own[i]), float(other[i])) for i in order]

    def alike(self) -> list[Alike]:
        """The pairs of classes of which many images are taken for the other, the most first."""
        classes = self.probabilities.shape[1]
        counts = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(counts, (self.labels, self.probabilities.argmax(1)), 1)
        taken, images = counts + counts.T, counts.sum(1)
        found = [
            Alike(one, other, taken[one, other] / (images[one] + images[other]))
            for one in range(classes)
            for other in range(one + 1, classes)
            if taken[one, other] >= max(FEWEST_CONFUSED, CONFUSED * (images[one] + images[other]))
        ]
        return sorted(found, key=lambda pair: (-pair.share, pair.one, pair.other))


def judge(features: torch.Tensor, labels: NDArray[np.int64], classes: int, seed: int = 0) -> Judgement | None:
    """Judge the labels int64 (N,) of images by their ``features`` float32 (N, D). None where a class has too few images
    to know what it looks like.
    """
    count = np.bincount(labels, minlength=classes)
    if classes < 2 or count.min() < FEWEST:
        return None
    fitted = _share(labels, count, np.random.default_rng(seed))
    marks = torch.from_numpy(labels)
    with one_thread():
        head = fit(features[fitted], marks[fitted], classes)
        logits = (features @ head.weight.T + head.bias).double()
    logits[fitted] = head.left_out
    return Judgement(torch.softmax(logits, 1).numpy(), labels)


def _share(labels: NDArray[np.int64], count: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
    """The images that are fitted to: of each class its share of MOST_FITTED, but FEWEST at least."""
    most = np.maximum(FEWEST, np.ceil(count * min(1.0, MOST_FITTED / len(labels)))).astype(np.int64)
    members = [rng.permutation(np.flatnonzero(labels == label))[: most[label]] for label in range(len(count))]
    return torch.from_numpy(np.sort(np.concatenate(members)))
