"""``convscope explain`` on a small run, with good and with bad input."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers import run_cli, run_json, stripes, write_npz


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on the stripes, trained for a few passes; the folder that holds its data is the working folder."""
    folder = tmp_path_factory.mktemp("run")
    write_npz(folder / "stripes.npz", train=150)
    from convscope import train

    net = "conv 4 3 padding=1 | relu | pool 2 | conv 6 3 | relu | linear"
    return train(str(folder / "stripes.npz"), net=net, epochs=30, lr=0.05, out=folder / "runs").path


def test_the_whole_picture(capsys, run, tmp_path):
    code, out, err = run_cli(capsys, "explain", run, "test:1", "--plot", tmp_path / "maps.png")
    assert code == 0, err
    assert "takes it for class mid" in out
    assert "which is right: class mid" in out
    assert "conv2     Conv2d     6×2×2" in out
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")


def test_json(capsys, run):
    found = run_json(capsys, "explain", run, "test:0", "--layer", "conv2", "--at", "5,1,1", "--follow", "--weight",
                     "conv1[3,0,2,2]", "--pixel", "0,4,4", "--saliency", "--target", "top")  # fmt: skip
    assert found["truth"] == found["predicted"] == 0
    assert found["target"] == 2
    assert sum(found["probabilities"]) == pytest.approx(1)
    assert [row["name"] for row in found["layers"]] == [
        "conv1",
        "relu1",
        "pool1",
        "conv2",
        "relu2",
        "flatten1",
        "linear1",
    ]
    names = [ledger["name"] for ledger in found["ledgers"]]
    assert names == ["conv2", "pool1", "relu1", "conv1", "∂loss/∂conv1.weight", "∂loss/∂image"]
    assert found["ledgers"][0]["index"] == [5, 1, 1]
    assert [found["receptive_field"][side] for side in ("top", "bottom", "left", "right")] == [1, 7, 1, 7]
    assert np.array(found["saliency"]["gradient_input"]).shape == (8, 8)
    assert found["saliency"]["target"] == 2


def test_an_activation(capsys, run, tmp_path):
    for layer, at in (("conv2", "5,1,1"), ("pool1", "0,0,0"), ("linear1", "1"), ("flatten1", "3")):
        code, out, err = run_cli(
            capsys, "explain", run, "test:0", "--layer", layer, "--at", at, "--plot", tmp_path / "x.png"
        )
        assert code == 0, err
        assert f"receptive field of {layer}[{at}]: rows " in out
        assert f"\n{layer}[{at}] = " in out
        (tmp_path / "x.png").unlink()
    code, out, _ = run_cli(capsys, "explain", run, "test:0", "--layer", "conv2[5,1,1]", "--follow", "--sort")
    assert code == 0
    assert "\nconv1[" in out
    assert "  image[0," in out


def test_gradients(capsys, run):
    code, out, _ = run_cli(capsys, "explain", run, "--weight", "conv1[3,0,2,2]", "--image", "test:0")
    assert code == 0
    assert "\n∂loss/∂conv1.weight[3,0,2,2] = " in out
    assert "the sum of 64 products" in out
    code, out, _ = run_cli(capsys, "explain", run, "-i", "test:0", "--pixel", "0,0,0")
    assert "\n∂loss/∂image[0,0,0] = " in out
    assert "the sum of 16 products" in out


def test_why_this_class(capsys, run, tmp_path):
    code, out, err = run_cli(capsys, "explain", run, "test:0", "--saliency", "--plot", tmp_path / "x.png")
    assert code == 0, err
    assert "why class low, score" in out
    assert "occlusion          squares of 2×2" in out
    assert (tmp_path / "x.png").exists()


def test_an_image_file(capsys, run, tmp_path):
    Image.fromarray(stripes(3).images[2, 0]).save(tmp_path / "top.png")
    code, out, _ = run_cli(capsys, "explain", run, tmp_path / "top.png")
    assert code == 0
    assert "takes it for class top" in out
    assert "right" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name one image"),
        (["test:0", "--image", "test:1"], 2, "name one image"),
        (["test:30"], 2, "test images are numbered 0..29"),
        (["test:-1"], 2, "there is no image 'test:-1'"),
        (["test:" + "9" * 5000], 2, "there is no image"),
        (["nothing.png"], 3, "there is no file nothing.png"),
        (["test:0", "--layer", "conv2"], 2, "--layer and --at go together"),
        (["test:0", "--at", "1,1,1"], 2, "--layer and --at go together"),
        (["test:0", "--follow"], 2, "--follow needs a start"),
        (["test:0", "--layer", "conv3", "--at", "0,0,0"], 2, "did you mean 'conv2' or 'conv1'"),
        (["test:0", "--layer", "conv2", "--at", "6,0,0"], 2, "lies outside its shape (6, 2, 2)"),
        (["test:0", "--layer", "conv2", "--at", "0,0"], 2, "give channel,row,column"),
        (["test:0", "--layer", "conv2", "--at", "a"], 2, "expected whole numbers"),
        (["test:0", "--weight", "conv1"], 2, "is no place in a tensor"),
        (["test:0", "--weight", "conv1[9,0,0,0]"], 2, "lies outside its shape (4, 1, 3, 3)"),
        (["test:0", "--weight", "relu1[0]"], 2, "the net has no trainable weight 'relu1.weight'"),
        (["test:0", "--pixel", "1,0,0"], 2, "lies outside the image (1, 8, 8)"),
        (["test:0", "--target", "lo"], 2, "no class is called 'lo'"),
    ],
)
def test_bad_input(capsys, run, arguments, code, message):
    found, out, err = run_cli(capsys, "explain", run, *arguments)
    assert (found, out) == (code, ""), err
    assert message in err
    assert "Traceback" not in err


def test_no_such_run(capsys):
    code, _, err = run_cli(capsys, "explain", "nothing", "test:0")
    assert code == 3
    assert "there is no run 'nothing'" in err


def test_the_attack_says_what_the_moved_image_is_taken_for(capsys, run):
    found = run_json(capsys, "explain", run, "test:0", "--fgsm", "40", "--target", "top")["fgsm"]
    assert (found["epsilon"], found["target"]) == (40, 2)
    assert found["predicted"] == int(np.argmax(found["scores"]))
    code, out, _ = run_cli(capsys, "explain", run, "test:0", "--fgsm", "0")
    assert code == 0
    assert "FGSM by 0 against class" in out
    assert "class first changes at" in out or "up to 64 the likeliest class stays the same" in out
    code, _, err = run_cli(capsys, "explain", run, "test:0", "--fgsm", "65")
    assert code == 2
    assert "--fgsm is 65, expected 0 to 64" in err
