"""Lessons: every question of every room, asked, predicted and answered; the answers compared with PyTorch's."""

import json
import re
from itertools import cycle

import pytest

from convscope.lab.server.pages import files_path

from .conftest import ROOMS, STATIC
from .oracle import RIGHT

STEPS = """async ([files, room]) => {
  const [{ steps }, { defaults }] = await Promise.all(
    ["lessons", "rooms"].map((folder) => import(`${files}/js/${folder}/${room}.js`)),
  );
  return steps.map(({ key, kind, options, step, state, then }) => ({
    key, kind, options, step, before: { ...defaults, ...state }, after: { ...defaults, ...state, ...then },
  }));
}"""
TEXTS = {
    (lang, path.stem): json.loads(path.read_text())
    for lang in ("en", "zh")
    for path in (STATIC / "text" / lang / "lessons").glob("*.json")
}
WAYS = (("mouse", (1280, "zh", "dark")), ("keys", (1280, "en", "light")), ("touch", (390, "zh", "light")))
LESSONS = [room for room in ROOMS if room in RIGHT]


def steps_of(room, name):
    return room.page.evaluate(STEPS, [files_path(), name])


def phase(room, name, step=None):
    card = '[data-testid="lesson-card"]' + (f'[data-step="{step}"]' if step else "")
    room.page.wait_for_selector(f'{card}[data-phase="{name}"]')
    return room.ready()


def expect(room, step, said, how="mouse"):
    """Say what one expects, by mouse, finger or keys, and check it."""
    do = {"mouse": by_mouse, "touch": by_touch, "keys": by_keys}[how]
    do(room, step, said)


def by_mouse(room, step, said):
    if step["kind"] == "choice":
        room.at(f"lesson-choice-{said}").locator("xpath=..").click()
    elif step["kind"] == "number":
        room.at("lesson-number").fill(str(said))
    else:
        room.at("lesson-slider").fill(str(said))
    room.at("lesson-check").click()


def by_touch(room, step, said):
    if step["kind"] == "choice":
        tap(room, room.at(f"lesson-choice-{said}").locator("xpath=.."))
    elif step["kind"] == "number":
        tap(room, room.at("lesson-number"))
        room.page.keyboard.type(str(said))
    else:
        tap(room, room.at("lesson-slider"))
        room.at("lesson-slider").fill(str(said))
    tap(room, room.at("lesson-check"))


def by_keys(room, step, said):
    if step["kind"] == "choice":
        room.tab_to(f"lesson-choice-{step['options'][0]}")
        room.press("Space", *["ArrowRight"] * step["options"].index(said))
    elif step["kind"] == "number":
        room.tab_to("lesson-number")
        room.page.keyboard.type(str(said))
    else:
        room.tab_to("lesson-slider")
        now = float(room.at("lesson-slider").input_value())
        steps = round((said - now) / step["step"])
        room.press(*["ArrowRight" if steps >= 0 else "ArrowLeft"] * (abs(steps) or 1))
        room.press(*["ArrowLeft"] * (steps == 0))
    room.press("Enter")


def tap(room, locator):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    browser = room.page.context.new_cdp_session(room.page)
    browser.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    browser.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    browser.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def sayable(step, right):
    """The right answer as it can be entered: a slider has steps."""
    return round(round(right / step["step"]) * step["step"], 6) if step["kind"] == "slider" else right


def places(text):
    return set(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("name", LESSONS)
def test_a_lessons_words_are_the_same_in_both_languages(name):
    en, zh = TEXTS["en", name], TEXTS["zh", name]
    assert list(en) == list(zh)
    assert list(en) == [*RIGHT[name], "end"]
    assert 3 <= len(RIGHT[name]) <= 5
    for key in RIGHT[name]:
        one, other = en[key], zh[key]
        assert list(one) == list(other)
        assert one["ask"].endswith(("?", "."))
        assert other["ask"].endswith(("？", "。"))
        for part in ("options", "slips"):
            assert list(one.get(part, {})) == list(other.get(part, {})), (key, part)
            for kind in one.get(part, {}):
                assert places(one[part][kind]) == places(other[part][kind])
        assert places(one["why"]) == places(other["why"]), key


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param(name, how, marks=pytest.mark.view(*view))
        for name, (how, view) in zip(LESSONS, cycle(WAYS), strict=False)
    ],
)
def test_every_answer_is_pytorchs(room, name, how):
    """A reader who is right throughout, from the first question to the next room's lesson."""
    lang = room.page.evaluate("localStorage.getItem('convscope.lang')")
    texts = TEXTS[lang, name]
    room.open(f"/{name}?lesson=1")
    steps = steps_of(room, name)
    assert [step["key"] for step in steps] == list(RIGHT[name])
    for i, step in enumerate(steps):
        phase(room, "ask", step["key"])
        words = texts[step["key"]]
        assert room.at("lesson-question").text_content() == words["ask"].replace("`", "")
        assert step["options"] is None or list(words["options"]) == step["options"]
        right = RIGHT[name][step["key"]](step["before"], step["after"])
        expect(room, step, sayable(step, right), how)
        phase(room, "told")
        told = room.at("lesson-verdict").get_attribute("data-value")
        assert told == right if step["kind"] == "choice" else float(told) == pytest.approx(right, rel=1e-5), step["key"]
        assert "✓" in room.at("lesson-verdict").text_content()
        assert "{" not in room.at("lesson-result").text_content()
        assert f"lesson={i + 1}" in room.settle().page.url
        assert room.page.evaluate("document.activeElement.dataset.testid") == "lesson-next"
        assert room.page.locator(".dimmed").count() > 0
        room.press("Enter")
    phase(room, "end")
    assert room.page.locator(".dimmed").count() == 0
