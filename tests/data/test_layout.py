"""Folders as people have them: taken as they are meant, or refused with what to do; nothing is left out unsaid."""

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.folders.folder import read_folder
from convscope.data.folders.layout import lay_out
from convscope.data.folders.walk import walk
from convscope.data.sources import open_source
from convscope.errors import DataError

from ..helpers import run_cli, run_json

linux = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def make(make_folder, grey):
    """make("a/1.png", "b/", ...) writes a folder of small images (and empty folders) and returns its path."""

    def write(*paths, name="pets"):
        root = make_folder({path: grey(n % 251) for n, path in enumerate(paths) if not path.endswith("/")}, name)
        for path in paths:
            if path.endswith("/"):
                (root / path).mkdir(parents=True, exist_ok=True)
        return root

    return write


def classes(*parts, count=2, names="ab"):
    return [f"{part}/{name}/{n}.png" for part in parts for name in names for n in range(count)]


def laid_out(root):
    """Part → class → the files' paths, and the notes."""
    tree = lay_out(walk(root))
    found = {p: {c: [f.path for f in files] for c, files in group.items()} for p, group in tree.parts.items()}
    return found, tree.notes


# What is passed over


def test_what_is_passed_over_is_counted_by_ending_and_reason(make, capsys):
    root = make(*classes(".", count=5), "loose.png")
    for name in ("a/1.jxl", "a/2.JXL", "a/3.svg", "b/README", "a/.DS_Store", "b/._0.png", "b/._1.png"):
        (root / name).write_bytes(b"x")
    for folder in ("__MACOSX/a", "a/.ipynb_checkpoints", ".git"):
        (root / folder).mkdir(parents=True)
        (root / folder / "0.png").write_bytes((root / "a/0.png").read_bytes())
    notes = [
        "not read: 2 .jxl, 1 .svg, 1 without an ending (images are PNG, ",
        "6 hidden files and folders were left out: .DS_Store, ._*, .git, .ipynb_checkpoints, __MACOSX",
        "1 image was left out: beside the folders, so in no class",
    ]
    found = read_folder(root)
    assert len(found.train) == 10
    assert [note[: len(expected)] for note, expected in zip(found.notes, notes, strict=True)] == notes
    assert run_json(capsys, "check", root)["notes"] == [*found.notes, *open_source(root).notes[3:]]
    code, _, err = run_cli(capsys, "train", root, "--net", "linear", "--epochs", "1", "-q", "--out", root.parent / "r")
    assert code == 0, err


def test_a_folder_of_other_files_only_names_them(make, capsys):
    root = make("a/", "b/")
    for verb in ("train", "check"):
        code, _, err = run_cli(capsys, verb, root)
        assert (code, f"{root} holds no images in its folders a, b" in err) == (3, True), err
    for n in range(3):
        (root / f"a/{n}.jxl").touch()
    code, _, err = run_cli(capsys, "check", root)
    assert (code, "not read: 3 .jxl" in err) == (3, True), err


@linux
def test_a_folder_of_links_to_themselves_only_names_them(make, capsys):
    root = make("a/", "b/")
    (root / "a" / "loop.png").symlink_to("loop.png")
    for verb in ("train", "check"):
        code, _, err = run_cli(capsys, verb, root)
        assert (code, "1 link was not followed" in err, "(a/loop.png)" in err) == (3, True, True), err


@linux
def test_links_to_folders_are_followed_within_the_folder_else_named(make, tmp_path):
    root = make(*classes("."), "store/emu/0.png")
    (root / "c").symlink_to(root / "store" / "emu")
    (root / "out").symlink_to(tmp_path)
    (root / "a" / "self.png").symlink_to("self.png")
    (root / "a" / "ping").symlink_to("pong")
    (root / "a" / "pong").symlink_to("ping")
    (root / "b" / "up").symlink_to(root)
    found, notes = laid_out(root)
    assert found["train"]["c"] == ["c/0.png"]
    assert notes == (
        f"5 links were not followed: they lead out of {root}, round in a circle or nowhere "
        "(a/ping, a/pong, a/self.png, b/up, out)",
    )


@linux
def test_classes_that_are_all_links_out_are_named(make, tmp_path):
    root = make("readme/")
    (root / "readme").rmdir()
    (tmp_path / "far").mkdir()
    for name in "abc":
        (root / name).symlink_to(tmp_path / "far")
    with pytest.raises(DataError, match=r"pets has no class folders; links that lead out of it are not followed \(3\)"):
        walk_and_lay_out(root)


def walk_and_lay_out(root):
    return lay_out(walk(root))


@linux
def test_a_split_made_of_links_into_a_store_beside_it(make):
    root = make(*classes("store", count=4), "train/", "test/")
    for part in ("train", "test"):
        for name in "ab":
            (root / part / name).symlink_to(f"../store/{name}")
    found, notes = laid_out(root)
    assert {part: {c: len(files) for c, files in group.items()} for part, group in found.items()} == {
        "train": {"a": 4, "b": 4},
        "test": {"a": 4, "b": 4},
    }
    assert notes == ()


