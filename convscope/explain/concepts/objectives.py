"""What descent minimises: a regression whose loss can be drawn as a map, and a net on images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.batches import epoch_order
from ...errors import UsageError
from ...language.counts import number_of
from ..backprop.values import Array
from .polynomials import Terms

if TYPE_CHECKING:
    from ...data.images import Dataset

Vector = NDArray[np.floating]
Index = NDArray[np.int64]
NOISE = 0.5  # standard deviation of the regression's targets around their line
TRUE_LINE = (2.0, -1.0)
CENTRE = 0.5  # of x: away from 0, so that w and b depend on each other and the map's valley is slanted
START = (-1.0, 2.0)  # where every path on the map begins, unless another place is named
VIEW = 1.35  # times the way from the usual start to the best place that the map shows on each side of that


class Objective(Protocol):
    """What is minimised."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def samples(self) -> int:
        """How many there are to learn from."""
        ...

    @property
    def records(self) -> int:
        """At how many points of a path the full gradient is worth its time."""
        ...

    @property
    def repeats(self) -> int:
        """How many times a path is timed, after one to warm up; 1: it is timed once, as it is."""
        ...

    def start(self) -> Vector:
        """The parameters (P,) that every regime begins with."""
        ...

    def loss(self, parameters: Vector, index: Index) -> tuple[float, Vector]:
        """The mean loss of the samples at ``index`` and its gradient (P,)."""
        ...


@dataclass(frozen=True)
class Regression:
    """y ≈ w·x + b for samples x, y (N,), the mean squared error as the loss, in float64."""

    x: Array
    y: Array
    begin: tuple[float, float] = START
    name: str = "regression with two parameters"
    records: int = 5_000
    repeats: int = 5

    @property
    def samples(self) -> int:
        """N."""
        return len(self.x)

    def start(self) -> Vector:
        """See :class:`Objective`."""
        return np.array(self.begin)

    def loss(self, parameters: Vector, index: Index) -> tuple[float, Vector]:
        """mean((w·x + b − y)²); ∂/∂w = mean(2·(w·x + b − y)·x), ∂/∂b = mean(2·(w·x + b − y))."""
        x = self.x[index]
        error = parameters[0] * x + parameters[1] - self.y[index]
        return float((error**2).mean()), 2 * np.array([(error * x).mean(), error.mean()])

    def best(self) -> Array:
        """The parameters (w, b) of least loss, by least squares."""
        design = np.stack([self.x, np.ones_like(self.x)], 1)
        return np.asarray(np.linalg.lstsq(design, self.y, rcond=None)[0])

    def curvature(self) -> float:
        """λmax of the second derivatives 2·[[mean x², mean x], [mean x, 1]]: with all samples an update shrinks every
        error only where lr < 2/λmax.
        """
        mixed = 2 * np.array([[(self.x**2).mean(), self.x.mean()], [self.x.mean(), 1.0]])
        return float(np.linalg.eigvalsh(mixed)[-1])

    @property
    def terms(self) -> Terms:
        """The loss of all samples, multiplied out."""
        x, y = self.x, self.y
        return (
            (2, 0, float((x**2).mean())),
            (1, 1, 2 * float(x.mean())),
            (0, 2, 1.0),
            (1, 0, -2 * float((x * y).mean())),
            (0, 1, -2 * float(y.mean())),
            (0, 0, float((y**2).mean())),
        )

    @property
    def view(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The part of the map that is shown: as far around the best place as the usual start lies from it, and more."""
        best = self.best()
        far = VIEW * float(np.abs(np.array(START) - best).max())
        return (best[0] - far, best[0] + far), (best[1] - far, best[1] + far)

    def map(self, ws: Array, bs: Array) -> Array:
        """The loss over all samples at every (b, w): shape (len(bs), len(ws))."""
        error = ws[:, None] * self.x + bs[:, None, None] - self.y  # (bs, ws, N)
        return np.asarray((error**2).mean(-1))


def regression(samples: int, seed: int, start: tuple[float, float] | None = None) -> Regression:
    """Samples scattered around the line y = 2x − 1, the same for the same seed."""
    if not 2 <= samples <= 10_000:
        raise UsageError(f"--samples is {samples}, expected 2 to 10,000 for the regression")
    random = np.random.default_rng(seed)
    x = random.normal(CENTRE, 1.0, samples)
    return Regression(x, TRUE_LINE[0] * x + TRUE_LINE[1] + NOISE * random.normal(size=samples), start or START)


class Terrain(Objective, Protocol):
    """An objective with two parameters, w and b, which can be drawn as a map."""

    @property
    def terms(self) -> Terms:
        """The loss as a polynomial."""
        ...

    @property
    def view(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The part of the map that is shown: ((w from, to), (b from, to))."""
        ...

    def best(self) -> Array:
        """The place of least loss (2,)."""
        ...

    def curvature(self) -> float:
        """λmax of the second derivatives there."""
        ...

    def map(self, ws: Array, bs: Array) -> Array:
        """The loss at every (b, w): shape (len(bs), len(ws))."""
        ...


class NetObjective:
    """A net on some images of a data set, cross entropy, float32 on one CPU thread: a batch of one gains nothing from
    two, and so seconds can be compared.
    """

    records = 40
    repeats = 1

    def __init__(self, net: str, data: "Dataset", samples: int, seed: int) -> None:
        import torch

        from ...data.batches import Normalize
        from ...net.build import build
        from ...net.zoo import net_name, resolve

        if not 2 <= samples <= len(data.train):
            raise UsageError(f"--samples is {samples}, but {data.name} has {len(data.train):,} training images",
                             f"choose 2 to {len(data.train):,}")  # fmt: skip
        chosen = data.train.take(epoch_order(len(data.train), seed, 0)[:samples])
        self.name = f"{net_name(net)}, trained on {number_of(samples, 'image')} of {data.name}"
        self.samples = samples
        self.net = build(resolve(net), data.train.shape, len(data.classes), seed)
        self.images = Normalize(data.mean, data.std)(torch.from_numpy(chosen.images))
        self.labels = torch.from_numpy(chosen.labels)
        self.first = torch.nn.utils.parameters_to_vector(self.net.parameters()).detach().numpy().copy()

    def start(self) -> Vector:
        """See :class:`Objective`."""
        return np.array(self.first)

    def loss(self, parameters: Vector, index: Index) -> tuple[float, Vector]:
        """Mean cross entropy of the images at ``index`` and its gradient from autograd."""
        import torch
        from torch.nn.functional import cross_entropy
        from torch.nn.utils import vector_to_parameters

        from ...engine.plain import one_thread

        where, weights = torch.from_numpy(index), list(self.net.parameters())
        vector_to_parameters(torch.from_numpy(parameters), weights)
        with one_thread():
            loss = cross_entropy(self.net(self.images[where]), self.labels[where])
            gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, weights)])
        return float(loss.detach()), gradient.numpy()
