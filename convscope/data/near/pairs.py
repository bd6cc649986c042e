"""Images that are nearly the same: saved again, scaled, brighter or darker, or trimmed by a few hundredths a side.

Two steps. The lowest waves of the cosine transform, of which perceptual hashes keep a bit each (Zauner 2010,
"Implementation and Benchmarking of Perceptual Image Hash Functions"), are compared as numbers, every image with every
other: a product of matrices. Then thumbnails of the pairs that may be must agree: their correlation is nearly 1, if
need be after one has been trimmed as the other seems to be (:mod:`~convscope.data.near.trimmed`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..preparation import Pixels
from .trimmed import alike_when_trimmed, correlations

GREY_WAVES, COLOUR_WAVES = 8, 4  # frequencies down and across, of the grey values and of two differences of colours
SIDE = 16  # pixels of a thumbnail
MAYBE, MAYBE_PLAIN = 0.75, 0.97  # correlation of two images' waves, at least, for a closer look
ALIKE, ALIKE_PLAIN = 0.985, 0.995  # correlation of two thumbnails, at least; of drawings on an even ground
GROUND, PLAIN = 2.0, 0.5  # grey values from the median; share of a thumbnail that is so near: an even ground
FLAT = 4.0  # grey values: thumbnails that vary less say nothing
PIECE = 2**24  # values at a time
ROWS, COLUMNS = 1024, 8192  # images that are compared at once
PAIRS = 1024  # pairs that are looked at closely at once
MOST = 150_000  # pairs that are looked at closely, about, in all; ten times as many of drawings, which cost less
SAMPLE = 2_000  # images by which is judged how many pairs there would be


@dataclass(frozen=True)
class Traces:
    """What is kept of N images to compare them: ``waves`` float32 (N, F) of length 1; ``thumbnails`` float32
    (N, C, S, S), each with mean 0 and length 1; ``telling`` (N,) says where there is something to compare, ``plain``
    (N,) which are drawings on an even ground.
    """

    waves: NDArray[np.float32]
    thumbnails: NDArray[np.float32]
    telling: NDArray[np.bool_]
    plain: NDArray[np.bool_]

    @classmethod
    def of(cls, images: Pixels) -> "Traces":
        """The traces of at least one image, uint8 (N, C, H, W)."""
        step = max(1, PIECE // max(1, images[0].size))
        return cls.joined([_traces(images[start : start + step]) for start in range(0, len(images), step)])

    @classmethod
    def joined(cls, pieces: "list[Traces]") -> "Traces":
        """The traces of all images of ``pieces``, in their order."""
        return cls(
            np.concatenate([piece.waves for piece in pieces]),
            np.concatenate([piece.thumbnails for piece in pieces]),
            np.concatenate([piece.telling for piece in pieces]),
            np.concatenate([piece.plain for piece in pieces]),
        )


def near_pairs(traces: Traces) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, of images that are nearly the same, in ascending order.

    Photographs may be trimmed; drawings not, for a digit that is stretched a little is often another's.
    """
    photographs = np.flatnonzero(traces.telling & ~traces.plain)
    drawings = np.flatnonzero(traces.telling & traces.plain)
    found = [np.empty((0, 2), np.int64)]
    least = least_likeness(traces.waves[photographs], MAYBE, MOST)
    for pairs in _maybe(traces.waves, photographs, photographs, least):
        like = _correlations(traces, pairs) >= ALIKE
        like[~like] = alike_when_trimmed(traces.thumbnails, pairs[~like])
        found.append(pairs[like])
    least = least_likeness(traces.waves[drawings], MAYBE_PLAIN, 10 * MOST)
    for pairs in _maybe(traces.waves, drawings, np.concatenate([drawings, photographs]), least):
        found.append(pairs[_correlations(traces, pairs) >= ALIKE_PLAIN])
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return [(int(i), int(j)) for i, j in pairs]


