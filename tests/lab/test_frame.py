"""What all rooms share: the figure comes early, type is large enough, terms are explained, keys lead everywhere."""

import json

import pytest

from .conftest import ROOMS, STATIC

pytestmark = pytest.mark.browser

# The smallest type on the screen within figure and ledger, in pixels of the page: [size, what is written].
SMALLEST = """() => {
  let smallest = [99, ""];
  for (const e of document.querySelectorAll("main > .figure *, main > .ledger-panel *")) {
    if (![...e.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || !e.checkVisibility({ visibilityProperty: true })) continue;
    const scale = e.ownerSVGElement?.viewBox.baseVal.width ? e.ownerSVGElement.getScreenCTM().a : 1;
    const size = parseFloat(getComputedStyle(e).fontSize) * scale;
    if (size < smallest[0]) smallest = [size, `${e.tagName} ${e.textContent.slice(0, 30)}`];
  }
  return smallest;
}"""
TOP = "document.querySelector('main > .figure').getBoundingClientRect().top + scrollY"

# Notes what lies over the middle of what the Tab key has led to.
COVERED = """() => {
  window.covered = [];
  addEventListener("keyup", () => {
    const e = document.activeElement;
    const { left, right, top, bottom } = e.getBoundingClientRect();
    const middle = (low, high, end) => (Math.max(0, low) + Math.min(end, high)) / 2; // of what is within the window
    const found = document.elementFromPoint(middle(left, right, innerWidth), middle(top, bottom, innerHeight));
    const own = [e, ...(e.labels ?? [])].some((one) => one.contains(found));
    const name = (one) => one?.dataset.testid ?? one?.outerHTML.slice(0, 60);
    const small = bottom - top < 0.3 * innerHeight; // the middle of a large figure may lie anywhere
    if (e !== document.body && small && !own && !found?.contains(e)) window.covered.push([name(e), name(found)]);
  });
}"""
SIZES = ((1280, 800), (800, 700), (390, 844), (640, 400))


def state(name, digits_run):
    return {"inside": f"/inside?run={digits_run}&test=3", "backprop": "/backprop?step=7"}.get(name, f"/{name}")


@pytest.mark.parametrize("name", ROOMS)
def test_the_figure_comes_early_and_its_type_can_be_read(room, digits_run, name):
    """Within 360 pixels of 1280×800, at the first visit and later; nothing below 13 pixels, 18 on a projector."""
    address = state(name, digits_run)
    room.page.evaluate("name => localStorage.removeItem(`convscope.more.${name}`)", name)
    room.open(address)
    assert room.page.evaluate(TOP) <= 360
    room.open(address)
    assert room.page.evaluate(TOP) <= 300
    size, words = room.page.evaluate(SMALLEST)
    assert size >= 12.99, words
    room.page.locator("main").focus()
    room.press("p")
    size, words = room.page.evaluate(f"async () => (await new Promise(requestAnimationFrame), ({SMALLEST})())")
    assert size >= 17.99, words
    assert room.fits()


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.view(390, "zh", "dark")
def test_on_a_phone_the_figure_comes_before_the_settings(room, digits_run, name):
    room.open(state(name, digits_run))
    size, words = room.page.evaluate(SMALLEST)
    assert size >= 12.99, words
    assert not room.page.locator(".settings .first").is_visible()
    room.sheet()
    assert room.page.locator(".settings .first").is_visible()
    box = room.page.locator(".settings").bounding_box()
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)
    room.sheet()
    assert not room.page.locator(".settings .first").is_visible()


@pytest.mark.view(390, "en", "light")
def test_a_setting_is_changed_in_the_sheet_with_a_finger(room):
    room.open("/convolution")
    room.sheet()
    room.at("stride-0").fill("2")
    room.settle()
    assert "stride=[2,1]" in room.page.url


def test_the_text_is_a_sentence_after_the_first_visit_and_opens_again(room):
    room.open("/pooling")
    prose, lead = room.page.locator(".prose"), room.page.locator(".lead")
    assert prose.is_visible()
    assert not lead.is_visible()
    room.open("/pooling")
    assert not prose.is_visible()
    assert lead.text_content().startswith("Pooling looks at each channel through a window")
    room.at("prose").click()
    assert prose.is_visible()


def test_what_few_need_is_folded_away_and_stays_open_where_it_was_opened(room):
    room.page.evaluate("localStorage.clear()")
    room.open("/convolution")
    assert not room.at("dilation-0").is_visible()
    room.tab_to("more")
    room.press("Enter")
    assert room.at("dilation-0").is_visible()
    room.open("/convolution")
    assert room.at("dilation-0").is_visible()
    room.at("more").click()
    room.open("/convolution")
    assert not room.at("dilation-0").is_visible()


