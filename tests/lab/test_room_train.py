"""Room 7 in the browser: train, hold, step, stop, continue, and look at the mistakes; by mouse and by keys alone."""

import json
import time

import numpy as np
import pytest

import convscope
from convscope.lab.binary import unpack

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_workers")]

ROOM = "/train?batch_size=100&lr=0.1&momentum=0.9&net=conv+4+5+stride%3D3+%7C+relu+%7C+linear"


@pytest.fixture(autouse=True)
def alone(lab):
    """No run of another test is under way, before or after."""
    stop(lab)
    yield
    stop(lab)


def stop(lab):
    until = time.monotonic() + 60
    while (lab.client.get("/api/train").json()["state"] or {}).get("status") in ("opening", "training", "paused"):
        lab.post("/api/train/control", {"do": "stop"})
        assert time.monotonic() < until
        time.sleep(0.05)


def start(room):
    """Begin a run, and wait until the page has heard of it: opening may be over before anybody looks."""
    before = state(room)
    room.at("start").click()
    until = time.monotonic() + 60
    while state(room) == before or room.page.locator(f'.status[data-status="{state(room)["status"]}"]').count() == 0:
        assert time.monotonic() < until
        room.page.wait_for_timeout(10)


def status(room, name):
    room.page.wait_for_selector(f'.status[data-status="{name}"]', timeout=60_000)
    return room


def one_step(room):
    """A run that is held, and then takes one update alone, which room 7 shows line by line."""
    room.open(f"{ROOM}&epochs=1000000")
    room.at("start").click()
    status(room, "training")
    room.at("pause").click()
    status(room, "paused")
    room.at("step").click()
    room.at("four-lines").wait_for()


def state(room):
    return room.lab.client.get("/api/train").json()["state"]


def wait_value(room, testid, value):
    room.page.wait_for_selector(f'[data-testid="{testid}"][data-value="{value}"]')


@pytest.mark.view(1280, "zh", "dark")
def test_from_start_to_the_mistakes(room):
    room.open(f"{ROOM}&epochs=8")
    start(room)
    status(room, "finished")
    room.at("verdict").wait_for()
    room.ready()
    name = state(room)["run"]
    run = convscope.load(room.lab.runs / name)
    assert room.value("verdict") == run.accuracy
    assert room.value("now-test_accuracy") == run.history[-1].test_accuracy
    assert room.value("now-update") == run.summary["steps"]
    room.at("as-table").click()
    assert room.value(f"accuracy-{name}-8") == run.history[-1].test_accuracy
    confusion = room.values("confusion").numpy()
    assert confusion.trace() / confusion.sum() == pytest.approx(run.accuracy)
    truth, said = np.unravel_index((confusion - np.diag(np.diag(confusion))).argmax(), confusion.shape)
    room.at("confusion").locator("[role=gridcell]").nth(int(truth * 10 + said)).click()
    room.settle()
    links = room.at("opened").locator("a")
    assert links.count() == confusion[truth, said]
    assert f"cell=[{truth},{said}]" in room.page.url
    index = links.first.get_attribute("data-testid").removeprefix("mistake-")
    links.first.click()
    room.page.wait_for_selector('main[data-room="inside"][data-state="ready"]')
    assert room.at("best").text_content() == str(said)
    assert f"test={index}" in room.page.url
    head, _ = unpack(room.lab.client.get("/api/train/probe").content)
    assert head["step"] == run.summary["steps"]


@pytest.mark.view(390, "en", "dark")
def test_hold_step_and_go_on_with_keys_alone(room):
    room.open(f"{ROOM}&epochs=1000000")
    room.tab_to("start")
    room.press("Enter")
    status(room, "training")
    room.tab_to("pause")
    room.press("Enter")
    status(room, "paused")
    step = int(room.value("now-update"))
    room.tab_to("step")
    room.press("Enter")
    wait_value(room, "now-update", step + 1)
    wait_value(room, "probe-step", step + 1)
    room.tab_to("probe-4")
    room.press("Enter")
    room.page.wait_for_selector('[data-testid="probe-4"][aria-pressed="true"]')
    head, arrays = unpack(room.lab.client.get("/api/train/probe").content)
    assert head["chosen"] == 4
    for name in ("map.conv1", "weight.conv1"):
        assert room.value(name) == pytest.approx(float(np.abs(arrays[name]).max()))
    assert room.value("probe-0") == pytest.approx(head["confidences"][0][head["labels"][0]])
    room.tab_to("go")
    room.press("Enter")
    status(room, "training")
    room.tab_to("stop")
    room.press("Enter")
    status(room, "stopped")
    name = state(room)["run"]
    room.tab_to(f"resume-{name}")
    room.press("Enter")
    status(room, "training")
    assert state(room)["resumed_at"] > step


