"""The report on data before training: every fault is found, and is named where it is."""

import numpy as np
import pytest
from PIL import Image

from convscope.audit.check import check
from convscope.data.check import Place
from convscope.data.sources import open_source
from convscope.errors import DataError

from ..helpers import run_cli, run_json, write_npz


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def picture(seed, size=(8, 8), mode="L"):
    rng = np.random.default_rng(seed)
    shape = size[::-1] if mode == "L" else (*size[::-1], 3)
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode)


def put(root, path, image):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    image.save(root / path)


@pytest.fixture
def messy(tmp_path):
    """Every fault at once: 12 cats, one dog, and what follows."""
    root = tmp_path / "pets"
    for i in range(12):
        put(root, f"train/cat/{i}.png", picture(i))
    put(root, "train/dog/a.png", picture(100, mode="RGB", size=(9, 7)))
    put(root, "train/cat/again.png", picture(3))  # a duplicate
    put(root, "train/dog/cat.png", picture(4))  # one image, two classes
    put(root, "test/cat/5.png", picture(5))  # seen in training
    put(root, "train/cat/black.png", Image.new("L", (8, 8), 0))
    (root / "train/cat/torn.png").write_bytes((root / "train/cat/0.png").read_bytes()[:60])
    (root / "train/cat/text.png").write_text("no image")
    return root


def test_every_fault_is_found(messy):
    report = check(messy, image_size=8)
    assert report.images == {"train": {"cat": 14, "dog": 2}, "test": {"cat": 1, "dog": 0}}
    assert report.sizes == {"8×8": 17, "7×9": 1}
    assert report.modes == {"grey": 17, "colour": 1}
    assert [text.split("/")[-1].split()[0] for text in report.corrupt] == ["text.png", "torn.png"]
    assert report.duplicates == (
        (Place("train", "train/cat/3.png", "cat"), Place("train", "train/cat/again.png", "cat")),
        (Place("train", "train/cat/4.png", "cat"), Place("train", "train/dog/cat.png", "dog")),
    )
    assert report.leaks == ((Place("train", "train/cat/5.png", "cat"), Place("test", "test/cat/5.png", "cat")),)
    assert report.conflicts == (report.duplicates[1],)
    assert report.constant == (Place("train", "train/cat/black.png", "cat"),)
    assert report.missing == {"train": (), "test": ("dog",)}
    assert report.imbalance == 7.0
    assert report.problem.startswith("2 of 19 images cannot be used")


def test_the_command_says_it_all_and_ends_with_3_where_training_would(messy, capsys):
    code, out, err = run_cli(capsys, "check", messy, "--image-size", "8")
    assert code == 3
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for expected in [
        "cat 14 1",
        "dog 2 0",
        "sizes 17 of 8×8, 1 of 7×9; 17 grey, 1 colour",
        "imbalance the largest class has 7.0 times the images of the smallest",
        "missing test has no images of dog",
        "corrupt 2 files cannot be read",
        "constant 1 image is of one colour all over",
        "leakage 1 group of equal images across parts: accuracy on them is memory",
        "train train/cat/5.png (cat) = test test/cat/5.png (cat)",
        "conflicts 1 group of equal images with different classes: one of them is wrong",
    ]:
        assert expected in lines, expected
    assert "training would refuse these data: 2 of 19 images cannot be used" in err
    assert "--skip-bad" in err
    code, out, _ = run_cli(capsys, "check", messy, "--json")
    assert code == 3
    assert '"problem": "2 of 19' in out


def test_it_agrees_with_training(messy):
    for name in ("torn.png", "text.png"):
        (messy / "train/cat" / name).unlink()
    assert check(messy, image_size=8).problem == ""
    open_source(messy, image_size=8)
    put(messy, "test/bird/1.png", picture(200))
    report = check(messy, image_size=8)
    assert report.images["test"] == {"cat": 1, "dog": 0, "bird": 1}
    assert report.missing["train"] == ("bird",)
    assert "class 'bird' occurs in test/, but not in train/" in report.problem
    with pytest.raises(DataError) as caught:
        open_source(messy, image_size=8)
    assert (caught.value.message, caught.value.help) == (report.problem, report.help)


def test_an_image_of_one_colour_need_not_be_grey(tmp_path):
    for name in ("cat", "dog"):
        put(tmp_path, f"{name}/a.png", picture(len(name), mode="RGB"))
        put(tmp_path, f"{name}/b.png", picture(ord(name[0]), mode="RGB"))
    put(tmp_path, "dog/blue.png", Image.new("RGB", (8, 8), (0, 0, 255)))
    assert [place.name for place in check(tmp_path).constant] == ["dog/blue.png"]


def test_arrays_are_checked_too(tmp_path, capsys):
    write_npz(tmp_path / "stripes.npz")
    report = run_json(capsys, "check", tmp_path / "stripes.npz")
    assert report["images"]["train"] == {"low": 20, "mid": 20, "top": 20}
    assert (report["leaks"], report["problem"]) == ([], "")
    with np.load(tmp_path / "stripes.npz") as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    images[7], labels[labels == 2] = images[0], 1
    np.savez(tmp_path / "two.npz", images=images, labels=labels, classes=["a", "b", "c"])
    code, out, err = run_cli(capsys, "check", tmp_path / "two.npz")
    assert code == 3
    assert "missing     train has no images of c" in out
    assert "two: classes without images for training: 'c'" in err


def test_without_a_test_set_the_one_that_training_draws_is_looked_at(tmp_path, capsys):
    """Else a folder of classes, which most people have, would never have a leak."""
    for name, shift in (("a", 0), ("b", 100)):
        for i in range(20):
            put(tmp_path, f"pets/{name}/{i}.png", picture(i // 2 + shift))  # each twice
    (tmp_path / "pets/a/elsewhere.png").symlink_to(tmp_path)
    report = check(tmp_path / "pets")
    assert report.images == {"train": {"a": 16, "b": 16}, "test": {"a": 4, "b": 4}}
    used = open_source(tmp_path / "pets")
    for group in (*report.duplicates, *report.leaks):
        for place in group:
            assert place.name in getattr(used, place.part).names
    assert len(report.leaks) + len(report.duplicates) == 20
    assert len(report.leaks) >= 1
    assert report.notes == used.notes
    code, out, _ = run_cli(capsys, "check", tmp_path / "pets")
    assert code == 0
    assert "note        no test set came with the data: 8 of 40 images are held out" in out
    assert f"note        1 link was not followed: it leads out of {tmp_path / 'pets'}" in out


def test_nothing_to_look_at(tmp_path, capsys):
    code, _, err = run_cli(capsys, "check", tmp_path / "none")
    assert (code, "there are no data called" in err) == (3, True)
    code, _, err = run_cli(capsys, "check", tmp_path)
    assert (code, "has no class folders" in err) == (3, True)
