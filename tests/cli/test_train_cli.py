import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope import cli

from ..helpers import SUMMARY, run_cli, run_json, stripes, write_npz

NET = "conv 4 3 | relu | pool 2 | linear"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])}


def width(path):
    with Image.open(path) as image:
        return image.width


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with stripes.npz in it."""
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "stripes.npz")
    return tmp_path


@pytest.fixture
def trained(here, capsys):
    """A finished run on stripes.npz."""
    return run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "12", "--lr", "0.05", "-b", "8")["run"]


def test_the_table_ends_with_where_things_are_and_what_to_do_next(here, capsys):
    code, out, err = run_cli(
        capsys, "train", "stripes.npz", "--net", NET, "--epochs", "2", "-b", "7", "--log-interval", "4"
    )
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith(f"net     {NET}: ")
    assert lines[1] == "data    stripes: 60 training, 30 test images of 1×8×8, 3 classes"
    assert lines[2] == "run     runs/custom-stripes-1: 2 epochs of 9 updates, seed 0"
    assert lines[3].startswith("engine  ")
    table = [line.split() for line in lines if line[:5].strip().isdigit()]
    assert [(row[0], row[1]) for row in table] == [
        ("1", "4"),
        ("1", "8"),
        ("1", "all"),
        ("2", "4"),
        ("2", "8"),
        ("2", "all"),
    ]
    assert all(len(row[3].split(".")[1]) == 2 and row[4] == "%" for row in table if row[1] == "all")
    assert "plot    runs/custom-stripes-1/curves.png" in lines
    assert "run     runs/custom-stripes-1" in lines
    assert lines[-2:] == [
        "next    convscope evaluate runs/custom-stripes-1       every class, the worst mistakes",
        "        convscope predict runs/custom-stripes-1 IMAGE  what is on your own image",
    ]
    assert Path("runs/custom-stripes-1/curves.png").exists()


def test_json_is_one_object_with_the_summarys_keys(here, capsys):
    result = run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "1")
    assert set(result) == set(SUMMARY)
    assert result == json.loads(Path(result["run"], "summary.json").read_text())
    assert result["data"] == "stripes.npz"
    assert 0 <= result["test_accuracy"] <= 1


def test_quiet_prints_the_folder_alone(here, capsys):
    assert run_cli(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "1", "-q") == (
        0,
        "runs/custom-stripes-1\n",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["mnits"], 3, "did you mean 'mnist' or"),
        (["stripes.npz", "--net", "conv 4 9 | linear"], 2, "its window covers 9 pixels, but the height is 8 + 2·0"),
        (["stripes.npz", "--net", "cov 4 3"], 2, "did you mean 'conv'?"),
        (["stripes.npz", "--device", "cuda:7"], 2, "--device 'cuda:7' is not on this machine"),
        (["stripes.npz", "--epochs", "0"], 2, "--epochs is 0"),
        (["stripes.npz", "--lr", "nan"], 2, "--lr is nan"),
        (["stripes.npz", "--optimizer", "sdg"], 2, "'sdg' is not one of"),
        (["stripes.npz", "--epoch", "3"], 2, "--epochs"),
        (["stripes.npz", "--patience", "2"], 2, "--patience needs a validation split"),
        (["bad.npz"], 3, "bad.npz"),
        (["--resume", "nothing"], 3, "there is no run 'nothing'"),
    ],
)
def test_bad_input_gets_one_clear_message_and_writes_nothing(here, capsys, arguments, code, text):
    (here / "bad.npz").write_bytes(b"PK\x03\x04 but no archive")
    got, out, err = run_cli(capsys, "train", "--net", NET, *arguments)
    assert got == code, err
    assert text in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err + out
    assert not Path("runs").exists()


def test_evaluate_writes_tables_and_pictures(trained, capsys):
    result = run_json(capsys, "evaluate", trained)
    assert result["accuracy"] > 0.9
    assert result["interval"][0] <= result["accuracy"] <= result["interval"][1]
    assert np.array(result["confusion"]).sum() == result["images"] == 30
    folder = Path(result["folder"])
    assert folder == Path(trained) / "evaluation"
    for name in ("confusion.png", "worst.png"):
        assert width(folder / name) > 300
    rows = list(csv.DictReader(io.StringIO((folder / "predictions.csv").read_text())))
    assert len(rows) == 30
    assert sum(row["label"] == row["prediction"] for row in rows) == round(result["accuracy"] * 30)
    code, out, _ = run_cli(capsys, "evaluate", trained)
    assert code == 0
    assert "95 % interval" in out
    assert "confusion: rows are true classes" in out


def test_evaluate_says_where_it_cannot_write(trained, here, capsys):
    (here / "taken").write_text("a file")
    for folder in ("taken", "taken/below"):
        code, out, err = run_cli(capsys, "evaluate", trained, "--out", folder)
        assert (code, out) == (1, "")
        assert f"error: cannot write {folder}: a file is in the way" in err
        assert "help: choose another folder with --out" in err


def test_evaluate_leaves_unreadable_images_out_when_told_to(trained, here, capsys):
    data = stripes(30)
    for i, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        folder = here / "more" / data.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(folder / f"{i}.png")
    (folder / "torn.png").write_bytes(b"no picture")
    code, _, err = run_cli(capsys, "evaluate", trained, "more")
    assert code == 3
    assert "leave them out with --skip-bad" in err
    code, _, err = run_cli(capsys, "evaluate", trained, "more", "--skip-bad")
    assert code == 0, err
    assert err == "1 unreadable images are left out\n"


def test_evaluate_on_other_data_matches_classes_by_name(trained, here, capsys):
    images = stripes(30, 9)
    swapped = (images.labels + 1) % 3
    names = np.array([images.classes[2], images.classes[0], images.classes[1]])  # the same names, in another order
    np.savez("other.npz", x_train=images.images, y_train=swapped, x_test=images.images, y_test=swapped, classes=names)
    assert run_json(capsys, "evaluate", trained, "other.npz")["accuracy"] > 0.9
    np.savez("wrong.npz", x_train=images.images, y_train=swapped, x_test=images.images, y_test=swapped)
    code, _, err = run_cli(capsys, "evaluate", trained, "wrong.npz")
    assert code == 3
    assert "wrong.npz has classes that the net does not know: 0, 1, 2" in err


def test_predict_prints_csv_where_there_is_no_terminal(trained, here, capsys):
    images = stripes(6, 5)
    (here / "new").mkdir()
    for i, image in enumerate(images.images):
        Image.fromarray(image[0]).save(here / "new" / f"{i}.png")
    code, out, err = run_cli(capsys, "predict", trained, "new", "--no-invert")
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["file", "class", "probability", "second_class", "second_probability"]
    assert [row["file"] for row in rows] == [f"new/{i}.png" for i in range(6)]
    assert all(0 <= float(row["second_probability"]) <= float(row["probability"]) <= 1 for row in rows)
    code, out, _ = run_cli(capsys, "predict", trained, "new", "--format", "jsonl")
    assert [json.loads(line)["file"] for line in out.splitlines()] == [f"new/{i}.png" for i in range(6)]
    assert len(run_json(capsys, "predict", trained, "new/0.png")["predictions"]) == 1


def test_predict_refuses_what_is_no_image_unless_told_to_skip_it(trained, here, capsys):
    Path("broken.png").write_bytes(b"not an image")
    Image.fromarray(stripes(1).images[0, 0]).save("fine.png")
    code, _, err = run_cli(capsys, "predict", trained, "broken.png")
    assert code == 3
    assert "broken.png" in err
    code, out, err = run_cli(capsys, "predict", trained, "broken.png", "fine.png", "--skip-bad")
    assert code == 0
    assert out.count("\n") == 2
    assert "1 unreadable images are left out" in err
    assert run_cli(capsys, "predict", trained, "absent.png")[0] == 3


def test_a_digit_drawn_dark_on_light_is_inverted(here, capsys):
    run = run_json(capsys, "train", "digits", "--epochs", "8", "--lr", "0.05")["run"]
    from convscope.data.digits import read_digits

    test = read_digits()[1]
    Path("light").mkdir()
    for i in range(40):
        Image.fromarray(255 - test.images[i, 0]).save(f"light/{i:02}.png")
    right = {}
    for flag in ([], ["--no-invert"]):
        code, out, err = run_cli(capsys, "predict", run, "light", *flag)
        assert code == 0
        assert ("40 of 40 images are dark on light and were inverted" in err) == (not flag)
        rows = csv.DictReader(io.StringIO(out))
        right[bool(flag)] = sum(row["class"] == str(test.labels[i]) for i, row in enumerate(rows))
    assert right[False] >= 36 > right[True]


def test_compare_and_runs(trained, capsys):
    other = run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "2")["run"]
    result = run_json(capsys, "compare", trained, other, "--plot", "both.png")
    assert [entry["run"] for entry in result["runs"]] == [trained, other]
    assert width("both.png") > 600
    assert [entry["state"] for entry in run_json(capsys, "runs")["runs"]] == ["finished", "finished"]
    code, out, _ = run_cli(capsys, "runs")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert run_cli(capsys, "compare", trained)[0] == 2
    Path(trained, "summary.json").write_text("{")
    assert run_json(capsys, "runs")["runs"][0]["state"] == "damaged"


def test_resume_and_train_resume_are_one(trained, capsys):
    first = run_json(capsys, "resume", trained, "--epochs", "13")
    assert (first["run"], first["epochs"]) == (trained, 13)
    assert run_json(capsys, "train", "--resume", trained, "--epochs", "14")["epochs"] == 14
    code, _, err = run_cli(capsys, "resume", trained)
    assert code == 2
    assert "has already done its 14 epochs" in err


def test_devices_and_nets_and_shapes(capsys):
    found = run_json(capsys, "devices")
    assert found["cores"] >= 1
    assert found["auto"] in ("cpu", "cuda:0", "mps")
    code, out, _ = run_cli(capsys, "devices")
    assert code == 0
    assert out.startswith("GPUs     ")
    assert run_json(capsys, "nets")["nets"]["note"]["image"] == [1, 28, 28]
    assert run_json(capsys, "shapes", "note")["parameters"] == 8490
    code, out, _ = run_cli(capsys, "shapes", "tiny-vgg", "--input", "3x64x64")
    assert code == 0
    assert "⌊(64 + 2·0 − 1·(3−1) − 1) / 1⌋ + 1 = 62" in out
    code, _, err = run_cli(capsys, "shapes", "note", "--input", "28x28")
    assert code == 2
    assert "expected channels x height x width" in err


def test_help_does_not_import_torch():
    """So that it answers at once; each verb's help too."""
    verbs = [command.name or command.callback.__name__ for command in cli.app.registered_commands]
    assert {"train", "evaluate", "predict", "compare", "runs", "resume", "devices", "nets", "shapes"} <= set(verbs)
    script = (
        "import sys\nfrom convscope.cli import app\n"
        f"for arguments in [['--help']] + [[v, '--help'] for v in {verbs!r}]:\n"
        "    try: app(arguments)\n"
        "    except SystemExit as stop: assert not stop.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_with_130_and_resume_goes_on(here):
    import signal

    command = [sys.executable, "-m", "convscope", "train", "digits", "--epochs", "5000", "-q"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    log = here / "runs" / "note-digits-1" / "epochs.csv"
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") > 2:
            break
        time.sleep(0.05)
    else:
        child.kill()
        pytest.fail("no epoch was written within 30 s")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert "the work is saved" in err
    assert "convscope resume runs/note-digits-1" in err
    assert "Traceback" not in err
