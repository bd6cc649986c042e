"""``convscope backprop`` as a user meets it."""

import json
from functools import partial

import pytest

from ..helpers import run_cli


@pytest.fixture
def cli(capsys):
    return partial(run_cli, capsys)


def test_tables(cli):
    code, out, err = cli("backprop", "(w*x + b - y)**2", "w=3", "x=2", "b=1", "y=5")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "v1    w * x      3 * 2        6" in lines
    assert "  ∂v4/∂v3 = 2·v3^(2−1) = 2·2^(2−1) = 4" in lines
    assert ["v3", "y", "4", "×", "(-1)", "-4", "-4"] in [line.split() for line in lines]
    assert "w         3         8" in lines
    assert lines[-1].startswith("check: PyTorch's autograd gives the same 4 gradients within 1e-12, finite")
    assert max(map(len, lines)) <= 120


def test_steps_show_a_dash_for_what_is_not_computed(cli):
    code, out, _ = cli("backprop", "w*x", "w=3", "x=2", "--step", "--passes", "2")
    assert code == 0
    first, *_, last = out.split("Step ")[1:]
    assert first.splitlines()[2:5] == [
        "w         3  cached         —",
        "x         2  cached         —",
        "v1        6                 —  ◂",
    ]
    assert last.splitlines()[4:] == [
        "w         3           4  ◂",
        "x         2           6  ◂",
        "v1        6           1",
    ]


def test_json_is_one_strict_object(cli):
    code, out, _ = cli("backprop", "sum(W@x)", "W=[[1,2],[3,4]]", "x=[1,1]", "--json")
    assert code == 0
    output = json.loads(out)["output"]
    assert {g["label"]: g["value"] for g in output["gradients"]} == {"W": [[1, 1], [1, 1]], "x": [4, 6]}
    assert [s["phase"] for s in output["steps"]] == ["forward", "forward", "seed", "backward", "backward"]


def test_negative_values_are_no_options(cli):
    code, out, _ = cli("backprop", "-w*x", "w=-3", "x=2")
    assert code == 0
    assert "x         2         3" in out


def test_bad_input_ends_with_exit_code_2_and_no_traceback(cli):
    code, out, err = cli("backprop", "w*__import__('os')", "w=1")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == 'error: "\'" is not allowed here'
    assert "help:" in err


def test_plot(cli, tmp_path):
    file = tmp_path / "graph.svg"
    code, _, err = cli("backprop", "w*x", "w=3", "x=2", "--plot", str(file))
    assert (code, err) == (0, f"drawn: {file}\n")
    assert file.read_text().startswith("<svg")
    assert cli("backprop", "w*y", "w=3", "y=2", "--plot", str(file))[0] == 0, "it is our own"
    code, out, err = cli("backprop", "w*x", "w=3", "x=2", "--plot", str(tmp_path / "graph.jpg"))
    assert (code, out) == (2, "")
    assert "the graph is drawn as SVG" in err
    code, _, err = cli("backprop", "w*x", "w=3", "x=2", "--plot", str(tmp_path / "no" / "graph.svg"))
    assert code == 2
    assert f"there is no folder {tmp_path / 'no'}\n" in err


def test_a_small_net(cli):
    code, out, _ = cli("backprop", "--net", "linear 3 | relu | linear 1", "--input", "1,2", "--target", "0.5")
    assert code == 0
    assert "check: PyTorch's autograd gives the same 4 gradients" in out
    assert max(map(len, out.splitlines()[:-1])) <= 100
    code, out, _ = cli(
        "backprop",
        "--net",
        "conv 1 2 | linear 2",
        "--input",
        "[[1,2,3],[4,5,6]]",
        "--target",
        "1",
        "--loss",
        "cross-entropy",
        "--json",
    )
    assert code == 0
    assert [g["label"] for g in json.loads(out)["output"]["gradients"]][:2] == ["conv1.weight", "conv1.bias"]


def test_a_sample_is_written_as_for_conv(cli, tmp_path):
    arguments = ["backprop", "--net", "conv 1 2 | linear 1", "--target", "0", "--input"]
    (tmp_path / "image.csv").write_text("1,2,3\n4,5,6\n")
    found = {cli(*arguments, text) for text in ("[[1,2,3],[4,5,6]]", "1 2 3 / 4 5 6", str(tmp_path / "image.csv"))}
    assert len(found) == 1
    assert found.pop()[0] == 0
    code, _, err = cli(*arguments, "1 2 | 3 4")
    assert code == 2
    assert "--input has shape (2, 1, 2), but a small net takes features or one grey image" in err


def test_a_number_of_thousands_of_digits(cli):
    code, out, err = cli("backprop", "x", "x=" + "9" * 19_000)
    assert (code, out) == (2, "")
    assert err == "error: the value holds a number of thousands of digits\nhelp: write for example 1e300\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["w", "w=1", "--setp"],
        ["w", "w=1", "--net", "linear 1"],
        ["--net", "linear 1"],
        ["--net", "linear 1", "--input", "1"],
    ],
)
def test_what_is_missing_is_told(cli, arguments):
    code, out, err = cli("backprop", *arguments)
    assert (code, out) == (2, "")
    assert "help:" in err
