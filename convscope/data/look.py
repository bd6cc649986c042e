"""What a net's training images look like, so that it can say when a picture looks like none of them.

A net names one of its classes for noise, a black image or a cat, too. Each image, prepared as the net takes it, is
described by a few numbers: brightness, contrast, border, detail. How far a picture lies from the training images is
P. C. Mahalanobis's distance (1936), which knows how these numbers vary together; how far is too far is measured on
training images that did not make the mean. That finds what is of another kind, not every picture of no class.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.strict_json import loads
from .preparation import Pixels

VERSION = 1  # of the stored form
MOST = 2_000  # training images that are looked at, fewer of large ones: some MOST_VALUES values in all
MOST_VALUES = 2**24
CHUNK = 2**21  # values at a time
LEAST_VARIANCE = 1e-5  # of a number in 0..1: differences below a grey value are none
USUAL = 0.995  # of the training images lie nearer than `furthest`
ROOM = 1.1  # and a tenth beyond
FEW = 5  # per cent of strange pictures that need no word
GREY = ("brightness", "contrast", "border", "detail across", "detail down", "flatness")
COLOUR = ("red", "green", "blue", *GREY[1:], "colour")


@dataclass(frozen=True)
class Look:
    """``mean`` (D,) and ``covariance`` (D, D) of the numbers that describe an image, and the ``furthest`` distance.

    ``side`` is the median of the training images' longer sides in pixels before preparation, None where unknown.
    ``weakest``: nearly all of the held-out images make the net's largest score higher; None before the end of training.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    furthest: float
    side: int | None = None
    weakest: float | None = None

    @classmethod
    def of(cls, images: Pixels, side: int | None = None) -> "Look":
        """The look of training images uint8 (N, C, H, W), prepared: of up to 2,000 of them, evenly chosen."""
        count = min(len(images), MOST, max(100, MOST_VALUES // max(1, images[0].size)))
        values = describe(images[np.linspace(0, len(images) - 1, count).astype(np.int64)])
        half, rest = values[::2], values[1::2] if count > 1 else values
        mean = half.mean(0)
        spread = half - mean
        covariance = spread.T @ spread / len(half) + LEAST_VARIANCE * np.eye(len(mean))
        distances = _distances(rest, mean, covariance)
        # Of few images the furthest is nearer than the next one may be.
        furthest = ROOM * np.quantile(distances, USUAL) if len(rest) >= 100 else 2 * distances.max()
        rows = tuple(tuple(map(float, row)) for row in covariance)
        return cls(tuple(map(float, mean)), rows, float(furthest), side)

    def strange(self, images: Pixels) -> NDArray[np.bool_]:
        """Which of the prepared images (N, C, H, W) look like none of the training images: (N,)."""
        mean, covariance = np.array(self.mean), np.array(self.covariance)
        return np.asarray(_distances(describe(images), mean, covariance) > self.furthest)

    def weak(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which of the net's raw scores (N, K) are lower than those of nearly all held-out images: (N,)."""
        if self.weakest is None:
            return np.zeros(len(scores), dtype=bool)
        return np.asarray(scores.max(1) < self.weakest)

    def difference(self, images: Pixels, side: int | None = None) -> str | None:
        """A sentence on how prepared ``images``, whose longer sides were ``side``, differ from the training images."""
        smaller = (
            f"{side} pixels against {self.side}, so they are enlarged"
            if side and self.side and 2 * side <= self.side
            else None
        )
        share = 100 * float(self.strange(images).mean())
        if share <= FEW:
            return f"these images are smaller than the training images: {smaller}" if smaller else None
        now, then = describe(images).mean(0), np.array(self.mean)
        most = int((abs(now - then) / np.sqrt(np.diag(self.covariance))).argmax())
        names = GREY if len(then) == len(GREY) else COLOUR
        if names[most] == "flatness":  # is contrast, on another scale
            most = names.index("contrast")
        border = names.index("border")
        exchanged = abs(now[border] - then[border]) > 0.5 > abs(now[border] - (1 - then[border]))
        reasons = [
            f"{names[most]} {now[most]:.2f} against {then[most]:.2f}",
            *(["dark and light may be exchanged"] if exchanged else []),
            *([smaller] if smaller else []),
        ]
        return f"{share:.0f} % of these images look unlike the training images: {'; '.join(reasons)}"

    def to_json(self) -> str:
        """What :meth:`from_json` reads."""
        return json.dumps({"version": VERSION, **{name: getattr(self, name) for name in self.__dataclass_fields__}})

    @classmethod
    def from_json(cls, text: str) -> "Look":
        """Read :meth:`to_json` back. Raises ValueError for what it did not write, or another version did."""
        told = loads(text)
        if not isinstance(told, dict) or told.get("version") != VERSION:
            raise ValueError("the look of its training images was written by another version")
        mean = _numbers(told.get("mean"))
        rows = told.get("covariance")
        covariance = [_numbers(row) for row in rows] if isinstance(rows, list) else []
        if len(mean) not in (len(GREY), len(COLOUR)) or [len(row) for row in covariance] != [len(mean)] * len(mean):
            raise ValueError("the look of its training images has numbers missing")
        (furthest,) = _numbers([told.get("furthest")])
        side, weakest = told.get("side"), told.get("weakest")
        if side is not None and type(side) is not int:
            raise ValueError(f"the look's side is {str(side)[:60]!r}, expected pixels")
        known = None if weakest is None else _numbers([weakest])[0]
        return cls(mean, tuple(covariance), furthest, side, known)


def describe(images: Pixels) -> NDArray[np.float64]:
    """Images uint8 (N, C, H, W) → (N, D) numbers in 0..1, as named in GREY or COLOUR."""
    step = max(1, CHUNK // max(1, images[0].size))
    return np.concatenate([_describe(images[start : start + step]) for start in range(0, len(images), step)])


def _describe(images: Pixels) -> NDArray[np.float64]:
    values = images.astype(np.float32) / 255
    grey = values.mean(1)  # (N, H, W)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    columns = [*values.mean((2, 3)).T, grey.std((1, 2)), border.mean(1)]
    for axis in (2, 1):
        edges = np.abs(np.diff(grey, axis=axis))
        columns.append(edges.mean((1, 2)) if edges.size else np.zeros(len(images), np.float32))
    flat = np.log(grey.std((1, 2)) + 0.01) / np.log(0.01)  # 1 for one value all over
    columns.append(np.minimum(flat, 1))
    if images.shape[1] == 3:
        columns.append((values.max(1) - values.min(1)).mean((1, 2)))
    return np.stack(columns, axis=1).astype(np.float64)


def _distances(
    values: NDArray[np.float64], mean: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """√((x − μ)ᵀ Σ⁻¹ (x − μ)) of each row x of ``values``."""
    off = values - mean
    return np.asarray(np.sqrt(np.maximum((off * np.linalg.solve(covariance, off.T).T).sum(1), 0)))


def _numbers(values: Any) -> tuple[float, ...]:
    if not (isinstance(values, list) and all(type(v) in (int, float) and abs(v) < 1e30 for v in values)):
        raise ValueError(f"the look of its training images holds {str(values)[:60]!r} where it should hold numbers")
    return tuple(map(float, values))
