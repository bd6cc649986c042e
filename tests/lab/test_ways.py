"""Every interaction of rooms 0 to 6 and 8, by mouse, finger and keys, in English and Chinese.

What an interaction changes is read from the page and compared with PyTorch, or with what the
server computes, which other tests compare with PyTorch; and what the room then says is in the reader's language.
"""

import re
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from torch import nn, tensor
from torch.nn import functional

from convscope.lab.binary import unpack
from convscope.lab.rooms.descent import DescentRequest, answer
from convscope.net.build import build
from convscope.net.spec import parse

from .hands import Keys
from .test_play import answers, bytes_of, chances, gradient
from .test_play_answers import pixels_of
from .test_room_pooling import IMAGE
from .ways import Ways

pytestmark = pytest.mark.browser
WAYS = Ways()


def ranged(hand, testid):
    """A slider that keys reach as the number beside it."""
    return testid if isinstance(hand, Keys) else f"{testid}-range"


def number(hand, testid):
    return float(hand.at(testid).input_value())


@WAYS.at("/glass?ink=")
def a_drawing_is_read(hand, *_):
    hand.draw("pad", (0.5, 0.15), (0.5, 0.85))
    assert hand.at("best").text_content() == "1"
    assert sum(chances(hand.room, 10)) == pytest.approx(1)
    hand.press("clear")
    assert not re.search("ink=[^&]", hand.room.page.url)
    return "depth"


@WAYS.at("/glass")
def a_map_tells_what_it_is_made_of(hand, *_):
    hand.put("glass-conv2-0", 0.3, 0.55)
    hand.at("slide").wait_for()
    assert re.fullmatch(r"conv2\[0,\d,\d\]", hand.at("crumb-0").text_content())
    assert hand.room.value("total") == pytest.approx(hand.room.value("reported"), abs=1e-5)
    return "slide"


@WAYS.at("/glass")
def a_class_tells_what_it_is_made_of(hand, *_):
    hand.press("p-3")
    hand.at("slide").wait_for()
    assert hand.at("crumb-0").text_content() == "linear1[3]"
    hand.press("close-ledger")
    hand.at("slide").wait_for(state="hidden")
    assert "path=" not in hand.room.page.url
    return "depth"


@WAYS.at("/glass")
def the_net_is_turned_into_depth(hand, *_):
    hand.press("depth")
    assert hand.at("depth").get_attribute("aria-pressed") == "true"
    hand.press("depth")
    assert hand.at("depth").get_attribute("aria-pressed") == "false"
    return "depth"


@WAYS.at("/losses")
def a_prediction_is_moved(hand, *_):
    hand.slide(ranged(hand, "prediction-3"), 0.9)
    said, right = (tensor([number(hand, f"{key}-{i}") for i in range(4)]) for key in ("prediction", "target"))
    assert said[3] != 7
    assert hand.room.value("mse") == pytest.approx(functional.mse_loss(said, right).item())
    return "curves"


@WAYS.at("/backprop?step=99")
def a_leaf_is_moved_and_nudged(hand, *_):
    hand.slide(ranged(hand, "leaf-w"), 0.9)
    w, x, b, y = (number(hand, f"leaf-{name}") for name in "wxby")
    assert w != 3
    assert hand.room.value("gradient-w") == pytest.approx(2 * (w * x + b - y) * x)
    assert hand.room.value("measured-of-w") == pytest.approx(((w + 0.01) * x + b - y) ** 2 - (w * x + b - y) ** 2)
    return "nudged"


@WAYS.at("/backprop?step=2")
def the_walk_is_taken_to_its_end(hand, *_):
    hand.press("stepper-last")
    assert hand.room.value("gradient-w") == 8
    return "told"


@WAYS.at("/descent")
def the_start_is_moved(hand, *_):
    hand.pull("start", (90, 60))
    place = [float(part) for part in hand.at("start").get_attribute("data-value").split(",")]
    assert place != [-1, 2]
    assert hand.room.value("loss") == pytest.approx(answer(DescentRequest(start=place)).paths[1].regime.loss)
    return "regime-1"


