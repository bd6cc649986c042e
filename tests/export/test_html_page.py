"""The exported page in Chromium, opened from the disk: right answers, no request, nothing on the console."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.readers.digits import read_digits
from convscope.export.html.page import page as page_of
from convscope.export.subject import Subject
from tests.export.models import model_of
from tests.export.test_html import CLASSES

pytestmark = pytest.mark.browser


class Opened:
    """A page from the disk. ``trouble`` collects every message of the console and every request but the file's own."""

    def __init__(self, browser, path, width, locale, theme="light"):
        viewport = {"width": width, "height": 844 if width < 400 else 800}
        self.context = browser.new_context(viewport=viewport, locale=locale, color_scheme=theme)
        self.page, self.trouble, self.chosen = self.context.new_page(), [], 0
        self.page.set_default_timeout(60_000)
        own = path.absolute().as_uri()
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda r: r.url.startswith((own, "data:", "blob:")) or self.trouble.append(r.url))
        self.page.goto(own)

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        self.context.close()
        if failed[0] is None:
            assert self.trouble == []
            assert wide <= window

    def choose(self, image):
        """Put a picture into the file button."""
        content = io.BytesIO()
        image.save(content, "png")
        self.chosen += 1
        self.page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": content.getvalue()})
        self.page.wait_for_selector(f'#answer[data-number="{self.chosen}"]')
        return self.answer()

    def answer(self):
        """{class: shown number} of the bars, the likeliest first."""
        rows = "list => [...list.children].map(li => [li.children[0].textContent, li.children[2].textContent])"
        return dict(self.page.locator("#bars").evaluate(rows))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run on digits that knows most of them."""
    out = tmp_path_factory.mktemp("runs")
    return convscope.train("digits", epochs=4, lr=0.05, momentum=0.9, threads=1, out=out)


@pytest.fixture(scope="module")
def exported(digits, tmp_path_factory):
    """Its page."""
    return digits.export(tmp_path_factory.mktemp("page") / "digits.html")


def wanted(run, image):
    p = run.predict(image)[0]
    return {run.classes[k]: f"{100 * p[k]:.2f} %" for k in np.argsort(-p, kind="stable")[:10]}


@pytest.mark.parametrize(
    ("width", "locale", "theme"), [(390, "zh-CN", "light"), (1280, "en-US", "dark"), (390, "en-US", "dark")]
)
def test_it_answers_as_predict_does(browser, digits, exported, width, locale, theme):
    assert exported.stat().st_size < 100_000
    images = read_digits()[1].images
    with Opened(browser, exported, width, locale, theme) as opened:
        assert opened.page.text_content("label") == ("选择图片" if locale == "zh-CN" else "Choose a picture")
        for index in range(6):
            picture = Image.fromarray(images[index, 0])
            if index % 2:  # as one scans it: large, dark on light
                picture = Image.fromarray(255 - images[index, 0]).resize((140, 140), Image.Resampling.BICUBIC)
            assert opened.choose(picture) == wanted(digits, picture)
        opened.page.click("text=conv2")
        maps = opened.page.locator("details[data-name=conv2] canvas")
        maps.nth(19).wait_for()
        assert maps.count() == 20
        opened.page.click("#language")
        assert opened.page.text_content("label") == ("Choose a picture" if locale == "zh-CN" else "选择图片")


def test_a_drawing_on_the_pad_is_answered_as_its_picture(browser, digits, exported):
    with Opened(browser, exported, 390, "en-US") as opened:
        opened.page.click("#draw")
        area = opened.page.locator("#pad").bounding_box()
        opened.page.mouse.move(area["x"] + 140, area["y"] + 60)
        opened.page.mouse.down()
        opened.page.mouse.move(area["x"] + 140, area["y"] + 220, steps=12)
        opened.page.mouse.up()
        opened.page.wait_for_selector("#bars li")
        drawn = opened.page.evaluate("document.getElementById('pad').toDataURL()").partition(",")[2]
        with Image.open(io.BytesIO(base64.b64decode(drawn))) as picture:
            assert opened.answer() == wanted(digits, picture)


def test_the_camera_is_asked_and_its_picture_answered(browser, digits, exported):
    with Opened(browser, exported, 390, "zh-CN") as opened:
        opened.page.click("#camera")
        opened.page.wait_for_selector("#take", state="visible")
        opened.page.click("#take")
        opened.page.wait_for_selector("#bars li")
        assert len(opened.answer()) == 10
        assert opened.page.locator("#watching").is_hidden()


def test_odd_class_names_are_shown_as_they_are(browser, tmp_path):
    path = tmp_path / "odd.html"
    path.write_text(page_of(Subject(model_of("conv 2 3 | relu | flatten | linear", (3, 12, 10), CLASSES), "<b>&")))
    with Opened(browser, path, 1280, "en-US") as opened:
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 25, 3), dtype=np.uint8))
        assert set(opened.choose(image)) == set(CLASSES)
        assert opened.page.text_content("h1") == "<b>&"


def test_a_file_that_is_no_picture_is_told(browser, digits, exported):
    with Opened(browser, exported, 1280, "en-US") as opened:
        opened.page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no picture"})
        opened.page.get_by_text("This file cannot be read as a picture.", exact=True).wait_for()
