"""``convscope bundle`` and ``export --quantize``, as a user types them."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import TrainingError, UsageError
from convscope.export import bundle as bundles

from ..helpers import run_cli, run_json

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def without_node(monkeypatch):
    """The page is not run again: it has tests of its own."""
    monkeypatch.setattr("convscope.export.html.node.node", lambda: None)


def test_a_bundle_holds_every_part_with_its_checksum_and_is_the_same_each_time(trained, capsys, without_node):
    code, out, err = run_cli(capsys, "bundle", trained)
    assert code == 0
    path = Path(out.removesuffix("\n"))
    assert path == Path(trained) / "export" / "custom-stripes-bundle.zip"
    assert "custom-stripes.onnx: run again on 30 test images in onnxruntime" in err
    found = parts(path)
    names = [
        "model.safetensors",
        "custom-stripes.onnx",
        "custom-stripes.html",
        "report.html",
        "README.md",
        "SHA256SUMS",
    ]
    assert list(found) == [f"custom-stripes/{name}" for name in names]
    sums = found.pop("custom-stripes/SHA256SUMS").decode()
    assert sums == "".join(f"{hashlib.sha256(c).hexdigest()}  {n.split('/')[1]}\n" for n, c in found.items())
    assert found["custom-stripes/model.safetensors"] == Path(trained, "model.safetensors").read_bytes()
    again = run_json(capsys, "bundle", trained, "--output", "again.zip")
    assert Path("again.zip").read_bytes() == path.read_bytes()
    assert again["bytes"] == path.stat().st_size
    assert again["left_out"] == {}
    assert again["files"] == dict(line.split("  ")[::-1] for line in sums.splitlines())


def test_a_bundle_that_is_there_stays_and_nothing_is_left_of_one_that_fails(trained, capsys, monkeypatch, without_node):
    Path("mine.zip").write_text("mine")
    code, out, err = run_cli(capsys, "bundle", trained, "--output", "mine.zip")
    assert (code, out) == (2, "")
    assert (
        "error: mine.zip already exists\nhelp: name another file, or replace it with --force (force=True in Python)\n"
        in err
    )
    assert Path("mine.zip").read_text() == "mine"
    with monkeypatch.context() as patch:
        patch.setattr(bundles, "LARGEST", 1000)
        code, out, err = run_cli(capsys, "bundle", trained)
    assert (code, out) == (1, "")
    assert "larger than 2 GB" in err

    def full(*_):
        raise TrainingError("cannot write it: the disk is full", "free some space")

    monkeypatch.setattr("convscope.storage.leaving.write_atomic", full)
    code, out, err = run_cli(capsys, "bundle", trained)
    assert (code, out) == (1, "")
    assert "the disk is full" in err
    assert not Path(trained, "export").exists()


def test_a_part_that_cannot_be_made_is_left_out_and_told(trained, capsys, monkeypatch, without_node):
    monkeypatch.setattr("convscope.export.formats.importlib.util.find_spec", lambda _: None)
    told = run_json(capsys, "bundle", trained, "--output", "a.zip")
    assert told["left_out"] == {"onnx": "onnx is not installed, which writes ONNX files"}
    assert "custom-stripes.onnx" not in told["files"]
    assert set(told["files"]) == {name.split("/")[1] for name in parts("a.zip")} - {"SHA256SUMS"}


class Net(torch.nn.Module):
    """What no text says: an operation on all pixels between two layers."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3)
        self.linear = torch.nn.Linear(4, 2)

    def forward(self, x):
        y = self.conv(x)
        return self.linear(torch.logsumexp(y, (2, 3)) - y.amax((2, 3)))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run of a net of somebody's own."""
    data = (np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8), np.arange(20) % 2)
    run = convscope.train(data, net=Net, epochs=1, out=tmp_path_factory.mktemp("own"), threads=1)
    return convscope.load(run.path, net=Net())


def test_a_net_of_ones_own_goes_to_onnx_by_torch(own, tmp_path):
    pytest.importorskip("onnxscript")
    path = own.export(tmp_path / "own.onnx")
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    loaded = convscope.load(path)
    assert np.abs(loaded.predict(images) - own.predict(images)).max() <= 1e-5
    assert loaded.classes == own.classes
    assert {entry.key: entry.value for entry in onnx.load(path).metadata_props}["verified"] == "yes"


def test_a_net_of_ones_own_goes_to_pt2_and_nowhere_else(own, tmp_path, monkeypatch):
    assert own.export(tmp_path / "own.pt2").stat().st_size > 0
    for to in ("html", "c", "native"):
        with pytest.raises(UsageError, match=f"a net of your own leaves as onnx or pt2, not as {to}"):
            own.export(tmp_path / "x", to)
    with pytest.raises(UsageError, match="not as onnx in int8"):
        own.export(tmp_path / "x", "onnx", quantize=True)
    monkeypatch.setattr("convscope.export.torch_program.importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"goes to ONNX by torch\.onnx\.export, which needs onnx") as told:
        own.export(tmp_path / "x.onnx", verify=False)
    assert told.value.help == "pip install onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["own.pt2"]


def test_a_net_of_ones_own_has_a_bundle_of_what_can_be_made(own, monkeypatch):
    monkeypatch.setattr("convscope.export.torch_program.importlib.util.find_spec", lambda _: None)
    found = parts(own.bundle())
    assert {name.split("/")[1] for name in found} == {"model.safetensors", "report.html", "README.md", "SHA256SUMS"}


def test_int8_says_what_accuracy_it_costs_and_answers_like_the_net(trained, capsys):
    left = run_json(capsys, "export", trained, "--to", "onnx", "--quantize")
    path = Path(left["path"])
    assert path == Path(trained) / "export" / "custom-stripes-int8.onnx"
    before, after = left["proof"]["accuracies"]
    run, loaded = convscope.load(trained), convscope.load(path)
    assert before == run.accuracy
    images = np.load("stripes.npz")
    answers = loaded.predict(images["x_test"])
    assert after == (answers.argmax(1) == images["y_test"]).mean()
    assert left["proof"]["difference"] == pytest.approx(np.abs(answers - run.predict(images["x_test"])).max(), abs=1e-6)
    model = onnx.load(path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["quantized"] == "int8, calibrated on 60 training images"
    a, b, lost = (f"{100 * share:.2f}" for share in (before, after, before - after))
    assert told["accuracy"] == f"accuracy {a} % in float32, {b} % in int8: {lost} points lost"
    assert json.loads(told["classes"]) == list(run.classes)
    kinds = [node.op_type for node in model.graph.node]
    assert "QuantizeLinear" in kinds
    weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name.startswith("conv1.weight")]
    assert any(weight.dtype == np.int8 and np.abs(weight).max() <= 64 for weight in weights)
    _, _, err = run_cli(capsys, "export", trained, "--to", "onnx", "--quantize", "--output", "b.onnx")
    assert "points lost" in err
    assert Path("b.onnx").read_bytes() == path.read_bytes()


def test_int8_is_refused_where_it_cannot_be(trained, here, capsys):
    code, out, err = run_cli(capsys, "export", trained, "--to", "c", "--quantize")
    assert (code, out) == (2, "")
    assert "error: --quantize goes with --to onnx, but --to is c\nhelp: leave one of them out" in err
    Path("stripes.npz").unlink()
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx", "--quantize")
    assert (code, out) == (3, "")
    assert "error: int8 needs training images to calibrate on" in err
    assert not Path(trained, "export").exists()
