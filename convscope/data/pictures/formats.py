"""Which kinds of image files are read here, by the names that Pillow gives them, and by their endings.

HEIC, in which iPhones keep their photographs, is read where ``pi-heif`` is installed (``convscope[photos]``); AVIF
where Pillow was built with it.
"""

import importlib.util
from collections.abc import Iterable
from functools import cache

from PIL import features

HEIF_ENDINGS = (".heic", ".heif", ".hif")
HEIF_ADVICE = "HEIC photographs are read with pi-heif: pip install 'convscope[photos]'"
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "HEIF": HEIF_ENDINGS,
}
_CALLED = {"WEBP": "WebP", "HEIF": "HEIC"}
HAS_HEIF = importlib.util.find_spec("pi_heif") is not None
# The likeliest first.
FORMATS = (
    *("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF"),
    *(("AVIF",) if features.check("avif") else ()),
    *(("HEIF",) if HAS_HEIF else ()),
)
SUFFIXES = frozenset(ending for form in FORMATS for ending in _ENDINGS.get(form, (f".{form.lower()}",)))
FORMAT_NAMES = ", ".join(_CALLED.get(form, form) for form in FORMATS)


@cache
def register() -> None:
    """Make Pillow know the formats that others bring. Whoever opens an image calls it first: the import takes time."""
    if HAS_HEIF:
        import pi_heif

        # The main picture alone, by one thread: many files are decoded at once.
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def advice(endings: Iterable[str]) -> str:
    """What to install so that files with these endings, which are not read, would be; "" where nothing helps."""
    return HEIF_ADVICE if any(ending in HEIF_ENDINGS and ending not in SUFFIXES for ending in endings) else ""
