"""Pictures inside a document: as small as they can be, and together never more than it has room for."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..cells import DIVERGING
from ..style import matplotlib

Pixels = NDArray[np.uint8]
LONGEST = 96  # pixels of a picture's longer side; what is larger is reduced
QUALITY = 85  # of JPEG, for colour


@dataclass(frozen=True)
class Thumb:
    """A picture as a data: URI, with its size in pixels and what it is in a few words of no language."""

    source: str
    width: int
    height: int
    text: str


class Room:
    """How many bytes of pictures still have room; ``left_out`` counts the pictures that had none."""

    def __init__(self, free: int) -> None:
        self.free, self.left_out = free, 0

    def image(self, pixels: Pixels, text: str) -> Thumb | None:
        """An image uint8 (1 or 3, H, W), or None where there is no room."""
        grey = len(pixels) == 1
        picture = Image.fromarray(np.ascontiguousarray(pixels[0] if grey else pixels.transpose(1, 2, 0)))
        return self._kept(picture, "PNG" if grey else "JPEG", text)

    def heat(self, values: NDArray[np.floating], text: str) -> Thumb | None:
        """Numbers (H, W): blue below 0, white at 0, red above, the strongest at full colour."""
        limit = float(np.nanmax(np.abs(values), initial=0)) or 1.0
        colours = matplotlib().colormaps[DIVERGING](0.5 + 0.5 * values / limit, bytes=True)[..., :3]
        colours[np.isnan(values)] = 255
        return self._kept(Image.fromarray(np.ascontiguousarray(colours)), "PNG", text, longest=None)

    def _kept(self, picture: Image.Image, kind: str, text: str, longest: int | None = LONGEST) -> Thumb | None:
        if longest and max(picture.size) > longest:
            picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        if kind == "JPEG":
            picture.save(buffer, kind, quality=QUALITY, subsampling=0)
        else:
            if picture.mode == "RGB":
                picture = picture.quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            picture.save(buffer, kind, optimize=True)
        source = f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
        if len(source) > self.free:
            self.left_out += 1
            return None
        self.free -= len(source)
        return Thumb(source, picture.width, picture.height, text)
