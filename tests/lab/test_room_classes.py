"""Room 9 in the browser: classes of one's own by camera and files, with mouse, finger and keys, trained and tried live.

The pictures are of one colour a class, so a small net has them in a second.
"""

import io
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope

from .hands import BY_EVERY_HAND, Mouse, Touch
from .test_late import Held
from .test_training import until

pytestmark = pytest.mark.browser
COLOURS = {"red": (230, 30, 30), "blue": (30, 30, 230)}
# A camera that shows one colour, with grain; window.colour chooses it.
CAMERA = """() => {
  window.colour ??= [230, 30, 30];
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 48];
    const ink = canvas.getContext('2d');
    const paint = () => {
      ink.fillStyle = `rgb(${window.colour})`;
      ink.fillRect(0, 0, 64, 48);
      for (let i = 0; i < 40; i++) {
        ink.fillStyle = `rgba(255, 255, 255, ${Math.random() / 4})`;
        ink.fillRect(64 * Math.random(), 48 * Math.random(), 8, 8);
      }
    };
    paint();
    setInterval(paint, 20);
    return canvas.captureStream(50);
  };
}"""
SHOW = "(c) => { window.colour = c; }"


@pytest.fixture(autouse=True)
def clean(lab):
    """No class is there before and none behind; no run is under way."""
    yield
    lab.post("/api/train/control", {"do": "stop"})
    for name in lab.client.get("/api/classes").json()["sets"]:
        for one in lab.client.get(f"/api/classes/{name}").json()["classes"]:
            lab.post("/api/classes/remove", {"set": name, "name": one["name"]})


@pytest.fixture(scope="module", autouse=True)
def left_as_it_was(lab):
    """The run that room 7 shows to the tests of other files is none whose images are gone."""
    yield
    lab.ask("/api/train", {"data": "digits", "net": "flatten | linear", "epochs": 1})
    until(lambda: lab.client.get("/api/train").json()["state"]["status"] == "finished")
    for run in lab.runs.glob("*my-classes*"):
        shutil.rmtree(run)


def open_room(room, state=""):
    room.open(f"/classes{state}")
    room.page.evaluate(CAMERA)
    return room


def classes(room, name="my-classes"):
    """What is on the disk: class → number of files; a folder may be removed meanwhile."""
    folder = room.lab.runs.parent / name
    return {Path(place).name: len(files) for place, _, files in sorted(os.walk(folder)) if place != str(folder)}


def wait_count(room, index, least):
    count = f"Number(document.querySelector('[data-testid=count-{index}]').dataset.value) >= {least}"
    room.page.wait_for_function(f"() => {count}")


