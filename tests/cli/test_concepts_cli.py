"""``convscope loss``, ``conv``, ``pool`` and ``shapes --given``, with good and with bad input."""

import numpy as np
import pytest
import torch

from tests.helpers import run_cli, run_json

NOTE = "3 4 6 5 7 / 2 4 6 8 2 / 1 6 7 8 4 / 9 7 4 6 2 / 3 7 5 4 1"
KERNEL = "1 2 3 / 4 5 6 / 7 8 9"


def test_the_notes_numbers_to_the_letter(capsys):
    code, out, err = run_cli(capsys, "conv", "--input", NOTE, "--kernel", KERNEL, "--padding", 1)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "input   (1, 1, 5, 5)",
        "weight  (1, 1, 3, 3), no bias",
        "output  (1, 1, 5, 5)",
        "height  ⌊(5 + 2·1 − 1·(3−1) − 1) / 1⌋ + 1 = 5",
        "width   the same",
        "each element is the sum of 9 products; 225 in all",
        "",
        "output",
        "   91 168 224 215 127",
        "  114 211 295 262 149",
        "  192 259 282 214 122",
        "  194 251 253 169  86",
        "   96 112 110  68  31",
        "= 91 168 224 215 127 / 114 211 295 262 149 / 192 259 282 214 122 / 194 251 253 169 86 / 96 112 110 68 31",
    ]
    code, out, _ = run_cli(capsys, "conv", "--input", NOTE, "--kernel", KERNEL, "--stride", 2)
    assert "  211 262\n  251 169\n= 211 262 / 251 169\n" in out
    code, out, _ = run_cli(capsys, "conv", "--shape", "1x5x100x100", "--out-channels", 10, "--kernel-size", 3)
    assert "input   (1, 5, 100, 100)\nweight  (10, 5, 3, 3), 10 biases\noutput  (1, 10, 98, 98)\n" in out
    code, out, _ = run_cli(capsys, "conv", "--shape", "3x6x6", "--kernel-size", 3)
    assert "output  (1, 1, 4, 4)\n" in out
    assert "each element is the sum of 27 products" in out


def test_the_notes_numbers_as_the_note_views_them(capsys):
    rows, kernel = ",".join(NOTE.replace("/", " ").split()), ",".join(KERNEL.replace("/", " ").split())
    code, out, err = run_cli(capsys, "conv", "--input", rows, "--kernel", kernel, "--stride", 2)
    assert code == 0
    assert "output  (1, 1, 1, 9)\n" in out
    assert err.splitlines() == [
        "--input is a row of 25 numbers; 25 = 5·5: --shape 5x5 makes a square of them",
        "--kernel is a row of 9 numbers; 9 = 3·3: --kernel-size 3 makes a square of them",
    ]
    viewed = ["--input", rows, "--shape", "1x1x5x5", "--kernel", kernel, "--kernel-size", 3, "--stride", 2]
    code, out, err = run_cli(capsys, "conv", *viewed)
    assert (code, err) == (0, "")
    assert "  211 262\n  251 169\n= 211 262 / 251 169\n" in out
    two = run_json(capsys, "conv", "--shape", "2x4x4", "--kernel", "1 2 3 4 5 6 7 8", "--kernel-size", 2)
    assert two["weight_shape"] == [1, 2, 2, 2]
    assert run_json(capsys, "pool", "--input", rows, "--shape", "5x5")["output"] == [[4, 8], [9, 8]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["conv", "--shape", "6x6x3", "--kernel-size", 3], "6x6x3 is read as 6 channels of 6×3, for PyTorch wants the "
         "channels first; if it is 3 of 6×6, write 3x6x6\n"),
        (["conv", "--shape", "1x7x6x3", "--kernel-size", 3], "if it is 3 of 7×6, write 3x7x6"),
        (["pool", "--shape", "28x28x1", "--kernel-size", "2x1"], "if it is 1 of 28×28, write 1x28x28"),
        (["shapes", "conv 4 1 | linear", "--input", "32x32x3"], "if it is 3 of 32×32, write 3x32x32"),
        (["conv", "--shape", "3x6x6", "--kernel-size", 3], ""),
        (["conv", "--shape", "64x4x4", "--kernel-size", 3], ""),
    ],
)  # fmt: skip
def test_channels_that_stand_last_are_told(capsys, words, told):
    code, _, err = run_cli(capsys, *words)
    assert code == 0
    assert told in err
    assert bool(told) == bool(err)


def test_six_channels_for_five(capsys):
    code, out, err = run_cli(
        capsys, "conv", "--shape", "1x6x100x100", "--in-channels", 5, "--out-channels", 10, "--kernel-size", 3
    )
    assert (code, out) == (2, "")
    assert "expected input[1, 6, 100, 100] to have 5 channels, but got 6 channels instead" in err
    assert "help: make the layer for what comes: nn.Conv2d(6, 10, ...)" in err