@WAYS.at("/descent?at=100")
def the_time_is_moved_and_a_rule_added(hand, *_):
    hand.slide("stepper-slider", 0.3)
    place, last = map(int, hand.at("stepper-text").text_content().replace(",", "").split(" / "))
    assert place not in (100, last)
    hand.press("add-momentum")
    assert 'optimizers=["momentum"]' in unquote(hand.room.page.url)
    want = answer(DescentRequest(optimizers=["momentum"])).paths[1].regime.loss
    assert hand.room.value("loss") == pytest.approx(want)  # the path is shown to its end again
    return "strip-text"


@WAYS.at("/convolution?padding=[0,0]")
def an_output_tells_its_products(hand, *_):
    state = hand.room.values("output-0")
    hand.put("output-0", 0.9, 0.9)
    row, column = map(int, re.search(r"output\[0,(\d),(\d)\]", hand.at("ledger").text_content()).groups())
    assert hand.room.value("total") == state[row, column]
    return "ledger"


@WAYS.at("/convolution?film=true")
def the_film_of_a_convolution_is_scrubbed(hand, *_):
    hand.slide("film-slider", 0.5)
    window = int(hand.at("film").get_attribute("data-window"))
    assert 0 < window < 24
    hand.press("film-mode")
    assert "film=" not in hand.room.page.url
    return "film-mode"


@WAYS.at("/pooling?film=true")
def the_film_of_a_pooling_is_scrubbed(hand, *_):
    hand.slide("film-slider", 0.5)
    assert 0 < int(hand.at("film").get_attribute("data-window")) < 8
    hand.press("film-mode")
    return "film-mode"


@WAYS.at("/pooling")
def the_gradient_of_a_pooling_is_shown(hand, *_):
    hand.press("backward")
    x = tensor(IMAGE, dtype=torch.float32, requires_grad=True)
    nn.MaxPool2d(2)(x).sum().backward()
    assert torch.equal(hand.room.values("input-0").float(), x.grad[0])
    return "show-script"


@WAYS.at("/shapes")
def a_layer_is_added(hand, *_):
    hand.press("add-batchnorm")
    net = build(parse(hand.at("net").input_value()), (1, 28, 28), 10)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    assert same_parameters(hand)
    return "next-room"


def same_parameters(hand):
    net = build(parse(hand.at("net").input_value()), (1, 28, 28), 10)
    return hand.room.value("parameters") == sum(p.numel() for p in net.parameters())


@WAYS.at("/shapes")
def a_layer_is_moved_and_another_put_below_it(hand, *_):
    assert "conv 10 5 | pool 2 | relu" in hand.at("net").input_value()
    if isinstance(hand, Keys):
        hand.focus("block-1")
        hand.room.press("Alt+ArrowDown")
    else:
        (_, y), to = hand.place("grip-1"), hand.at("grip-2").bounding_box()
        hand.pull("grip-1", (0, to["y"] + to["height"] / 2 - y))
    hand.room.settle()
    assert hand.at("net").input_value().startswith("conv 10 5 | relu | pool 2 | conv")
    assert same_parameters(hand)
    if isinstance(hand, Keys):
        hand.room.press("Alt+Insert")
    else:
        hand.press("below-2")
    hand.room.settle()
    assert hand.at("net").input_value().startswith("conv 10 5 | relu | pool 2 | relu | conv")
    assert same_parameters(hand)
    return "next-room"


@WAYS.at("/inside?run={run}&test=3&play=paint")
def the_image_is_painted_on(hand, run, _):
    hand.draw("canvas", (0.5, 0.2), (0.5, 0.8))
    now = bytes_of(hand.room).reshape(1, 28, 28)
    assert (now[0, 7:22, 14] == 0).all()
    assert chances(hand.room, 10) == pytest.approx(answers(hand.room, run, now), abs=1e-5)
    hand.press("paint-restore")
    assert "pixels=" not in hand.room.page.url
    assert chances(hand.room, 10) == pytest.approx(
        answers(hand.room, run, pixels_of(hand.room.lab, run, test=3)), abs=1e-5
    )
    return "painted"


