"""What ``import convscope`` offers, and what it costs."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import UsageError
from convscope.shown import Records, Table

VERBS = ["train", "resume", "load", "predict", "evaluate", "compare", "check", "explain", "prepare", "steps"]
VERBS += ["conv", "pool", "loss", "backprop", "descent", "batches", "shapes", "devices", "compile", "Classifier"]
VERBS += ["export", "report", "bundle", "lr", "augment", "sweep", "seeds", "folds"]
HEAVY = ("numpy", "torch", "llvmlite", "matplotlib", "sklearn", "PIL", "pandas", "fastapi", "typer")


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_public_and_documented(name):
    assert name in dir(convscope)
    assert name in convscope.__all__
    assert inspect.getdoc(getattr(convscope, name))


def test_the_lists_of_names_are_the_same():
    assert set(convscope._PUBLIC) == set(convscope.__all__)
    assert all(getattr(convscope, name) is not None for name in convscope.__all__)


@pytest.mark.parametrize("code", ["import convscope; dir(convscope)", "from convscope.shown import Table"])
def test_nothing_heavy_is_imported_before_its_use(code):
    script = f"{code}; import sys, json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = convscope.trian


NOTE = [[3, 4, 6, 5, 7], [2, 4, 6, 8, 2], [1, 6, 7, 8, 4], [9, 7, 4, 6, 2], [3, 7, 5, 4, 1]]
KERNEL = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_conv_is_the_notes_and_its_ledger_shows_itself():
    found = convscope.conv(NOTE, KERNEL, stride=2)
    assert found.output.tolist() == [[[211, 262], [251, 169]]]
    assert "height  " + found.rows.formula in repr(found)
    ledger = found.ledger(0, 0, 0)
    assert repr(ledger).startswith("output[0,0,0] = 211, the sum of 9 products")
    assert ledger._repr_html_().startswith("<pre ")


def test_conv_takes_tensors_text_and_a_batch_of_one():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    by_array = convscope.conv(image, [[1, 0], [0, 1]], bias=[0.5], padding="same")
    by_text = convscope.conv("0 1 2 3 / 4 5 6 7 / 8 9 10 11 / 12 13 14 15", "1 0 / 0 1", [0.5], padding="same")
    assert by_array.output.tolist() == by_text.output.tolist()
    expected = torch.nn.functional.conv2d(image, torch.eye(2)[None, None], torch.tensor([0.5]), padding="same")
    np.testing.assert_allclose(by_array.output, expected[0].numpy())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: convscope.conv("x", "1"), "input holds 'x'"),
        (lambda: convscope.conv([["a"]], [[1]]), "input is no array of numbers"),
        (lambda: convscope.conv([[float("nan")]], [[1]]), "not finite"),
        (lambda: convscope.conv(np.ones((2, 3, 4, 4)), [[1]]), "expected (H, W), (C, H, W) or (1, C, H, W)"),
        (lambda: convscope.conv(NOTE, [1]), "the weight has shape (1,)"),
        (lambda: convscope.conv(NOTE, KERNEL, stride=0), "stride is 0, expected a whole number from 1 on"),
        (lambda: convscope.conv(NOTE, KERNEL, padding_mode="mirror"), "no padding mode is called 'mirror'"),
        (lambda: convscope.pool(NOTE, kind="min"), "no pooling is called 'min'"),
        (lambda: convscope.pool(NOTE, kind="avg", dilation=2), "average pooling has no dilation"),
        (lambda: convscope.loss("msee", [1], [2]), "no loss is called 'msee'"),
        (lambda: convscope.backprop(), "give either an expression or a net"),
        (lambda: convscope.backprop(net="linear 1"), "a net needs input and target"),
        (lambda: convscope.batches(0), "--samples is 0"),
        (lambda: convscope.batches("a", 3), "samples is 'a'"),
        (lambda: convscope.shapes("cnov 1 2"), "cnov"),
        (lambda: convscope.compare("one"), "compare needs two runs or more"),
    ],
)
def test_bad_input_is_told_in_a_sentence(call, text):
    with pytest.raises(UsageError) as refused:
        call()
    assert text in str(refused.value)


def test_pool_loss_and_backprop_agree_with_torch():
    pooled = convscope.pool(NOTE, 2, kind="avg")
    expected = torch.nn.functional.avg_pool2d(torch.tensor(NOTE, dtype=torch.float32)[None, None], 2)[0]
    np.testing.assert_allclose(pooled.output, expected.numpy())
    assert convscope.loss("mse", [1, 2, 3], [1, 0, 0]).value == pytest.approx(13 / 3)
    assert convscope.loss("cross-entropy", [0.0, 0.0], 1).value == pytest.approx(np.log(2))
    walk = convscope.backprop("(w*x + b - y)**2", {"w": 3, "x": 2, "b": 1, "y": 5})
    assert {g.label: g.value for g in walk.gradients} == {"w": 8.0, "x": 12.0, "b": 4.0, "y": -4.0}
    net = convscope.backprop(net="linear 2 | relu | linear 1", input=[1, 2], target=[0.5], seed=3)
    assert len(net.gradients) >= 4
    assert convscope.backprop(net="linear 3", input=[1, 2], target=0, loss="cross-entropy").gradients


def test_every_result_shows_its_text_and_its_html():
    results = {
        "conv": convscope.conv(NOTE, KERNEL),
        "pool": convscope.pool(NOTE),
        "loss": convscope.loss("mae", [1, 2], [3, 5]),
        "entropy": convscope.loss("cross-entropy", [[1.0, 2.0], [0.0, 1.0]], [0, 1]),
        "walk": convscope.backprop("w*x", {"w": 3, "x": 2}),
        "descent": convscope.descent(samples=20, epochs=2),
        "batches": convscope.batches(40_000, 32),
        "shapes": convscope.shapes("note"),
        "devices": convscope.devices(),
    }
    for name, result in results.items():
        text, html = repr(result), result._repr_html_()
        assert "\n" in text, name
        assert not text.startswith(type(result).__name__ + "("), name
        assert html.startswith(("<pre ", "<table>")), name
    assert "= 1,250" in repr(results["batches"])
    assert "320" in repr(results["shapes"])


def test_html_holds_no_markup_of_names():
    table = Table(("<b>", "n"), [("<script>", 1)])
    assert "<script>" not in table.html()
    assert "&lt;script&gt;" in table.html()


def test_tables_become_data_frames():
    frame = convscope.shapes("note").to_pandas()
    assert list(frame.columns) == ["name", "text", "output", "formula", "parameters", "multiply_adds"]
    assert frame["parameters"].sum() == sum(row.parameters for row in convscope.shapes("note"))
    assert convscope.loss("mse", [1, 2], [3, 5]).to_pandas()["square"].tolist() == [4.0, 9.0]


def test_without_pandas_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="needs pandas, which is not installed") as refused:
        convscope.shapes("note").to_pandas()
    assert refused.value.help == "pip install pandas"


def test_long_tables_leave_out_their_middle_and_columns_without_values():
    many = convscope.loss("mse", list(range(100)), [0] * 100)
    assert "… 60 more" in repr(many)
    assert repr(Records([])) == "nothing yet"
