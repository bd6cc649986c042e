"""A picture from the page as the file that is kept: decoded by the guarded reader, reduced, written again.

What is kept holds pixels and nothing else: no place where it was taken, no camera's name. A file is called by its
content, so the same picture is kept once, and no name comes from outside.
"""

import base64
import hashlib
import io
import re

from ...data.pictures.decode import read_small
from ...errors import UsageError

MOST_BASE64 = 3 * 2**20  # characters of a picture
MOST_SIDE = 512  # pixels; no net of convscope sees more of one
LOSSLESS = 128  # pixels of the longer side up to which nothing is lost: drawings and digits are so small
QUALITY = 92  # of JPEG
FILE = re.compile(r"[0-9a-f]{16}\.(?:jpg|png)")


def kept(text: str) -> tuple[str, bytes]:
    """Name and content of the file for a picture file in base64. Raises DataError for what is no picture."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:  # binascii's, or of letters beyond ASCII
        raise UsageError("the picture is no base64", "send the bytes of an image file in base64") from None
    picture = read_small(io.BytesIO(content), MOST_SIDE)
    file = io.BytesIO()
    small = max(picture.size) <= LOSSLESS
    if small:
        picture.save(file, "PNG")
    else:
        picture.save(file, "JPEG", quality=QUALITY)
    found = file.getvalue()
    return f"{hashlib.sha256(found).hexdigest()[:16]}.{'png' if small else 'jpg'}", found
