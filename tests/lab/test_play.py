"""Room 8's play things in the browser: by mouse, finger and keys, in both languages."""

import base64
import re
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from torch.nn import functional

from convscope.lab.binary import unpack

from .hands import Mouse, Touch
from .test_play_answers import model_and_input, pixels_of
from .test_room_inside import READ

pytestmark = pytest.mark.browser


def open_by_keys(room, run, panel):
    """Test image 3, and a panel below it, by the Tab and Enter keys."""
    room.open(f"/inside?run={run}&test=3")
    room.tab_to(f"play-{panel}")
    room.press("Enter")
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
    open_by_keys(room, digits_run, "backward")
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


def bytes_of(room):
    """The pixels that stand in the address."""
    return np.frombuffer(base64.b64decode(unquote(re.search(r"pixels=([^&]+)", room.page.url).group(1))), np.uint8)


def answers(room, run, pixels):
    """PyTorch's probabilities for uint8 pixels."""
    net, x = model_and_input(room.lab, run, pixels)
    return net(x)[0].softmax(0).detach().tolist()


def chances(room, count):
    return [room.value(f"p-{c}") for c in range(count)]


def test_erasing_by_mouse_and_back(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3&play=paint")
    before, pixels = chances(room, 10), pixels_of(room.lab, digits_run, test=3)
    mouse = Mouse(room)
    mouse.draw("canvas", (0.5, 0.1), (0.5, 0.9))
    now = bytes_of(room).reshape(1, 28, 28)
    assert (now[0, 5:24, 14] == 0).all()
    assert np.array_equal(now[0, :, :10], pixels[0, :, :10])
    assert chances(room, 10) == pytest.approx(answers(room, digits_run, now), abs=1e-5)
    assert chances(room, 10) != before
    room.at("tool-paint").click()
    mouse.draw("canvas", (0.1, 0.1), (0.1, 0.1))
    assert bytes_of(room).reshape(28, 28)[2, 2] == 255
    room.at("paint-undo").click()
    room.settle()
    assert np.array_equal(bytes_of(room).reshape(1, 28, 28), now)
    room.at("paint-restore").click()
    room.settle()
    assert "pixels=" not in room.page.url
    assert chances(room, 10) == pytest.approx(before)


@pytest.mark.view(390, "zh", "dark")
def test_painting_by_keys(room, digits_run):
    open_by_keys(room, digits_run, "paint")
    room.tab_to("canvas")
    room.press("ArrowUp", " ", *["ArrowUp"] * 4, " ")
    room.settle()
    now = bytes_of(room).reshape(1, 28, 28)
    assert (now[0, 9:14, 14] == 0).all()
    assert chances(room, 10) == pytest.approx(answers(room, digits_run, now), abs=1e-5)
    assert "原来是" in room.at("painted").text_content()
    room.tab_to("canvas")
    room.press("Backspace")
    room.settle()
    assert "pixels=" not in room.page.url


def test_painting_in_colour_by_touch(room, colour_run):
    room.open(f"/inside?run={colour_run}&test=4&play=paint")
    room.at("tool-paint").click()
    room.at("colour").fill("#10c020")
    with Touch(room) as finger:
        finger.put("canvas", 0.54, 0.54)  # in the middle of pixel 6, 6
    now = bytes_of(room).reshape(3, 12, 12)
    assert now[:, 6, 6].tolist() == [0x10, 0xC0, 0x20]
    assert chances(room, 3) == pytest.approx(answers(room, colour_run, now), abs=1e-5)


def test_the_attack_by_its_slider(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3&play=attack")
    assert room.at("attack-chart").is_visible()
    room.at("epsilon").fill("24")
    room.settle()
    assert "epsilon=24" in room.page.url
    _, arrays = unpack(room.lab.post("/api/inside/attack", {"run": digits_run, "test": 3}).content)
    sure = arrays["confidences"][24]
    assert room.value("attack-best") == pytest.approx(float(sure.max()), abs=1e-5)
    assert room.at("attack-best").text_content() == str(int(sure.argmax()))
    moved = np.clip(arrays["image"] + 24 * arrays["signs"], 0, 255)
    change = room.at("attack-change").locator("canvas").evaluate(READ)
    want = np.clip(127.5 + 20 * (moved - arrays["image"]), 0, 255)
    assert np.abs(np.array(change).reshape(28, 28, 4)[..., 0] - want[0]).max() <= 1
    room.at("attack-take").click()
    room.settle()
    assert np.array_equal(bytes_of(room).reshape(1, 28, 28), moved)
    assert chances(room, 10) == pytest.approx(sure.tolist(), abs=1e-5)


def test_what_a_channel_likes_by_mouse(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3&play=channel")
    room.at("likes-layer").select_option("conv2")
    room.settle()
    room.at("likes-channel").fill("5")
    room.settle()
    head, arrays = unpack(
        room.lab.post("/api/inside/channel", {"run": digits_run, "layer": "conv2", "channel": 5}).content
    )
    assert [room.value(f"best-{i}") for i in range(9)] == [one["value"] for one in head["best"]]
    assert room.value("made-told") == pytest.approx(float(arrays["means"][-1]))
    room.at("best-2").click()
    room.settle()
    assert f"test={head['best'][2]['image']}" in room.page.url
    assert room.value("reported") == pytest.approx(head["best"][2]["value"], abs=1e-4)  # its ledger stands below


@pytest.mark.view(390, "zh", "dark")
def test_what_a_channel_likes_by_keys(room, digits_run):
    open_by_keys(room, digits_run, "channel")
    room.tab_to("likes-channel")
    room.press("ArrowUp", "ArrowUp")
    room.settle()
    assert "通道的平均值" in room.at("made-told").text_content()
    assert 'likes=["conv1",2]' in unquote(room.page.url)
    room.tab_to("best-0")
    room.press("Enter")
    room.settle()
    assert "path=" in room.page.url


def test_the_map_by_mouse(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3&play=map")
    count = len(room.lab.client.get(f"/api/runs/{digits_run}/images").json()["labels"])
    assert room.at("scatter").get_attribute("data-points") == str(count)
    room.at("scatter").scroll_into_view_if_needed()
    area = room.at("scatter").bounding_box()
    middle = {"x": area["width"] / 2, "y": area["height"] / 2}
    room.at("scatter").hover(position=middle)
    told = room.at("nearby").text_content()
    number = re.match(r"Test image (\d+): ", told).group(1)
    room.at("scatter").click(position=middle)
    room.settle()
    assert re.search(rf"test={number}(&|$)", room.page.url)
    room.at("class-1").click()
    assert room.at("class-1").get_attribute("aria-pressed") == "true"


def test_t_sne_by_keys_while_it_is_computed(room, colour_run):
    room.open(f"/inside?run={colour_run}&test=3&play=map")
    room.tab_to("layout")
    room.page.keyboard.press("ArrowDown")
    room.settle()
    assert "layout=tsne" in room.page.url
    room.page.wait_for_function(
        "() => document.querySelector('[data-testid=map-state]').textContent.includes('4 of 4')"
    )
    assert not room.at("tsne-progress").is_visible()
    assert "five nearest neighbours" in room.at("mine").text_content()


@pytest.mark.view(390, "zh", "light")
def test_the_map_by_keys_and_touch(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3&play=map")
    room.tab_to("scatter")
    room.press("ArrowLeft")
    assert room.at("nearby").text_content().startswith("测试图像 3：")  # the point of the picture itself
    room.press("ArrowRight", "ArrowUp", "Enter")
    room.settle()
    assert not room.page.url.endswith("test=3")
    before = room.page.url
    with Touch(room) as finger:
        finger.put("scatter", 0.5, 0.5)
    assert room.page.url != before


def test_two_runs_side_by_side(room, digits_run, branched_run):
    room.open(f"/inside?run={digits_run}&test=3&play=two")
    room.at("other").select_option(branched_run)
    room.settle()
    body = {"run": digits_run, "other": branched_run, "test": 3}
    sides = [side["scores"] for side in room.lab.ask("/api/inside/beside", body)["runs"]]
    for at in (0, 1):
        assert [room.value(f"logit-{at}-{c}") for c in range(10)] == pytest.approx(sides[at], abs=1e-9)
    assert branched_run in room.at("two-told").text_content() or "Both say" in room.at("two-told").text_content()
    assert f"other={branched_run}" in room.page.url


@pytest.mark.view(390, "zh", "dark")
def test_only_runs_on_the_same_data_are_offered(room, digits_run, branched_run, colour_run):
    room.open(f"/inside?run={digits_run}&test=3&play=two&other={colour_run}")
    offered = room.at("other").locator("option").evaluate_all("all => all.map(one => one.value)")
    assert branched_run in offered
    assert not {digits_run, colour_run} & set(offered)
    assert room.at("other").input_value() == offered[-1]
    room.open(f"/inside?run={colour_run}&test=3&play=two")
    assert "同样的数据没有别的训练记录" in room.page.locator(".versus").text_content()


@pytest.mark.view(390, "zh", "dark")
@pytest.mark.parametrize("name", ["attack", "backward"])
def test_what_a_panel_says_is_one_text_and_fits_a_phone(room, colour_run, name):
    """Its code once stood in lines of its own, and a long layer's name made the whole page scroll sideways."""
    room.open(f"/inside?run={colour_run}&test=0&play={name}")
    text = room.page.locator(".play > .about")
    assert text.locator("code").first.evaluate("e => getComputedStyle(e.parentElement).display") == "block"
    room.page.locator(".layer header .hint").first.evaluate("e => e.append(' and so on'.repeat(12))")
    assert room.page.evaluate("document.documentElement.scrollWidth") == 390