@linux
def test_links_within_links_are_not_followed_so_a_walk_ends(make):
    """Two links in each of 40 folders would be 2⁴⁰ ways through them."""
    root = make(*classes("."), *[f"d{n}/x.png" for n in range(40)])
    for n in range(39):
        for name in ("left", "right"):
            (root / f"d{n}" / name).symlink_to(f"../d{n + 1}")
    began = time.process_time()
    found, notes = laid_out(root)
    assert len(found["train"]["d0"]) == 3
    assert "links were not followed" in notes[0]
    assert time.process_time() - began < 5, "of the CPU, so that a busy machine is no fault"


def test_runs_of_convscope_are_no_classes(make, monkeypatch, capsys):
    root = make(*classes(".", count=5))
    monkeypatch.chdir(root)
    short = ("--net", "linear", "--epochs", "1", "-q")
    for _ in range(2):
        code, out, err = run_cli(capsys, "train", ".", *short)
        assert code == 0, err
    assert run_cli(capsys, "resume", out.strip(), "--epochs", "2", "-q")[0] == 0
    assert run_cli(capsys, "evaluate", out.strip())[0] == 0
    report = run_json(capsys, "check", ".")
    assert list(report["images"]["train"]) == ["a", "b"]
    assert "convscope's own runs were left out: runs/" in report["notes"]
    code, _, err = run_cli(capsys, "train", ".", *short, "--out", "a")  # among the images of a class
    assert code == 0, err
    assert list(run_json(capsys, "check", ".")["images"]["train"]) == ["a", "b"]


def test_a_class_may_be_called_runs(make):
    found, notes = laid_out(make(*classes(".", names=("runs", "walks"))))
    assert (list(found["train"]), notes) == (["runs", "walks"], ())


# Parts


@pytest.mark.parametrize(
    "names",
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train", "seg_test"),
        ("train/train", "test/test"),
        ("train/images", "test/images"),
        ("train", "test_set"),
        ("Train Data", "test-data"),
    ],
)
def test_splits_in_a_folder_of_their_own_or_by_another_name(names, make):
    """Before: the accuracy was that of telling seg_train from seg_test."""
    train, test = names
    root = make(*classes(train, count=3), *classes(test))
    found, notes = laid_out(root)
    assert found == {
        "train": {c: [f"{train}/{c}/{n}.png" for n in range(3)] for c in "ab"},
        "test": {c: [f"{test}/{c}/{n}.png" for n in range(2)] for c in "ab"},
    }
    assert notes == (f"{train}/ is taken as the training set, {test}/ is taken as the test set",)