def test_leaving_the_page_changes_nothing(room):
    room.open(f"{ROOM}&epochs=1000000")
    room.at("start").click()
    status(room, "training")
    before = state(room)["step"]
    room.page.goto("about:blank")
    until = time.monotonic() + 60
    while state(room)["step"] <= before:  # it continues
        assert time.monotonic() < until
        time.sleep(0.02)
    assert state(room)["status"] == "training"
    room.open("/train")  # and whoever comes back sees it all
    status(room, "training")
    assert room.value("now-update") > before
    room.at("lang").click()
    room.page.wait_for_selector('html[lang="zh-CN"]')
    status(room, "training")


def test_a_page_that_was_hidden_shows_the_present_at_once(room):
    room.open(f"{ROOM}&epochs=1000000")
    start(room)
    status(room, "training")
    hide = "on => Object.defineProperty(document, 'hidden', { configurable: true, get: () => on })"
    room.page.evaluate(hide, True)
    room.lab.post("/api/train/control", {"do": "pause"})
    until = time.monotonic() + 60
    while state(room)["status"] != "paused":
        assert time.monotonic() < until
        time.sleep(0.02)
    for _ in range(4):  # two beats: nothing more comes from a run that stands still
        room.settle()
    room.page.evaluate(hide, False)
    room.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    status(room, "paused")
    wait_value(room, "now-update", state(room)["step"])
    wait_value(room, "probe-step", state(room)["step"])


def test_overlaid_runs(room, digits_run, colour_run):
    room.open(f"/train?over={json.dumps([colour_run])}")
    assert room.page.locator(".curves path.line").count() >= 2
    room.at(f"over-{digits_run}").check()
    room.settle()
    assert digits_run in room.page.url
    room.at("as-table").click()
    for name in (digits_run, colour_run):
        run = convscope.load(room.lab.runs / name)
        assert room.value(f"accuracy-{name}-1") == run.history[0].test_accuracy
        assert room.value(f"result-{name}") == run.accuracy


def shows_the_verdict(room, colour_run):
    assert room.value("verdict") == convscope.load(room.lab.runs / colour_run).accuracy
    assert "red" in room.at("opened").text_content()
    for names in (".columns", ".rows"):  # each is written out, and stands at its own row or column
        spans = room.page.locator(f".confusion {names} span")
        assert spans.all_text_contents() == ["red", "leaf", "sky"]
        for c, span in enumerate(spans.all()):
            assert span.evaluate("e => e.scrollWidth <= e.clientWidth + 1 && e.scrollHeight <= e.clientHeight + 1")
            cell = room.at("confusion").locator("[role=gridcell]").nth(4 * c).bounding_box()
            side, size = ("x", "width") if names == ".columns" else ("y", "height")
            box = span.bounding_box()
            assert box[side] + box[size] / 2 == pytest.approx(cell[side] + cell[size] / 2, abs=3)


def test_own_classes_in_the_verdict(room, colour_run):
    room.open(f"/train?run={colour_run}&cell=[0,0]")
    shows_the_verdict(room, colour_run)


def test_a_run_that_is_over_leaves_the_users_choice_alone(room, colour_run):
    room.open(f"{ROOM}&epochs=1")
    start(room)
    status(room, "finished")
    name = state(room)["run"]
    room.page.wait_for_url(lambda url: name in url)
    room.open(f"/train?run={colour_run}&cell=[0,0]")
    status(room, "finished")
    room.settle()
    assert colour_run in room.page.url
    shows_the_verdict(room, colour_run)
    room.open("/train")  # nothing chosen: the run that was last is shown
    room.page.wait_for_url(lambda url: name in url)


def test_trouble_is_told_in_words(room):
    room.open(f"{ROOM}&data=nowhere")
    start(room)
    status(room, "failed")
    assert "There are no data called 'nowhere'." in room.at("told").text_content()
    room.at("net").fill("conv 4 5 | pol 2")
    room.page.wait_for_selector('[data-testid="problem"]:has-text("pol")')
    room.trouble.clear()  # the browser notes the 400 that this asked for
    room.at("net").fill("conv 4 5 | pool 2 | linear")
    room.page.wait_for_selector('[data-testid="problem"]:empty', state="attached")
    room.script()


@pytest.mark.parametrize(("lang", "words"), [("en", "batch size 64 · epochs 1"), ("zh", "批大小 64 · 1 轮")])
def test_the_recipe_that_runs_is_told_where_the_form_shows_the_next_one(room, lang, words):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open(ROOM.replace("batch_size=100&lr=0.1", "batch_size=64&lr=0.025&epochs=1"))
    start(room)
    status(room, "finished")
    room.open(f"{ROOM}&epochs=9")
    told = room.at("recipe").text_content()
    assert words in told
    assert "0.025" in told
    assert state(room)["net"] in told
    room.page.set_viewport_size({"width": 390, "height": 844})
    assert room.page.evaluate("document.documentElement.scrollWidth") == 390
