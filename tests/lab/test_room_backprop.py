"""Room 2: back-propagation."""

import itertools
import json
import re
import shutil
import subprocess

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.explain.backprop.expression import parse, run
from convscope.explain.backprop.values import grid
from convscope.explain.backprop.walk import snapshot
from convscope.lab.rooms.backprop import BackpropRequest, answer, assignments
from convscope.storage.strict_json import dumps

from .conftest import STATIC
from .hands import Touch

BASE = {
    "expression": "(w*x + b - y)**2",
    "values": "w=3 x=2 b=1 y=5",
    "net": "linear 2 | relu | linear 1",
    "input": "1, 2",
    "target": "0.5",
}
TREE = "w"
for _ in range(7):
    TREE = f"({TREE} + {TREE})"
CASES = [
    {},
    {"expression": "x*x + x", "values": "x=3", "passes": 2},
    {"expression": "max(relu(w*x), -b) / sqrt(2) + abs(b) ** 3", "values": "w=-1; x=2; b=1.5"},
    {"expression": "sum((W @ x - y)**2) + mean(exp(x)) * max(x)", "values": "W=[[1,2],[3,4]], x=[1, -1], y=[0,1]"},
    {"mode": "net"},
    {
        "mode": "net",
        "net": "conv 2 2 | [ gelu | conv 4 1 ]+ | [ pool 2 / avgpool 2 ]& | leakyrelu 0.1 | linear 2",
        "input": "[[1,2,3],[3,4,5],[1,0,1]]",
        "target": "0,1",
    },
    {
        "mode": "net",
        "net": "conv 2 2 | tanh | pool 2 | flatten | linear 3",
        "input": "[[1,2,3],[3,4,5],[1,0,1]]",
        "target": "1",
        "loss": "cross-entropy",
        "seed": 3,
        "passes": 2,
    },
]


@pytest.mark.parametrize("change", CASES)
def test_scripts_assert_what_is_shown(change):
    exec(answer(BackpropRequest(**{**BASE, **change})).script, {"print": lambda *a: None})


@given(
    st.sampled_from(["x*y + x", "(x - y)**2 * relu(x)", "sigmoid(x) + tanh(y*x)", "abs(x) - max(x, y)"]),
    st.integers(-5, 5),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_random_values(expression, x, y, passes):
    shown = answer(BackpropRequest(**{**BASE, "expression": expression, "values": f"x={x} y={y}", "passes": passes}))
    exec(shown.script, {"print": lambda *a: None})
    for edge in shown.edges:
        assert edge.source < edge.target


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("w=3 x=2", ["w=3", "x=2"]),
        (" w = 3,x=-2 ;y=1e3\n", ["w = 3", "x=-2", "y=1e3"]),
        ("A=[[1, 2], [3, 4]] b=[1, 2]", ["A=[[1, 2], [3, 4]]", "b=[1, 2]"]),
        ("", []),
        ("3 4", ["3 4"]),
    ],
)
def test_assignments(text, parts):
    assert assignments(text) == parts


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("change", CASES[:4])
def test_the_page_replays_what_python_says(change):
    question = BackpropRequest(**{**BASE, **change})
    walk = run(parse(question.expression, assignments(question.values)), question.passes)
    code = f"""import {{ replay }} from "{(STATIC / "js/rooms/backprop/replay.js").as_uri()}";
        const answer = {dumps(answer(question))};
        console.log(JSON.stringify(Array.from({{ length: answer.steps.length + 1 }}, (_, i) => {{
            const now = replay(answer, i);
            return {{ known: now.known, cached: [...now.cached], gradients: now.gradients.map((g) => g && g.lines) }};
        }})))"""
    found = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=60)
    for taken, now in enumerate(json.loads(found.stdout)):
        want = snapshot(walk, taken)
        assert now["known"] == [value is not None for value in want.values]
        assert now["cached"] == [i for i, kept in enumerate(want.cached) if kept]
        assert now["gradients"] == [None if g is None else grid(g) for g in want.gradients]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expression": "w*"}, "cannot be read"),
        ({"expression": "__import__('os')"}, "__import__"),
        ({"expression": "9**9**9*w", "values": "w=1"}, "overflow"),
        ({"expression": TREE, "values": "w=1"}, "the graph has 128 nodes"),
        ({"values": "w=x"}, "x"),
        ({"mode": "net", "net": "nothing"}, "nothing"),
        ({"mode": "net", "target": "1,2,3"}, "--target has 3 numbers"),
    ],
)
def test_bad_input_is_400(lab, change, words):
    refused = lab.post("/api/backprop", {**BASE, **change})
    assert refused.status_code == 400
    assert words in refused.json()["error"]


def gradients(room, *names):
    return [room.value(f"gradient-{name}") for name in names]


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "dark")
def test_by_mouse(room):
    room.open("/backprop")
    assert room.at("value-w").text_content() == "3"
    assert room.at("value-v1").text_content() == room.at("gradient-w").text_content() == "—"
    for _ in range(4):
        room.at("stepper-next").click()
        room.settle()
    assert room.value("value-v4") == 4
    assert room.at("gradient-v4").text_content() == "—"  # not computed is no zero
    room.at("stepper-last").click()
    room.settle()
    w, x, b, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (3.0, 2.0, 1.0, 5.0))
    ((w * x + b - y) ** 2).backward()
    assert gradients(room, *"wxby") == [w.grad, x.grad, b.grad, y.grad]
    room.script()
    room.at("example-4").click()
    room.settle()
    room.at("stepper-last").click()
    room.settle()
    assert gradients(room, "x") == [14]
    state = room.page.url.split("#")[1]
    room.open(state)
    assert gradients(room, "x") == [14]
    room.at("stepper-play").click()  # from the end, playing starts over and pauses by the same button
    room.page.locator("[data-testid=stepper-text]", has_text=re.compile("^1 ")).wait_for()
    room.at("stepper-play").click()
    room.settle()


