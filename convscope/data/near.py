"""Images that are nearly the same: saved again, scaled, brighter or darker. Not found: a part that was cut out.

Two steps. A perceptual hash (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions"): the
8×8 lowest frequencies of the cosine transform, a bit each: above their median or not. Hashes that differ in a few bits
agree in one of a few bands of bits (Manku, Jain and Das Sarma 2007, "Detecting Near-Duplicates for Web Crawling"), so
that few pairs are compared. Then the pair's thumbnails must agree: their correlation, in colour, is nearly 1.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .preparation import Pixels

BITS = 8  # frequencies down and across
DIFFERENT = 5  # bits of two hashes, at most
SIDE = 16  # pixels of a thumbnail
ALIKE, ALIKE_PLAIN = 0.985, 0.995  # correlation of two thumbnails, at least; of drawings on an even ground
GROUND, PLAIN = 2.0, 0.5  # grey values from the median; share of a thumbnail that is so near: an even ground
FLAT = 4.0  # grey values: thumbnails that vary less say nothing
MOST_PASSES = 3_000  # images of one band that an image is compared with
PIECE = 2**24  # values at a time


@dataclass(frozen=True)
class Traces:
    """What is kept of N images to compare them: ``hashes`` uint64 (N,); ``thumbnails`` float32 (N, D), each with mean 0
    and length 1; ``telling`` (N,) says where there is something to compare, ``alike`` float32 (N,) how alike is near.
    """

    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.float32]
    telling: NDArray[np.bool_]
    alike: NDArray[np.float32]

    @classmethod
    def of(cls, images: Pixels) -> "Traces":
        """The traces of at least one image, uint8 (N, C, H, W)."""
        step = max(1, PIECE // max(1, images[0].size))
        return cls.joined([_traces(images[start : start + step]) for start in range(0, len(images), step)])

    @classmethod
    def joined(cls, pieces: "list[Traces]") -> "Traces":
        """The traces of all images of ``pieces``, in their order."""
        return cls(
            np.concatenate([piece.hashes for piece in pieces]),
            np.concatenate([piece.thumbnails for piece in pieces]),
            np.concatenate([piece.telling for piece in pieces]),
            np.concatenate([piece.alike for piece in pieces]),
        )


def near_pairs(traces: Traces) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, of images that are nearly the same, in ascending order."""
    index = np.flatnonzero(traces.telling)
    hashes = traces.hashes[index]
    found: list[NDArray[np.int64]] = []
    count = DIFFERENT + 1
    edges = [BITS * BITS * number // count for number in range(count + 1)]
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        found += _in_a_band(band[order], hashes[order], index[order], traces)
    if not found:
        return []
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return [(int(i), int(j)) for i, j in pairs]


def _in_a_band(
    band: NDArray[np.uint64], hashes: NDArray[np.uint64], index: NDArray[np.int64], traces: Traces
) -> list[NDArray[np.int64]]:
    """Pairs (M, 2) among images sorted by their ``band``: of equal bands, near hashes and like thumbnails."""
    found = []
    start = np.arange(len(band) - 1)
    for step in range(1, MOST_PASSES):
        start = start[start < len(band) - step]
        start = start[band[start] == band[start + step]]  # who has no such neighbour has none further on
        if not len(start):
            break
        near = start[np.bitwise_count(hashes[start] ^ hashes[start + step]) <= DIFFERENT]
        one, two = index[near], index[near + step]
        for at in range(0, len(one), 4096):
            i, j = one[at : at + 4096], two[at : at + 4096]
            correlation = np.einsum("nd,nd->n", traces.thumbnails[i], traces.thumbnails[j])
            like = correlation >= np.maximum(traces.alike[i], traces.alike[j])
            if like.any():
                found.append(np.stack([i[like], j[like]], axis=1))
    return found


def _traces(images: Pixels) -> Traces:
    _, _, height, width = images.shape
    values = images.astype(np.float32)
    grey = values.mean(1)
    waves = _cosines(height) @ grey @ _cosines(width).T
    waves = waves.reshape(len(images), -1)
    waves[:, 0] = np.median(waves[:, 1:], axis=1)  # brightness says nothing
    bits = waves > np.median(waves[:, 1:], axis=1, keepdims=True)
    hashes = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    small = _means(height) @ values @ _means(width).T
    flat = small.reshape(len(images), -1)
    ground = (np.abs(flat - np.median(flat, axis=1, keepdims=True)) <= GROUND).mean(1)
    alike = np.where(ground > PLAIN, ALIKE_PLAIN, ALIKE).astype(np.float32)
    flat = flat - flat.mean(1, keepdims=True)
    telling = flat.std(1) >= FLAT
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return Traces(hashes, flat / np.maximum(length, 1e-6), telling, alike)


def _cosines(size: int) -> NDArray[np.float32]:
    """(8, size): the lowest waves of the cosine transform, over pixels at their centres."""
    at = (np.arange(size) + 0.5) / size
    waves: NDArray[np.float64] = np.cos(np.pi * np.arange(BITS)[:, None] * at)
    return waves.astype(np.float32)


def _means(size: int) -> NDArray[np.float32]:
    """(SIDE, size): the mean of the pixels that each of SIDE equal pieces covers, in part or whole."""
    pieces = min(SIDE, size)
    edges = np.linspace(0, size, pieces + 1)
    low, high = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(size) + 1)
    share = np.maximum(high - low, 0)
    return np.asarray(share / share.sum(1, keepdims=True), dtype=np.float32)
