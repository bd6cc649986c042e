"""Whatever the server explains in a sentence stands in the phrase catalogue, so that it can be said in Chinese."""

import json
import re

import pytest

from .conftest import STATIC

ENGLISH = json.loads((STATIC / "text" / "en" / "phrases.json").read_text())
FORMS = [re.compile(".+?".join(map(re.escape, re.split(r"\{\w+\}", form)))) for form in ENGLISH.values()]


def known(sentence):
    return any(form.fullmatch(sentence) for form in FORMS)


def test_the_forms_are_told_apart():
    """No sentence is a case of two forms of which the later one says more."""
    examples = [re.sub(r"\{\w+\}", "1", form) for form in ENGLISH.values()]
    for i, example in enumerate(examples):
        first = next(k for k, form in enumerate(FORMS) if form.fullmatch(example))
        assert first == i, (example, list(ENGLISH)[first])


def shapes(lab, net="note", image=(1, 28, 28), classes=10, feed=""):
    """Every sentence of room 6 for a net."""
    answer = lab.ask("/api/shapes", {"net": net, "image": image, "classes": classes, "feed": feed})
    said = []
    if failure := answer["failure"]:
        said += [failure["problem"], failure["help"]]
    said += [line["note"] for line in answer["lines"] if line["note"]]
    said += [line["formula"] for line in answer["lines"] if re.search("[a-z]{3}", line["formula"])]
    if answer["fed"] and (diagnosis := answer["fed"]["diagnosis"]):
        said += [diagnosis["problem"], diagnosis["fix"]]
    return [sentence for sentence in said if sentence]


@pytest.mark.parametrize("question", [
    {"feed": "64, 28, 28, 1"}, {"feed": "64, 1, 32, 32"}, {"feed": "28, 28, 28"}, {"feed": "28, 28"},
    {"feed": "1, 1, 3, 3"},
    {"net": "conv 10 3 | linear", "image": (5, 100, 100), "feed": "1, 6, 100, 100"}, {"image": (1, 8, 8)},
    {"image": (3, 28, 28), "feed": "1, 1, 28, 28"}, {"image": (3, 28, 28), "feed": "1, 4, 28, 28"},
    {"feed": "1, 3, 28, 28"}, {"net": "pool 2 | linear", "feed": "1, 1, 1, 1"},
    {"net": "pool 2 | linear", "feed": "9, 9"},
    {"net": "batchnorm | linear", "feed": "2, 3, 28, 28"}, {"net": "conv 4 3 groups=3 | linear"},
    {"net": "conv 4 3 dilation=9 | linear", "image": (1, 9, 9)}, {"net": "conv 4 3 | relu", "image": (1, 9, 9)},
    {"net": "conv 4 3 | relu | globalavg"}, {"net": "linear 5"},
    {"net": "conv 900000 3 | linear", "image": (3, 9999, 9999)},
    {"net": "[ conv 3 3 ]+ | linear"}, {"net": "[ relu / pool 2 ]& | linear"}, {"net": "[ relu / flatten ]+ | linear"},
    {"net": "conv 3 3 padding=9 padding_mode=reflect | linear", "image": (1, 9, 9)},
    {"net": "conv 3 3 padding=10 padding_mode=circular | linear", "image": (1, 9, 9)},
    {"net": "[ conv 4 3 stride=2 padding=1 ]+ | linear"},
    {"net": "pool 3 stride=3 padding=1 ceil_mode=yes | linear", "image": (1, 9, 9)},
    {"net": "[ relu ]& | adaptiveavgpool 2x3 | linear"},
    {"net": "pool 2x3 | linear", "image": (1, 28, 2)}, {"net": "linear", "feed": "3, 2, 28"},
], ids=str)  # fmt: skip
def test_room_6_says_nothing_unknown(lab, question):
    said = shapes(lab, **question)
    assert said
    assert [sentence for sentence in said if not known(sentence)] == []


CONVOLUTION = {
    "input": [[[0.0] * 5] * 5],
    "weight": [[[[1.0] * 3] * 3]],
    "bias": None,
    "in_channels": 1,
    "stride": [1, 1],
    "padding": [0, 0],
    "padding_mode": "zeros",
    "dilation": [1, 1],
    "groups": 1,
    "at": [0, 0, 0],
}


