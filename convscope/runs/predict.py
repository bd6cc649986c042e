"""What a trained net says of images that it has not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.handed import prepared
from ..data.pictures.decode import read_image
from ..data.pictures.source import Source
from ..data.preparation import Preparation
from ..errors import DataError
from ..net.model import Model
from ..training.scores import confidences

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """One image: the likeliest class and the runner-up, and how sure the net is of them.

    ``confidence`` and ``second_confidence`` are probabilities (0..1), or scores where the net was not trained with
    cross entropy.
    """

    file: str
    class_name: str
    confidence: float
    second_class: str
    second_confidence: float


def predict_files(
    model: Model, files: Sequence[Source], preparation: Preparation | None = None, skip_bad: bool = False
) -> Iterator[Prediction]:
    """Predict file by file, in batches of 256, prepared as the model says unless another ``preparation`` is given.

    Unreadable files raise DataError, or are left out with ``skip_bad``.
    """
    preparation = preparation or model.preparation
    for start in range(0, len(files), BATCH):
        names, images = [], []
        for file in files[start : start + BATCH]:
            try:
                images.append(read_image(file, preparation))
            except DataError as error:
                if not skip_bad:
                    raise DataError(error.message, f"{error.help}; or leave it out with --skip-bad") from None
                continue
            names.append(str(file))
        if images:
            yield from _predictions(model, scores_of(model, np.stack(images)), names)


def predict(model: Model, images: Any) -> NDArray[np.float64]:
    """Probabilities or scores (N, K) for pictures as :func:`~convscope.data.handed.prepared` takes them."""
    return scores_of(model, prepared(images, model.preparation))


def scores_of(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probabilities or scores (N, K), as the model's loss says, for images that are prepared: uint8 (N, C, H, W)."""
    if not pixels.flags.writeable:  # PyTorch warns of what it could write to
        pixels = pixels.copy()
    return confidences(model.logits(torch.from_numpy(np.ascontiguousarray(pixels))), model.loss).numpy()


def _predictions(model: Model, p: NDArray[np.float64], names: list[str]) -> Iterator[Prediction]:
    for row, name in zip(p, names, strict=True):
        order = np.argsort(-row, kind="stable")
        first, second = order[0], order[min(1, len(order) - 1)]
        yield Prediction(name, model.classes[first], float(row[first]), model.classes[second], float(row[second]))