@pytest.mark.browser
@pytest.mark.view(390, "en", "light")
def test_by_keyboard(room):
    room.open("/backprop")
    room.tab_to("sheet")
    room.press("Enter")
    room.tab_to("expression")
    room.press("Control+A")
    room.page.keyboard.type("sigmoid(w*x)")
    room.tab_to("values")
    room.press("Control+A")
    room.page.keyboard.type("w=-1 x=0.5")
    room.settle()
    while room.page.evaluate("document.activeElement.dataset.testid") != "stepper-slider":
        room.press("Tab")
    room.press("End")
    room.settle()
    w, x = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (-1.0, 0.5))
    torch.sigmoid(w * x).backward()
    assert gradients(room, "w", "x") == pytest.approx([w.grad.item(), x.grad.item()], rel=1e-12)
    room.trouble = [trouble for trouble in room.trouble if "400" not in trouble]  # while the two did not fit together
    assert "PyTorch's autograd gives the same 2 gradients" in room.at("check").text_content()
    room.tab_to("mode")
    room.press("ArrowDown")
    room.settle()
    assert room.at("node-linear1").count() == 1
    room.script()


@pytest.mark.browser
@pytest.mark.view(1280, "en", "light")
def test_leaves_have_sliders_and_gradients_are_put_to_the_test(room):
    room.open("/backprop")
    assert room.at("predicted-of-w").text_content() == "—"  # its gradient does not exist yet
    room.at("stepper-last").click()
    room.settle()
    assert room.value("predicted-of-w") == pytest.approx(0.01 * 8)
    assert room.value("measured-of-w") == pytest.approx((3.01 * 2 + 1 - 5) ** 2 - 4)
    assert "Change w by 0.01, and the result changes by about 0.01 × 8 = +0.08" in room.at("nudged").text_content()
    room.at("leaf-w-range").evaluate("e => { e.value = 2; e.dispatchEvent(new Event('input')); }")
    room.settle()
    assert room.at("values").input_value() == "w=2 x=2 b=1 y=5"
    assert room.value("value-v4") == room.value("gradient-w") == 0  # 2·2 + 1 is 5
    room.at("leaf-w-range").scroll_into_view_if_needed()
    area = room.at("leaf-w-range").bounding_box()
    room.page.mouse.click(area["x"] + area["width"] - 3, area["y"] + area["height"] / 2)
    room.settle()
    assert float(room.at("leaf-w").input_value()) > 4
    assert room.value("gradient-w") > 0
    room.at("nudge").select_option("0.001")
    room.settle()
    assert room.value("predicted-of-w") == pytest.approx(0.001 * room.value("gradient-w"))
    room.script()
    told = room.at("told").text_content()
    assert "hands it on" in told
    assert "upstream" in told
    assert "+=" not in told
    room.at("expression").fill("log(q)/w")
    room.at("expression").press("Enter")
    room.settle()
    assert room.at("leaf-q").input_value() == "1"  # a new name
    assert room.at("leaf-x").count() == 0  # what is not used is not there
    room.script()


@pytest.mark.browser
@pytest.mark.view(390, "zh", "dark")
def test_the_weights_of_a_net_are_moved_by_keys_and_by_finger(room):
    room.open("/backprop?mode=net&step=99")
    room.at("leaf-linear1.weight[0, 1]").focus()
    before = room.value("value-loss")
    room.press("ArrowUp", "ArrowUp")
    room.settle()
    assert room.value("value-loss") != before
    value = float(room.at("leaf-linear1.weight[0, 1]").input_value())
    shown = answer(BackpropRequest(**{**BASE, "mode": "net"}, changes=[("linear1.weight", [0, 1], value)]))
    assert room.value("value-loss") == shown.boxes[-1].value.number
    room.script()
    state = room.page.url.split("#")[1]
    room.open(state)
    assert float(room.at("leaf-linear1.weight[0, 1]").input_value()) == value
    with Touch(room) as finger:
        finger.slide("leaf-input[0]-range", 0.9)
    assert float(room.at("leaf-input[0]").input_value()) > 2
    assert "预测" in room.page.locator("table.leaves").text_content()


@pytest.mark.browser
@pytest.mark.parametrize("step", [4, 9])
def test_the_first_graph_fits_the_screen_and_its_words_their_boxes(room, step):
    room.open(f"/backprop?step={step}")
    drawing = room.page.locator(".graph-room").locator("xpath=..")
    assert drawing.evaluate("e => e.scrollWidth <= e.clientWidth")
    for node in drawing.locator(".node").all():
        words = node.locator("text").evaluate_all(
            "all => all.map((e) => e.getBBox()).map((b) => [b.y, b.x, b.x + b.width])"
        )
        for one, other in itertools.combinations(words, 2):
            (y, begin, end), (line, left, right) = one, other
            assert abs(y - line) > 8 or begin >= right + 3 or left >= end + 3, words
    for flow in drawing.locator(".flow").all():  # and what flows back its gap in the line
        over = "e => e.querySelector('text').getBBox().width + 2 - e.querySelector('rect').getBBox().width"
        assert flow.evaluate(over) <= 0
