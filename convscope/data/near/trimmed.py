"""Whether two thumbnails are alike once one has been trimmed as the other seems to be.

What was cut off is found by least squares (Lucas and Kanade 1981, "An Iterative Image Registration Technique"): the
difference of the two as a sum of the pictures that a small shift and a small stretch along each axis would add.
"""

import numpy as np
from numpy.typing import NDArray

STEPS = 3  # of least squares
MOST = 0.075  # of the side: so much may be cut off at each edge
PROMISING = 0.9  # correlation after the first step, at least, for another one
ALIKE = 0.98  # correlation of two smoothed thumbnails, at least
DETAIL = 0.88  # the same of what smoothing them twice more takes away: skies and walls are much alike without it

Floats = NDArray[np.float32]


def alike_when_trimmed(thumbnails: Floats, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M,): which of ``pairs`` (M, 2) of ``thumbnails`` (N, C, S, S) are alike once either has been trimmed."""
    found = np.zeros(len(pairs), bool)
    if min(thumbnails.shape[2:]) < 4:  # too few pixels to say where their edges lie
        return found
    for whole, part in ((0, 1), (1, 0)):
        left = np.flatnonzero(~found)
        found[left] = _alike(_smooth(thumbnails[pairs[left, whole]]), _smooth(thumbnails[pairs[left, part]]))
    return found


def _alike(whole: Floats, part: Floats) -> NDArray[np.bool_]:
    """Whether smooth pictures ``part`` (M, C, S, S) are ``whole``, trimmed."""
    result = np.zeros(len(whole), bool)
    active, seen = np.arange(len(whole)), whole
    boxes = np.tile(np.array([0, 1, 0, 1], np.float32), (len(whole), 1))  # top, bottom, left, right
    for _ in range(STEPS):
        if not len(active):
            break
        boxes = _nearer(boxes, seen, part[active])
        seen = _trim(whole[active], boxes)
        correlation = correlations(seen, part[active])
        result[active] |= (correlation >= ALIKE) & (correlations(_detail(seen), _detail(part[active])) >= DETAIL)
        keep = (correlation >= PROMISING) & ~result[active]
        active, seen, boxes = active[keep], seen[keep], boxes[keep]
    return result


def _nearer(boxes: Floats, seen: Floats, part: Floats) -> Floats:
    """Boxes (M, 4) in which ``seen``, what the old ones show, would come nearer to ``part``, to first order."""
    size = seen.shape[2:]
    down, right = (np.gradient(seen, axis=axis) * side for axis, side in zip((2, 3), size, strict=True))
    y, x = ((np.arange(side, dtype=np.float32) + 0.5) / side for side in size)
    first, last = 1 - y[:, None], y[:, None]
    changes = [down * first, down * last, right * (1 - x), right * x]  # as each edge of the box moves inwards or out
    columns = np.stack([*changes, seen, np.ones_like(seen)], axis=-1).reshape(len(seen), -1, 6)
    gram = np.einsum("nkp,nkq->npq", columns, columns, optimize=True) + 1e-6 * np.eye(6, dtype=np.float32)
    solved = np.linalg.solve(gram, np.einsum("nkp,nk->np", columns, part.reshape(len(part), -1))[..., None])[..., 0]
    gain = np.maximum(solved[:, 4:5], 0.2)  # how much stronger ``part``'s contrast is
    extent = (boxes[:, 1::2] - boxes[:, ::2]).repeat(2, axis=1)
    moved: Floats = boxes + solved[:, :4] / gain * extent
    moved[:, ::2] = moved[:, ::2].clip(0, MOST)
    moved[:, 1::2] = moved[:, 1::2].clip(1 - MOST, 1)
    return moved


def _trim(images: Floats, boxes: Floats) -> Floats:
    """``images`` (M, C, S, S) inside ``boxes`` (M, 4), at their old size, bilinearly."""
    rows, columns = (
        _between(boxes[:, 2 * axis], boxes[:, 2 * axis + 1], size) for axis, size in enumerate(images.shape[2:])
    )
    trimmed = rows[:, None] @ images @ columns[:, None].transpose(0, 1, 3, 2)
    return np.asarray(trimmed, dtype=np.float32)


def _smooth(images: Floats) -> Floats:
    """Each pixel with its neighbours: what a trimmed picture loses between pixels, both are to lose."""
    rows, columns = (_neighbours(size) for size in images.shape[2:])
    smooth = rows @ images @ columns.T
    return np.asarray(smooth, dtype=np.float32)


def _detail(images: Floats) -> Floats:
    """What is small in them."""
    detail: Floats = images - _smooth(_smooth(images))
    return detail


def _neighbours(size: int) -> Floats:
    """(size, size): a quarter, a half and a quarter of three pixels, the edges' neighbours being themselves."""
    each = np.pad(np.eye(size), ((1, 1), (0, 0)), "edge")
    return np.asarray((each[:-2] + 2 * each[1:-1] + each[2:]) / 4, dtype=np.float32)


def _between(low: Floats, high: Floats, size: int) -> Floats:
    """(M, size, size): the weights of an axis' pixels in each of as many between ``low`` and ``high`` (M,)."""
    at = low[:, None] + (high - low)[:, None] * (np.arange(size, dtype=np.float32) + 0.5) / size
    place = (at * size - 0.5).clip(0, size - 1)
    weights: Floats = (1 - np.abs(place[:, :, None] - np.arange(size))).clip(0)
    return weights


def correlations(one: Floats, other: Floats) -> Floats:
    """(M,) of pictures (M, C, S, S)."""
    one, other = (pictures.reshape(len(pictures), -1) for pictures in (one, other))
    one, other = (flat - flat.mean(1, keepdims=True) for flat in (one, other))
    product = np.einsum("nd,nd->n", one, other)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    correlation: Floats = product / np.maximum(length, np.float32(1e-6))
    return correlation
