"""``convscope batches`` and ``convscope descent`` as a user meets them."""

import json
from functools import partial

import pytest

from ..helpers import run_cli


@pytest.fixture
def cli(capsys):
    return partial(run_cli, capsys)


def test_the_notes_question(cli):
    code, out, err = cli("batches", "--samples", "40000", "--batch-size", "32")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "40,000 samples in batches of 32 (mini-batch gradient descent)"
    assert "updates in an epoch   ⌈40,000 / 32⌉ = 1,250" in out
    assert "every batch is full" in out


def test_mnist_and_drop_last_side_by_side(cli):
    _, out, _ = cli("batches", "--epochs", "10")
    rows = [line.split("  ") for line in out.splitlines()]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["updates in an epoch", "⌈60,000 / 64⌉ = 938", "⌊60,000 / 64⌋ = 937"] in rows
    assert ["the last batch holds", "32", "64"] in rows
    assert ["updates in 10 epochs", "9,380", "9,370"] in rows


def test_a_small_epoch_is_shown_sample_by_sample(cli):
    _, out, _ = cli("batches", "--samples", "20", "-b", "6", "--epochs", "2", "--json")
    found = json.loads(out)
    assert [len(part) for part in found["strips"][0]] == [6, 6, 6, 2]
    assert sorted(sample for part in found["strips"][0] for sample in part) == list(range(20))
    assert found["strips"][0] != found["strips"][1]
    _, out, _ = cli("batches", "--samples", "20", "-b", "6")
    assert "  update 4     0  17" in out


def test_descent_as_table_plot_and_json(cli, tmp_path):
    file = tmp_path / "descent.png"
    code, out, err = cli("descent", "--samples", "40", "--epochs", "5", "--plot", str(file))
    assert (code, err) == (0, f"drawn: {file}\n")
    assert file.read_bytes().startswith(b"\x89PNG")
    lines = out.splitlines()
    assert lines[0] == "regression with two parameters: 2 parameters, 40 samples, 5 epochs, lr 0.1"
    assert [line.split()[:3] for line in lines if line.startswith(("stochastic ", "mini", "full"))] == [
        ["stochastic", "1", "200"],
        ["mini-batch", "10", "20"],
        ["full", "batch", "40"],
    ]
    assert max(map(len, lines)) <= 105
    code, out, _ = cli("descent", "--samples", "40", "--epochs", "2", "--json")
    assert [r["samples"] for r in json.loads(out)["output"]["regimes"]] == [80, 80, 80]


def test_descent_of_a_net(cli):
    code, out, err = cli(
        "descent", "--data", "digits", "--net", "linear", "--samples", "20", "-b", "5", "--epochs", "1"
    )
    assert code == 0
    assert out.splitlines()[0].startswith("custom, trained on 20 images of digits: 7,850 parameters")
    assert err.splitlines() == ["stochastic: 20 updates", "mini-batch: 4 updates", "full batch: 1 update"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["descent", "--plot", "x.jpg"], "expected a .png, .svg or .pdf file"),
        (["descent", "-b", "1"], "a mini-batch of 100 samples holds 2 to 99"),
        (["descent", "--samples", "0"], "expected 2 to 10,000"),
        (["descent", "--epochs", "0"], "expected 1 to 1,000,000"),
        (["descent", "--lr", "0"], "expected a positive number"),
        (["descent", "--surface", "hill"], "there is no surface 'hill'"),
        (["descent", "--optimizer", "rprop"], "there is no optimizer 'rprop'"),
        (["descent", "--start", "here"], "--start is 'here', expected w and b"),
        (["batches", "--samples", "0"], "expected a whole number"),
        (["batches", "--samples", "5", "--drop-last"], "no update is left"),
    ],
)
def test_bad_choices_end_with_exit_code_2(cli, arguments, message):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_other_surfaces_and_optimizers(cli):
    code, out, err = cli(
        "descent", "--surface", "valley", "--optimizer", "adam", "--optimizer", "momentum", "--lr", "0.04"
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "valley ½·w² + 10·b²: 2 parameters, 100 updates, lr 0.04"
    assert [line.split()[0] for line in lines[4:7]] == ["gradient", "momentum", "adam"]
    assert lines[-1].endswith("these lr lead away from it: sgd 0.1, momentum 0.19, nesterov 0.06786")
    code, out, _ = cli(
        "descent", "--samples", "20", "--epochs", "2", "--start=0,1", "--optimizer", "nesterov", "--json"
    )
    found = json.loads(out)["output"]["regimes"]
    assert [(r["optimizer"], r["points"][0]["parameters"]) for r in found] == [
        *[("sgd", [0.0, 1.0])] * 3,
        ("nesterov", [0.0, 1.0]),
    ]
