"""What predict takes: a folder holds the images that training would read, and patterns need no shell."""

import pytest

from convscope.data.folders.files import image_files
from convscope.data.folders.layout import lay_out
from convscope.data.folders.walk import walk
from convscope.errors import DataError

from ..helpers import run_cli


@pytest.fixture
def root(make_folder, grey):
    hidden = {f"{place}/1.png": grey(9) for place in ("__MACOSX/cat", "cat/.ipynb_checkpoints", ".thumbs")}
    return make_folder(
        {
            "cat/1.png": grey(1),
            "cat/10.png": grey(2),
            "dog/2.PNG": grey(3),
            "cat/._1.png": b"x",
            "cat/a.jxl": b"x",
            "[1].png": grey(4),
            **hidden,
        }
    )


def test_a_folder_holds_the_images_that_training_reads(root):
    files, notes = image_files([root])
    (root / "[1].png").unlink()
    tree = lay_out(walk(root))
    assert files[1:] == [root / file.path for group in tree.parts["train"].values() for file in group]
    assert notes == tree.notes
    assert notes[0].startswith("not read: 1 .jxl")
    assert notes[1] == "4 hidden files and folders were left out: ._*, .ipynb_checkpoints, .thumbs, __MACOSX"


def test_patterns_are_expanded_where_no_file_has_that_name(root):
    def names(pattern):
        return [str(path.relative_to(root)) for path in image_files([root / pattern])[0]]

    assert names("cat/*.png") == ["cat/1.png", "cat/10.png"]
    assert names("*/?.[pP][nN][gG]") == ["cat/1.png", "dog/2.PNG"]
    assert names("**/*0.png") == ["cat/10.png"]
    assert names("[1].png") == ["[1].png"], "a file of that very name goes first"
    assert names("d*") == ["dog/2.PNG"], "a folder that matches is walked"
    for pattern, text in (("*.tif", r"no file matches .*\*\.tif"), ("absent.png", "there is no file .*absent")):
        with pytest.raises(DataError, match=text):
            image_files([root / pattern])


def test_a_folder_without_images_says_what_it_holds(make_folder):
    root = make_folder({"a/1.jxl": b"", "a/2.jxl": b""})
    with pytest.raises(DataError, match="pets holds no images") as caught:
        image_files([root])
    assert "not read: 2 .jxl" in caught.value.help


def test_the_command_takes_a_quoted_pattern_and_says_what_it_passed_over(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(capsys, "train", "digits", "--net", "linear", "--epochs", "1", "-q")
    run = out.strip()
    code, out, err = run_cli(capsys, "predict", run, f"{root}/*/*.png", "--no-invert")
    assert (code, len(out.splitlines())) == (0, 3), err
    (root / "cat" / "._1.png").unlink()
    code, out, err = run_cli(capsys, "predict", run, root)
    assert (code, len(out.splitlines())) == (0, 5), err
    assert "not read: 1 .jxl" in err
    assert "3 hidden files and folders were left out: .ipynb_checkpoints, .thumbs, __MACOSX" in err
