"""Lessons: every question of every room, asked, predicted and answered; the answers compared with PyTorch's."""

import json
import re
from itertools import cycle

import pytest
import torch
from torch.utils.data import DataLoader

import convscope
from convscope.data.sources import open_recipe
from convscope.lab.server.pages import files_path

from .conftest import ROOMS, STATIC
from .hands import Mouse, Touch
from .oracle import RIGHT

pytestmark = pytest.mark.usefixtures("quick_workers")  # for the lesson of training

STEPS = """async ([files, room]) => {
  const [{ steps }, { defaults }] = await Promise.all(
    ["lessons", "rooms"].map((folder) => import(`${files}/js/${folder}/${room}.js`)),
  );
  return steps.map(({ key, kind, focus, part, options, step, place, close, state, then }) => {
    const before = { ...defaults, ...state };
    const seen = [focus, part].filter(Boolean).join(" ");
    return { key, kind, focus, seen, options, step, place, close, before, after: { ...before, ...then } };
  });
}"""
SEEN = """seen => [
  document.querySelector(seen).getBoundingClientRect().top,
  document.querySelector('[data-testid="lesson-card"]').getBoundingClientRect().top,
]"""
SLIPS = """async ([files, room, token]) => {
  const [{ look, steps }, { defaults }, { ask }] = await Promise.all(
    [`lessons/${room}`, `rooms/${room}`, "core/api"].map((name) => import(`${files}/js/${name}.js`)),
  );
  return Promise.all(steps.map(async (step) => {
    const before = { ...defaults, ...step.state };
    const after = { ...before, ...step.then };
    const [was, is] = await Promise.all([look(ask, before), look(ask, after)]);
    const found = await step.find({ before: was, after: is, states: { before, after }, ask });
    return { slips: {}, words: {}, ...found, key: step.key, options: step.options ?? null };
  }));
}"""
TEXTS = {
    (lang, path.stem): json.loads(path.read_text())
    for lang in ("en", "zh")
    for path in (STATIC / "text" / lang / "lessons").glob("*.json")
}
WAYS = (
    ("mouse", (1280, "zh", "dark")),
    ("keys", (1280, "en", "light")),
    ("touch", (390, "zh", "light")),
    ("mouse", (1280, "en", "light")),
    ("keys", (1280, "zh", "dark")),
    ("touch", (390, "en", "dark")),
)
UNSEEN = ("heaviest", "held", "sure", "always")  # questions whose answers no room shows by itself
OTHERS = (("mouse", (1280, "en", "dark")), ("keys", (1280, "zh", "light")))  # ways of room 9 beside its turn
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
    elif step["kind"] == "place":
        Mouse(room).go(way_to(room, step, said))
    else:
        room.at("lesson-slider").fill(str(said))
    room.at("lesson-check").click()


def by_touch(room, step, said):
    with Touch(room) as finger:
        if step["kind"] == "choice":
            finger.press(f"lesson-choice-{said}")
        elif step["kind"] == "number":
            finger.press("lesson-number")
            room.page.keyboard.type(str(said))
        elif step["kind"] == "place":
            finger.go(way_to(room, step, said))
        else:
            finger.press("lesson-slider")
            room.at("lesson-slider").fill(str(said))
        finger.press("lesson-check")


def by_keys(room, step, said):
    if step["kind"] == "choice":
        room.tab_to(f"lesson-choice-{step['options'][0]}")
        room.press("Space", *["ArrowRight"] * step["options"].index(said))
    elif step["kind"] == "number":
        room.tab_to("lesson-number")
        room.page.keyboard.type(str(said))
    elif step["kind"] == "place":
        moved_there(room, step, said)
    else:
        room.tab_to("lesson-slider")
        now = float(room.at("lesson-slider").input_value())
        steps = round((said - now) / step["step"])
        room.press(*["ArrowRight" if steps >= 0 else "ArrowLeft"] * (abs(steps) or 1))
        room.press(*["ArrowLeft"] * (steps == 0))
    room.press("Enter")


