"""axe-core in every room, both themes and languages: nothing serious, nothing critical."""

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


def state(name, digits_run):
    """What there is most to see of."""
    return {
        "inside": f"/inside?run={digits_run}&test=3",
        "train": f'/train?over=["{digits_run}"]&run={digits_run}&cell=[3,3]',
        "backprop": "/backprop?step=7",
    }.get(name, f"/{name}")


@pytest.mark.parametrize(("theme", "lang"), [("light", "en"), ("dark", "zh")])
@pytest.mark.parametrize("name", ROOMS)
def test_no_finding_is_serious(room, digits_run, name, theme, lang):
    if not AXE.exists():
        pytest.skip("needs axe-core: npm install")
    room.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open(state(name, digits_run))
    room.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    room.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert room.page.evaluate(FOUND) == []
    room.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
