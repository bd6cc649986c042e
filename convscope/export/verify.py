"""The proof of an export: the file is run again in its own runtime and must answer as the net does."""

from dataclasses import dataclass, replace

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
    """``test`` uint8 (N, C, H, W) prepared images to prove with, ``what`` they are, training images to look at, and the
    ``labels`` of the test images (None where these are random).
    """

    test: Pixels
    what: str
    samples: Pixels | None = None
    notes: tuple[str, ...] = ()
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Proof:
    """``agreement``: the share of images whose class is the net's (0..1); ``difference``: the largest |Δp|, relative to
    the largest score where the net gives scores; ``seconds`` an image in ``runtime``. Of a net in int8, ``accuracies``
    are the net's and its own; else None.
    """

    images: int
    what: str
    agreement: float
    difference: float
    seconds: float
    runtime: str
    accuracies: tuple[float, float] | None = None

    def __str__(self) -> str:
        text = (
            f"run again on {self.images:,} {self.what} in {self.runtime}: {100 * self.agreement:g} % the same class, "
            f"max |Δp| {self.difference:.1e}, {1000 * self.seconds:.3g} ms an image"
        )
        return f"{text}; {self.lost}" if self.accuracies else text

    @property
    def lost(self) -> str:
        """What int8 costs, in words; "" of a file that is as exact as the net."""
        if self.accuracies is None:
            return ""
        before, after = self.accuracies
        return (
            f"accuracy {100 * before:.2f} % in float32, {100 * after:.2f} % in int8: "
            f"{100 * (before - after):.2f} points lost"
        )


def images_for(folder: RunFolder, model: Model, found: Program | None, offline: bool = False) -> Images:
    """The run's own test images, evenly chosen where they are too many for the net; random ones where it has none.

    Of a net without a program (``found`` None) nobody knows how long it takes: 500 at most.
    """
    most = max(LEAST, WORK // max(1, multiply_adds(found))) if found else RANDOM
    if not (folder.path / "recipe.json").exists():
        return _random(model, most, "a model file alone has no test images")
    try:
        own = own_data(folder, offline=offline)
    except DataError as error:
        return _random(model, most, f"no test images of the run: {error.message}")
    train = own.data.train
    test, what = (own.data.test, "test images") if len(own.data.test) else (train, "training images")
    chosen = np.unique(np.linspace(0, len(test) - 1, min(most, len(test))).astype(np.int64))
    prepare = model.preparation.apply_all
    return Images(prepare(test.images[chosen]), what, prepare(train.images[:SAMPLES]), labels=test.labels[chosen])


def _random(model: Model, most: int, why: str) -> Images:
    made = np.random.default_rng(0).integers(0, 256, (min(most, RANDOM), *model.image), dtype=np.uint8)
    return Images(made, "random images", None, (f"{why}; the file is compared on random ones",))


def prove(model: Model, images: Images, replayed: Replay) -> Proof:
    """Compare a file's answers with the net's own. Raises TrainingError where they are not the same."""
    proof = compare(model, images, replayed)
    if not proof.difference <= TOLERANCE:  # not a number is no agreement
        raise TrainingError(
            f"the exported file does not answer as the net does: {proof}, more than {TOLERANCE:g}; nothing is written",
            "report it with the net's text; --no-verify writes the file all the same",
        )
    return proof


def compare(model: Model, images: Images, replayed: Replay) -> Proof:
    """How a file's answers differ from the net's own."""
    wanted, got = scores_of(model, images.test), replayed.probabilities
    agreement = float((wanted.argmax(1) == got.argmax(1)).mean()) if got.shape == wanted.shape else 0.0
    return Proof(len(wanted), images.what, agreement, apart(wanted, got), replayed.seconds, replayed.runtime)


def compare_int8(model: Model, images: Images, replayed: Replay) -> Proof:
    """As :func:`compare`, with the accuracies of both where the images have labels. Raises TrainingError where the
    file's answers are not finite.
    """
    proof = compare(model, images, replayed)
    if not np.isfinite(proof.difference):
        raise TrainingError("the net in int8 gives no numbers; nothing is written", "export it without --quantize")
    if images.labels is None:
        return proof
    answers = scores_of(model, images.test).argmax(1), replayed.probabilities.argmax(1)
    before, after = (float((answer == images.labels).mean()) for answer in answers)
    return replace(proof, accuracies=(before, after))


def apart(wanted: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    """max |Δp|, relative to the largest score where these are beyond 1; infinite for other shapes."""
    if wanted.shape != got.shape:
        return float("inf")
    return float(np.abs(wanted - got).max(initial=0) / max(1.0, np.abs(wanted).max(initial=0)))
