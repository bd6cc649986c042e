"""convscope train and resume as a user types them, and the commands around them that need no run."""

import json
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from convscope import cli
from convscope.cli import terminal
from convscope.cli.verbs import VERBS
from convscope.net.measured import MEASURED

from ..helpers import ENVIRONMENT, NET, SUMMARY, command, run_cli, run_json, stripes


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


def test_json_leaves_what_the_user_should_know_to_stderr(here, capsys):
    data = stripes(30)
    np.savez("whole.npz", images=data.images, labels=data.labels)
    code, out, err = run_cli(capsys, "train", "whole.npz", "--net", NET, "--epochs", "1", "--json")
    assert (code, err) == (0, "no test set came with the data: 6 of 30 images are held out\n")
    assert json.loads(out)["epochs"] == 1


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
        (["stripes.npz", "--optimizer", "sdg"], 2, "--optimizer is 'sdg' help: did you mean 'sgd'"),
        (["stripes.npz", "--epoch", "3"], 2, "--epochs"),
        (["stripes.npz", "--patience", "2"], 2, "--patience needs a validation split"),
        (["bad.npz"], 3, "bad.npz"),
    ],
)
def test_bad_input_gets_one_clear_message_and_writes_nothing(here, capsys, arguments, code, text):
    (here / "bad.npz").write_bytes(b"PK\x03\x04 but no archive")
    got, out, err = run_cli(capsys, "train", "--net", NET, *arguments)
    assert got == code, err
    assert text in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err + out
    assert not Path("runs").exists()


def test_resume_and_train_resume_are_one(trained, capsys):
    first = run_json(capsys, "resume", trained, "--epochs", "13")
    assert (first["run"], first["epochs"]) == (trained, 13)
    assert run_json(capsys, "train", "--resume", trained, "--epochs", "14")["epochs"] == 14
    code, _, err = run_cli(capsys, "resume", trained)
    assert code == 2
    assert "has already done its 14 epochs" in err
    code, _, err = run_cli(capsys, "train", "--resume", "nothing")
    assert code == 3
    assert "there is no run 'nothing'" in err


def test_devices_and_nets_and_shapes(capsys):
    found = run_json(capsys, "devices")
    assert found["cores"] >= 1
    assert found["auto"] in ("cpu", "cuda:0", "mps")
    code, out, _ = run_cli(capsys, "devices")
    assert code == 0
    assert out.startswith("GPUs     ")
    named = run_json(capsys, "nets")["nets"]
    assert named["note"]["image"] == [1, 28, 28]
    assert (named["note"]["parameters"], named["resnet20"]["parameters"]) == (8490, 272_282)
    assert named["fast94"]["multiply_adds"] == 118_147_360
    assert named["cnn-l"]["measured"]["runs"] == 2
    assert named["fast94"]["measured"]["gpu"] == "H200"
    assert named["note"]["measured"]["accuracy"] == 0.9925
    assert MEASURED.keys() == named.keys(), "each net says what it reaches"
    code, out, _ = run_cli(capsys, "nets")
    assert (code, "mnist 99.25 % ±" in " ".join(out.split()), "not measured" in out) == (0, True, False)
    assert "cifar10 90.08 % ± 0.14 (n = 3), 8 s (H200)" in " ".join(out.split())
    assert run_json(capsys, "shapes", "note")["parameters"] == 8490
    code, out, _ = run_cli(capsys, "shapes", "tiny-vgg", "--input", "3x64x64")
    assert code == 0
    assert "⌊(64 + 2·0 − 1·(3−1) − 1) / 1⌋ + 1 = 62" in out
    code, _, err = run_cli(capsys, "shapes", "note", "--input", "28x28")
    assert code == 2
    assert "expected channels x height x width" in err