def test_json_keeps_the_axes_of_the_input(capsys):
    assert run_json(capsys, "conv", "--input", NOTE, "--kernel", KERNEL, "--stride", 2)["output"] == [
        [211, 262],
        [251, 169],
    ]
    assert run_json(capsys, "conv", "--input", "1 2 | 3 4", "--kernel", "1|1")["output"] == [[[4, 6]]]
    wide = run_json(capsys, "conv", "--shape", "1x5x10x10", "--out-channels", 2, "--kernel-size", 3, "--at", "1,2,3")
    assert np.array(wide["output"]).shape == (1, 2, 8, 8)
    assert wide["output_shape"] == [1, 2, 8, 8]
    assert wide["ledgers"][0]["reported"] == wide["output"][0][1][2][3]
    assert len(wide["ledgers"][0]["terms"]) == 45
    assert run_json(capsys, "pool", "--input", "1 2 / 3 4")["output"] == [[4]]
    assert run_json(capsys, "loss", "mse", "--pred", "1,2,3", "--target", "1,2,5")["output"] == pytest.approx(4 / 3)


def test_random_numbers_are_those_of_the_note_s_script(capsys):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        image = torch.randn(1, 2, 6, 6)
        expected = torch.nn.Conv2d(2, 3, (3, 2), stride=2)(image)
    found = run_json(
        capsys, "conv", "--shape", "1x2x6x6", "--out-channels", 3, "--kernel-size", "3x2", "--stride", 2, "--seed", 3
    )
    assert np.array(found["output"]) == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_ledgers_steps_and_gradients(capsys):
    arguments = ["--padding", 1, "--padding-mode", "reflect", "--at", "0,0,1", "--steps"]
    gradients = ["--weight-gradient", "0,0,0,0", "--input-gradient", "0,2,2"]
    code, out, _ = run_cli(capsys, "conv", "--input", NOTE, "--kernel", KERNEL, *arguments, *gradients)
    assert code == 0
    assert "  input[0,-1,0]  2  ×  weight[0,0,0,0]  1  =   2  padding, a copy of [0,1,0]\n" in out
    assert "[0,0,1]  rows -1…1, columns 0…2     196  = 2·1 + 4·2 + 6·3 + 3·4 + 4·5 + 6·6 + 2·7 + 4·8 + 6·9\n" in out
    assert "∂loss/∂weight[0,0,0,0] = " in out
    assert "∂loss/∂input[0,2,2] = 45, the sum of 9 products" in out
    code, out, _ = run_cli(capsys, "conv", "--shape", "8x9x9", "--kernel-size", 3, "--at", "0,0,0", "--sort")
    assert "… 32 more terms, together" in out
    code, out, _ = run_cli(capsys, "conv", "--shape", "8x9x9", "--kernel-size", 3, "--at", "0,0,0", "--all")
    assert "more terms" not in out


def test_pooling(capsys):
    code, out, _ = run_cli(
        capsys, "pool", "--input", "1 1 / 1 1", "--steps", "--at", "0,0,0", "--input-gradient", "0,1,1"
    )
    assert code == 0
    assert "winners: row,column of each window's largest in the input\n  0,0\n" in out
    assert "= 1 0 / 0 0\n" in out
    assert "the maximum of 1, 1, 1, 1" in out
    assert "∂loss/∂output[0,0,0]  1  ×  not the winner  0  =  0" in out
    code, out, _ = run_cli(capsys, "pool", "avg", "--input", "1 2 / 3 6", "--padding", 1, "--at", "0,0,0")
    assert "= 0.25 0.5 / 0.75 1.5" in out
    assert "input[0,-1,-1]  0  ×  1/4  0.25  =  0     padding" in out
    code, out, _ = run_cli(capsys, "pool", "--input", NOTE, "--ceil-mode")
    assert "⌈(5 + 2·0 − 1·(2−1) − 1) / 2⌉ + 1 = 3" in out
    code, out, _ = run_cli(capsys, "pool", "--input", NOTE)
    assert "no window reaches the last row\n" in out


def test_a_cell_that_no_window_reads_and_one_in_the_padding(capsys):
    code, out, _ = run_cli(
        capsys, "conv", "--input", "1 2 3 4", "--kernel", "1 1 1", "--stride", 2, "--input-gradient", "0,0,3"
    )
    assert code == 0
    assert "∂loss/∂input[0,0,3] = 0, the sum of 0 numbers\n  total              0\n" in out
    code, out, _ = run_cli(capsys, "pool", "--input", "-5 -6 / -7 -8", "--padding", 1, "--at", "0,0,0", "--steps")
    assert code == 0
    assert "  input[0,-1,-1]  −∞  padding\n" in out
    assert "  input[0,0,0]    -5  ← the largest\n" in out