def test_keys_lead_to_the_rooms_but_not_while_something_is_typed(room):
    room.open("/losses")
    for number, name in enumerate(ROOMS):
        if name in ("train", "inside"):
            continue
        room.page.locator("main").focus()
        room.press(str(number))
        room.page.wait_for_selector(f"main[data-room={name}][data-state=ready]")
    room.open("/losses")
    room.at("samples").focus()
    room.press("5", "p")
    assert room.page.locator("main").get_attribute("data-room") == "losses"
    assert room.page.locator("html[data-projector]").count() == 0
    room.settle()


@pytest.mark.view(1280, "zh", "dark")
def test_large_type_by_key_and_by_button_is_remembered(room):
    room.open("/losses")
    room.page.locator("main").focus()
    room.press("p")
    assert room.page.locator("html").evaluate("e => getComputedStyle(e).fontSize") == "23px"
    assert room.at("projector").get_attribute("aria-pressed") == "true"
    room.open("/losses")
    assert room.page.locator("html").evaluate("e => getComputedStyle(e).fontSize") == "23px"
    room.at("projector").click()
    assert room.page.locator("html").evaluate("e => getComputedStyle(e).fontSize") == "16px"


def test_next_leads_through_all_rooms_and_home(room):
    room.open("/glass")
    for name in [*ROOMS[1:], ROOMS[0]]:
        room.at("next-room").click()
        room.page.wait_for_selector(f"main[data-room={name}][data-state=ready]")


def test_where_the_reader_goes_meanwhile_is_entered_and_not_written_over(room):
    """The browser tells of another address a moment later; what the room writes into it by then is old."""
    room.open("/shapes?net=conv 3 3 | linear")
    room.page.evaluate(
        """() => {
          location.hash = "#/shapes?net=flatten | linear";
          document.querySelector("[data-testid=lang]").click(); // it writes the address, as each change does later
        }"""
    )
    room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
    room.settle()
    assert room.at("net").input_value() == "flatten | linear"
    assert "flatten" in room.page.url


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_term_is_explained_under_the_mouse_a_finger_and_the_keys(room, lang):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/convolution")
    words = {"en": "How many cells the window moves", "zh": "窗口每次移动的格数"}[lang]
    note = room.page.locator("#gloss")
    assert not note.is_visible()
    legend = room.page.locator('[data-term="stride"] > legend')
    legend.hover()
    note.wait_for()
    assert words in note.text_content()
    room.page.mouse.move(2, 2)
    note.wait_for(state="hidden")
    legend.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
    note.wait_for()
    room.press("Escape")
    note.wait_for(state="hidden")
    room.tab_to("stride-0")
    note.wait_for()
    assert words in room.at("stride-0").get_attribute("aria-description")


def test_every_explained_term_stands_at_a_field():
    """No key of the catalogue is for nothing."""
    code = "\n".join(path.read_text() for path in (STATIC / "js").rglob("*.js"))
    for key in json.loads((STATIC / "text" / "en" / "terms.json").read_text()):
        if key not in json.loads((STATIC / "text" / "en" / "train.json").read_text()):
            assert key in code, key


@pytest.mark.parametrize("name", ROOMS)
def test_nothing_lies_over_what_the_keys_have_led_to(room, digits_run, name):
    """Neither the bar above nor, on a phone, the settings below, shut or open."""
    room.open(state(name, digits_run))
    room.page.evaluate(COVERED)
    for width, height in SIZES:
        room.page.set_viewport_size({"width": width, "height": height})
        for key, opened in (("Tab", False), ("Shift+Tab", width == 390)):
            room.page.evaluate("on => document.querySelector('.settings').classList.toggle('open', on)", opened)
            for _ in range(300):
                room.press(key)
                if room.page.evaluate("document.activeElement === document.body"):
                    break
            assert not room.page.evaluate("window.covered"), (width, key)


def test_who_goes_to_the_bar_by_keys_keeps_their_place(room):
    room.open("/losses")
    room.at("lang").focus()
    room.page.evaluate("scrollTo(0, 300)")
    room.press("Shift+Tab", "Shift+Tab")
    assert room.page.evaluate("[scrollY, document.activeElement.closest('#top') !== null]") == [300, True]


def test_a_chart_tells_its_numbers_under_the_mouse_and_to_the_arrow_keys(room):
    room.open("/descent?at=10")
    figure = room.at("losses")
    svg = figure.locator("svg.chart")
    svg.hover()
    told = room.at("losses-read")
    room.page.wait_for_selector('[data-testid="losses-read"][data-x]')
    x, words = told.get_attribute("data-x"), told.text_content()
    figure.locator("summary").click()
    row = figure.locator(f'tbody tr:has(th:text-is("{x}"))')
    for cell in row.locator("td:not([data-value=''])").all():
        assert cell.text_content() in words
    svg.focus()
    room.press("ArrowRight")
    assert float(told.get_attribute("data-x")) > float(x)
    svg.blur()
    assert told.text_content() == ""
