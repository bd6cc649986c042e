"""What a trained net says of images that it has not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.pictures.decode import read_image
from ..errors import DataError, UsageError
from ..net.model import Model
from ..training.scores import probabilities

# A net that was trained on light strokes over dark ground has a mean pixel below this (MNIST: 0.13).
DARK_GROUND = 0.35


@dataclass(frozen=True)
class Prediction:
    """One image: the likeliest class and the runner-up, with their probabilities (0..1).

    ``inverted`` says that dark and light were exchanged before the net saw the image.
    """

    file: str
    class_name: str
    probability: float
    second_class: str
    second_probability: float
    inverted: bool = False


def predict_files(
    model: Model, files: Sequence[Path], invert: bool = True, skip_bad: bool = False
) -> Iterator[Prediction]:
    """Predict file by file, in batches of 256. Unreadable files raise DataError, or are left out with ``skip_bad``."""
    for start in range(0, len(files), 256):
        names, images, flipped = [], [], []
        for file in files[start : start + 256]:
            try:
                image = read_image(file, model.image)
            except DataError as error:
                if not skip_bad:
                    raise DataError(error.message, f"{error.help}; or leave it out with --skip-bad") from None
                continue
            flip = invert and is_dark_on_light(image, model)
            names.append(str(file))
            images.append(255 - image if flip else image)
            flipped.append(flip)
        if images:
            p = predict(model, np.stack(images))
            yield from _predictions(model, p, names, flipped)


def predict(model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probabilities (N, K) for uint8 images (N, C, H, W) or (N, H, W). Raises UsageError where the shape is another."""
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[:, None]
    if images.dtype != np.uint8 or images.shape[1:] != model.image:
        raise UsageError(
            f"the images are {images.dtype} of shape {images.shape}, but the net takes uint8 of (N, {model.image[0]}, "
            f"{model.image[1]}, {model.image[2]})",
            "scale pixels to 0..255 and bring the images to that size",
        )
    return probabilities(model.logits(torch.from_numpy(np.ascontiguousarray(images)))).numpy()


def is_dark_on_light(image: NDArray[np.uint8], model: Model) -> bool:
    """Whether a grey image (1, H, W) has a light border, while the net was trained on light strokes on dark ground."""
    if model.image[0] != 1 or model.mean[0] >= DARK_GROUND:
        return False
    border = np.concatenate([image[0, 0], image[0, -1], image[0, :, 0], image[0, :, -1]])
    return bool(np.median(border) > 127)


def _predictions(model: Model, p: NDArray[np.float64], names: list[str], flipped: list[bool]) -> Iterator[Prediction]:
    for row, name, flip in zip(p, names, flipped, strict=True):
        order = np.argsort(-row, kind="stable")
        first, second = order[0], order[min(1, len(order) - 1)]
        yield Prediction(name, model.classes[first], float(row[first]), model.classes[second], float(row[second]), flip)
