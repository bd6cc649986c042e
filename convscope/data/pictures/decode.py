"""One image file → uint8 pixels of the wanted shape: the same for training and for prediction.

Files are data from outside: only the formats below are tried, what a file claims is bounded before its pixels
are decoded, and whatever the decoder stumbles over becomes a DataError that names the file.
"""

import contextlib
import math
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, features

from ...errors import DataError
from ...storage.memory import size_text

# The likeliest first. Pillow may have been built without AVIF; HEIC it never reads.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF", *(("AVIF",) if features.check("avif") else ()))
FORMAT_NAMES = f"PNG, JPEG, BMP, GIF, PPM, WebP{', TIFF or AVIF' if 'AVIF' in FORMATS else ' or TIFF'}"
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"), "TIFF": (".tif", ".tiff"),
}  # fmt: skip
SUFFIXES = frozenset(ending for form in FORMATS for ending in _ENDINGS.get(form, (f".{form.lower()}",)))
MAX_PIXELS = 64_000_000  # in one image: more is taken for a decompression bomb
MAX_SIDE = 200_000  # pixels: the tables with which an image is scaled down take 32 bytes for each
LARGE = 16_000_000  # pixels; of images beyond, one is decoded at a time, whatever the number of threads
MAX_BYTES = 512_000_000  # in one file
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of TIFF
GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"))
ALPHA_MODES = frozenset(("LA", "La", "PA", "RGBA", "RGBa"))


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself: ``height`` and ``width`` as seen upright, and whether its mode is grey."""

    height: int
    width: int
    grey: bool


def read_image(source: Path | BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The image in a file (or an open one) as uint8 (C, H, W) = ``shape``, adapted as training images are.

    Of an animation, the first frame; upright by its EXIF orientation; transparency over white; 16 bits scaled to 8;
    colour turned to grey (ITU-R 601) or grey repeated, as C asks; fitted by :func:`fit`. Raises DataError for what is
    none of :data:`FORMATS`, damaged, of more than 64 million pixels, longer than 200,000 or of more than 512 MB.
    """
    try:
        with quiet_decoder():
            return decode(source, shape)
    except MemoryError:
        raise DataError(f"there is not enough memory to decode {_name(source)}", "close other programs") from None


def read_header(source: Path | BinaryIO) -> Header:
    """Size and mode of an image file; its pixels stay undecoded. For callers within :func:`quiet_decoder`.

    Raises DataError as :func:`read_image` does.
    """
    with _opened(source) as image:
        width, height = image.size
        if image.info.get("exif") and image.getexif().get(0x0112, 1) >= 5:  # turned by a quarter
            width, height = height, width
        return Header(height, width, image.mode in GREY_MODES)


def decode(source: Path | BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """As :func:`read_image`, for callers that are within :func:`quiet_decoder` (which no thread may enter alone).

    A lack of memory is no fault of the image: MemoryError is let through.
    """
    with _opened(source) as image:
        side = 2 * max(shape[1:])
        image.draft(None, (side, side))  # a large JPEG is decoded at a half, a quarter or an eighth, not below 2 × side
        image.load()
        if image.info.get("exif"):
            with contextlib.suppress(Exception):  # a damaged note beside sound pixels: take them as they lie
                ImageOps.exif_transpose(image, in_place=True)
        return adapt(image, shape)


def adapt(image: Image.Image, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A Pillow image of any mode and size → uint8 (C, H, W) = ``shape``."""
    channels, height, width = shape
    pixels = np.asarray(fit(_opaque(image), height, width).convert("L" if channels == 1 else "RGB"))
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


@contextlib.contextmanager
def quiet_decoder() -> Iterator[None]:
    """Keep Pillow's warnings about odd but readable files from the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """An image whose header is read and within bounds. Whatever goes wrong inside becomes a DataError."""
    name = _name(source)
    try:
        if isinstance(source, Path):
            status = os.stat(source)  # noqa: PTH116 - one call serves both questions, 60,000 times
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{name} is no file", "give an image, or a folder of images")
            if status.st_size > MAX_BYTES:
                raise DataError(f"{name} is too large for an image: {size_text(status.st_size)}", _BOUNDS)
        with Image.open(source, formats=FORMATS) as image:
            _require_bounds(image, name)
            with _one_by_one if image.width * image.height > LARGE else contextlib.nullcontext():
                yield image
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{name} does not exist", "look at its spelling") from None
    except UnidentifiedImageError:
        raise DataError(f"{name} is {_kind(source)}", f"images are {FORMAT_NAMES} files") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} is too large: more than {MAX_PIXELS:,} pixels", _BOUNDS) from None
    except Exception as error:  # decoders raise nearly anything for damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{name} cannot be decoded: {reason}", "repair the file or remove it") from None


_one_by_one = threading.Lock()


def _require_bounds(image: Image.Image, name: str) -> None:
    """Raise DataError for an image whose header claims more than is decoded here."""
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise DataError(f"{name} is too large: {width:,} × {height:,} pixels", _BOUNDS)
    if image.mode == "F":
        raise DataError(f"{name} holds floating-point numbers, whose scale nobody knows", "save it with 8 or 16 bits")
    if image.format == "TIFF":  # its tiles are allocated whole, however small the image
        tags = image.tag_v2  # type: ignore[attr-defined]
        tile = [tags.get(TILE_WIDTH, 1), tags.get(TILE_LENGTH, 1)]
        if not all(isinstance(side, int) and 0 < side <= MAX_SIDE for side in tile) or math.prod(tile) > MAX_PIXELS:
            raise DataError(f"{name} is too large: its tiles have {tile[0]} × {tile[1]} pixels", _BOUNDS)


def _kind(source: Path | BinaryIO) -> str:
    """What a file is that no decoder knows, as far as its first bytes tell."""
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            file.seek(0)
            head = file.read(12)
    except (OSError, ValueError):
        head = b""
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("ascii", "replace").strip()
        form = "HEIC" if brand[:3] in ("hei", "hev", "mif") else ascii(brand)
        return f"a file of the kind {form}, which cannot be read here"
    return "no image that can be read"


def _name(source: Path | BinaryIO) -> str:
    name = str(source) if isinstance(source, Path) else str(getattr(source, "name", "the image"))
    return name.encode(errors="replace").decode()  # a file's name may be no text


_BOUNDS = (
    f"an image may have up to {MAX_PIXELS // 10**6} million pixels, {MAX_SIDE:,} in a row, in {size_text(MAX_BYTES)}: "
    "make it smaller first"
)


def _opaque(image: Image.Image) -> Image.Image:
    """Any mode → L or RGB, with transparency over white."""
    if image.mode.startswith("I"):  # 16 bits: 0..65535 → 0..255
        grey = np.clip(np.asarray(image, dtype=np.int32), 0, 65535)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8))
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        grey_mode = image.mode in GREY_MODES
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB").getchannel(0) if grey_mode else image.convert("RGB")
    return image.convert("L" if image.mode in GREY_MODES else "RGB")
