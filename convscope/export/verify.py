"""The proof of an export: the file is run again in its own runtime and must answer as the net does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, TrainingError
from ..net.model import Model
from ..runs.folder import RunFolder
from ..runs.own_data import own_data
from ..runs.predict import scores_of
from .program import Program
from .subject import Pixels, Replay, multiply_adds

TOLERANCE = 1e-5  # of a probability; of a score relative to the largest
RANDOM = 500  # images where there are none of the run's own
LEAST = 50  # images, however large the net
WORK = 5_000_000_000  # multiply-adds that a proof may take: seconds in any runtime
SAMPLES = 200  # training images for a writer to look at


@dataclass(frozen=True)
class Images:
    """``test`` uint8 (N, C, H, W) prepared images to prove with, ``what`` they are, and training images to look at."""

    test: Pixels
    what: str
    samples: Pixels | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """``agreement``: the share of images whose class is the net's (0..1); ``difference``: the largest |Δp|, relative to
    the largest score where the net gives scores; ``seconds`` an image in ``runtime``.
    """

    images: int
    what: str
    agreement: float
    difference: float
    seconds: float
    runtime: str

    def __str__(self) -> str:
        return (
            f"run again on {self.images:,} {self.what} in {self.runtime}: {100 * self.agreement:g} % the same class, "
            f"max |Δp| {self.difference:.1e}, {1000 * self.seconds:.3g} ms an image"
        )


def images_for(folder: RunFolder, model: Model, found: Program, offline: bool = False) -> Images:
    """The run's own test images, evenly chosen where they are too many for the net; random ones where it has none."""
    most = max(LEAST, WORK // max(1, multiply_adds(found)))
    if not (folder.path / "recipe.json").exists():
        return _random(model, most, "a model file alone has no test images")
    try:
        own = own_data(folder, offline=offline)
    except DataError as error:
        return _random(model, most, f"no test images of the run: {error.message}")
    test, train = own.data.test.images, own.data.train.images
    if not len(test):
        test, what = train, "training images"
    else:
        what = "test images"
    chosen = np.unique(np.linspace(0, len(test) - 1, min(most, len(test))).astype(np.int64))
    prepare = model.preparation.apply_all
    return Images(prepare(test[chosen]), what, prepare(train[:SAMPLES]))


def _random(model: Model, most: int, why: str) -> Images:
    made = np.random.default_rng(0).integers(0, 256, (min(most, RANDOM), *model.image), dtype=np.uint8)
    return Images(made, "random images", None, (f"{why}; the file is compared on random ones",))


def prove(model: Model, images: Images, replayed: Replay) -> Proof:
    """Compare a file's answers with the net's own. Raises TrainingError where they are not the same."""
    wanted, got = scores_of(model, images.test), replayed.probabilities
    difference = apart(wanted, got)
    agreement = float((wanted.argmax(1) == got.argmax(1)).mean()) if got.shape == wanted.shape else 0.0
    proof = Proof(len(wanted), images.what, agreement, difference, replayed.seconds, replayed.runtime)
    if not difference <= TOLERANCE:  # not a number is no agreement
        raise TrainingError(
            f"the exported file does not answer as the net does: {proof}, more than {TOLERANCE:g}; nothing is written",
            "report it with the net's text; --no-verify writes the file all the same",
        )
    return proof


def apart(wanted: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    """max |Δp|, relative to the largest score where these are beyond 1; infinite for other shapes."""
    if wanted.shape != got.shape:
        return float("inf")
    return float(np.abs(wanted - got).max(initial=0) / max(1.0, np.abs(wanted).max(initial=0)))
