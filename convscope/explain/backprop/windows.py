"""The windows of an image as convolution and pooling see it, and the gradient that goes back through them."""

from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...net.ops import Pair, window_size
from .values import Array

# PyTorch's padding modes → NumPy's.
MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@dataclass(frozen=True)
class Windows:
    """All windows of an image. ``before`` and ``after`` are what the padding adds, ``mode`` is PyTorch's word."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair
    mode: str = "zeros"

    def slices(self, height: int, width: int) -> list[tuple[int, int, slice, slice]]:
        """For every place (k, l) in the window the rows and columns of the padded image that it meets."""
        found = []
        for k, l in product(range(self.kernel[0]), range(self.kernel[1])):  # noqa: E741 - the formula's letter
            starts = k * self.dilation[0], l * self.dilation[1]
            counts = [
                window_size(n, self.kernel[i], self.stride[i], 0, self.dilation[i])
                for i, n in enumerate((height, width))
            ]
            rows, columns = (
                slice(s, s + t * (n - 1) + 1, t) for s, t, n in zip(starts, self.stride, counts, strict=True)
            )
            found.append((k, l, rows, columns))
        return found

    def take(self, image: Array, fill: float = 0.0) -> Array:
        """(C, H, W) → (C, kh, kw, out height, out width)."""
        padded = self._padded(image, fill)
        parts = [padded[:, rows, columns] for _, _, rows, columns in self.slices(*padded.shape[1:])]
        return np.stack(parts, 1).reshape(len(image), *self.kernel, *parts[0].shape[1:])

    def put(self, windows: Array, shape: tuple[int, ...]) -> Array:
        """The transpose of :meth:`take`: every element goes back to its pixel, where windows overlap they add up."""
        height, width = (n + b + a for n, b, a in zip(shape[1:], self.before, self.after, strict=True))
        padded = np.zeros((shape[0], height, width))
        for k, l, rows, columns in self.slices(height, width):  # noqa: E741
            padded[:, rows, columns] += windows[:, k, l]
        if self.mode == "zeros":
            return padded[:, self.before[0] : height - self.after[0], self.before[1] : width - self.after[1]]
        pixels = np.arange(shape[1] * shape[2]).reshape(1, *shape[1:])
        result = np.zeros((shape[0], shape[1] * shape[2]))
        sources = self._padded(pixels).ravel()  # of every place the pixel whose value it holds
        np.add.at(result.T, sources, padded.reshape(shape[0], -1).T)
        return result.reshape(shape)

    def _padded(self, image: NDArray[Any], fill: float = 0.0) -> NDArray[Any]:
        pads = ((0, 0), *zip(self.before, self.after, strict=True))
        if self.mode == "zeros":
            return np.pad(image, pads, constant_values=fill)
        return np.pad(image, pads, MODES[self.mode])
