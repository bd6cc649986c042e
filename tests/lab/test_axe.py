"""Every room and panel, both themes × both languages: contrasts are AA, and axe-core finds nothing serious.

Each page is opened once; theme and language are changed where it stands.
"""

from pathlib import Path

import pytest

from .conftest import ROOMS
from .test_room_train import one_step, stop
from .test_slice import filmed  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_workers")]
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
FOUND = """async () => {
  // preload: axe would ask for the source of a video that has none
  const { violations } = await axe.run({ resultTypes: ["violations"], preload: false });
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = (id, { html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`;
  return grave.flatMap(({ id, nodes }) => nodes.map((node) => told(id, node)));
}"""
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
OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"
# What there is most to see of; {run} and {other} are names of runs.
STATES = {
    "inside": "run={run}&test=3",
    "train": 'over=["{run}"]&run={run}&cell=[3,3]',
    "backprop": "step=7",
    "descent": 'optimizers=["momentum","adam"]&at=9',
}
PANELS = {
    **{
        f"inside {panel}": f"inside?run={{run}}&test=3&play={panel}&epsilon=20&other={{other}}"
        for panel in ("paint", "attack", "channel", "map", "two", "backward")
    },
    "convolution film": "convolution?film=true",
    "lesson": "losses?lesson=1",
    "lesson in the figure": "convolution?lesson=2",
    "train film": "train?run={filmed}&frame=0",
    "descent slice": "descent?run={filmed}&directions=random",
}
PAGES = {**{room: f"{room}?{STATES.get(room, '')}" for room in ROOMS}, **PANELS}


@pytest.mark.parametrize("page", PAGES)
def test_contrasts_are_aa_and_no_finding_is_serious(room, digits_run, branched_run, filmed, page):  # noqa: F811
    """axe-core where it is installed (npm install); contrasts, whose faults are the most frequent, always."""
    room.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    room.open("/" + PAGES[page].format(run=digits_run, other=branched_run, filmed=filmed))
    audited(room)


def test_the_lines_of_one_update_are_as_good(room):
    room.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    one_step(room)
    audited(room)
    stop(room.lab)


def audited(room):
    if AXE.exists():
        room.page.evaluate(AXE.read_text(encoding="utf-8"))
    for lang in ("en", "zh"):
        if lang == "zh":
            room.at("lang").click()
            room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
            room.ready()
        if "run=" in room.page.url and "/descent" in room.page.url:
            room.page.locator("[data-testid=slice][data-state=done]").wait_for()
        room.page.evaluate(OPEN)
        for theme in ("light", "dark"):
            room.page.emulate_media(color_scheme=theme)
            assert room.page.evaluate(CONTRAST) == [], (lang, theme)
            assert not AXE.exists() or room.page.evaluate(FOUND) == [], (lang, theme)
    room.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
