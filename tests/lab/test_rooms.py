"""What holds for every room: languages, themes, widths, no trouble in the page."""

import re

import pytest

from .conftest import STATIC

ROOMS = re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text())
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ROOMS)
def test_room_in_both_languages_and_themes(room, name, width):
    room.page.set_viewport_size({"width": width, "height": 844})
    room.page.emulate_media(color_scheme="light")
    room.open(f"/{name}")
    assert room.page.locator("h1:visible").count() == 1
    assert room.page.locator("html").get_attribute("lang") == "en"
    light = room.page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    assert room.fits()
    room.at("lang").click()
    room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
    room.ready()
    assert re.search("[\u4e00-\u9fff]", room.page.locator("h1:visible").text_content())
    room.at("theme").click()
    dark = room.page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    assert dark != light
    room.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")  # program and tables
    assert room.fits()
    room.open(f"/{name}")  # both choices are remembered
    assert room.page.locator("html").get_attribute("lang") == "zh-CN"
    assert room.page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") == dark


@pytest.mark.parametrize("name", ROOMS)
def test_everything_has_a_name(room, name):
    """Controls without an accessible name, and duplicate ids."""
    room.open(f"/{name}")
    nameless = room.page.evaluate("""[...document.querySelectorAll('button, input, select, textarea, a, [role=grid]')]
        .filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.title)).map(e => e.outerHTML)""")
    assert nameless == []
    ids = room.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
