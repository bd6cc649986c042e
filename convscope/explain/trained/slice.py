"""A slice through the loss of a trained net, with the path of its training on it.

The plane goes through the last weights of the path. Its two directions are either the principal components of the way
that led there, in which the snapshots lie farthest apart, or random ones, normalised filter by filter, which show how
sharp the minimum is (Li, Xu, Taylor, Studer and Goldstein, Visualizing the Loss Landscape of Neural Nets, NeurIPS 2018,
sections 7 and 4). Running statistics of batch normalisation stay the last ones.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.images import ImageSet
from ...errors import UsageError
from ...net.loss import loss_of
from ...net.model import Model

Array = NDArray[np.float64]
GRID = 21  # places along each side
MARGIN = 0.3  # of the path's extent, on each side of it
MOST_IMAGES = 256
MOST_SNAPSHOTS = 32


@dataclass(frozen=True)
class Plane:
    """``centre`` (P,) and two ``directions`` (2, P); ``path`` (T, 2) is where the snapshots are nearest to it.

    ``shares`` (2,): how much of the snapshots' squared distances from the centre lies along the first direction, and
    how much more along the second. ``reach`` is how far the plane is looked at, or None for the path with room around.
    """

    centre: Array
    directions: Array
    path: Array
    shares: tuple[float, float]
    reach: float | None = None

    def sides(self) -> tuple[Array, Array]:
        """The places along both directions, GRID each."""
        if self.reach is not None:
            return (side := np.linspace(-self.reach, self.reach, GRID)), side
        low, high = self.path.min(0), self.path.max(0)
        margin = MARGIN * max(float((high - low).max()), 1e-9)  # the same on both sides: one unit is one unit
        xs, ys = (np.linspace(low[i] - margin, high[i] + margin, GRID) for i in (0, 1))
        return xs, ys


def plane(snapshots: Array) -> Plane:
    """The plane in which snapshots (T, P) lie best, two orthogonal directions of length 1; the last is its centre.

    Raises UsageError where they span none.
    """
    moved = _moved(snapshots)
    _, sizes, directions = np.linalg.svd(moved, full_matrices=False)
    if not sizes[1] > 1e-7 * sizes[0]:
        raise UsageError("the path of this run lies on a line", "train for some more updates")
    path = moved @ directions[:2].T
    turned = np.where(path[0] > 0, -1.0, 1.0)  # the start lies on the left, below
    squares = (sizes**2 / (sizes**2).sum()).tolist()
    return Plane(snapshots[-1], directions[:2] * turned[:, None], path * turned, (squares[0], squares[1]))


def random_plane(snapshots: Array, shapes: Sequence[tuple[int, ...]], seed: int = 0) -> Plane:
    """The plane through the last of the snapshots (T, P) along two normal random directions d, filter-normalised.

    d_ij ← d_ij / ‖d_ij‖ · ‖θ_ij‖ for filter j of layer i, of a linear layer the weights of one output; what is no
    filter, biases and batch normalisation, stays where it is. So one unit is as far for every filter as that filter is
    large, and nets that differ only in the scale of their layers have the same slice. ``shapes`` are those of the
    parameters that lie behind each other in a snapshot. Raises UsageError where a snapshot is not finite.
    """
    moved, centre = _moved(snapshots), snapshots[-1]
    random = np.random.default_rng(seed)
    directions = np.stack([filter_normalised(random.normal(size=centre.size), centre, shapes) for _ in range(2)])
    across, _ = np.linalg.qr(directions.T)  # (P, 2): the same plane at right angles
    squares = ((moved @ across) ** 2).sum(0) / max(float((moved**2).sum()), 1e-300)
    path = np.asarray(np.linalg.lstsq(directions.T, moved.T, rcond=None)[0].T, np.float64)
    return Plane(centre, directions, path, (float(squares[0]), float(squares[1])), reach=1.0)


def filter_normalised(direction: Array, weights: Array, shapes: Sequence[tuple[int, ...]]) -> Array:
    """``direction`` (P,) with every filter as long as that of ``weights`` (P,), and 0 where there is no filter."""
    parts, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        filters = (direction[start:end].reshape(shape[0], -1), weights[start:end].reshape(shape[0], -1))
        length, target = (np.linalg.norm(part, axis=1, keepdims=True) for part in filters)
        parts.append((filters[0] / np.maximum(length, 1e-300) * target * (len(shape) > 1)).ravel())
        start = end
    return np.concatenate(parts)


def _moved(snapshots: Array) -> Array:
    """The snapshots as seen from the last one. Raises UsageError for fewer than three, and what is not finite."""
    moved = snapshots - snapshots[-1]
    if len(snapshots) < 3 or not np.isfinite(moved).all():
        raise UsageError(
            f"a slice needs three snapshots of finite weights, and the path of this run has {len(snapshots)}",
            "train for some more updates",
        )
    return np.asarray(moved)


def thinned(steps: Sequence[int]) -> list[int]:
    """Places of at most MOST_SNAPSHOTS of these updates, evenly chosen, first and last included."""
    chosen = np.linspace(0, len(steps) - 1, min(len(steps), MOST_SNAPSHOTS)).round().astype(int)
    return sorted(set(chosen.tolist()))


def weights(model: Model, state: Mapping[str, NDArray[np.float32]]) -> Array:
    """The parameters of ``model`` in a state dict, one behind the other (P,). Raises UsageError if one is missing."""
    parts = []
    for name, parameter in model.net.named_parameters():
        if name not in state or state[name].shape != tuple(parameter.shape):
            raise UsageError("the path of this run is of another net", "delete its film, or train again")
        parts.append(state[name].ravel())
    return np.concatenate(parts).astype(np.float64)


class Slice:
    """The loss on a plane: of ``model`` (a copy is taken) on evenly chosen images, at most MOST_IMAGES."""

    def __init__(self, model: Model, on: Plane, images: ImageSet) -> None:
        self._model, self.plane = deepcopy(model), on
        chosen = np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).round().astype(int)
        self._images = torch.from_numpy(np.ascontiguousarray(images.images[chosen]))
        self._labels = torch.from_numpy(np.ascontiguousarray(images.labels[chosen])).long()
        self.images = len(chosen)

    def at(self, parameters: Array) -> float | None:
        """The mean loss with these weights (P,); None where it is not finite."""
        values = torch.from_numpy(parameters.astype(np.float32))
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(values, self._model.net.parameters())
        loss = float(loss_of(self._model.loss, self._model.logits(self._images), self._labels))
        return loss if math.isfinite(loss) else None

    def row(self, row: int) -> list[float | None]:
        """The losses at the places of row ``row`` of the plane, along its first direction."""
        xs, ys = self.plane.sides()
        first, second = self.plane.directions
        return [self.at(self.plane.centre + x * first + ys[row] * second) for x in xs.tolist()]
