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


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], base) => [r, g, b].map((c, i) => c * a + base[i] * (1 - a));
  const level = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.push(getComputedStyle(e));
    let colour = [255, 255, 255];
    for (const style of chain.reverse()) colour = over(rgba(style.backgroundColor), colour);
    const fill = element.closest('[role=gridcell]')?.style.getPropertyValue('--fill');
    return fill ? over(rgba(fill), colour) : colour;
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest('svg, .unseen, noscript, [hidden], :disabled, .after, .dropped')) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const base = ground(element);
    const [a, b] = [level(over(rgba(style.color), base)), level(base)].sort((x, y) => x - y);
    const ratio = (b + 0.05) / (a + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 600);
    if (ratio < (large ? 3 : 4.5)) faults.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faults;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ROOMS)
def test_contrast_is_aa(room, name, theme):
    room.page.emulate_media(color_scheme=theme)
    room.open(f"/{name}")
    assert room.page.evaluate(CONTRAST) == []
    room.page.emulate_media(color_scheme="light")