def least_likeness(waves: NDArray[np.float32], floor: float, most: int) -> float:
    """The correlation of ``waves`` (N, F) from which on there are about ``most`` pairs, but at least ``floor``.

    So that pictures which are all alike, such as X-rays, cost no more than others: only the most alike are looked at.
    """
    sample = waves[:: max(1, -(-len(waves) // SAMPLE))]
    likeness = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    allowed = int(most * (len(sample) / max(len(waves), 1)) ** 2)
    if np.count_nonzero(likeness >= floor) <= allowed:
        return floor
    return float(np.partition(likeness, -allowed - 1)[-allowed - 1])


def _correlations(traces: Traces, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    return correlations(traces.thumbnails[pairs[:, 0]], traces.thumbnails[pairs[:, 1]])


def _maybe(
    waves: NDArray[np.float32], one: NDArray[np.int64], other: NDArray[np.int64], least: float
) -> Iterator[NDArray[np.int64]]:
    """Pairs (M, 2), M ≤ PAIRS, one of ``one`` and one behind it in ``other``, which begins with all of ``one``."""
    for top in range(0, len(one), ROWS):
        rows = waves[one[top : top + ROWS]]
        for left in range(top, len(other), COLUMNS):
            likeness = rows @ waves[other[left : left + COLUMNS]].T
            row, column = np.divmod(np.flatnonzero(likeness >= least), likeness.shape[1])
            later = column + left > row + top
            pairs = np.stack([one[row[later] + top], other[column[later] + left]], axis=1)
            yield from (pairs[at : at + PAIRS] for at in range(0, len(pairs), PAIRS))


def _traces(images: Pixels) -> Traces:
    _, channels, height, width = images.shape
    values = images.astype(np.float32)
    parts = [_waves(values.mean(1), GREY_WAVES)]
    if channels == 3:
        red, green, blue = values.transpose(1, 0, 2, 3)
        parts += [_waves(red - green, COLOUR_WAVES), _waves((red + green) / 2 - blue, COLOUR_WAVES)]
    small = _means(height) @ values @ _means(width).T
    flat = small.reshape(len(images), -1)
    ground = (np.abs(flat - np.median(flat, axis=1, keepdims=True)) <= GROUND).mean(1)
    thumbnails = _of_length_1(flat - flat.mean(1, keepdims=True)).reshape(small.shape)
    return Traces(_of_length_1(np.concatenate(parts, axis=1)), thumbnails, flat.std(1) >= FLAT, ground > PLAIN)


def _of_length_1(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), dtype=np.float32)


def _waves(planes: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(N, count² − 1): the waves of planes (N, H, W) without their mean, each times its frequency.

    Photographs have amplitudes that fall with the frequency (Field 1987, "Relations between the statistics of natural
    images and the response properties of cortical cells"): so all waves count alike, and strangers are less alike.
    """
    _, height, width = planes.shape
    waves = _cosines(height, count) @ planes @ _cosines(width, count).T / (height * width)
    frequency = np.hypot(np.arange(count)[:, None], np.arange(count)).astype(np.float32)
    return np.asarray((waves * frequency).reshape(len(planes), -1)[:, 1:], dtype=np.float32)


def _cosines(size: int, count: int) -> NDArray[np.float32]:
    """(count, size): the lowest waves of the cosine transform, over pixels at their centres."""
    at = (np.arange(size) + 0.5) / size
    waves: NDArray[np.float64] = np.cos(np.pi * np.arange(count)[:, None] * at)
    return waves.astype(np.float32)


def _means(size: int) -> NDArray[np.float32]:
    """(SIDE, size): the mean of the pixels that each of SIDE equal pieces covers, in part or whole."""
    pieces = min(SIDE, size)
    edges = np.linspace(0, size, pieces + 1)
    low, high = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(size) + 1)
    share = np.maximum(high - low, 0)
    return np.asarray(share / share.sum(1, keepdims=True), dtype=np.float32)