def test_help_does_not_import_torch():
    """So that it answers at once; each verb's help too."""
    verbs = [command.name or command.callback.__name__ for command in cli.application().registered_commands]
    assert {"train", "evaluate", "predict", "compare", "runs", "resume", "devices", "nets", "shapes"} <= set(verbs)
    script = (
        "import sys\nfrom convscope.cli import application\napp = application()\n"
        f"for arguments in [['--help']] + [[v, '--help'] for v in {verbs!r}]:\n"
        "    try: app(arguments)\n"
        "    except SystemExit as stop: assert not stop.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


def test_a_verb_loads_its_own_file_alone():
    """And the table of files and verbs is that of the files."""
    for file, named in VERBS.items():
        found = cli.application(named[0]).registered_commands
        assert tuple(command.name or command.callback.__name__ for command in found) == named, file
    assert len(cli.application("trian").registered_commands) == sum(map(len, VERBS.values()))


def test_a_log_interval_that_no_epoch_fills_adds_no_lines(here, capsys):
    """The bundled digits have 23 updates an epoch: the epoch's own line says the same."""
    _, out, _ = run_cli(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "2")
    assert [line.split()[:2] for line in out.splitlines() if line[:5].strip().isdigit()] == [["1", "all"], ["2", "all"]]
    assert Path("runs/custom-stripes-1/log.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--lr", "0.01"], "--lr"),
        (["stripes.npz", "-b", "8", "--nesterov"], "DATA, --batch-size, --nesterov"),
    ],
)
def test_no_choice_beside_resume_is_passed_over_in_silence(trained, capsys, more, named):
    code, out, err = run_cli(capsys, "train", "--resume", trained, "--epochs", "13", *more)
    assert (code, out) == (2, "")
    assert f"error: {named} cannot be given with --resume: the run resumes with its own recipe" in err
    assert run_json(capsys, "runs")["runs"][0]["epochs"] == 12


def test_a_terminal_gets_a_bar_and_keeps_its_cursor(here, capsys, monkeypatch):
    """The second Ctrl-C kills at once: a cursor that the bar had hidden would stay hidden."""
    screen = StringIO()
    monkeypatch.setattr(terminal, "out", lambda: Console(file=screen, force_terminal=True, width=100))
    assert run_cli(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "2")[0] == 0
    shown = screen.getvalue()
    assert "epoch 2/2" in shown
    assert shown.count("\x1b[?25l") == 1
    assert shown.index("\x1b[?25h") == shown.index("\x1b[?25l") + len("\x1b[?25l")


def test_ctrl_c_ends_with_130_and_resume_goes_on(here):
    with command("train", "digits", "--epochs", "5000") as child:
        while "all" not in child.stdout.readline().split():
            assert child.poll() is None, child.stderr.read()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=300)
    assert child.returncode == 130, err
    first, second = err.splitlines()
    assert first.startswith("stopped after ")
    assert first.endswith("; the work is saved")
    assert second == "help: resume it with: convscope resume runs/note-digits-1"


def test_augment_draws_what_the_net_sees(capsys, tmp_path):
    plot = tmp_path / "seen.png"
    code, out, err = run_cli(capsys, "augment", "digits", "--plot", plot)
    assert (code, err) == (0, "")
    assert out == f"augment shift 2 padding=zeros | rotate 10 padding=zeros\nplot    {plot}\n"
    assert plot.read_bytes().startswith(b"\x89PNG")
    code, _, err = run_cli(capsys, "augment", "digits", "--augment", "shift four", "--plot", plot)
    assert code == 2
    assert (
        "the number of pixels must be a whole number from 1 to 1000000, not 'four'\n  shift four\n        ^^^^" in err
    )


def test_the_notes_own_data_are_not_augmented_unless_asked(capsys, tmp_path):
    assert settled_of(capsys, tmp_path)["augment"] == "none"
    assert settled_of(capsys, tmp_path, "--augment", "light")["augment"] == "shift 1 padding=zeros"


def settled_of(capsys, tmp_path, *options):
    run = run_json(capsys, "train", "digits", "--epochs", "1", "--out", tmp_path, *options)["run"]
    return json.loads((Path(run) / "recipe.json").read_text())