GROUND = """() => {
  const box = (one) => {
    const { left, top, width, height } = one.getBoundingClientRect();
    return { left, top, width, height };
  };
  const sea = document.querySelector(".sea")?.dataset;
  const over = document.querySelector("[data-testid=lesson-ground]");
  const numbers = sea && [sea.low, sea.high].map((text) => text.split(",").map(Number));
  return [box(over), box(over.firstElementChild.nextElementSibling), numbers];
}"""


def way_to(room, step, said):
    """From where the mark is to what is said, in pixels; told from the sizes on the screen."""
    ground, mark, axes = room.page.evaluate(GROUND)
    x, y, wide, high = (mark[side] for side in ("left", "top", "width", "height"))
    place = step["place"]
    if place["as"] == "cross":
        (left, low), (right, up) = axes
        end = [
            ground["left"] + (said[0] - left) / (right - left) * ground["width"],
            ground["top"] + (up - said[1]) / (up - low) * ground["height"],
        ]
        return [(x, y), end]
    rows, columns = place.get("size") or place["from"]
    cell = high / rows
    assert wide / columns == pytest.approx(cell, abs=0.5)
    if place["as"] == "frame":
        first = (x + cell / 2, y + cell / 2)  # its corner comes to wherever it is touched
        return [first, (x + said[1] * cell - 2, y + said[0] * cell - 2)]
    middle = (x + wide / 2, y + high / 2)
    by = [said[axis] - place["from"][axis] for axis in (1, 0)]
    return [middle, tuple(start + n * cell for start, n in zip(middle, by, strict=True))]


def moved_there(room, step, said):
    """By arrow keys, each a cell, or a fortieth of an axis."""
    room.tab_to("lesson-handle")
    down, right = 0, 1
    if step["place"]["as"] == "cross":
        _, _, ((left, low), (end, up)) = room.page.evaluate(GROUND)
        across, upward = ((said[axis] - step["place"]["from"][axis]) for axis in (0, 1))
        by = [round(-upward / (up - low) * 40), round(across / (end - left) * 40)]
    else:
        by = [said[axis] - step["place"]["from"][axis] for axis in (0, 1)]
    room.press(*["ArrowDown" if by[down] > 0 else "ArrowUp"] * abs(by[down]))
    room.press(*["ArrowRight" if by[right] > 0 else "ArrowLeft"] * abs(by[right]))


def value_of(room, step):
    """The answer that the page tells: the key of a choice, a number, or two of them."""
    told = room.at("lesson-verdict").get_attribute("data-value")
    if step["kind"] == "choice":
        return told
    return [float(part) for part in told.split(",")] if step["kind"] == "place" else float(told)


def sayable(step, right):
    """The right answer as it can be entered: a slider has steps."""
    return round(round(right / step["step"]) * step["step"], 6) if step["kind"] == "slider" else right


def places(text):
    return set(re.findall(r"\{\w+\}", text))


def test_every_room_has_a_lesson():
    assert {name for lang, name in TEXTS if lang == "en"} == set(ROOMS)
    assert {path.stem for path in (STATIC / "js" / "lessons").glob("*.js")} - {"drawn"} == set(ROOMS)


