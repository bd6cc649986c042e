"""Pictures of one's own, what is taken along, other runs, and the page itself: by every hand in both languages.

A picture is also dropped and pasted (test_own_pictures.py), which is no matter of the hand.
"""

import base64
import io
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.lab.binary import unpack

from .hands import Keys
from .test_own_pictures import CAMERA, png
from .test_play import chances
from .test_take import SVG
from .ways import Ways

pytestmark = pytest.mark.browser
WAYS = Ways()
SEES = """() => {
  const video = document.querySelector('[data-testid=own-video]');
  return video.videoWidth > 0 && video.currentTime > 0;
}"""


def chosen(hand, file):
    """Press the button and choose a file."""
    with hand.room.page.expect_file_chooser() as chooser:
        hand.press("own-choose")
    chooser.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": file})


def shot(hand):
    """What the camera sees, a blue wall."""
    hand.room.page.evaluate(CAMERA)
    hand.press("own-camera")
    hand.room.page.wait_for_function(SEES)
    hand.press("own-take")
    assert not hand.at("own-video").is_visible()


def answer_of(room, run, **given):
    return unpack(room.lab.post("/api/inside/look", {"run": run, **given}).content)[0]


@WAYS.at("/convolution")
def a_picture_is_chosen_for_a_convolution(hand, *_):
    pixels, file = png()
    with hand.room.page.expect_response("**/api/convolution") as answer:
        chosen(hand, file)
    hand.room.settle()
    x = torch.tensor(pixels.transpose(2, 0, 1) / 255.0, dtype=torch.float32)
    weight = torch.tensor(answer.value.request.post_data_json["weight"], dtype=torch.float32)
    want = nn.functional.conv2d(x[None], weight, padding=1)[0]
    assert torch.allclose(torch.tensor(answer.value.json()["output"]), want, atol=1e-4)
    return "show-script"


@WAYS.at("/pooling")
def a_shot_is_pooled(hand, *_):
    with hand.room.page.expect_response("**/api/pooling") as answer:
        shot(hand)
    x = torch.tensor(answer.value.json()["input"])
    assert x.shape == (3, 36, 48)
    assert x[2].min() > 0.9 > 0.1 > x[:2].max()
    assert torch.allclose(torch.tensor(answer.value.json()["output"]), nn.functional.max_pool2d(x[None], 2)[0])
    return "show-script"


@WAYS.at("/inside?run={run}&test=3")
def a_picture_is_chosen_for_a_net(hand, run, _):
    _, file = png()
    chosen(hand, file)
    hand.room.page.wait_for_function("() => location.hash.includes('pixels=')")
    hand.room.ready()
    head = answer_of(hand.room, run, picture=base64.b64encode(file).decode())
    assert chances(hand.room, 10) == pytest.approx(head["confidences"], abs=1e-6)
    return "show-script"


@WAYS.at("/glass?run={run}&test=3")
def a_shot_is_seen_by_the_glass_net(hand, run, _):
    shot(hand)
    hand.room.page.wait_for_function("() => location.hash.includes('pixels=')")
    hand.room.ready()
    head = answer_of(hand.room, run, test=3)
    assert sum(chances(hand.room, 10)) == pytest.approx(1)
    assert chances(hand.room, 10) != pytest.approx(head["confidences"], abs=1e-3)
    return "show-script"


def taken(hand, button):
    with hand.room.page.expect_download() as download:
        hand.press(button)
    return download.value.path().read_bytes()


@WAYS.at("/pooling")
def a_figure_and_a_room_are_taken_along(hand, *_):
    shown = [" ".join(e.itertext()).strip() for e in ElementTree.fromstring(taken(hand, "take-svg")).iter(f"{SVG}text")]
    assert "output[0]" in shown
    with Image.open(io.BytesIO(taken(hand, "take-png"))) as picture:
        assert abs(picture.width - 2 * hand.room.page.locator("main > .figure").bounding_box()["width"]) <= 3
    page = taken(hand, "take-html").decode()
    assert "nn.MaxPool2d" in page
    assert f'<html lang="{hand.room.page.evaluate("document.documentElement.lang")}">' in page
    return "show-script"


@WAYS.at("/pooling?film=true")
def a_film_is_taken_along(hand, *_):
    hand.at("film-speed").select_option("60")
    film = taken(hand, "film-webm")
    assert film[:4] == bytes.fromhex("1a45dfa3")  # EBML
    assert b"webm" in film[:64]
    return "film-mode"


def another_run(hand, run, other):
    """Choose the run ``other``; which one it is then."""
    hand.choose("run", other)
    now = hand.at("run").input_value()
    assert now != run
    assert isinstance(hand, Keys) or now == other  # keys come to the next one of the list
    return now


@WAYS.at("/inside?run={run}&test=3")
def another_run_is_looked_into(hand, run, other):
    now = another_run(hand, run, other)
    assert f"run={now}" in hand.room.page.url
    head = answer_of(hand.room, now, test=3)
    assert chances(hand.room, len(head["confidences"])) == pytest.approx(head["confidences"], abs=1e-9)
    return "show-script"


@WAYS.at("/glass?run={run}&test=3")
def another_run_is_made_of_glass(hand, run, other):
    another_run(hand, run, other)
    assert sum(chances(hand.room, hand.room.page.locator(".bars .name").count())) == pytest.approx(1)
    return "show-script"


@WAYS.at("/train?run={other}")
def another_run_is_laid_over_and_judged(hand, run, _):
    hand.press(f"over-{run}")
    assert hand.at(f"over-{run}").is_checked()
    last = convscope.load(hand.room.lab.runs / run).history[-1]
    hand.at("as-table").click()
    assert hand.room.value(f"accuracy-{run}-{last.epoch}") == last.test_accuracy
    hand.press(f"judge-{run}")
    hand.room.page.wait_for_url(f"**run={run}**")
    assert hand.room.value("verdict") == convscope.load(hand.room.lab.runs / run).accuracy
    return "verdict"


@WAYS.at("/losses")
def type_grows_and_the_next_room_is_entered(hand, *_):
    hand.press("projector")
    assert hand.room.page.evaluate("document.documentElement.dataset.projector") == "on"
    hand.press("projector")
    assert hand.room.page.evaluate("document.documentElement.dataset.projector") != "on"
    hand.press("next-room")
    hand.room.page.wait_for_selector("main[data-room=backprop][data-state=ready]")
    return "next-room"


@WAYS.at("/losses")
def a_link_for_a_class_is_made(hand, *_):
    hand.press("for-class")
    assert "hide=rooms+examples+settings+program" in hand.at("class-link").input_value()
    hand.press("class-settings")
    assert "hide=rooms+examples+program" in hand.at("class-link").input_value()
    hand.press("class-settings")
    words = hand.at("class-close").text_content()
    hand.press("class-close")
    assert not hand.at("class").is_visible()
    assert words
    return "for-class"


@pytest.mark.parametrize("name", WAYS.table)
def test_by_mouse_finger_and_keys_in_both_languages(room, digits_run, branched_run, name):
    WAYS.go(name, room, digits_run, branched_run)