def test_what_lies_beside_a_split_is_said(make):
    root = make(
        *classes("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred/1.png", "seg_pred/seg_pred/2.png"
    )
    found, notes = laid_out(root)
    assert list(found) == ["train", "test"]
    assert notes[1] == "seg_pred/ with 2 images is none of seg_train/seg_train/, seg_test/seg_test/: left out"


def test_names_that_only_sound_like_parts_are_classes(make):
    for n, names in enumerate(
        [
            ("steam_train", "bus"),
            ("train station", "test tube"),
            ("train", "test", "bus"),
            ("old_train", "new_train"),
        ]
    ):
        found, notes = laid_out(make(*[f"{name}/{i}.png" for name in names for i in range(2)], name=f"root{n}"))
        assert (list(found), sorted(found["train"]), notes) == (["train"], sorted(names), ())
    years = [f"{name}/{year}/1.png" for name in ("train_model", "test_car", "bus") for year in (2019, 2020)]
    found, _ = laid_out(make(*years, name="years"))
    assert sorted(found["train"]) == ["bus", "test_car", "train_model"]


def test_classes_beside_a_train_folder_with_folders_are_refused(make):
    root = make("bus/1.png", "car/1.png", "train/steam/1.png", "train/electric/1.png")
    with pytest.raises(DataError) as caught:
        walk_and_lay_out(root)
    assert caught.value.message == (
        f"{root} can be read in two ways: beside train/, which has folders of its own (electric/, steam/), "
        "bus/, car/ hold images: is train/ the training set or a class?"
    )
    assert f"for the training set, give {root / 'train'}" in caught.value.help
    assert sorted(laid_out(root / "train")[0]["train"]) == ["electric", "steam"]


def test_one_folder_too_high(make, capsys):
    root = make(*classes("archive/train", "archive/test"), "notes/", name="wrapped")
    with pytest.raises(DataError) as caught:
        walk_and_lay_out(root)
    assert "holds all its images in one folder, archive/, so there is one class; in that lie test/, train/" in (
        caught.value.message
    )
    assert caught.value.help == f"give the folder below: {root / 'archive'}"
    assert list(laid_out(root / "archive")[0]) == ["train", "test"]
    code, _, err = run_cli(capsys, "check", make(*classes("a/b/c"), name="deep"))
    assert (code, "deep/a/b/c" in err) == (3, True)


@pytest.mark.parametrize("place", ["test", "test/test", "test/images"])
def test_a_flat_test_folder_is_unlabelled_so_the_split_is_drawn(place, make):
    root = make(*classes("train", count=5), f"{place}/1.png", f"{place}/2.png")
    data = open_source(root)
    assert (len(data.train), len(data.test)) == (8, 2)
    assert all(name.startswith("train/") for name in data.test.names)
    text = f"{place}/ holds 2 images without class folders, so without labels: nothing is tested on them"
    assert any(note.startswith(text) and f"convscope predict RUN {root / place}" in note for note in data.notes)
    assert "no test set came with the data: 2 of 10 images are held out" in data.notes


def test_val_as_the_test_set_is_said(make, capsys):
    root = make(*classes("train", "val"))
    note = "there is no test set with labels: val/ is used for tests, not for validation"
    assert open_source(root).notes == (note,)
    (root / "test").mkdir()
    (root / "test" / "1.png").write_bytes((root / "val/a/0.png").read_bytes())
    assert open_source(root).notes[1] == note
    code, _, err = run_cli(capsys, "train", make(*classes("train", "val"), name="two"), "--patience", "2")
    assert code == 2
    assert "--val-fraction 0.1, or bring folders for all three: train/, val/ and test/" in err


def test_a_strange_class_is_named_with_its_folder(make):
    root = make(*classes("train", "val"), "val/unknown/1.png")
    with pytest.raises(DataError, match="class 'unknown' occurs in val/, but not in train/"):
        open_source(root)


def test_an_empty_class_is_no_obstacle_to_evaluation(make, tmp_path, capsys):
    root = make(*classes(".", count=5))
    code, out, _ = run_cli(capsys, "train", root, "--net", "linear", "--epochs", "1", "-q", "--out", tmp_path / "runs")
    assert code == 0
    other = make("a/1.png", "b/", name="other")
    code, text, err = run_cli(capsys, "evaluate", out.strip(), other)
    assert (code, "of 1 image " in text) == (0, True), err


def test_flat_folders_of_a_split_get_the_advice_that_helps(make, grey):
    root = make("train/cat.0.png", "train/dog.0.png", "test/1.png")
    with pytest.raises(DataError, match="has test/, train/, but no class folders in them") as caught:
        walk_and_lay_out(root)
    assert "--class-from '{class}.*'" in caught.value.help
    flat = make("cat.0.png", "dog.0.png", name="flat")
    (flat / "labels.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="flat has no class folders") as caught:
        walk_and_lay_out(flat)
    assert f"a table lies there: if it holds path,label, give {flat / 'labels.csv'}" in caught.value.help


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test1"),
        ("seg_train", "seg_test"),
        ("train_images", "test_images"),
        ("training_set", "test_set"),
    ],
)
def test_flat_folders_that_sound_like_parts_are_no_classes(names, make):
    """Before: a net learnt to tell train from test1."""
    root = make(*[f"{name}/cat.{n}.png" for name in names for n in range(3)])
    (root / "labels.csv").touch()
    with pytest.raises(DataError, match="but no class folders in them") as caught:
        walk_and_lay_out(root)
    assert f"give {root / 'labels.csv'}" in caught.value.help


NAMES = st.sampled_from(
    ["a", "b", "train", "test", "val", "Training", "seg_train", "images", ".x", "1.png", "2.png", "x.tif"]
)


@given(st.sets(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=9))
def test_every_image_is_in_one_class_or_in_a_note(tmp_path_factory, paths):
    """Any layout: each image is read once, or something is said; else the folder is refused."""
    root = tmp_path_factory.mktemp("any")
    for path in sorted(paths):
        target = root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.suffix:
                target.touch(exist_ok=True)
            else:
                target.mkdir(exist_ok=True)
        except OSError:
            continue  # "1.png" may be a folder and a file
    listing = walk(root)
    lying = {file.path for here in listing.files.values() for file in here}
    try:
        tree = lay_out(listing)
    except DataError:
        return
    read = [file.path for group in tree.parts.values() for files in group.values() for file in files]
    assert len(read) == len(set(read))
    assert set(read) <= lying
    hidden = any(part.startswith(".") for path in paths for part in path.split("/"))
    assert (len(read) == len(lying) and not hidden) or tree.notes


@linux
def test_a_folder_that_may_not_be_read_is_named(make):
    root = make(*classes("."))
    (root / "a").chmod(0)
    try:
        if os.access(root / "a", os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(DataError, match=r"^the folder \S+/pets/a cannot be read: Permission denied"):
            walk(root)
    finally:
        (root / "a").chmod(0o755)


@pytest.mark.parametrize("place", ["pets", "pets/a"])
def test_a_folder_that_may_not_be_read_is_named_whatever_was_looked_for_in_it(make, monkeypatch, place):
    root = make(*classes("."))
    folder = root.parent / place

    def forbid(name, inside):
        function = getattr(os, name)

        def guarded(path, *rest, **named):
            if not isinstance(path, int) and (Path(path).parent if inside else Path(path)) == folder:
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *rest, **named)

        monkeypatch.setattr(os, name, guarded)

    forbid("stat", inside=True)  # root, as which tests may run, may read everything
    forbid("scandir", inside=False)
    with pytest.raises(DataError, match=rf"^the folder \S+/{place} cannot be read: Permission denied"):
        open_source(root)
