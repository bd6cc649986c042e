"""One image file → uint8 pixels, prepared as a net wants them.

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
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import DataError
from ...storage.memory import size_text
from ..preparation import DEEPEST, GREY_MODES, Preparation, is_deep, opaque
from .formats import FORMAT_NAMES, FORMATS, HEIF_ENDINGS, advice, register
from .source import MAX_BYTES, Member

HEIC = "HEIC"
MAX_PIXELS = 64_000_000  # in one image: more is taken for a decompression bomb
MAX_SIDE = 200_000  # pixels: the tables with which an image is scaled down take 32 bytes for each
LARGE = 16_000_000  # pixels; of images beyond, one is decoded at a time, whatever the number of threads
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of TIFF


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    ``height`` and ``width`` are as seen upright; ``grey`` is its mode's, ``deep`` says that a pixel has 16 bits.
    """

    height: int
    width: int
    grey: bool
    deep: bool = False


def read_image(source: Path | Member | BinaryIO, preparation: Preparation) -> NDArray[np.uint8]:
    """The image in a file (or an open one) as uint8 (C, H, W), prepared.

    Of an animation, the first frame; upright by its EXIF orientation. Raises DataError for what is none of
    :data:`FORMATS`, damaged, of more than 64 million pixels, longer than 200,000 or of more than 512 MB.
    """
    try:
        with quiet_decoder():
            return decode(source, preparation)
    except MemoryError:
        raise DataError(f"there is not enough memory to decode {_name(source)}", "close other programs") from None


def read_header(source: Path | Member | BinaryIO) -> Header:
    """Size and mode of an image file; its pixels stay undecoded. For callers within :func:`quiet_decoder`.

    Raises DataError as :func:`read_image` does.
    """
    with _opened(source) as image:
        width, height = image.size
        if image.info.get("exif") and image.getexif().get(0x0112, 1) >= 5:  # turned by a quarter
            width, height = height, width
        return Header(height, width, image.mode in GREY_MODES, is_deep(image))


def decode(source: Path | Member | BinaryIO, preparation: Preparation) -> NDArray[np.uint8]:
    """As :func:`read_image`, for callers that are within :func:`quiet_decoder` (which no thread may enter alone).

    A lack of memory is no fault of the image: MemoryError is let through.
    """
    with _opened(source) as image:
        return preparation.apply(upright(image, preparation))


def read_small(source: BinaryIO, most: int) -> Image.Image:
    """The image in an open file, upright, in grey or colour of 8 bits, its longer side ``most`` pixels or fewer.

    Raises DataError as :func:`read_image` does.
    """
    try:
        with quiet_decoder(), _opened(source) as image:
            picture = opaque(upright(image, Preparation((3, most, most))), None)
            picture.thumbnail((most, most), Image.Resampling.BICUBIC)
            return picture
    except MemoryError:
        raise DataError(f"there is not enough memory to decode {_name(source)}", "close other programs") from None


def judge_image(source: Path | Member | BinaryIO, preparation: Preparation) -> tuple[NDArray[np.uint8], bool]:
    """What :func:`read_image` reads, and whether it is of the kind that the preparation expects."""
    try:
        with quiet_decoder(), _opened(source) as image:
            return preparation.judge(upright(image, preparation))
    except MemoryError:
        raise DataError(f"there is not enough memory to decode {_name(source)}", "close other programs") from None


def upright(image: Image.Image, preparation: Preparation) -> Image.Image:
    """An image that Pillow opened, decoded as finely as the preparation needs, upright by its EXIF orientation."""
    image.draft(None, (preparation.finest, preparation.finest))  # a large JPEG is decoded at 1/2, 1/4 or 1/8, not below
    image.load()
    if image.info.get("exif"):
        with contextlib.suppress(Exception):  # a damaged note beside sound pixels: take them as they lie
            ImageOps.exif_transpose(image, in_place=True)
    return image


def count_values(source: Path | Member) -> NDArray[np.int64] | None:
    """The number of pixels of every value 0..65535 in a 16-bit image: (65536,); None for an image of fewer bits.

    For callers within :func:`quiet_decoder`. Raises DataError as :func:`read_image` does.
    """
    with _opened(source) as image:
        if not is_deep(image):
            return None
        values = np.clip(np.asarray(image, dtype=np.int32), 0, DEEPEST)
        return np.bincount(values.ravel(), minlength=DEEPEST + 1)


@contextlib.contextmanager
def quiet_decoder() -> Iterator[None]:
    """Keep Pillow's warnings about odd but readable files from the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(source: Path | Member | BinaryIO) -> contextlib.AbstractContextManager[Image.Image]:
    """An image whose header is read and within bounds. Whatever goes wrong inside becomes a DataError."""
    return _opened_member(source) if isinstance(source, Member) else _opened_file(source)


@contextlib.contextmanager
def _opened_member(source: Member) -> Iterator[Image.Image]:
    with (
        _one_by_one if source.size > LARGE else contextlib.nullcontext(),
        _opened_file(source.open()) as image,
    ):
        yield image


@contextlib.contextmanager
def _opened_file(source: Path | BinaryIO) -> Iterator[Image.Image]:
    name = _name(source)
    register()
    try:
        if isinstance(source, Path):
            status = os.stat(source)  # noqa: PTH116 - one call serves both questions, 60,000 times
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{name} is not a regular file", "give an image, or a folder of images")
            if status.st_size > MAX_BYTES:
                raise DataError(f"{name} is too large for an image: {size_text(status.st_size)}", _BOUNDS)
        with Image.open(source, formats=FORMATS) as image:
            _require_bounds(image, name)
            if image.width * image.height > LARGE:
                with _one_by_one:
                    yield image
            else:
                yield image
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{name} does not exist", "look at its spelling") from None
    except UnidentifiedImageError:
        kind = _kind(source)
        more = advice(HEIF_ENDINGS) if HEIC in kind else ""
        raise DataError(f"{name} is {kind}", more or f"images are {FORMAT_NAMES} files") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} is too large: more than {MAX_PIXELS:,} pixels", _BOUNDS) from None
    except Exception as error:  # decoders raise nearly anything for damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{name} cannot be decoded: {reason}", "repair the file or remove it") from None


_one_by_one = threading.RLock()


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
        with source.open("rb") if isinstance(source, Path) else contextlib.nullcontext(source) as file:
            file.seek(0)
            head = file.read(12)
    except (OSError, ValueError):
        head = b""
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("ascii", "replace").strip()
        return (
            f"a file of the kind {HEIC if brand[:3] in ('hei', 'hev', 'mif') else ascii(brand)}, which cannot be read"
        )
    return "no image that can be read"


def _name(source: Path | Member | BinaryIO) -> str:
    name = str(source) if isinstance(source, Path | Member) else str(getattr(source, "name", "the image"))
    return name.encode(errors="replace").decode()  # a file's name may be no text


_BOUNDS = (
    f"an image may have up to {MAX_PIXELS // 10**6} million pixels, {MAX_SIDE:,} in a row, in {size_text(MAX_BYTES)}: "
    "make it smaller first"
)
