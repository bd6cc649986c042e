"""What is done to a picture before a net sees it: decided in training, stored in the model, applied by one function.

Training, evaluation, prediction, explanation, the lab and every export prepare a picture through :class:`Preparation`,
so that one picture gets one answer, whichever door it comes in by. Nothing is guessed for a picture that training did
not decide: only a net for ink on paper exchanges dark and light.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..storage.strict_json import loads
from .ink import LARGEST, UNEVEN, Prepared, Steps, find_ink, in_form, look_for_ink, prepare

Pixels = NDArray[np.uint8]

VERSION = 1  # of the stored form
GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"))
ALPHA_MODES = frozenset(("LA", "La", "PA", "RGBA", "RGBa"))
DEEPEST = 65_535  # what 16 bits hold
FORM = 28  # pixels of the square in which ink is prepared


@dataclass(frozen=True)
class Preparation:
    """From any picture to uint8 (C, H, W) = ``image``.

    Without ``ink``: transparency over white, colour turned to grey (ITU-R 601) or grey repeated, and :func:`fit`.
    With it, the picture is ink on paper, dark on light or light on dark: its ink alone counts, as
    :mod:`~convscope.data.ink` says, with these steps; a picture that is in that form passes unchanged. ``deep`` are the
    values of 16-bit pictures that become 0 and 255, from the range of the training images; None where these had none:
    then 0 and 65,535, or for a picture without a value above 255, these values themselves.
    """

    image: tuple[int, int, int]
    ink: Steps | None = None
    deep: tuple[int, int] | None = None

    @property
    def finest(self) -> int:
        """Pixels of a picture's longer side beyond which no more detail is used."""
        return 2 * (LARGEST if self.ink else max(self.image[1:]))

    def apply(self, picture: Image.Image | Pixels) -> Pixels:
        """A Pillow image of any mode, or pixels uint8 (1 or 3, H, W), as the net takes it: uint8 (C, H, W)."""
        return self.judge(picture)[0]

    def judge(self, picture: Image.Image | Pixels) -> tuple[Pixels, bool]:
        """What :meth:`apply` makes of a picture, and whether it is of the kind that is expected: not where ink on paper
        is, but no paper can be made out."""
        expected = True
        if isinstance(picture, np.ndarray):
            if self.ink is None and picture.shape == self.image:
                return picture, expected
            picture = as_image(picture)
        if self.ink is not None:
            picture, expected = self._written(picture, self.ink)
        return adapt(picture, self.image, self.deep), expected

    def apply_all(self, images: Pixels) -> Pixels:
        """:meth:`apply` for every one of uint8 (N, 1 or 3, H, W): (N, C, H, W). Images that need nothing are kept."""
        if images.shape[1:] == self.image:
            rest = np.zeros(len(images), dtype=bool)
            if self.ink is not None:
                rest = ~self._in_form(images) if self.image[0] == 1 else ~rest
            if not rest.any():
                return images
            result = images.copy()
        else:
            rest = np.ones(len(images), dtype=bool)
            result = np.empty((len(images), *self.image), dtype=np.uint8)
        for index in np.flatnonzero(rest):
            result[index] = self.apply(images[index])
        return result

    def stages(self, grey: Pixels, steps: Steps) -> Prepared:
        """A drawing (H, W), light ink on a ground of 0 → every stage on the way to the net's height and width."""
        if self.ink is None or steps != self.ink:
            found = prepare(grey, *self.image[1:], steps)
            return found if steps.crop or steps.box or steps.centre else replace(found, centred=self._fitted(grey))
        if _square(grey) and in_form(grey[None], self.ink.margin)[0]:
            found = Prepared(grey, grey, grey, grey, None, None, (0, 0))
        else:
            found = prepare(find_ink(grey), FORM, FORM, steps)
        return replace(found, raw=grey, centred=self._fitted(found.centred))

    def _fitted(self, grey: Pixels) -> Pixels:
        fitted: Pixels = adapt(Image.fromarray(grey), (1, *self.image[1:]))[0]
        return fitted

    def _in_form(self, images: Pixels) -> NDArray[np.bool_]:
        square = self.image[1] == self.image[2]
        assert self.ink is not None
        return in_form(images[:, 0], self.ink.margin) if square else np.zeros(len(images), dtype=np.bool_)

    def _written(self, picture: Image.Image, steps: Steps) -> tuple[Image.Image, bool]:
        """The ink of a picture as light strokes on black, in form (the picture itself where it is), and whether it lies
        on paper."""
        grey = np.asarray(_grey(picture, self.deep))
        if _square(grey):
            for light in (grey, 255 - grey):
                if in_form(light[None], steps.margin)[0]:
                    return Image.fromarray(light), True
        ink, uneven = look_for_ink(grey)
        return Image.fromarray(prepare(ink, FORM, FORM, steps).centred), uneven <= UNEVEN

    def to_json(self) -> str:
        """What :meth:`from_json` reads: version, image (C, H, W), steps ("fit" or "ink"), and what goes with them."""
        told: dict[str, Any] = {"version": VERSION, "image": self.image, "steps": "ink" if self.ink else "fit"}
        if self.ink:
            told |= {"crop": self.ink.crop, "box": self.ink.box, "centre": self.ink.centre, "margin": self.ink.margin}
        if self.deep:
            told["deep"] = self.deep
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str) -> "Preparation":
        """Read :meth:`to_json` back. Raises ValueError for what it did not write, or another version did."""
        told = loads(text)
        if not isinstance(told, dict) or told.get("version") != VERSION:
            raise ValueError("the preparation of its images was written by another version")
        image, steps, deep = _numbers(told.get("image"), 3), told.get("steps"), told.get("deep")
        if image[0] not in (1, 3) or not all(1 <= side <= DEEPEST for side in image):
            raise ValueError(f"the preparation's image {image} is no image size")
        if steps not in ("fit", "ink"):
            raise ValueError(f"the preparation's steps are {str(steps)[:60]!r}, expected fit or ink")
        values = None if deep is None else _numbers(deep, 2)
        if values is not None and not 0 <= values[0] < values[1] <= DEEPEST:
            raise ValueError(f"the preparation's deep is {str(deep)[:60]}, expected two values of 0..{DEEPEST}")
        flags = {name: told.get(name) for name in ("crop", "box", "centre", "margin")} if steps == "ink" else {}
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise ValueError("the preparation's crop, box, centre and margin must be true or false")
        ink = Steps(**{name: flag is True for name, flag in flags.items()}) if flags else None
        return cls((image[0], image[1], image[2]), ink, None if values is None else (values[0], values[1]))


