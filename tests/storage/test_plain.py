"""Links in the place of a run's files, paths with a ~, and files of a newer version."""

import json
import os
from pathlib import Path

import pytest

import convscope
from convscope import job
from convscope.errors import DataError, TrainingError, UsageError
from convscope.recipe import Recipe
from convscope.runs.folder import RunFolder
from convscope.storage.files import append, sync
from convscope.storage.versions import is_newer
from convscope.training.loop import Epoch

from ..helpers import NET, run_cli, small_data

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX links")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@posix
def test_a_link_put_in_the_place_of_a_log_is_not_written_through(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    events = job.start(Recipe(net=NET, epochs=3, batch_size=16, data="stripes"), small_data(), tmp_path / "runs")
    with pytest.raises(TrainingError, match=r"epochs\.csv: a link stands in its place\n  help: remove the link"):  # noqa: PT012
        for event in events:
            if isinstance(event, Epoch):
                log = next((tmp_path / "runs").iterdir()) / "epochs.csv"
                log.unlink()
                log.symlink_to(victim)
    assert victim.read_text() == "precious\n"


@posix
@pytest.mark.parametrize("write", [lambda path: append(path, "row\n"), sync])
def test_neither_links_nor_pipes_are_written_to(tmp_path, write):
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("")
    link.symlink_to(target)
    os.mkfifo(pipe)
    with pytest.raises(TrainingError, match="a link stands in its place"):
        write(link)
    with pytest.raises(TrainingError, match="a file is in the way"):
        write(pipe)
    assert target.read_text() == ""


def test_a_tilde_is_the_home_wherever_a_path_is_taken(home, capsys):
    run = convscope.train("digits", net="linear", epochs=1, out="~/a")
    assert run.path == home / "a" / "custom-digits-1"
    words = ["train", "digits", "--net", "linear", "--epochs", "1", "-q", "--out", "~/b"]
    assert run_cli(capsys, *words)[:2] == (0, f"{home / 'b' / 'custom-digits-1'}\n")
    assert run_cli(capsys, "runs", "--out", "~/b")[0] == 0
    assert run_cli(capsys, "evaluate", "~/b/custom-digits-1", "--out", "~/c")[0] == 0
    assert (home / "c" / "predictions.csv").exists()
    assert run_cli(capsys, "compare", "~/a/custom-digits-1", "~/b/custom-digits-1", "--plot", "~/d.png")[0] == 0
    assert sorted(path.name for path in home.iterdir()) == ["a", "b", "c", "d.png"]
    assert not Path("~").exists()


@pytest.mark.parametrize("out", [b"x", None, 5, "x\0y", ""])
def test_what_is_no_folder_is_refused_in_words(out):
    with pytest.raises(UsageError, match=r"^out is .*\n  help: it must be the path of a folder$"):
        convscope.train("digits", net="linear", epochs=1, out=out)


def test_files_of_a_newer_version_say_so(tmp_path):
    *_, finished = job.start(Recipe(net=NET, epochs=1, data="stripes"), small_data(), tmp_path)
    folder = finished.folder.path
    recipe = json.loads((folder / "recipe.json").read_text()) | {"warp": 9}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(DataError, match=r"recipe\.json is damaged: the recipe has an unknown choice 'warp'"):
        RunFolder(folder).recipe()
    environment = json.loads((folder / "environment.json").read_text()) | {"convscope": "99.1"}
    (folder / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(DataError, match=r"written by a newer convscope \(99\.1; this is .*\n  help: update convscope"):
        RunFolder(folder).recipe()


@pytest.mark.parametrize(
    ("version", "newer"),
    [
        ("99", True),
        ("0.1.0", False),
        ("0.0.9", False),
        ("0.1.0.1", True),
        ("0.10.0", True),
        (None, False),
        ("x", False),
    ],
)
def test_which_version_is_newer(version, newer, monkeypatch):
    monkeypatch.setattr("convscope.storage.versions.__version__", "0.1.0")
    assert is_newer(version) is newer
