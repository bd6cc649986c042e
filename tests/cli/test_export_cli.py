"""A trained net leaves, as a user types it: where the file goes, what is said, and what is left when it fails."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import DataError, TrainingError, UsageError
from convscope.export import formats
from convscope.export.c.compiler import compiler
from convscope.export.formats import FORMATS, format_of
from convscope.net.model import load_tensors, save_tensors
from convscope.runs.exported import session_of

from ..helpers import run_cli, run_json

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def told(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def left_behind(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if "export" in str(path))


def wrong(content, subject, images):
    """A runtime that answers with nonsense."""
    replay = REPLAY(content, subject, images)
    return formats.Replay(1 - replay.probabilities, replay.seconds, replay.runtime)


REPLAY = FORMATS["onnx"].replay


def test_the_path_is_all_on_stdout_and_the_proof_is_on_stderr(trained, capsys):
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx")
    assert code == 0
    path = Path(out.removesuffix("\n"))
    assert path == Path(trained) / "export" / "custom-stripes.onnx"
    assert "run again on 30 test images in onnxruntime" in err
    assert "100 % the same class, max |Δp| " in err
    assert told(path)["verified"] == "yes"
    assert json.loads(told(path)["recipe"])["data"] == "stripes.npz"
    assert told(path)["made_by"] == f"convscope {convscope.__version__}"


def test_json_holds_the_proof(trained, capsys):
    left = run_json(capsys, "export", trained, "--to", "onnx", "--output", "net.onnx")
    assert (left["path"], left["to"], left["bytes"]) == ("net.onnx", "onnx", Path("net.onnx").stat().st_size)
    assert left["proof"]["images"] == 30
    assert left["proof"]["agreement"] == 1
    assert 0 <= left["proof"]["difference"] <= 1e-5


def test_a_file_that_is_there_stays_unless_it_is_forced(trained, capsys):
    Path("mine.onnx").write_text("mine")
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx", "--output", "mine.onnx")
    assert (code, out) == (2, "")
    assert (
        "error: mine.onnx already exists\nhelp: name another file, or replace it with --force (force=True in Python)\n"
        in err
    )
    assert Path("mine.onnx").read_text() == "mine"
    assert run_cli(capsys, "export", trained, "--to", "onnx", "--output", "mine.onnx", "--force")[0] == 0
    assert told("mine.onnx")["verified"] == "yes"


def test_places_that_cannot_be_are_told(trained, capsys):
    Path("folder").mkdir()
    for place, said in {
        "folder": "error: folder is a folder, not a file\nhelp: give the name of a file",
        "no/where.onnx": "error: there is no folder no\nhelp: make it, or name another place",
    }.items():
        code, out, err = run_cli(capsys, "export", trained, "--to", "onnx", "--output", place)
        assert (code, out) == (2, "")
        assert said in err
    code, out, err = run_cli(capsys, "export", trained, "--to", "tflite")
    assert (code, out) == (2, "")
    assert "'onnx'" in err
    assert run_cli(capsys, "export", "nobody", "--to", "onnx")[0] == 3


def test_the_ending_of_another_format_is_refused(trained, capsys):
    code, out, err = run_cli(capsys, "export", trained, "--to", "c", "--output", "net.onnx")
    assert (code, out) == (2, "")
    assert "error: 'net.onnx' has the ending of onnx, but c was asked for\nhelp: name it *.h, or ask for onnx\n" in err
    assert not Path("net.onnx").exists()


def test_nothing_is_left_of_a_file_that_answers_otherwise(trained, capsys, monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], replay=wrong))
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx")
    assert (code, out) == (1, "")
    assert "error: the exported file does not answer as the net does" in err
    assert "nothing is written" in err
    assert left_behind(trained) == []


def test_nothing_is_left_when_the_disk_is_full(trained, capsys, monkeypatch):
    def full(*_):
        raise TrainingError("cannot write it: the disk is full", "free some space")

    monkeypatch.setattr("convscope.storage.leaving.write_atomic", full)
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx")
    assert (code, out) == (1, "")
    assert "error: cannot write it: the disk is full\nhelp: name another place, or free some space" in err
    assert left_behind(trained) == []


def test_a_file_that_was_not_verified_says_so(trained, capsys, monkeypatch):
    from dataclasses import replace

    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx", "--no-verify")
    assert code == 0
    assert "not verified: --no-verify; the file says so" in err
    assert told(out.strip())["verified"] == "no: written with --no-verify"
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], lacking=lambda: "onnxruntime is not installed"))
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx", "--output", "x.onnx")
    assert code == 0
    assert "not verified: onnxruntime is not installed; the file says so" in err
    assert told("x.onnx")["verified"] == "no: onnxruntime is not installed"


def test_without_its_data_a_run_is_compared_on_random_images(trained, capsys):
    Path("stripes.npz").unlink()
    code, _, err = run_cli(capsys, "export", trained, "--to", "onnx")
    assert code == 0
    assert "no test images of the run: the data of" in err
    assert "run again on 500 random images" in err


def test_a_model_file_alone_is_compared_on_random_images(trained, here, capsys):
    (here / "alone.safetensors").write_bytes(Path(trained, "model.safetensors").read_bytes())
    code, out, err = run_cli(capsys, "export", "alone.safetensors", "--to", "onnx")
    assert (code, out) == (0, "export/alone.onnx\n")
    assert "a model file alone has no test images; the file is compared on random ones" in err
    assert "run again on 500 random images" in err
    code, _, err = run_cli(capsys, "export", "export/alone.onnx", "--to", "c")
    assert code == 3
    assert "alone.onnx is an exported file: it answers, but it cannot be looked into" in err


def test_a_net_of_weights_that_are_not_finite_is_refused(trained, capsys):
    path = Path(trained, "model.safetensors")
    tensors, metadata = load_tensors(path)
    tensors["conv1.weight"].view(-1)[0] = float("nan")
    save_tensors(path, tensors, metadata)
    code, out, err = run_cli(capsys, "export", trained, "--to", "onnx")
    assert (code, out) == (3, "")
    assert f"error: the weights of {path} hold numbers that are not finite: conv1.weight" in err


def test_the_onnx_file_of_an_ink_net_finds_the_ink_as_predict_does(tmp_path, monkeypatch, capsys):
    from tests.export.test_html import sheets

    monkeypatch.chdir(tmp_path)
    run = convscope.train("digits", net="conv 4 5 stride=3 | relu | linear", epochs=1, out="runs", threads=1)
    code, out, err = run_cli(capsys, "export", run.path, "--to", "onnx")
    assert code == 0
    assert "100 % the same class" in err
    assert "limits" not in told(out.strip())
    session = session_of(Path(out.strip()).read_bytes(), "the file")
    for number, sheet in enumerate(sheets(3)):
        picture = Image.fromarray(sheet)
        colour = np.asarray(picture.convert("RGB"))
        answer = session.run(["probabilities"], {"image": colour[None]})[0][0]
        assert np.abs(answer - run.predict(picture)[0]).max() <= 1e-5
        picture.save(f"{number}.png")
    files = [f"{number}.png" for number in range(6)]
    mine, exported = (run_json(capsys, "predict", name, *files)["predictions"] for name in (run.path, out.strip()))
    assert [one["file"] for one in exported] == files
    for one, other in zip(mine, exported, strict=True):
        assert one["class_name"] == other["class_name"]
        assert other["probability"] == pytest.approx(one["probability"], abs=2e-6)


def test_predict_gives_the_same_table_from_the_exported_file(trained, here, capsys):
    run_cli(capsys, "export", trained, "--to", "onnx", "--output", "net.onnx")
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (20, 9 + i, 3), dtype=np.uint8)).save(f"{i}.png")
    files = [f"{i}.png" for i in range(4)]
    _, whole, notes = run_cli(capsys, "predict", trained, *files, "--top", "all")
    assert run_cli(capsys, "predict", "net.onnx", *files, "--top", "all") == (0, whole, notes)
    run, loaded = convscope.load(trained), convscope.load("net.onnx")
    assert loaded.classes == run.classes
    assert np.abs(loaded.predict(files) - run.predict(files)).max() < 1e-6
    assert np.array_equal(loaded.prepare(files), run.prepare(files))
    with pytest.raises(DataError, match="is an exported file: it answers, but it cannot be looked into"):
        loaded.model  # noqa: B018


def test_an_onnx_file_of_others_is_refused(trained, here, capsys, monkeypatch):
    run_cli(capsys, "export", trained, "--to", "onnx", "--output", "net.onnx")
    model = onnx.load("net.onnx")
    del model.metadata_props[:]
    onnx.save(model, "bare.onnx")
    Path("torn.onnx").write_bytes(Path("net.onnx").read_bytes()[:100])
    Image.new("L", (8, 8)).save("a.png")
    for name, said in {"bare.onnx": "was not exported by convscope: its metadata lack 'classes'",
                       "torn.onnx": "torn.onnx cannot be read"}.items():  # fmt: skip
        code, out, err = run_cli(capsys, "predict", name, "a.png")
        assert (code, out) == (3, "")
        assert said in err
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    code, out, err = run_cli(capsys, "predict", "net.onnx", "a.png")
    assert (code, out) == (2, "")
    assert "error: onnxruntime is not installed, which is needed to run net.onnx\nhelp: pip install onnxruntime" in err


def test_from_python_the_ending_tells_the_format(trained):
    run = convscope.load(trained)
    assert run.export("a.onnx") == Path("a.onnx")
    with pytest.raises(UsageError, match="already exists") as caught:
        run.export("a.onnx")
    assert "force=True in Python" in caught.value.help
    assert "--output" not in caught.value.help
    assert run.export() == Path(trained) / "export" / "custom-stripes.onnx"
    with pytest.raises(UsageError, match=r"the ending of 'a\.xyz' tells no format"):
        run.export("a.xyz")
    with pytest.raises(UsageError, match="'onxx' is no format to export to"):
        run.export(to="onxx")


@pytest.mark.skipif(compiler() is None, reason="needs a C compiler")
def test_a_header_is_compiled_and_compared(trained, capsys):
    code, out, err = run_cli(capsys, "export", trained, "--to", "c")
    assert code == 0
    text = Path(out.strip()).read_text()
    assert Path(out.strip()).name == "custom-stripes.h"
    assert "#define CUSTOM_STRIPES_CLASSES 3\n" in text
    assert " * verified: yes\n" in text
    assert "images must be grey, of 8×8 pixels: the file does not prepare pictures" in err
    assert "run again on 30 test images in C (" in err


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_is_written_and_proved_and_says_what_it_is(trained, capsys, to):
    if FORMATS[to].lacking():
        pytest.skip(FORMATS[to].lacking())
    left = run_json(capsys, "export", trained, "--to", to)
    assert Path(left["path"]).name == f"custom-stripes{FORMATS[to].ending}"
    assert left["proof"]["agreement"] == 1
    assert left["proof"]["difference"] <= 1e-5
    assert left["bytes"] == Path(left["path"]).stat().st_size
    assert left_behind(trained) == ["export", f"export/custom-stripes{FORMATS[to].ending}"]
    assert format_of(Path(left["path"])) == to