@WAYS.at("/inside?run={run}&test=3&play=attack")
def the_image_is_attacked(hand, run, _):
    hand.slide("epsilon", 0.4)
    epsilon = int(hand.at("epsilon").input_value())
    _, arrays = unpack(hand.room.lab.post("/api/inside/attack", {"run": run, "test": 3}).content)
    sure = arrays["confidences"][epsilon]
    assert epsilon > 0
    assert hand.at("attack-best").text_content() == str(int(sure.argmax()))
    assert hand.room.value("attack-best") == pytest.approx(float(sure.max()), abs=1e-5)
    hand.press("attack-take")
    moved = np.clip(arrays["image"] + epsilon * arrays["signs"], 0, 255)
    assert np.array_equal(bytes_of(hand.room).reshape(1, 28, 28), moved)
    assert chances(hand.room, 10) == pytest.approx(answers(hand.room, run, moved.astype(np.uint8)), abs=1e-5)
    return "attack-verdict"


@WAYS.at('/inside?run={run}&test=3&play=channel&likes=["conv1",3]')
def what_a_channel_likes_is_opened(hand, run, _):
    likes = {"run": run, "layer": "conv1", "channel": 3}
    head, arrays = unpack(hand.room.lab.post("/api/inside/channel", likes).content)
    assert hand.room.value("made-told") == pytest.approx(float(arrays["means"][-1]))
    told = hand.at("made-told").text_content()
    hand.press("best-2")
    assert f"test={head['best'][2]['image']}" in hand.room.page.url
    assert hand.room.value("reported") == pytest.approx(head["best"][2]["value"], abs=1e-4)
    assert hand.at("made-told").text_content() == told
    return "made-told"


@WAYS.at("/inside?run={run}&test=3&play=map")
def an_image_is_picked_on_the_map(hand, *_):
    hand.at("scatter").wait_for()
    if isinstance(hand, Keys):
        hand.put("scatter")  # the first key finds the image of the room itself
    hand.put("scatter", 0.5, 0.5)
    assert re.search(r"test=(\d+)", hand.room.page.url).group(1) != "3"
    return "mine"


@WAYS.at("/inside?run={run}&test=3&play=two")
def another_run_is_set_beside(hand, run, other):
    hand.choose("other", other)
    beside = hand.at("other").input_value()
    body = {"run": run, "other": beside, "test": 3}
    sides = [side["scores"] for side in hand.room.lab.ask("/api/inside/beside", body)["runs"]]
    for which, scores in enumerate(sides):
        shown = [hand.room.value(f"logit-{which}-{c}") for c in range(10)]
        assert shown == pytest.approx(scores, abs=1e-9)
    return "two-told"


@WAYS.at("/inside?run={run}&test=3&play=backward")
def a_weight_tells_its_gradient(hand, run, _):
    hand.put("tap-0", 0.5, 0.1)
    index = tuple(
        int(n) for n in re.search(r'weight=\["conv1",(.+?)\]', unquote(hand.room.page.url)).group(1).split(",")
    )
    want = gradient(hand.room, run, 3, "conv1.weight", index)
    assert hand.room.value("use-sum") == pytest.approx(want, abs=1e-6)
    return "use-sum"


@WAYS.at("/inside?run={run}&test=3")
def what_counts_in_the_image_is_laid_over_it(hand, *_):
    hand.choose("over", "gradient_input")
    assert hand.at("overlay").is_visible()
    return "play-paint"


@pytest.mark.parametrize("name", WAYS.table)
def test_by_mouse_finger_and_keys_in_both_languages(room, digits_run, branched_run, name):
    WAYS.go(name, room, digits_run, branched_run)
