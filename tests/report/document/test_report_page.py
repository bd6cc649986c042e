"""The report in Chromium, opened from the disk: accessible, quiet, within its width, and whole on paper."""

from pathlib import Path

import pytest

from tests.report.document.runs import trained

pytestmark = pytest.mark.browser
AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    other = trained(folder, epochs=1, lr=0.001)
    return trained(folder, epochs=3).report(compare=[other])


@pytest.fixture
def opened(browser, report):
    """Opens the report; at the end nothing may have been asked for or said on the console."""
    contexts, trouble = [], []

    def open_in(width, theme, **more):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or trouble.append(r.url))
        page.goto(report.absolute().as_uri())
        return page

    yield open_in
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.mark.parametrize(("width", "theme", "language"), [(390, "dark", "zh"), (1280, "light", "en")])
def test_it_is_accessible_and_within_its_width(opened, width, theme, language):
    page = opened(width, theme)
    page.check(f"#language-{language}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if not AXE.exists():
        pytest.skip("needs axe-core: npm install")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes[0].html]))")
    assert [one for one in found if one[0] in ("serious", "critical")] == []


def test_without_javascript_it_speaks_both_languages_and_its_cells_open(opened):
    page = opened(1280, "light", java_script_enabled=False)
    assert page.get_by_role("heading", name="Confusion matrix").is_visible()
    page.check("#language-zh")
    assert page.get_by_role("heading", name="混淆矩阵").is_visible()
    assert page.get_by_text("Confusion matrix", exact=True).is_hidden()
    link = page.locator(".confusion td a").first
    box = page.locator(link.get_attribute("href"))
    assert box.is_hidden()
    link.click()
    assert box.is_visible()
    assert box.locator("img").first.is_visible()


def test_it_prints_on_a4(opened, tmp_path):
    page = opened(1280, "dark")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    content = (tmp_path / "report.pdf").read_bytes()
    assert b"/MediaBox [0 0 594.95996 841.91998]" in content or b"/MediaBox [0 0 595" in content
    page.emulate_media(media="print")
    for left_out in ("nav", "fieldset.language"):
        assert page.locator(left_out).is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