@pytest.mark.parametrize("name", [*LESSONS, "train"])
def test_a_lessons_words_are_the_same_in_both_languages(name):
    en, zh = TEXTS["en", name], TEXTS["zh", name]
    assert list(en) == list(zh)
    assert list(en)[-1] == "end"
    assert 4 <= len(en) <= 6
    for key in list(en)[:-1]:
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
        for name, (how, view) in [*zip(LESSONS, cycle(WAYS), strict=False), *(("classes", way) for way in OTHERS)]
    ],
)
def test_every_answer_is_pytorchs(room, name, how):
    """A reader who is right throughout, from the first question to the end; by mouse on a projector."""
    lang = room.page.evaluate("localStorage.getItem('convscope.lang')")
    if how == "mouse":
        room.page.evaluate("localStorage.setItem('convscope.projector', 'on')")
    texts = TEXTS[lang, name]
    room.open(f"/{name}?lesson=1")
    steps = steps_of(room, name)
    assert [step["key"] for step in steps] == list(RIGHT[name])
    for i, step in enumerate(steps):
        phase(room, "ask", step["key"])
        assert step["before"] != step["after"] or step["key"] in UNSEEN  # the answer is not yet on the screen
        words = texts[step["key"]]
        assert room.at("lesson-question").text_content() == words["ask"].replace("`", "")
        assert step["options"] is None or list(words["options"]) == step["options"]
        right = RIGHT[name][step["key"]](step["before"], step["after"])
        expect(room, step, sayable(step, right), how)
        phase(room, "told")
        assert value_of(room, step) == (right if step["kind"] == "choice" else pytest.approx(right, rel=1e-5)), step[
            "key"
        ]
        assert "✓" in room.at("lesson-verdict").text_content()
        assert "{" not in room.at("lesson-result").text_content()
        assert f"lesson={i + 1}" in room.settle().page.url
        assert room.page.evaluate("document.activeElement.dataset.testid") == "lesson-next"
        assert room.page.locator(".dimmed").count() > 0
        assert room.page.locator(f"main {step['focus']}").count() == 1, step["key"]  # nothing else is lit instead
        top, card = room.page.evaluate(SEEN, step["seen"])
        assert -1 <= top < card - 30, step["key"]  # what matters is in sight above the card
        room.press("Enter")
    phase(room, "end")
    assert room.page.locator(".dimmed").count() == 0


@pytest.mark.browser
@pytest.mark.view(1280, "en", "light")
def test_the_lesson_of_training_trains(room):
    """What it asks is answered by runs of the room, which are there afterwards; each of them is trained once."""
    room.open("/train?lesson=1")
    updates, accuracy, huge = steps = steps_of(room, "train")
    assert [room.page.locator(f"main {step['focus']}").count() for step in steps] == [1, 1, 1]
    phase(room, "ask", "updates")
    expect(room, updates, 69)
    phase(room, "wait")
    assert room.at("lesson-result").text_content() == TEXTS["en", "train"]["updates"]["wait"]
    phase(room, "told")
    job = room.lab.client.get("/api/train").json()
    run = convscope.load(room.lab.runs / job["state"]["run"])
    images = open_recipe(run.recipe, offline=True).train
    batches = len(DataLoader(range(len(images)), run.recipe.batch_size))
    assert f"{len(images):,}".replace(",", "\u202f") in TEXTS["en", "train"]["updates"]["ask"]
    assert room.value("lesson-verdict") == batches * run.recipe.epochs
    room.press("Enter")
    phase(room, "ask", "accuracy")
    expect(room, accuracy, 10)
    phase(room, "told")
    assert room.lab.client.get("/api/train").json()["job"] == job["job"]
    assert room.value("lesson-verdict") == pytest.approx(100 * share_right(run), rel=1e-9)
    assert TEXTS["en", "train"]["accuracy"]["slips"]["chance"] in room.at("lesson-result").text_content()
    room.press("Enter")
    phase(room, "ask", "huge")
    expect(room, huge, "guess")
    phase(room, "told")
    run = convscope.load(room.lab.runs / room.lab.client.get("/api/train").json()["state"]["run"])
    assert run.recipe.lr == 10
    assert room.at("lesson-verdict").get_attribute("data-value") == ("guess" if share_right(run) < 0.2 else "worse")


@torch.no_grad()
def share_right(run):
    """The share of the test images of digits that the net has right, by PyTorch alone."""
    test, model = open_recipe(run.recipe, offline=True).test, run.model
    shape = (1, -1, 1, 1)
    mean, std = (torch.tensor(values).view(shape) for values in (model.mean, model.std))
    scores = model.net.eval()((torch.from_numpy(test.images).float() / 255 - mean) / std)
    return (scores.argmax(1) == torch.from_numpy(test.labels)).double().mean().item()


