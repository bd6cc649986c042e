"""Room 8's play things in the browser: by mouse, finger and keys, in both languages."""

import re

import pytest
import torch
from torch.nn import functional

from .test_play_answers import model_and_input, pixels_of

pytestmark = pytest.mark.browser


def tap(room, testid, u, v):
    """Touch a place of an element, in 0..1, with a finger."""
    room.at(testid).scroll_into_view_if_needed()
    area = room.at(testid).bounding_box()
    place = {"x": area["x"] + u * area["width"], "y": area["y"] + v * area["height"]}
    browser = room.page.context.new_cdp_session(room.page)
    browser.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    browser.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    browser.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    room.settle()


def click(room, testid, u, v):
    area = room.at(testid).bounding_box()
    room.at(testid).click(position={"x": u * area["width"], "y": v * area["height"]})
    room.settle()


def gradient(room, run, test, parameter, index):
    """PyTorch's, of the cross entropy for the true class."""
    labels = room.lab.client.get(f"/api/runs/{run}/images").json()["labels"]
    net, x = model_and_input(room.lab, run, pixels_of(room.lab, run, test=test))
    functional.cross_entropy(net(x), torch.tensor([labels[test]])).backward()
    return float(net.get_parameter(parameter).grad[index])


@pytest.mark.view(1280, "en", "light")
def test_backward_by_mouse(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3")
    room.at("play-backward").click()
    room.settle()
    assert "play=backward" in room.page.url
    click(room, "tap-0", 0.5, 0.1)  # row 0, column 2
    assert 'weight=["conv1",0,0,0,2]' in re.sub("%22", '"', room.page.url)
    assert room.value("use-sum") == pytest.approx(gradient(room, digits_run, 3, "conv1.weight", (0, 0, 0, 2)), abs=1e-6)
    area = room.at("use-products").bounding_box()
    room.at("use-products").hover(position={"x": area["width"] * 0.52, "y": area["height"] * 0.52})
    assert re.fullmatch(r"row 12, column 12: \S+ × \S+ = \S+", room.at("use-at").text_content())
    assert room.at("use-overlay").is_visible()
    room.at("weight-bias").click()
    room.settle()
    assert room.value("use-sum") == pytest.approx(gradient(room, digits_run, 3, "conv1.bias", (0,)), abs=1e-6)
    room.at("weight-layer").select_option("linear1")
    room.settle()
    assert "linear1.weight[0," in room.at("use-sum").text_content()
    kept = room.at("use-sum").text_content()
    room.open(room.page.url.partition("#")[2])
    assert room.at("use-sum").text_content() == kept  # the address holds it
    room.at("play-backward").click()
    room.settle()
    assert not room.at("panel").is_visible()


@pytest.mark.view(390, "zh", "dark")
def test_backward_by_keys(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3")
    room.tab_to("play-backward")
    room.press("Enter")
    room.settle()
    room.tab_to("weight-kernel")
    room.press("ArrowUp")
    room.settle()
    room.tab_to("tap-0")
    room.press("ArrowDown", "ArrowRight", "Enter")
    room.settle()
    assert room.value("use-sum") == pytest.approx(gradient(room, digits_run, 3, "conv1.weight", (1, 0, 1, 1)), abs=1e-6)
    assert "个乘积之和" in room.at("use-sum").text_content()
    room.tab_to("use-upstream")
    room.press("ArrowRight")
    assert room.at("use-at").text_content().startswith("第 0 行第 1 列：")


def test_backward_by_touch(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=4&play=backward&weight=[%22conv2%22]")
    tap(room, "tap-3", 0.9, 0.9)
    assert room.value("use-sum") == pytest.approx(gradient(room, digits_run, 4, "conv2.weight", (0, 3, 4, 4)), abs=1e-6)
