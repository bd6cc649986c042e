"""What is taken along: figures as SVG and PNG, rooms as one file, each opened again without the lab."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from .conftest import ROOMS

pytestmark = pytest.mark.browser
SVG = "{http://www.w3.org/2000/svg}"


def taken(room, kind):
    with room.page.expect_download() as download:
        room.at(f"take-{kind}").click()
    assert download.value.suggested_filename.endswith(f".{kind}")
    return download.value.path().read_bytes()


def state(name, digits_run):
    return f"/inside?run={digits_run}&test=3" if name == "inside" else f"/{name}"


@pytest.mark.parametrize("name", [name for name in ROOMS if name != "train"])
def test_the_figure_is_one_svg_with_the_texts_of_the_screen(room, digits_run, name):
    """Every line of text of the figure stands in it where it stands on the screen; it loads nothing."""
    room.open(state(name, digits_run))
    text = taken(room, "svg").decode()
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert not re.search(r'(?:href|src)="(?!data:)', text)
    assert "var(--" not in text
    shown = {
        "glass": "conv2", "losses": "3.3125", "backprop": "variable", "descent": "samples seen",
        "convolution": "211", "pooling": "output[0]", "shapes": "10×24×24", "inside": "0",
        "classes": "Hold to shoot",
    }[name]  # fmt: skip
    assert shown in [" ".join(e.itertext()).strip() for e in root.iter(f"{SVG}text")]
    if name in ("glass", "inside"):
        assert sum(1 for _ in root.iter(f"{SVG}image")) >= {"glass": 91, "inside": 2}[name]


@pytest.mark.view(1280, "zh", "dark")
def test_the_png_is_the_figure_twice_as_fine(room):
    room.open("/convolution")
    picture = Image.open(io.BytesIO(taken(room, "png"))).convert("RGB")
    box = room.page.locator("main > .figure").bounding_box()
    assert abs(picture.width - 2 * box["width"]) <= 3
    pixels = np.asarray(picture)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # drawn, and not blank
    cell = room.at("input-0").locator("[data-r='1'][data-c='1']")
    colour = cell.evaluate("e => getComputedStyle(e).backgroundImage.match(/rgb\\((\\d+), (\\d+), (\\d+)\\)/).slice(1)")
    place = cell.bounding_box()
    x, y = int(2 * (place["x"] + 6 - box["x"])), int(2 * (place["y"] + 6 - box["y"]))
    assert pixels[y, x].tolist() == [int(c) for c in colour]


def test_a_room_is_one_file_that_needs_no_lab(room, tmp_path):
    room.open("/pooling")
    file = tmp_path / "room.html"
    file.write_bytes(taken(room, "html"))
    assert "frame-src" not in file.read_text()
    assert re.search(r"Content-Security-Policy.{0,20}default-src 'none'", file.read_text())
    page = room.page.context.new_page()
    page.goto(file.as_uri())
    assert "nn.MaxPool2d" in page.locator("pre").text_content()
    assert page.locator("svg").count() >= 2
    page.close()


def test_the_glass_net_goes_along_as_a_page_that_answers(room, tmp_path):
    room.open("/glass")
    file = tmp_path / "net.html"
    file.write_bytes(taken(room, "html"))
    asked = []
    page = room.page.context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    picture = io.BytesIO()
    image = np.zeros((112, 112), np.uint8)
    image[15:97, 50:62] = 255
    Image.fromarray(image).save(picture, "PNG")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    page.wait_for_selector('#answer[data-number="1"]')
    assert page.locator("#answer").text_content().startswith("1 ")
    page.close()
    assert not [url for url in asked if url.startswith("http")]