@pytest.mark.browser
@pytest.mark.parametrize("name", LESSONS)
def test_every_known_mistake_is_told(room, name):
    """The slips that a lesson computes are those that it has words for, none of them the answer."""
    room.open(f"/{name}")
    found = room.page.evaluate(SLIPS, [files_path(), name, room.lab.token])
    for step in found:
        words = TEXTS["en", name][step["key"]]
        assert list(words.get("slips", {})) == [key for key in step["slips"] if key != "right"] or (
            step["options"] and set(words["slips"]) <= set(step["options"])
        ), step["key"]
        assert step["right"] not in [step["slips"][key] for key in step["slips"]]
        told = " ".join([words["why"], *words.get("slips", {}).values()])
        assert places(told) - {"{right}", "{said}"} <= {f"{{{key}}}" for key in step["words"]}, step["key"]


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_wrong_prediction_is_explained_by_the_mistake_that_leads_there(room, lang):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/losses?lesson=1")
    words = TEXTS[lang, "losses"]["square"]
    room.at("lesson-check").click()
    assert "3" in room.at("lesson-result").text_content()  # says what to enter
    expect(room, {"kind": "number"}, 18)
    phase(room, "told")
    told = room.at("lesson-result").text_content()
    assert "36" in told
    assert words["slips"]["doubled"] in told
    assert room.value("square-3") == 36
    room.at("lesson-next").click()
    phase(room, "ask", "leap")
    room.at("lesson-back").click()
    phase(room, "told", "square")
    assert words["slips"]["doubled"] in room.at("lesson-result").text_content()
    assert room.at("lesson-number").input_value() == "18"


@pytest.mark.browser
@pytest.mark.view(390, "en", "dark")
def test_all_but_the_figure_is_out_of_reach_and_escape_gives_back_what_was_there(room):
    room.open("/losses?samples=2&prediction=[4,5]&target=[1,1]&at=1")
    room.at("lesson").click()
    phase(room, "ask", "square")
    assert room.page.evaluate("document.activeElement.dataset.testid") == "lesson-question"
    assert room.at("prediction-3").input_value() == "7"
    reached = set()
    for _ in range(30):
        room.press("Tab")
        reached.add(room.page.evaluate("document.activeElement.dataset.testid ?? ''"))
    assert {"lesson-number", "lesson-check", "prediction-0", "lang"} <= reached
    assert not {name for name in reached if name.startswith(("room-", "logit-", "permalink", "sheet"))}
    room.at("prediction-1").focus()
    room.press("Escape")
    room.settle()
    assert room.page.locator(".dimmed, [inert]").count() == 0
    assert not room.at("lesson-card").is_visible()
    assert room.at("prediction-1").input_value() == "5"
    assert "lesson" not in room.page.url
    assert room.page.evaluate("document.activeElement.dataset.testid") == "lesson"


@pytest.mark.browser
def test_a_lesson_is_resumed_where_it_was_left_also_in_the_other_language(room):
    room.open("/convolution?stride=[2,1]")
    room.at("lesson").click()
    phase(room, "ask", "size")
    expect(room, steps_of(room, "convolution")[0], [3, 3])
    phase(room, "told")
    room.at("lesson-next").click()
    phase(room, "ask", "stride")
    room.settle()
    room.at("lang").click()
    phase(room, "ask", "stride")
    assert TEXTS["zh", "convolution"]["stride"]["ask"] == room.at("lesson-question").text_content()
    room.at("lang").click()
    phase(room, "ask", "stride")
    room.press("Escape")
    room.settle()
    assert room.at("stride-0").input_value() == "2"
    room.open("/convolution")
    room.at("lesson").click()
    phase(room, "ask", "stride")
    room.at("lesson-back").click()
    phase(room, "told", "size")
    room.page.evaluate("localStorage.setItem('convscope.lesson.convolution', '{\"at\": 99, \"said\": [1]}')")
    room.open("/convolution")
    room.at("lesson").click()
    phase(room, "ask", "size")


