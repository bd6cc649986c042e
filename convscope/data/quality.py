"""Pictures that show little: blurred ones, and those that are nearly empty.

Judged is what a net sees, the prepared pixels. Sharpness is the deviation of the Laplacian (Pech-Pacheco et al. 2000)
over that of the picture, so that contrast does not count; blurred is what is far less sharp than most of its data.
"""

import numpy as np
from numpy.typing import NDArray

from .preparation import Pixels

CHANGE = 16  # grey values from the median, beyond which a pixel shows something
LITTLE = 0.01  # of the pixels: fewer show nothing
FAR = 3.0  # interquartile ranges below the lower quartile of the logarithm of sharpness
BLURRED = 0.35  # a picture that is sharper is not blurred, however sharp the others are
FEWEST = 20  # pictures, to know how sharp they usually are
PIECE = 2**24  # values at a time


def nearly_empty(images: Pixels) -> NDArray[np.bool_]:
    """Which of uint8 (N, C, H, W) have next to no pixel that differs from most: (N,). Those of one colour all over
    are another matter."""
    return np.concatenate([_empty(piece) for piece in _pieces(images)]) if len(images) else np.zeros(0, bool)


def blurred(images: Pixels) -> NDArray[np.bool_]:
    """Which of uint8 (N, C, H, W) are far less sharp than the others: (N,)."""
    if len(images) < FEWEST or min(images.shape[2:]) < 8:
        return np.zeros(len(images), dtype=bool)
    sharp = np.concatenate([sharpness(piece) for piece in _pieces(images)])
    known = np.isfinite(sharp)
    logs = np.log(np.maximum(np.where(known, sharp, 1.0), 1e-6))
    low, high = np.quantile(logs[known], [0.25, 0.75]) if known.any() else (0.0, 0.0)
    return np.asarray(known & (sharp < BLURRED) & (logs < low - FAR * max(high - low, 0.05)))


def sharpness(images: Pixels) -> NDArray[np.float32]:
    """Deviation of the Laplacian over that of the picture, of its mean over the channels: (N,). NaN where a picture
    shows nothing."""
    grey = images.mean(1, dtype=np.float32)
    inner = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * inner
    contrast = grey.std((1, 2))
    return np.where(contrast >= 2.0, laplacian.std((1, 2)) / np.maximum(contrast, 1e-6), np.nan).astype(np.float32)


def _empty(images: Pixels) -> NDArray[np.bool_]:
    grey = images.reshape(len(images), images.shape[1], -1).mean(1, dtype=np.float32)
    showing = (np.abs(grey - np.median(grey, axis=1, keepdims=True)) > CHANGE).mean(1)
    varied = grey.max(1) > grey.min(1)
    return np.asarray(varied & (showing < LITTLE))


def _pieces(images: Pixels) -> list[Pixels]:
    step = max(1, PIECE // max(1, images[0].size))
    return [images[start : start + step] for start in range(0, len(images), step)]
