"""Several places of images in one data set."""

import os
from pathlib import Path

import pytest

from convscope.data.folders.named import BETWEEN, several
from convscope.data.sources import open_source
from convscope.errors import DataError

from ..helpers import run_cli, run_json
from .test_archive import pack, pack_tar, png


def folder(root, start):
    """Ten images of two classes in ``root``, of the grey values from ``start``."""
    for n in range(10):
        place = root / ("cat", "dog")[n % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.png").write_bytes(png(start + n))
    return root


def values(images):
    return sorted(images.images[:, 0, 0, 0].tolist())


def test_folders_archives_and_tables_are_joined_by_class(tmp_path):
    one = folder(tmp_path / "a" / "one", 0)
    two = pack(
        tmp_path / "two.zip",
        {f"cat/{n}.png": png(10 + n) for n in range(5)} | {"bird/9.png": png(15), "bird/8.png": png(16)},
    )
    three = pack_tar(tmp_path / "three.tar", {f"dog/{n}.png": png(20 + n) for n in range(5)})
    table = folder(tmp_path / "four", 30) / "labels.csv"
    table.write_text("path,label\n" + "".join(f"cat/{n}.png,bird\n" for n in (0, 2)), encoding="utf-8")
    data = open_source(BETWEEN.join(map(str, (one, two, three, table))))
    assert data.name == "one+two+three+labels"
    assert data.classes == ("bird", "cat", "dog")
    assert sorted(values(data.train) + values(data.test)) == [*range(17), *range(20, 25), 30, 32]
    assert {"a/one/cat/0.png", "two.zip/bird/9.png", "three.tar/dog/0.png", "four/cat/0.png"} <= {
        *data.train.names,
        *data.test.names,
    }


def test_where_one_brings_a_test_set_the_others_are_for_training(tmp_path):
    one = tmp_path / "one"
    folder(one / "train", 0)
    folder(one / "test", 10)
    two = folder(tmp_path / "two", 20)
    data = open_source(f"{one}{BETWEEN}{two}")
    assert (values(data.train), values(data.test)) == ([*range(10), *range(20, 30)], [*range(10, 20)])
    assert f"{two} brings no test set: all its images are for training" in data.notes


def test_what_does_not_go_together_is_refused(tmp_path):
    one = folder(tmp_path / "one", 0)
    for second, text in (
        (one, "is named twice: its images would count twice"),
        (one / "cat", f"lies in {one}: its images would count twice"),
        (tmp_path / "none", "there are no data called"),
        ("digits", "is a data set of its own, and cannot be one of several places"),
    ):
        with pytest.raises(DataError, match=text):
            open_source(f"{one}{BETWEEN}{second}")
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(DataError, match="holds no image files, and several data together must"):
        open_source(f"{one}{BETWEEN}{tmp_path / 'a.npz'}")


def test_a_folder_with_that_mark_in_its_name_is_one(tmp_path):
    odd = folder(tmp_path / f"a{BETWEEN}b", 0)
    assert several(odd) == [str(odd)]
    assert len(open_source(odd).train) == 8


def test_the_commands_find_them_again(tmp_path, capsys, monkeypatch):
    folder(tmp_path / "one", 0)
    folder(tmp_path / "two", 20)
    monkeypatch.chdir(tmp_path)
    both = f"one{BETWEEN}two"
    assert run_json(capsys, "check", both)["images"]["train"] == {"cat": 8, "dog": 8}
    code, out, err = run_cli(capsys, "train", both, "--net", "linear", "--epochs", "1", "-q", "--out", tmp_path / "r")
    assert (code, os.path.basename(out.strip())) == (0, "custom-one+two-1"), err  # noqa: PTH119
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_cli(capsys, "evaluate", out.strip())[0] == 0


def test_several_arguments_are_several_places(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, start in (("one", 0), ("two", 20)):
        folder(Path(name), start)
    joined = run_json(capsys, "train", "one", "two", "--net", "flatten | linear", "--epochs", "1")
    assert joined["data"] == f"one{BETWEEN}two"
    assert run_json(capsys, "check", "one", "two") == run_json(capsys, "check", f"one{BETWEEN}two")
    tested, again = (run_json(capsys, "evaluate", joined["run"], *d) for d in (["one", "two"], [f"one{BETWEEN}two"]))
    assert tested == again
    assert run_json(capsys, "augment", "one", "two")["data"] == f"one{BETWEEN}two"
    Path("mine.toml").write_text('data = "one"\nnet = "flatten | linear"\nepochs = 1\n', encoding="utf-8")
    assert run_json(capsys, "train", "--recipe", "mine.toml")["data"] == "one"
    assert run_json(capsys, "train", "two", "--recipe", "mine.toml")["data"] == "two"
    code, _, errors = run_cli(capsys, "train", "one", "thre")
    assert code == 3
    assert "thre" in errors