def as_image(pixels: Pixels) -> Image.Image:
    """uint8 (1 or 3, H, W) as a Pillow image."""
    return Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))


def adapt(image: Image.Image, shape: tuple[int, int, int], deep: tuple[int, int] | None = None) -> Pixels:
    """A Pillow image of any mode and size → uint8 (C, H, W) = ``shape``, without any look at its ink."""
    channels, height, width = shape
    pixels = np.asarray(fit(opaque(image, deep), height, width).convert("L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def fit(image: Image.Image, height: int, width: int) -> Image.Image:
    """A grey or RGB image scaled (bicubic) to fit into ``height`` × ``width`` with its proportions kept.

    What remains free on two sides is filled with the median of the image's border, so that a digit on black stays
    on black and one on white on white. Nothing is ever cut off.
    """
    if image.size == (width, height):
        return image
    scale = min(width / image.width, height / image.height)
    w, h = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    inner = image.resize((w, h), Image.Resampling.BICUBIC)
    if (w, h) == (width, height):
        return inner
    pixels = np.asarray(inner).reshape(h, w, -1)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = tuple(int(value) for value in np.median(border, axis=0))
    frame = Image.new(image.mode, (width, height), fill if len(fill) > 1 else fill[0])
    frame.paste(inner, ((width - w) // 2, (height - h) // 2))
    return frame


def scaled(values: NDArray[np.integer], deep: tuple[int, int] | None) -> Pixels:
    """Values of 16 bits → uint8: ``deep`` → 0 and 255, rounded; None as :class:`Preparation` says."""
    low, high = deep or ((0, DEEPEST) if int(values.max(initial=0)) > 255 else (0, 255))
    wide = np.clip(values.astype(np.int64), low, high) - low
    return ((wide * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)


def depth(counts: NDArray[np.int64]) -> tuple[int, int]:
    """The values of 16-bit pictures that become 0 and 255, from the number of pixels of every value 0..65535 (65536,).

    The darkest and the brightest. Where these lie far beyond all but one pixel in ten thousand (hot pixels), the
    values of those others; where they span more than half of 16 bits, 0 and 65,535.
    """
    there = np.flatnonzero(counts)
    low, high = int(there[0]), int(there[-1])
    share = np.cumsum(counts) / counts.sum()
    usual_low, usual_high = int(np.searchsorted(share, 1e-4)), int(np.searchsorted(share, 1 - 1e-4))
    if high - low > 4 * (usual_high - usual_low) > 0:
        low, high = usual_low, usual_high
    if high - low > DEEPEST // 2:
        return 0, DEEPEST
    return (low, high) if high > low else (min(low, DEEPEST - 1), min(low, DEEPEST - 1) + 1)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has 16 bits a pixel."""
    return image.mode.startswith("I")


def opaque(image: Image.Image, deep: tuple[int, int] | None, ground: str = "white") -> Image.Image:
    """Any mode → L or RGB, with transparency over ``ground``."""
    if is_deep(image):
        return Image.fromarray(scaled(np.asarray(image, dtype=np.int32), deep))
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        grey_mode = image.mode in GREY_MODES
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
        return image.convert("RGB").getchannel(0) if grey_mode else image.convert("RGB")
    return image.convert("L" if image.mode in GREY_MODES else "RGB")


def _grey(image: Image.Image, deep: tuple[int, int] | None) -> Image.Image:
    """Ink in grey values. What is drawn on a transparent ground lies on the ground that shows it."""
    ground = "white"
    if not is_deep(image) and (image.mode in ALPHA_MODES or "transparency" in image.info):
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), dtype=np.int64)
        shade = np.asarray(image.convert("RGB").convert("L"), dtype=np.int64)
        ground = "black" if int((shade * alpha).sum()) > 127 * int(alpha.sum()) else "white"
    return opaque(image, deep, ground).convert("L")


def _square(grey: Pixels) -> bool:
    height, width = grey.shape
    return bool(height == width)


def _numbers(value: Any, count: int) -> list[int]:
    if not (isinstance(value, list) and len(value) == count and all(type(v) is int for v in value)):
        raise ValueError(f"the preparation holds {str(value)[:60]!r} where it should hold {count} whole numbers")
    return value
