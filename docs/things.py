"""Two things to hold into a camera, for the pictures and the film of the lab: photographs that scikit-learn brings.

The temple is by Daniel Büchele, the flower by vultilion (https://www.flickr.com/photos/vultilion), both CC BY 2.0;
cropped here.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image

THINGS = ("flower", "temple")
FILES = {"flower": "flower.jpg", "temple": "china.jpg"}


def view(thing: str, height: int, width: int, time: float) -> NDArray[np.uint8]:
    """What a camera sees of it at a second: (H, W, 3); it is held by a hand that is not quite still."""
    photograph = Image.fromarray(load_sample_image(FILES[thing]))
    scale = 1.15 + 0.12 * np.sin(0.9 * time)
    high = photograph.height / scale
    wide = high * width / height
    left = (photograph.width - wide) * (0.5 + 0.35 * np.sin(1.3 * time))
    top = (photograph.height - high) * (0.5 + 0.5 * np.cos(1.1 * time))
    box = (left, top, left + wide, top + high)
    return np.asarray(photograph.resize((width, height), Image.Resampling.BILINEAR, box=box))


def shot(thing: str, number: int) -> dict[str, str | bytes]:
    """A shot of it, as a file for a page."""
    from io import BytesIO

    file = BytesIO()
    Image.fromarray(view(thing, 256, 256, number)).save(file, "JPEG", quality=90)
    return {"name": f"{thing}.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def collect(folder: Path, each: int = 30) -> Path:
    """A set of classes in ``folder`` as the lab would have collected it."""
    import base64

    from convscope.lab.classes.pictures import kept
    from convscope.lab.classes.sets import Sets

    sets = Sets(folder)
    for thing in THINGS:
        sets.add_class("my-classes", thing)
        for number in range(each):
            content = shot(thing, number)["buffer"]
            assert isinstance(content, bytes)
            sets.add_picture("my-classes", thing, *kept(base64.b64encode(content).decode()))
    return sets.path("my-classes")