def test_losses(capsys):
    code, out, err = run_cli(capsys, "loss", "mse", "--pred", "1,2,3", "--target", "1,2,5")
    assert (code, err) == (0, "")
    assert "    2           3       5          -2       4          -1.333333\n" in out
    assert "mse = (0 + 0 + 4) / 3 = 1.33333\nPyTorch: 1.33333333\nfor comparison: l2 2, mae 0.666667\n" in out
    code, out, err = run_cli(capsys, "loss", "cross-entropy", "--pred", "8 0 0 / 0 1 2", "--target", "0,2")
    assert "sample 1\n" in out
    assert "  0 ←" in out
    code, out, err = run_cli(capsys, "loss", "cross-entropy", "--pred", "0.7 0.2 0.1", "--target", "0")
    assert "warning: every row is ≥ 0 and adds up to 1" in err
    code, out, err = run_cli(capsys, "loss", "mae", "--pred", "1;2", "--target", "1,2")
    assert "warning: predictions (2, 1) and targets (2,) have different shapes" in err
    assert "∂loss/∂prediction, each over all the pairs that it is in: " in out


def test_files(capsys, tmp_path):
    (tmp_path / "pred.csv").write_text("1\n2\n3\n")
    np.save(tmp_path / "target.npy", np.array([1, 2, 5]))
    found = run_json(capsys, "loss", "l2", "--pred", tmp_path / "pred.csv", "--target", tmp_path / "target.npy")
    assert found["output"] == 2


def test_steps_are_cut_between_terms_and_padding_is_named(capsys):
    code, out, _ = run_cli(capsys, "pool", "--input", "1 5 5 / 2 5 1 / 0 0 9", "--padding", 1, "--steps")
    assert code == 0
    assert "no window reaches the last row of the padding\n" in out
    assert "= the maximum of −∞, −∞, −∞, 1\n" in out
    code, out, _ = run_cli(capsys, "conv", "--shape", "2x5x4", "--kernel-size", "3x2", "--steps")
    assert code == 0
    steps = [line for line in out.splitlines() if line.startswith("[0,")]
    assert len(steps) == 9
    assert all(line.endswith(" more") and len(line) <= 100 and "+ -" not in line for line in steps)


def test_pictures(capsys, tmp_path):
    for arguments in (
        ["conv", "--input", NOTE, "--kernel", KERNEL, "--padding", 1, "--dilation", 2],
        ["conv", "--shape", "6x20x20", "--kernel-size", 3, "--at", "0,1,1"],
        ["pool", "--input", NOTE, "--padding", 1],
        ["pool", "avg", "--input", NOTE],
        ["loss", "mse", "--pred", "1,2,3", "--target", "1,2,5"],
        ["loss", "cross-entropy", "--pred", "2,1,0", "--target", "0"],
        ["shapes", "note"],
    ):
        code, _, err = run_cli(capsys, *arguments, "--plot", tmp_path / "x.png")
        assert code == 0, err
        assert err == f"drawn: {tmp_path / 'x.png'}\n"
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
        (tmp_path / "x.png").unlink()


def test_shapes_of_a_net_fed_with_something_else(capsys):
    code, out, err = run_cli(capsys, "shapes", "note", "--given", "1x32x32")
    assert (code, out) == (2, "")
    assert "  flatten1  (1, 500)\n  linear1   ✗\n" in err
    assert "PyTorch: mat1 and mat2 shapes cannot be multiplied (1x500 and 320x10)" in err
    assert "help: make it nn.Linear(500, 10)" in err
    assert run_json(capsys, "shapes", "note", "--given", "64x1x28x28")["layers"][-1]["output"] == [64, 10]


