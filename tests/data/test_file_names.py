"""Classes from file names, by a pattern that is part of the recipe."""

import time

import pytest

from convscope.data.folders.file_names import compiled
from convscope.data.sources import open_source
from convscope.errors import DataError, UsageError

from ..helpers import run_cli, run_json


@pytest.mark.parametrize(
    ("pattern", "name", "label"),
    [
        ("{class}.*", "cat.0.png", "cat"),
        ("{class}_#.*", "british_cat_12.jpg", "british_cat"),
        ("{class}_*", "british_cat_12.jpg", "british"),
        ("*_{class}.png", "0001_dog.png", "dog"),
        ("img?-{class}.*", "img7-狗.jpeg", "狗"),
        ("{class}/images/*", "n01/images/1.png", "n01"),
        ("{class}.png", "cat.0.png", "cat.0"),
        ("{class}.*", "README", None),
        ("(.+){class}.*", "x.png", None),
    ],
)
def test_what_patterns_read(pattern, name, label):
    match = compiled(pattern).fullmatch(name)
    assert (match and match["label"]) == label


@pytest.mark.parametrize("pattern", ["", "*.png", "{class}{class}", "{class}" + "*" * 4, "{class}" + "x" * 300])
def test_patterns_that_cannot_be_used(pattern, make_folder, grey):
    with pytest.raises(UsageError, match=r"it needs \{class\} once"):
        open_source(make_folder({"cat.png": grey(1)}), class_from=pattern)


def test_a_pattern_takes_no_time_whatever_the_name():
    began = time.process_time()
    assert not compiled("*_*_{class}_*.png").fullmatch("_" * 250)
    assert time.process_time() - began < 5


@pytest.fixture
def flat(make_folder, grey):
    return make_folder({f"{name}.{n}.png": grey(n) for name in ("cat", "dog") for n in range(5)})


def test_a_flat_folder(flat, capsys, tmp_path, monkeypatch, make_folder, grey):
    data = open_source(flat, class_from="{class}.*")
    assert (data.classes, len(data.train) + len(data.test)) == (("cat", "dog"), 10)
    report = run_json(capsys, "check", flat, "--class-from", "{class}.*")
    assert report["images"] == {"train": {"cat": 4, "dog": 4}, "test": {"cat": 1, "dog": 1}}
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(
        capsys, "train", flat, "--class-from", "{class}.*", "--net", "linear", "--epochs", "1", "-q"
    )
    assert code == 0, err
    run = out.strip()
    assert run_cli(capsys, "resume", run, "--epochs", "2", "-q")[0] == 0, "the recipe holds the pattern"
    assert run_cli(capsys, "evaluate", run)[0] == 0
    folders = make_folder({f"{name}/{n}.png": grey(90 + n) for name in ("cat", "dog") for n in range(2)}, "other")
    code, text, err = run_cli(capsys, "evaluate", run, folders)
    assert (code, "of 4 images" in text) == (0, True), err


def test_parts_of_a_folder(make_folder, grey):
    root = make_folder(
        {
            "train/cat.0.png": grey(1),
            "train/dog.0.png": grey(2),
            "test/1.png": grey(3),
            "val/dog.9.png": grey(4),
        }
    )
    data = open_source(root, class_from="{class}.#.png")
    assert (data.train.names, data.test.names) == (["train/cat.0.png", "train/dog.0.png"], ["val/dog.9.png"])
    assert data.notes[0].startswith("test/ holds 1 image whose names do not fit '{class}.#.png', so without labels")


def test_what_lies_beside_the_parts_is_said(make_folder, grey):
    files = {f"train/{name}.{n}.png": grey(n) for name in ("cat", "dog") for n in range(5)}
    files |= {"test1/1.png": grey(9), "extra/cat.9.png": grey(8), "cat.7.png": grey(7)}
    notes = open_source(make_folder(files), class_from="{class}.#.png").notes
    assert notes[:2] == (
        "extra/ with 1 image is none of train/, test1/: left out",
        notes[1],
    )
    assert notes[1].startswith("test1/ holds 1 image whose names do not fit")
    assert notes[2] == "1 image was left out: beside the folders, so in no class"


def test_names_that_do_not_fit_are_named(flat, grey):
    grey(3).save(flat / "bird7.png")
    with pytest.raises(DataError, match=r"1 of 11 images in .*pets do not fit '\{class\}\.#\.\*', such as bird7\.png"):
        open_source(flat, class_from="{class}.#.*")
    with pytest.raises(UsageError, match="--class-from reads the names of image files"):
        open_source("digits", class_from="{class}.*")
