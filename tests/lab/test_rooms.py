"""What holds for every room: languages, themes, widths, no trouble in the page."""

import re

import pytest

from .conftest import STATIC

ROOMS = re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text())
pytestmark = pytest.mark.browser


# Controls without an accessible name.
NAMELESS = """[...document.querySelectorAll('button, input, select, textarea, a, [role=grid]')]
  .filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.title)).map(e => e.outerHTML)"""
# Charts follow a new width in the next frame.
DRAWN = "() => new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(resume)))"
COLOUR = "getComputedStyle(document.body.parentElement).backgroundColor"


def resized(room, width):
    room.page.set_viewport_size({"width": width, "height": 844})
    room.page.evaluate(DRAWN)
    return room


@pytest.mark.parametrize("name", ROOMS)
def test_room_in_both_languages_and_themes_at_both_widths(room, name):
    room.open(f"/{name}")
    assert room.page.locator("h1:visible").count() == 1
    assert room.page.locator("html").get_attribute("lang") == "en"
    assert room.page.evaluate(NAMELESS) == []
    ids = room.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    light = room.page.evaluate(COLOUR)
    assert room.fits()
    assert resized(room, 390).fits()
    room.at("lang").click()
    room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
    room.ready()
    assert re.search("[\u4e00-\u9fff]", room.page.locator("h1:visible").text_content())
    room.at("theme").click()
    dark = room.page.evaluate(COLOUR)
    assert dark != light
    room.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")  # program and tables
    assert room.fits()
    assert resized(room, 1280).fits()
    room.page.set_viewport_size({"width": 390, "height": 844})
    room.open(f"/{name}")  # both choices are remembered
    assert room.page.locator("html").get_attribute("lang") == "zh-CN"
    assert room.page.evaluate(COLOUR) == dark
    assert room.page.locator("h1:visible").count() == 1
    assert room.fits()


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1"])
def test_a_request_to_another_machine_is_trouble(room, host):
    """What the page asks for is refused by its policy; where the page itself would go, the browser finds nobody."""
    room.open("/losses")
    asking = "url => new Promise((resume) => Object.assign(new Image(), { onerror: resume, src: url }))"
    with room.page.expect_console_message(), room.page.expect_event("requestfailed"):
        room.page.evaluate(asking, f"http://{host}/pixel.png")
    told, failed = sorted(room.trouble)
    assert "Content Security Policy" in told
    assert failed == f"http://{host}/pixel.png: csp"
    room.trouble.clear()
    with room.page.expect_event("requestfailed"):
        room.page.evaluate("url => { location.href = url; }", f"http://{host}/")
    assert room.trouble == [f"http://{host}/: net::ERR_NAME_NOT_RESOLVED"]
    room.page.wait_for_url("chrome-error://chromewebdata/")
    room.away()  # the browser's own page on the error would ask again, during whatever test comes next
    room.trouble.clear()
