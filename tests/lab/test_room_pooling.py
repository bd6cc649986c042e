"""Room 5: pooling."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UsageError
from convscope.lab.rooms.pooling import PoolingRequest, answer, ledger

IMAGE = [
    [
        [1, 3, 2, 1, 0, 2],
        [4, 2, 1, 5, 3, 1],
        [0, 1, 6, 2, 2, 2],
        [7, 2, 3, 1, 2, 2],
        [1, 0, 2, 4, 8, 1],
        [3, 5, 1, 2, 0, 6],
    ]
]
QUESTION = {"input": IMAGE, "at": [0, 1, 1]}
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDING = st.tuples(st.integers(0, 2), st.integers(0, 2))


def layer(question, **patch):
    s = {**question.model_dump(), **patch}
    if question.kind == "avg":
        return nn.AvgPool2d(s["kernel_size"], s["stride"], s["padding"], s["ceil_mode"], s["count_include_pad"])
    return nn.MaxPool2d(s["kernel_size"], s["stride"], s["padding"], s["dilation"], ceil_mode=s["ceil_mode"])


@given(st.sampled_from(["max", "avg"]), PAIR, PAIR, PADDING, PAIR, st.booleans(), st.booleans(), st.integers(0, 99))
def test_any_settings_are_computed_or_answered_in_pytorchs_words(kind, k, s, p, d, ceil, include, seed):
    random = np.random.default_rng(seed)
    image = random.integers(-3, 4, (random.integers(1, 3), *random.integers(1, 7, 2))).astype(float).tolist()
    question = PoolingRequest(
        input=image,
        kind=kind,
        kernel_size=k,
        stride=s,
        padding=p,
        dilation=d,
        ceil_mode=ceil,
        count_include_pad=include,
    )
    x = torch.tensor(image, requires_grad=True)
    try:
        shown = answer(question)
    except UsageError:
        assert layer(question)(x[None]).isinf().any()  # a window of nothing but padding
        return
    if shown.refused is not None:
        with pytest.raises(RuntimeError) as caught:
            layer(question)(x[None])
        assert shown.refused.message == str(caught.value)
        for fix in shown.fixes:
            layer(question, **fix.patch)(x[None])
        return
    exec(shown.script, {"print": lambda *a: None})
    layer(question)(x).sum().backward()
    assert np.array_equal(shown.gradient, x.grad.numpy())
    question.at = tuple(n - 1 for n in shown.output.shape)
    assert ledger(question).reported == shown.output[question.at]
    question.backward, question.at = True, (0, 0, 0)
    assert ledger(question).total == pytest.approx(float(x.grad[0, 0, 0]), abs=1e-6)


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        ("", {"input": [[[1], [1, 2]]]}, "input is ragged"),
        ("", {"upstream": [[[1]]]}, "upstream has shape (1, 1, 1), expected that of the output: (1, 3, 3)"),
        ("/ledger", {"at": [0, 3, 0]}, "there is no output[0,3,0]"),
        ("/ledger", {"at": [0, 6, 0], "backward": True}, "there is no ∂loss/∂input[0,6,0]"),
        ("/ledger", {"padding": [2, 2]}, "PyTorch: pad should be at most half"),
    ],
)
def test_bad_input_is_400(lab, path, change, words):
    refused = lab.post(f"/api/pooling{path}", {**QUESTION, **change})
    assert refused.status_code == 400
    assert words in refused.json()["error"]


@pytest.mark.browser
@pytest.mark.view(390, "zh", "light")
def test_by_mouse(room):
    room.open("/pooling")
    want = nn.MaxPool2d(2)(torch.tensor(IMAGE, dtype=torch.float32))[0]
    assert torch.equal(room.values("output-0").float(), want)
    assert room.page.locator("[data-testid=input-0] .winner").count() == 9
    room.at("output-0").locator("[data-r='2'][data-c='2']").click()
    room.settle()
    assert room.value("total") == want[2, 2]
    room.sheet()
    room.at("kind").select_option("avg")
    room.sheet()
    room.settle()
    want = nn.AvgPool2d(2)(torch.tensor(IMAGE, dtype=torch.float32))[0]
    assert torch.equal(room.values("output-0").float(), want)
    room.script()
    room.at("example-refused").click()
    room.settle()
    assert "pad should be at most half" in room.at("pytorch-words").text_content()
    room.at("fix-0").click()
    room.settle()
    assert room.at("refusal").count() == 0


@pytest.mark.browser
@pytest.mark.view(1280, "en", "dark")
def test_the_gradient_by_keyboard(room):
    room.open("/pooling")
    room.tab_to("stride-0")
    room.press("Control+A", "1", "Tab", "Control+A", "1")
    room.settle()
    room.tab_to("backward")
    room.press("Space")
    room.settle()
    while room.page.evaluate("document.activeElement.closest('[data-testid=output-0]') === null"):
        room.press("Tab")
    room.press("Control+Home", "5", "Enter")
    room.settle()
    x = torch.tensor(IMAGE, dtype=torch.float32, requires_grad=True)
    upstream = torch.ones(1, 5, 5)
    upstream[0, 0, 0] = 5
    nn.MaxPool2d(2, 1)(x).backward(upstream)
    assert torch.equal(room.values("input-0").float(), x.grad[0])
    while room.page.evaluate("document.activeElement.closest('[data-testid=input-0]') === null"):
        room.press("Shift+Tab")
    room.press("Control+Home", "ArrowDown")
    room.settle()
    assert room.value("total") == x.grad[0, 1, 0]
    state = room.page.url.split("#")[1]
    room.open(state)
    assert torch.equal(room.values("input-0").float(), x.grad[0])


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("example", ["plain", "overlap", "ties", "ceil", "padding", "photo"])
def test_examples(room, example, kind):
    room.open(f"/pooling?kind={kind}")
    room.at(f"example-{example}").click()
    room.settle()
    room.script()
    assert room.value("total") == pytest.approx(room.value("reported"), abs=1e-6)
    assert room.fits()
