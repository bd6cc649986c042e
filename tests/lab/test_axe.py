"""axe-core in every room and panel, both themes × both languages: nothing serious, nothing critical.

Each page is opened once; theme and language are changed where it stands.
"""

from pathlib import Path

import pytest

from .conftest import ROOMS

pytestmark = pytest.mark.browser
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
FOUND = """async () => {
  // preload: axe would ask for the source of a video that has none
  const { violations } = await axe.run({ resultTypes: ["violations"], preload: false });
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = (id, { html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`;
  return grave.flatMap(({ id, nodes }) => nodes.map((node) => told(id, node)));
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
}
PAGES = {**{room: f"{room}?{STATES.get(room, '')}" for room in ROOMS}, **PANELS}


@pytest.mark.parametrize("page", PAGES)
def test_no_finding_is_serious(room, digits_run, branched_run, page):
    if not AXE.exists():
        pytest.skip("needs axe-core: npm install")
    room.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    room.open("/" + PAGES[page].format(run=digits_run, other=branched_run))
    room.page.evaluate(AXE.read_text(encoding="utf-8"))
    for lang in ("en", "zh"):
        room.page.evaluate(OPEN)
        for theme in ("light", "dark"):
            room.page.emulate_media(color_scheme=theme)
            assert room.page.evaluate(FOUND) == [], (lang, theme)
        room.at("lang").click()
        room.page.locator(f"html[lang={'zh-CN' if lang == 'en' else 'en'}]").wait_for(state="attached")
        room.ready()
    room.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