@pytest.mark.browser
def test_the_end_leads_to_the_lesson_of_the_next_room(room):
    room.open("/pooling?lesson=5")
    phase(room, "end")
    room.at("lesson-onward").click()
    room.page.wait_for_selector('main[data-room="shapes"]')
    phase(room, "ask", "features")
    room.open("/pooling?lesson=5")
    phase(room, "end")
    room.at("lesson-again").click()
    phase(room, "ask", "left")
    room.open("/inside?lesson=5")
    phase(room, "end")
    room.at("lesson-onward").click()
    phase(room, "ask", "held")
    room.open("/classes?lesson=5")
    phase(room, "end")
    assert room.at("lesson-onward").count() == 0  # it was the last


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "light")
def test_a_link_for_a_class_hides_what_was_chosen_and_keeps_the_answers(room):
    room.open("/losses")
    room.at("lesson").click()
    phase(room, "ask", "square")
    room.at("lesson-class").focus()
    room.press("Enter")
    dialog = room.at("class")
    dialog.wait_for()
    room.at("class-text").check()
    link = room.at("class-link").input_value()
    assert room.at("class-open").get_attribute("href") == link
    room.press("Escape")
    assert not dialog.is_visible()
    assert room.at("lesson-card").is_visible()  # Escape closed the dialog, not the lesson
    room.page.goto("about:blank")
    room.page.goto(link.replace(room.lab.origin, room.lab.url))
    phase(room, "ask", "square")
    assert room.page.locator("html[data-projector=on]").count() == 1
    hidden = room.page.locator("#top nav, .settings, .prose, .lead, .tools > :not(.onward), .onward, .tries")
    nothing_hidden(hidden)
    asked = []
    room.page.on("request", lambda request: asked.append(request.url))
    expect(room, {"kind": "number"}, 18)
    phase(room, "noted")
    assert not [url for url in asked if "/api/losses" in url]  # other rooms are loaded when the page has time
    assert room.value("square-3") == 9
    assert "18" in room.at("lesson-result").text_content()
    for key in ("Escape", *"012345678pP", "Tab", "Enter", "Escape"):
        room.press(key)
    room.settle()
    room.page.evaluate("document.querySelector('.brand').click()")
    room.page.evaluate("document.querySelector('[data-testid=room-shapes]').click()")
    room.settle()
    assert room.page.locator("main").get_attribute("data-room") == "losses"
    nothing_hidden(hidden)
    room.page.reload()
    room.ready()
    nothing_hidden(hidden)
    room.at("lang").click()
    room.ready()
    nothing_hidden(hidden)
    assert "hide=rooms+text+examples+settings+program&type=large&answers=off#/losses" in room.page.url
    room.open("/losses")
    assert room.page.locator("#top nav").is_visible()
    assert room.page.locator(".settings").is_visible()


def nothing_hidden(hidden):
    assert hidden.count() > 0
    assert not [one for one in hidden.all() if one.is_visible()]


@pytest.mark.browser
@pytest.mark.view(390, "en", "light")
def test_with_answers_off_the_end_lists_what_was_expected(room):
    room.page.goto("about:blank")
    room.page.goto(f"{room.lab.url}/?hide=numbers&answers=off#/losses?lesson=1")
    phase(room, "ask", "square")
    expect(room, {"kind": "number"}, 30)
    phase(room, "noted")
    room.at("lesson-next").click()
    phase(room, "ask", "leap")  # the other questions are about hidden numbers
    assert room.at("lesson-class").count() == 0
    expect(room, {"kind": "choice"}, "l2")
    phase(room, "noted")
    room.at("lesson-next").click()
    phase(room, "end")
    lines = room.at("lesson-expected").locator("strong").all_text_contents()
    assert lines == ["30", "L2"]


@pytest.mark.browser
def test_without_the_lab_there_is_no_answer_and_the_prediction_stays(room):
    room.open("/losses?lesson=1")
    phase(room, "ask", "square")
    room.page.route("**/api/losses", lambda route: route.abort())
    expect(room, {"kind": "number"}, 36)
    room.page.wait_for_selector('[data-testid="lesson-result"] [role=alert]')
    assert "does not answer" in room.at("lesson-result").text_content()
    assert room.at("lesson-number").input_value() == "36"
    room.page.unroute("**/api/losses")
    room.page.wait_for_selector('[data-testid="connection"]', state="detached")
    room.at("lesson-check").click()
    phase(room, "told")
    room.trouble.clear()