@pytest.mark.parametrize(
    "patch",
    [
        {"in_channels": 2, "weight": [[[[1.0]], [[1.0]]]]},
        {"groups": 2},
        {"padding": "same", "stride": [2, 2]},
        {"padding": [5, 5], "padding_mode": "reflect"},
        {"padding": [6, 6], "padding_mode": "circular"},
        {"dilation": [4, 4]},
        {"weight": [[[[1.0] * 7] * 7]]},
    ],
    ids=str,
)
def test_room_4_says_nothing_unknown(lab, patch):
    refused = lab.ask("/api/convolution", CONVOLUTION | patch)["refused"]
    assert [sentence for sentence in (refused["problem"], refused["fix"]) if sentence and not known(sentence)] == []


@pytest.mark.parametrize(
    "patch",
    [
        {"padding": [2, 2]},
        {"kernel_size": [9, 9]},
        {"kernel_size": [3, 3], "dilation": [9, 9]},
    ],
    ids=str,
)
def test_room_5_says_nothing_unknown(lab, patch):
    question = {
        "kind": "max",
        "input": [[[0.0] * 4] * 4],
        "kernel_size": [2, 2],
        "stride": [2, 2],
        "padding": [0, 0],
        "dilation": [1, 1],
        "ceil_mode": False,
        "count_include_pad": True,
        "at": [0, 0, 0],
    }
    refused = lab.ask("/api/pooling", question | patch)["refused"]
    assert [sentence for sentence in (refused["problem"], refused["fix"]) if sentence and not known(sentence)] == []


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("(w*x + b - y)**2", "w=3 x=2 b=1 y=5"),
        ("relu(x)", "x=0"),
        ("abs(x)", "x=0"),
        ("max(X)", "X=[1,1]"),
        ("sum(X + y)", "X=[[1,2],[3,4]] y=[1,2]"),
        ("sum(X * y)", "X=[[1,2],[3,4]] y=2"),
        ("1/x", "x=1e-9"),
        ("x*1e9 - x*1e9 + x", "x=3"),
        ("sqrt(x)", "x=1e-9"),
        ("tanh(x*1e4)", "x=1e-4"),
    ],
)
def test_room_2_says_nothing_unknown(lab, expression, values):
    body = {"expression": expression, "values": values, "net": "", "input": "", "target": ""}
    answer = lab.ask("/api/backprop", body)
    said = [answer["check"], *(box["remark"] for box in answer["boxes"])]
    said += [step["text"] for step in answer["steps"] if step["phase"] == "backward"]
    said += [given["note"] for step in answer["steps"] for given in step["given"]]
    assert [sentence for sentence in said if sentence and not known(sentence)] == []


@pytest.mark.parametrize(
    "patch", [{"column": True}, {"prediction": [0.3, 0.7], "target": [1, 0], "column": True}], ids=str
)
def test_room_1_says_nothing_unknown(lab, patch):
    question = {
        "prediction": [1, 2, 3],
        "target": [1, 2, 5],
        "at": 0,
        "column": False,
        "logits": [2, -1, 0.5],
        "klass": 0,
    }
    answer = lab.ask("/api/losses", question | patch)
    said = [*answer["regression"]["mse"]["warnings"], *answer["twice"]["loss"]["warnings"]]
    assert len(said) == 2
    assert [sentence for sentence in said if not known(sentence)] == []


@pytest.mark.browser
def test_chinese_explanations_in_the_page(room):
    room.open("/shapes?feed=64%2C+1%2C+32%2C+32")
    room.at("lang").click()
    room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
    room.ready()
    sentences = room.at("refusal").locator("p:not(.where)")
    assert sentences.count() == 2
    for words in sentences.all_text_contents():
        assert re.search("[\u4e00-\u9fff]", words), words
    room.open("/backprop?step=7")
    assert "它的梯度完整了" in room.at("told").text_content()
    assert room.at("check").text_content().startswith("核对：")
    room.open("/backprop?expression=q(2)")  # an error of the reader: what it says comes from the same catalogue
    problem = room.page.locator(".problem pre").first
    problem.filter(has_text="没有函数").wait_for()
    assert problem.get_attribute("lang") is None
    room.trouble.clear()  # the 400 itself
