"""Room 4: convolution."""

import copy
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UsageError
from convscope.lab.rooms.convolution import ConvolutionRequest, answer, ledger

from .hands import Mouse

NOTE = [[[3, 4, 6, 5, 7], [2, 4, 6, 8, 2], [1, 6, 7, 8, 4], [9, 7, 4, 6, 2], [3, 7, 5, 4, 1]]]
KERNEL = [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]
NOTE_QUESTION = {"input": NOTE, "in_channels": 1, "weight": KERNEL, "padding": [1, 1], "at": [0, 1, 1]}
OUTPUT = [
    [91, 168, 224, 215, 127],
    [114, 211, 295, 262, 149],
    [192, 259, 282, 214, 122],
    [194, 251, 253, 169, 86],
    [96, 112, 110, 68, 31],
]


@st.composite
def questions(draw):
    pair = lambda low, high: draw(st.tuples(st.integers(low, high), st.integers(low, high)))  # noqa: E731
    c, each, out = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    kernel = pair(1, 4)
    random = np.random.default_rng(draw(st.integers(0, 99)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    each = max(1, c // groups) if draw(st.booleans()) else each
    same = draw(st.integers(0, 5)) == 0
    return ConvolutionRequest(
        input=random.normal(size=(c, *pair(1, 8))).round(3).tolist(),
        in_channels=draw(st.sampled_from([c, c, c, 2])),
        weight=random.normal(size=(out, each, *kernel)).round(3).tolist(),
        bias=draw(st.sampled_from([None, [0.5] * out])),
        stride=pair(1, 3),
        padding="same" if same else pair(0, 3),
        padding_mode=draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
        dilation=pair(1, 2),
        groups=groups,
    )


@given(questions())
def test_any_settings_are_computed_or_answered_in_pytorchs_words(question):
    weight, x = torch.tensor(question.weight), torch.tensor(question.input)
    settings = question.model_dump(include={"stride", "padding", "padding_mode", "dilation", "groups"})
    sizes = {"out_channels": len(weight), "kernel_size": tuple(weight.shape[2:])}
    try:
        shown = answer(question)
    except UsageError as error:
        assert "a kernel" in str(error)  # noqa: PT017 - the weight does not belong to these settings
        return
    if shown.refused is None:
        exec(shown.script, {"print": lambda *a: None})
        o, r, q = (n - 1 for n in shown.output.shape)
        question.at = (o, r, q)
        assert ledger(question).reported == shown.output[o, r, q]
        return
    with pytest.raises((RuntimeError, ValueError)) as caught:
        nn.Conv2d(question.in_channels, **sizes, **settings)(x[None])
    assert shown.refused.message == str(caught.value)
    for fix in shown.fixes:
        nn.Conv2d(**{"in_channels": question.in_channels, **sizes, **settings, **fix.patch})(x[None])


def test_the_note(lab):
    shown = lab.ask("/api/convolution", NOTE_QUESTION)
    assert shown["output"] == [OUTPUT]
    assert lab.ask("/api/convolution", {**NOTE_QUESTION, "padding": [0, 0], "stride": [2, 2]})["output"] == [
        [[211, 262], [251, 169]]
    ]
    found = lab.ask("/api/convolution/ledger", NOTE_QUESTION)
    assert found["total"] == found["reported"] == 211
    assert len(found["terms"]) == 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": [[[1, 2], [3]]]}, "input is ragged"),
        ({"input": [[]]}, "input has shape"),
        ({"input": None}, "give either input or picture"),
        ({"weight": [[[[1, 2]]], [[[1]]]]}, "weight is ragged"),
        ({"weight": [[[[1]], [[1]]]]}, "1 channel in 1 group make 1 a kernel"),
        ({"bias": [1, 2]}, "bias has shape (2,), expected (1,)"),
        ({"padding": [1000, 1000], "input": [[[1.0] * 1000]]}, "the padded input would have"),
    ],
)
def test_bad_input_is_400(lab, change, words):
    refused = lab.post("/api/convolution", {**NOTE_QUESTION, **change})
    assert refused.status_code == 400
    assert words in refused.json()["error"]


@pytest.mark.parametrize("change", [{"at": [0, 5, 0]}, {"at": [1, 0, 0]}, {"at": [0, 0, 999]}])
def test_no_such_element(lab, change):
    refused = lab.post("/api/convolution/ledger", {**NOTE_QUESTION, **change})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("there is no output[")


@pytest.mark.parametrize(
    "change",
    [
        {"stride": [0, 1]},
        {"groups": 0},
        {"padding": [-1, 0]},
        {"padding_mode": "mirror"},
        {"picture": "../x"},
        {"in_channels": 10**9},
    ],
)
def test_bad_fields_are_422(lab, change):
    assert lab.post("/api/convolution", {**NOTE_QUESTION, **change}).status_code == 422


def expect(room, **settings):
    x, weight = (torch.tensor(values, dtype=torch.float32) for values in (NOTE, KERNEL))
    return nn.functional.conv2d(x, weight, **settings)


@pytest.mark.browser
@pytest.mark.view(390, "zh", "dark")
def test_by_mouse(room):
    room.open("/convolution")
    assert room.values("output-0").tolist() == OUTPUT
    room.at("output-0").locator("[data-r='3'][data-c='4']").click()
    room.settle()
    assert room.value("total") == room.value("reported") == 86
    room.at("term-0").hover()
    assert room.page.locator(".linked").count() == 2
    cell = room.at("input-0").locator("[data-r='1'][data-c='1']")
    cell.dblclick()
    room.page.keyboard.type("-2.5")
    room.press("Enter")
    room.settle()
    changed = copy.deepcopy(NOTE)
    changed[0][0][0] = -2.5
    want = nn.functional.conv2d(torch.tensor(changed), torch.tensor(KERNEL, dtype=torch.float32), padding=1)
    assert torch.equal(room.values("output-0").float(), want[0])
    room.script()
    address = room.page.url
    room.open(address.split("#")[1])
    assert torch.equal(room.values("output-0").float(), want[0])
    assert room.value("total") == want[0, 3, 4]


@pytest.mark.browser
@pytest.mark.view(1280, "en", "light")
def test_by_keyboard(room):
    room.open("/convolution")
    room.tab_to("stride-0")
    room.press("Control+A", "2")
    room.tab_to("padding-0")
    room.press("Control+A", "0")
    room.settle()
    want = expect(room, stride=(2, 1), padding=(0, 1))[0]
    assert torch.equal(room.values("output-0").float(), want)
    while room.page.evaluate("document.activeElement.closest('[data-testid=output-0]') === null"):
        room.press("Tab")
    room.press("Control+Home", "ArrowDown", "ArrowRight", "ArrowRight")
    room.settle()
    assert room.value("total") == want[1, 2]
    assert room.page.evaluate("document.activeElement.dataset.r + document.activeElement.dataset.c") == "12"
    while room.page.evaluate("document.activeElement.closest('[data-testid=weight-0]') === null"):
        room.press("Shift+Tab")
    room.press("Control+Home", "9", "Enter")
    room.settle()
    assert room.values("weight-0")[0, 0] == 9
    room.tab_to("windows-next")
    room.press("Enter")
    room.settle()
    assert "output[0,1,3]" in room.at("windows-text").text_content()


@pytest.mark.browser
def test_refused_and_fixed(room):
    room.open("/convolution")
    room.at("example-channels").click()
    room.settle()
    with pytest.raises(RuntimeError) as caught:
        nn.Conv2d(5, 1, 3, padding=1)(torch.zeros(1, 6, 4, 4))
    assert room.at("pytorch-words").text_content() == "PyTorch" + str(caught.value)
    room.at("fix-0").click()
    room.settle()
    assert room.at("refusal").count() == 0
    room.script()


@pytest.mark.browser
@pytest.mark.parametrize("example", ["note", "stride", "volume", "groups", "dilation", "photo", "drawing"])
def test_examples(room, example):
    room.open("/convolution")
    room.at(f"example-{example}").click()
    room.settle()
    room.script()
    assert room.value("total") == pytest.approx(room.value("reported"), abs=1e-5)
    assert room.fits()


def test_a_drawing_is_an_input():
    strokes = [[(28, 28), (84, 28), (48, 92)]]
    question = ConvolutionRequest(
        picture="drawing", strokes=strokes, in_channels=1, weight=[[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]
    )
    shown = answer(question)
    assert shown.input.shape == (1, 28, 28)
    assert 0 <= shown.input.min() < shown.input.max() <= 1
    assert shown.input[0, 7, 10] == 1  # on the bar of the seven
    assert shown.input[0, 20, 25] == 0
    exec(shown.script, {"print": lambda *a: None})
    wide = answer(question.model_copy(update={"pen": 20})).input
    assert wide.sum() > shown.input.sum()
    assert not answer(ConvolutionRequest(picture="drawing", in_channels=1, weight=KERNEL)).input.any()


@pytest.mark.browser
def test_drawing_an_input_by_mouse_and_by_keys(room):
    room.open("/convolution?picture=drawing&ink=&weight=[[[[0,0,0],[0,1,0],[0,0,0]]]]&at=[0,14,14]")
    assert room.value("total") == 0
    Mouse(room).draw("pad", (0.5, 0.2), (0.5, 0.8))
    assert room.value("total") == room.value("reported") == 1  # the kernel "identity" reads the ink itself
    address = room.page.url
    room.at("clear").click()
    room.settle()
    assert room.value("total") == 0
    room.open(address.split("#")[1])
    assert room.value("total") == 1
    room.tab_to("pad")
    room.press("Backspace")
    room.settle()
    assert room.value("total") == 0
    for key in (" ", *["ArrowDown"] * 3, " "):  # as slowly as people: every draft is answered meanwhile
        room.press(key)
        room.settle()
        assert room.page.evaluate("document.activeElement.dataset.testid") == "pad"
    assert room.value("total") == 1
    assert [len(stroke) for stroke in drawn(room)] == [4]
    room.script()
    area = room.at("pad").bounding_box()  # and with a mouse that waits on its way
    room.at("clear").click()
    room.page.mouse.move(area["x"] + 60, area["y"] + 40)
    room.page.mouse.down()
    for y in (90, 140, 190):
        room.page.mouse.move(area["x"] + 60, area["y"] + y)
        room.settle()
    room.page.mouse.up()
    room.settle()
    assert [len(stroke) for stroke in drawn(room)] == [4]


def drawn(room):
    """The strokes in the address, as lists of points; a point is four characters, a dot parts strokes (ink.js)."""
    [ink] = parse_qs(urlsplit(room.page.url).fragment.partition("?")[2])["ink"]
    return [[part[i : i + 4] for i in range(0, len(part), 4)] for part in ink.split(".")]


@pytest.mark.browser
def test_a_number_goes_up_and_down_with_the_wheel_and_a_classic_kernel_has_its_name(room):
    room.open("/convolution")
    cell = room.at("input-0").locator("[data-r='1'][data-c='1']")  # of the padded input
    before = [room.value("total"), float(cell.get_attribute("data-value"))]
    cell.click()
    room.page.mouse.wheel(0, -100)
    room.settle()
    assert float(cell.get_attribute("data-value")) == before[1] + 1
    assert room.value("total") == before[0] + 1 * KERNEL[0][0][0][0]
    room.page.mouse.wheel(0, 100)
    room.settle()
    assert room.value("total") == before[0]
    assert room.page.evaluate("scrollY") == 0
    assert room.at("classic").input_value() == "1…9"
    room.at("classic").select_option("Sobel x")
    room.settle()
    assert room.at("classic").input_value() == "Sobel x"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_cells_are_squares_whatever_they_hold_and_the_sign_stays_with_its_output(room, width):
    """The handwritten 5 has a 0.0625, which once made its column wider, and "=" stood alone at the edge."""
    room.page.set_viewport_size({"width": width, "height": 800})
    room.open("/convolution")
    room.at("example-dilation").click()
    room.settle()
    for name in ("input-0", "output-0"):
        sizes = (
            room.at(name)
            .locator("[role=gridcell]")
            .evaluate_all("all => all.map((e) => [e.offsetWidth, e.offsetHeight])")
        )
        assert len({*map(tuple, sizes)}) == 1, sizes
        assert abs(sizes[0][0] - sizes[0][1]) <= 1
        texts = room.at(name).locator("[role=gridcell]")
        assert texts.evaluate_all("all => all.filter((e) => e.scrollWidth > e.clientWidth).length") == 0
    if width > 1000:
        sign, output = room.page.locator(".between").last.bounding_box(), room.at("output-0").bounding_box()
        assert sign["x"] < output["x"]
        assert output["y"] < sign["y"] < output["y"] + output["height"]


@pytest.mark.browser
def test_a_photo_is_shown_in_colour_and_its_edge_is_explained(room):
    room.open("/convolution")
    assert room.at("edge").count() == 0
    room.at("example-photo").click()
    room.settle()
    assert room.at("whole").is_visible()
    assert "padding" in room.at("edge").text_content()
    room.at("padding-0").fill("0")
    room.at("padding-1").fill("0")
    room.settle()
    assert room.at("edge").count() == 0


@pytest.mark.browser
def test_the_sign_of_equality_stands_beside_the_kernels_of_groups(room):
    room.open("/convolution")
    room.at("example-groups").click()
    room.settle()
    right = "all => Math.max(...all.map(e => e.getBoundingClientRect().right))"
    assert room.page.locator(".between").last.evaluate("e => e.getBoundingClientRect().left") >= room.page.locator(
        ".kernels-of .map"
    ).evaluate_all(right)
