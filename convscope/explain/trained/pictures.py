"""Small pictures of images and maps for notebooks: pixels alone, drawn with Pillow in milliseconds.

The lettered figures for files are those of :mod:`convscope.report.explained`.
"""

import math
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...net.ops.base import shape_text
from ...shown import Picture
from .trace import Trace

Array = NDArray[Any]
ACROSS, MOST, WIDTH = 20, 40, 900  # maps in a row, maps of a layer, pixels of a picture up to which it is enlarged
# Blue below 0, white at 0, red above, told apart by colour-blind eyes too (ColorBrewer's RdBu).
ENDS = np.array([(33, 102, 172), (247, 247, 247), (178, 24, 43)], float)


def pictures(found: Trace) -> Iterator[Picture]:
    """The image, and the maps or numbers of every layer: each layer by its own scale, white at zero."""
    yield Picture(f"image {shape_text(found.image.shape)}", lambda: image_png(found.image), crisp=True)
    for call in found.calls.values():
        output = call.output
        same = call.kind in ("Flatten", "Dropout", "view") and call.source in found.calls  # the numbers before them
        if output is None or not output.size or output.ndim not in (1, 3) or same:
            continue
        more = f", the first {MOST}" if output.ndim == 3 and len(output) > MOST else ""
        title = f"{call.name}  {shape_text(output.shape)}{more}  {output.min():.3g} … {output.max():.3g}"
        yield Picture(title, lambda output=output: map_png(sheet(output)), crisp=True)  # type: ignore[misc]


def image_png(image: Array) -> bytes:
    """An image (C, H, W) of 1 or 3 channels, from its least to its largest number, as a PNG; others as maps."""
    if len(image) not in (1, 3):
        return map_png(sheet(image))
    span = float(image.max() - image.min()) or 1.0
    pixels = np.rint(255 * (image - image.min()) / span).astype(np.uint8)
    return _png(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


def map_png(values: Array) -> bytes:
    """Numbers (H, W) in colours as a PNG; NaN is white."""
    limit = float(np.nanmax(np.abs(values))) or 1.0
    place = np.nan_to_num(values / limit) + 1  # 0 … 2
    low = np.clip(np.floor(place), 0, 1).astype(int)
    part = (place - low)[..., None]
    colours = (1 - part) * ENDS[low] + part * ENDS[low + 1]
    colours[np.isnan(values)] = 255
    return _png(np.rint(colours).astype(np.uint8))


def sheet(output: Array) -> Array:
    """The maps of a layer (C, H, W) on one sheet, a gap (NaN) between them; a vector is one row."""
    if output.ndim == 1:
        return output[None].astype(float)
    maps = output[:MOST]
    count, height, width = maps.shape
    across, gap = min(count, ACROSS), max(1, width // 14)
    rows = math.ceil(count / across)
    found = np.full((rows * (height + gap) - gap, across * (width + gap) - gap), np.nan)
    for i, one in enumerate(maps):
        top, left = i // across * (height + gap), i % across * (width + gap)
        found[top : top + height, left : left + width] = one
    return found


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Enlarged by a whole number as far as WIDTH allows, up to 8 times."""
    times = max(1, min(8, WIDTH // pixels.shape[1]))
    image = Image.fromarray(pixels).resize((times * pixels.shape[1], times * pixels.shape[0]), Image.Resampling.NEAREST)
    buffer = BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()