def file(name, seed, side=28):
    """A picture of a class as a file: of a colour, or of grey stripes."""
    grain = np.random.default_rng(seed).integers(0, 25, (side, side), dtype=np.uint8)
    if name in COLOURS:
        pixels = grain[..., None] + np.uint8(COLOURS[name])
    else:
        stripes = np.uint8(200) * (np.arange(side) // 4 % 2).astype(np.uint8)
        pixels = grain + (stripes if name == "up" else stripes[:, None])
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return {"name": f"{seed}.png", "mimeType": "image/png", "buffer": out.getvalue()}


def give_files(room, index, name, count=6):
    room.at(f"name-{index}").fill(name)
    room.press("Enter")
    room.page.set_input_files(f"[data-testid=files-{index}]", [file(name, seed) for seed in range(count)])
    wait_count(room, index, count)


def learnt(room, hand=None):
    (hand or Mouse(room)).press("learn")
    room.page.wait_for_selector('.learning[data-status="finished"]', timeout=120_000)
    room.at("result").wait_for()
    return room.at("result").get_attribute("data-run")


def test_the_path_of_a_stranger(room):
    """A drawn digit down to its ink; then hold the mouse, hold a key, train, and the camera is answered at once."""
    room.open("/")
    room.at("clear").click()
    Mouse(room).draw("pad", (0.5, 0.15), (0.5, 0.85))
    assert room.at("best").text_content() == "1"
    room.at("glass-conv2-3").click(position={"x": 20, "y": 20})
    for step in range(1, 5):
        room.at("slide").locator("tr.term").first.click()
        room.at(f"crumb-{step}").wait_for()
    assert room.at("crumb-4").text_content().startswith("image[")
    room.at("close-ledger").click()
    room.at("slide").wait_for(state="hidden")
    room.at("teach").click()
    room.page.wait_for_selector('main[data-room="classes"][data-state="ready"]')
    room.page.evaluate(CAMERA)
    assert classes(room) == {}  # looking writes nothing
    room.at("name-0").fill("red")
    room.press("Enter")
    button = room.at("shoot-0").bounding_box()
    room.page.mouse.move(button["x"] + 20, button["y"] + 10)
    room.page.mouse.down()
    wait_count(room, 0, 6)
    room.page.mouse.up()
    room.page.evaluate(SHOW, COLOURS["blue"])
    room.at("name-1").fill("blue")
    room.press("Tab", "Tab")
    assert room.page.evaluate("document.activeElement.dataset.testid") == "shoot-1"
    for key in (" ", "Enter"):
        room.page.keyboard.down(key)
        wait_count(room, 1, 3 if key == " " else 6)
        room.page.keyboard.up(key)
    run = learnt(room)
    assert f"run={run}" in room.page.url
    found = convscope.load(room.lab.runs / run)
    assert found.classes == ("blue", "red")
    assert room.value("result") == found.accuracy
    for name in ("blue", "red"):
        room.page.evaluate(SHOW, COLOURS[name])
        room.page.wait_for_selector(f'[data-testid="best"]:text-is("{name}")')
    with room.page.expect_download() as download:
        room.at("take-svg").click()
    text = download.value.path().read_text()
    assert text.count("<image") >= 13  # what the camera sees, and the shots
    assert "xMidYMid slice" in text  # as the screen crops it


@pytest.mark.view(390, "zh", "dark")
def test_on_a_phone_with_a_finger_and_what_is_removed_is_gone(room):
    open_room(room)
    with Touch(room) as finger, finger.hold("shoot-0"):
        wait_count(room, 0, 4)
    room.page.wait_for_selector('[data-testid="shoot-0"][aria-pressed="false"]')
    room.page.evaluate("() => new Promise((on) => setTimeout(on, 300))")  # what is on its way comes in
    count = int(room.value("count-0"))
    assert classes(room) == {"类别 1": count}
    room.at("shots-0").locator("button").first.click()
    room.page.wait_for_selector(f'[data-testid="count-0"][data-value="{count - 1}"]')
    assert classes(room) == {"类别 1": count - 1}
    room.at("gone-0").click()
    assert "删除" in room.at("gone-0").text_content()
    assert classes(room) == {"类别 1": count - 1}  # only when it is pressed again
    room.at("gone-0").click()
    room.page.wait_for_function("() => document.querySelectorAll('.card').length === 2")
    end = time.monotonic() + 30
    while classes(room):
        assert time.monotonic() < end


@BY_EVERY_HAND
def test_a_class_is_named_shot_and_removed_by_every_hand(hand, room):
    open_room(room)
    hand.write("name-0", "red")
    room.page.wait_for_selector('[data-testid="class-0"][aria-label="red"]')
    for _ in range(2):
        shot(hand, 0)
    count = room.value("count-0")
    assert classes(room) == {"red": count}
    for _ in range(2):  # once more, as pictures go with it
        hand.press("gone-0")
    room.page.wait_for_function("() => document.querySelector('[data-testid=class-0]') === null")
    assert room.page.locator(".card").count() == 2


def test_what_is_answered_late_neither_forgets_a_question_nor_brings_a_class_back(room):
    open_room(room)
    give_files(room, 0, "red", 2)
    room.settle()  # the set is asked for a quarter of a second after its last picture
    held = Held(room, "**/api/classes/my-classes")
    give_files(room, 1, "blue", 1)
    late = held.first()
    room.at("gone-0").click()
    assert room.at("gone-0").get_attribute("data-armed")
    with room.page.expect_response("**/api/classes/my-classes"):
        late.continue_()
    room.page.wait_for_selector('[data-testid="count-1"][data-value="1"]')
    assert room.at("gone-0").get_attribute("data-armed")
    give_files(room, 1, "blue", 2)
    late = held.first()
    before = late.fetch()
    room.at("gone-0").click()
    room.at("gone-0").click()
    room.settle()
    late.fulfill(response=before)
    room.page.wait_for_function("() => document.querySelector('[data-testid=class-0]') === null")
    held.end()
    room.settle()
    assert [card.get_attribute("aria-label") for card in room.page.locator(".card").all()] == ["blue", "Class 1"]
    assert classes(room) == {"blue": 2}


def shot(hand, index):
    """Hold the button of a class until one more picture has been taken."""
    before = hand.room.value(f"count-{index}")
    with hand.hold(f"shoot-{index}"):
        wait_count(hand.room, index, before + 1)
    hand.room.page.wait_for_selector(f'[data-testid="shoot-{index}"][aria-pressed="false"]')
    hand.room.page.evaluate("() => new Promise((on) => setTimeout(on, 300))")  # what is on its way comes in


def test_pictures_are_walked_through_and_removed_with_keys_alone(room):
    open_room(room)
    give_files(room, 0, "red", 3)
    first = room.at("shots-0").locator("button")
    room.at("gone-0").focus()
    while not room.page.evaluate("document.activeElement.classList.contains('shot')"):
        room.press("Tab")
    room.press("End", "ArrowLeft")
    assert room.page.evaluate("[...document.activeElement.parentElement.children].indexOf(document.activeElement)") == 1
    gone = first.nth(1).get_attribute("data-file")
    room.press("Delete")
    room.page.wait_for_selector('[data-testid="count-0"][data-value="2"]')
    assert gone not in [path.name for path in (room.lab.runs.parent / "my-classes" / "red").iterdir()]
    assert room.page.evaluate("document.activeElement.classList.contains('shot')")


@BY_EVERY_HAND
def test_files_train_a_small_net_that_answers_a_picture_and_leaves_as_one_file(hand, room):
    open_room(room)
    room.at("pretrained").evaluate("e => e.click()")  # on a phone it lies in the sheet
    give_files(room, 0, "up")
    give_files(room, 1, "across")
    run = learnt(room, hand)
    assert run.startswith("note-my-classes-")  # grey pictures have the note's net
    room.page.set_input_files("[data-testid=own-file]", file("across", 99))
    room.page.wait_for_selector('[data-testid="best"]:text-is("across")')
    room.page.wait_for_function("() => document.querySelector('[data-testid=script]').textContent.includes('import')")
    room.script()
    with room.page.expect_download() as download:
        hand.press("leave-html")
    assert download.value.suggested_filename == f"{run}.html"
    assert b"<!doctype html>" in download.value.path().read_bytes()[:100].lower()
    room.open(f"/inside?run={run}&test=0")  # it opens where every run does
    assert room.at("best").text_content() in ("up", "across")


def test_a_dropped_folder_fills_a_class_and_what_is_no_picture_is_said(room, tmp_path):
    open_room(room)
    folder = tmp_path / "reds"
    (folder / "deeper").mkdir(parents=True)
    for seed in range(3):
        (folder / "deeper" / f"{seed}.png").write_bytes(file("red", seed)["buffer"])
    (folder / "notes.txt").write_text("no picture")
    room.page.set_input_files("[data-testid=folder-0]", folder)
    room.at("note-0").get_by_text("1 of 4 files could not be kept.").wait_for()
    assert classes(room) == {"Class 1": 3}


@pytest.mark.view(1280, "zh", "light")
def test_what_cannot_be_is_said_in_the_readers_language(room):
    open_room(room)
    room.at("name-0").fill("a/b")
    room.press("Enter")
    room.page.wait_for_function(
        "() => /[\\u4e00-\\u9fff]/.test(document.querySelector('[data-testid=note-0]').textContent)"
    )
    assert not room.at("learn").is_enabled()
    assert "5" in room.at("ready").text_content()
    room.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none')); }")
    room.at("camera").click()
    room.page.wait_for_function(
        "() => document.querySelector('[data-testid=eye-off]').textContent.includes('没有可用的摄像头')"
    )
    room.trouble.clear()  # the browser notes the 400 that this asked for


def test_a_new_set_leaves_the_old_one(room):
    open_room(room)
    give_files(room, 0, "red", 2)
    room.at("new-set").click()
    room.page.wait_for_url("**set=my-classes-*")
    assert room.value("count-0") == 0
    room.at("set").select_option("my-classes")
    room.page.wait_for_selector('[data-testid="count-0"][data-value="2"]')
    assert classes(room) == {"red": 2}