CONV = ["conv", "--input", NOTE]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["conv"], 2, "give the numbers with --input"),
        ([*CONV], 2, "give a kernel"),
        ([*CONV, "--kernel", "1 2 / 3"], 2, "--kernel is ragged"),
        ([*CONV, "--kernel", "1 nan"], 2, "no finite number"),
        ([*CONV, "--kernel", "1", "--kernel", "1 2"], 2, "the kernels have different shapes: (1, 1, 1), (1, 1, 2)"),
        ([*CONV, "--kernel", "1|1"], 2, "separate those of a --kernel by |"),
        ([*CONV, "--kernel", "1", "--out-channels", "3"], 2, "use one or the other"),
        ([*CONV, "--kernel", "1", "--kernel-size", "3"], 2, "a --kernel has 1 number, but windows of 3×3 have 9"),
        ([*CONV, "--kernel", "1 2 / 3 4", "--kernel-size", "3"], 2, "a --kernel is 2×2, but --kernel-size is 3×3"),
        ([*CONV, "--shape", "4x4", "--kernel", "1"], 2, "--input has 25 numbers, but --shape 4x4 has 16\n"),
        ([*CONV, "--shape", "4x4", "--kernel", "1"], 2, "help: 25 = 5·5: --shape 5x5"),
        ([*CONV, "--kernel", "1", "--at", "0,5,0"], 2, "--at 0,5,0 lies outside the shape (1, 5, 5)"),
        ([*CONV, "--kernel", "1", "--at", "0,-1,0"], 2, "expected 3 whole numbers"),
        ([*CONV, "--kernel", "1", "--stride", "0"], 2, "expected a whole number from 1 on"),
        ([*CONV, "--kernel", "1", "--padding", "-1"], 2, "expected a whole number from 0 on"),
        ([*CONV, "--kernel", "1", "--padding", "same", "--stride", "2"], 2, "not supported for strided convolutions"),
        ([*CONV, "--kernel", "1", "--padding-mode", "mirror"], 2, "no padding mode is called 'mirror'"),
        ([*CONV, "--kernel", "1", "--padding", "9", "--padding-mode", "circular"], 2, "wrapping around more than once"),
        ([*CONV, "--kernel", "1", "--bias", "1 2"], 2, "--bias has 2 numbers for 1 kernel"),
        ([*CONV, "--kernel", "1", "--bias", "random"], 2, "needs random kernels"),
        ([*CONV, "--kernel-size", "9"], 2, "Kernel size can't be greater than actual input size"),
        ([*CONV, "--kernel-size", "3", "--groups", "2"], 2, "in_channels must be divisible by groups"),
        ([*CONV, "--kernel-size", "3", "--out-channels", "0"], 2, "channels are counted from 1"),
        ([*CONV, "--kernel-size", "99999", "--padding", "99999"], 2, "too many to explain"),
        ([*CONV, "--kernel-size", "3", "--dilation", "999999", "--padding", "same"], 2, "too many to explain"),
        ([*CONV, "--kernel-size", "1", "--out-channels", "999999999"], 2, "too many to explain"),
        (["conv", "--shape", "1x1x999999x999999", "--kernel", "1"], 2, "too many to explain"),
        (["conv", "--shape", "2x1x9x9", "--kernel", "1"], 2, "one image at a time"),
        (["conv", "--shape", "9", "--kernel", "1"], 2, "expected sizes such as"),
        (["conv", "--input", "1e38", "--kernel", "1"], 2, "beyond 1e+15"),
        (["conv", "--input", "1", "--kernel", "1", "--plot", "/nowhere/x.png"], 2, "there is no folder /nowhere"),
        (["conv", "--input", "1", "--kernel", "1", "--plot", "x.xyz"], 2, "x.xyz is no name for a picture"),
        (["conv", "--input", "1", "--kernel", "1e200"], 2, "--kernel holds numbers beyond 1e+15"),
        (["loss", "cross-entropy", "--pred", "1e308,-1e308", "--target", "1"], 2, "1e+308 is too large for a loss"),
        (["conv", "--input", "none.npy", "--kernel", "1"], 3, "cannot read none.npy"),
        (["pool", "mix", "--input", "1"], 2, "no pooling is called 'mix'"),
        (["pool", "avg", "--input", NOTE, "--dilation", "2"], 2, "average pooling has no dilation"),
        (["pool", "--input", NOTE, "--kernel-size", "9"], 2, "Output size is too small"),
        (["pool", "--input", NOTE, "--padding", "2"], 2, "pad should be at most half"),
        (["pool", "--input", NOTE, "--kernel-size", "999999"], 2, "too many to explain"),
        (["loss", "mze", "--pred", "1", "--target", "1"], 2, "no loss is called 'mze'"),
        (["loss", "mse", "--pred", "1,2", "--target", "1,2,3"], 2, "cannot be compared"),
        (["loss", "mse", "--pred", "__import__('os')", "--target", "1"], 2, "not a number"),
        (["loss", "mse", "--pred", "1", "--target", "1", "--index", "1", "--plot", "x.png"], 2, "is no prediction"),
        (["shapes", "note", "--given", "axb"], 2, "expected sizes"),
    ],
)
def test_bad_input(capsys, arguments, code, message):
    found, out, err = run_cli(capsys, *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_nets_lists_the_kinds_of_layers_and_brackets(capsys):
    code, out, _ = run_cli(capsys, "nets", "--layers")
    assert code == 0
    assert "pool K[xK] [stride=K] [padding=0] [ceil_mode=no]" in out
    assert "MaxPool2d; stride is the window's size unless given." in out
    told = run_json(capsys, "nets", "--layers")["layers"]
    assert told["[ … ]+"].startswith("Adds what came in: a skip connection")
    assert all(told.values())
