"""What a trained net says of images that it has not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.handed import prepared
from ..data.pictures.decode import judge_image
from ..data.pictures.source import Source
from ..data.preparation import Preparation
from ..errors import DataError
from ..recipe import ViewsName
from ..training.augment.views import seen
from ..training.scores import confidences
from .exported import Answering

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """One image: its likeliest classes, the likeliest first, each with how sure the net is of it.

    That is a probability (0..1), or a score where the net was not trained with cross entropy. ``strange`` says that
    the picture looks like none of the training images, so that no class may fit.
    """

    file: str
    ranking: tuple[tuple[str, float], ...]
    strange: bool = False

    @property
    def class_name(self) -> str:
        """The likeliest class."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """How sure the net is of the likeliest class."""
        return self.ranking[0][1]


def predict_files(
    model: Answering,
    files: Sequence[Source],
    preparation: Preparation | None = None,
    skip_bad: bool = False,
    top: int = 2,
    views: ViewsName = "none",
) -> Iterator[Prediction]:
    """Predict file by file, in batches of 256, prepared as the model says unless another ``preparation`` is given.

    Each prediction ranks the ``top`` classes; of several ``views`` of an image it is their mean. Unreadable files raise
    DataError, or are left out with ``skip_bad``.
    """
    preparation = preparation or model.preparation
    for start in range(0, len(files), BATCH):
        names, images, expected = [], [], []
        for file in files[start : start + BATCH]:
            try:
                pixels, kind = judge_image(file, preparation)
            except DataError as error:
                if not skip_bad:
                    raise DataError(error.message, f"{error.help}; or leave it out with --skip-bad") from None
                continue
            names.append(str(file))
            images.append(pixels)
            expected.append(kind)
        if images:
            yield from _predictions(model, np.stack(images), names, np.array(expected), top, views)


def predict(model: Answering, images: Any, views: ViewsName = "none") -> NDArray[np.float64]:
    """Probabilities or scores (N, K) for pictures as :func:`~convscope.data.handed.prepared` takes them."""
    return scores_of(model, prepared(images, model.preparation), views)


def scores_of(model: Answering, pixels: NDArray[np.uint8], views: ViewsName = "none") -> NDArray[np.float64]:
    """Probabilities or scores (N, K), as the model's loss says, for images that are prepared: uint8 (N, C, H, W)."""
    return confidences(_logits(model, pixels, views), model.loss).numpy()


def strange(model: Answering, pixels: NDArray[np.uint8], logits: Tensor) -> NDArray[np.bool_]:
    """Which of prepared images (N, C, H, W) with raw scores ``logits`` (N, K) look like none of the training images."""
    if model.look is None:
        return np.zeros(len(pixels), dtype=bool)
    return model.look.strange(pixels) | model.look.weak(logits.numpy())


def _logits(model: Answering, pixels: NDArray[np.uint8], views: ViewsName) -> Tensor:
    if not pixels.flags.writeable:  # PyTorch warns of what it could write to
        pixels = pixels.copy()
    return seen(model.logits, torch.from_numpy(np.ascontiguousarray(pixels)), views)


def _predictions(
    model: Answering,
    pixels: NDArray[np.uint8],
    names: list[str],
    expected: NDArray[np.bool_],
    top: int,
    views: ViewsName,
) -> Iterator[Prediction]:
    logits = _logits(model, pixels, views)
    odd = strange(model, pixels, logits) | ~expected
    for row, name, is_odd in zip(confidences(logits, model.loss).numpy(), names, odd, strict=True):
        order = np.argsort(-row, kind="stable")[: max(1, top)]
        yield Prediction(name, tuple((model.classes[k], float(row[k])) for k in order.tolist()), bool(is_odd))
