import mmap
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.data.folders.folder import read_folder
from convscope.data.names import natural
from convscope.data.pictures import cache as pixel_cache
from convscope.data.sources import open_source
from convscope.errors import DataError


def shares(images):
    """Name → grey value of evenly grey images."""
    return {images.name(i): int(images.images[i, 0, 0, 0]) for i in range(len(images))}


def test_parts_classes_and_names(make_folder, grey):
    root = make_folder(
        {
            "train/cat/b.png": grey(1),
            "train/cat/a.png": grey(2),
            "train/dog/deep/er/c.png": grey(3),
            "test/dog/d.png": grey(4),
            "valid/cat/e.png": grey(5),
        }
    )
    found = read_folder(root)
    assert found.train.classes == ("cat", "dog")
    assert found.train.labels.tolist() == [0, 0, 1]
    assert shares(found.train) == {"train/cat/a.png": 2, "train/cat/b.png": 1, "train/dog/deep/er/c.png": 3}
    assert (found.test.labels.tolist(), shares(found.test)) == ([1], {"test/dog/d.png": 4})
    assert (found.val.labels.tolist(), shares(found.val)) == ([0], {"valid/cat/e.png": 5})
    assert found.test.classes == found.val.classes == found.train.classes


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_a_validation_folder_without_a_test_folder_is_what_is_held_out(name, make_folder, grey):
    root = make_folder({"Train/a/1.png": grey(1), "Train/b/1.png": grey(2), f"{name}/a/1.png": grey(3)})
    found = read_folder(root)
    assert shares(found.test) == {f"{name}/a/1.png": 3}
    assert found.val is None


def test_a_class_may_be_called_train(make_folder, grey):
    root = make_folder({"bus/1.png": grey(1), "train/1.png": grey(2), "test/1.png": grey(3)})
    found = read_folder(root)
    assert found.train.classes == ("bus", "test", "train")
    assert found.test is None


def test_classes_are_in_natural_order():
    names = ["10", "2", "b", "A", "img12", "img9", "ä", "1"]
    assert sorted(names, key=natural) == ["1", "2", "10", "A", "b", "img9", "img12", "ä"]


def test_classes_are_matched_by_name_so_a_missing_one_shifts_nothing(make_folder, grey):
    root = make_folder(
        {
            "train/ant/1.png": grey(1),
            "train/bee/1.png": grey(2),
            "train/cow/1.png": grey(3),
            "test/cow/1.png": grey(30),
            "test/bee/1.png": grey(20),
        }
    )
    (root / "test" / "dodo").mkdir()  # empty: says nothing
    test = read_folder(root).test
    assert [test.classes[label] for label in test.labels] == ["bee", "cow"]
    assert list(shares(test).values()) == [20, 30]


def test_a_class_only_in_the_test_set_is_an_error(make_folder, grey):
    root = make_folder({"train/a/1.png": grey(1), "train/b/1.png": grey(2), "test/c/1.png": grey(3)})
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert caught.value.message == f"{root}: class 'c' occurs in test/, but not in train/"
    assert "the classes of the training set are a, b" in caught.value.help


def test_an_empty_class_is_an_error(make_folder, grey):
    root = make_folder({"a/1.png": grey(1), "b/notes.txt": b"nothing to see"})
    with pytest.raises(DataError, match="pets: classes without images for training: 'b'"):
        open_source(root)
    assert read_folder(root).train.classes == ("a", "b"), "to evaluate on, it will do"


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["1.png"], "pets has no class folders"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "has val and valid, which mean the same"),
        (["test/a/1.png", "val/a/1.png"], "has test/, val/, but no train/"),
        (["train/1.png", "test/1.png"], "pets has test/, train/, but no class folders in them"),
    ],
)
def test_layouts_that_make_no_sense(files, text, make_folder, grey):
    with pytest.raises(DataError) as caught:
        open_source(make_folder({file: grey(1) for file in files}))
    assert text in caught.value.message


def test_other_and_hidden_files_are_passed_over(make_folder, grey):
    root = make_folder(
        {
            "a/1.PNG": grey(1),
            "a/Thumbs.db": b"x",
            "a/.hidden.png": b"x",
            ".git/x.png": b"x",
            "__MACOSX/._1.png": b"x",
            "b/2.png": grey(2),
            "readme.txt": b"x",
        }
    )
    assert list(shares(read_folder(root).train)) == ["a/1.PNG", "b/2.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_cannot_leave_the_folder(make_folder, grey, tmp_path):
    root = make_folder({"a/1.png": grey(1), "b/2.png": grey(2)})
    secret = tmp_path / "secret.png"
    grey(99).save(secret)
    (tmp_path / "elsewhere").mkdir()
    grey(98).save(tmp_path / "elsewhere" / "x.png")
    (root / "a" / "out.png").symlink_to(secret)
    (root / "a" / "up.png").symlink_to("../../secret.png")
    (root / "a" / "broken.png").symlink_to("nothing")
    (root / "a" / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "loop").symlink_to(root)
    (root / "c").symlink_to(tmp_path / "elsewhere")
    (root / "b" / "in.png").symlink_to(root / "a" / "1.png")
    os.mkfifo(root / "b" / "pipe.png")
    found = read_folder(root)
    assert shares(found.train) == {"a/1.png": 1, "b/2.png": 2, "b/in.png": 1}
    assert found.notes == (
        f"6 links were not followed: they lead out of {root}, round in a circle or nowhere "
        "(a/broken.png, a/folder, a/loop, a/out.png, a/up.png, c)",
        "pipes and devices are no images: b/pipe.png",
    )


def test_names_beyond_ascii(make_folder, grey):
    decomposed, composed = "la\u0308rm", "lärm"
    root = make_folder(
        {
            f"train/{decomposed}/übung 1.png": grey(1),
            "train/数字/一.png": grey(2),
            f"test/{composed}/x.png": grey(3),
        }
    )
    found = read_folder(root)
    assert found.train.classes == (composed, "数字")
    assert found.test.labels.tolist() == [0]
    assert found.train.name(0) == "train/lärm/übung 1.png"


@pytest.mark.skipif(sys.platform != "linux", reason="only there may names be any bytes")
def test_names_that_are_no_text_can_still_be_printed(make_folder, grey):
    root = make_folder({"a/1.png": grey(1), "b/2.png": grey(2)})
    (root / "a" / "1.png").rename(os.fsdecode(os.fsencode(root / "a") + b"/\xff.png"))
    found = read_folder(root)
    assert found.train.name(0).encode() == "a/\ufffd.png".encode()
    (root / "a").rename(root / "a\x1b[31m")
    (root / "b" / "2.png").rename(os.fsdecode(os.fsencode(root / "b") + b"/bad\xfe.png"))
    (root / "b" / "2.png").write_bytes(b"no image")
    (root / "b" / "2.png").rename(os.fsdecode(os.fsencode(root / "b") + b"/worse\xfe.png"))
    for _ in range(2):
        with pytest.raises(DataError, match=r"worse\?\.png is no image that can be read"):
            read_folder(root)
    assert read_folder(root, skip_bad=True).train.classes == ("a\ufffd[31m", "b")


def test_grey_or_colour_is_decided_by_all_images(make_folder, grey):
    equal = Image.fromarray(np.full((6, 6, 3), 7, np.uint8))
    red = Image.fromarray(np.full((6, 6, 3), (200, 0, 0), np.uint8))
    assert read_folder(make_folder({"a/1.png": grey(1), "b/2.png": grey(2)}, "one")).train.shape == (1, 6, 6)
    seeming = read_folder(make_folder({"a/1.png": grey(1), "b/2.png": equal}, "two")).train
    assert (seeming.shape, seeming.images[:, 0, 0, 0].tolist()) == ((1, 6, 6), [1, 7])
    mixed = read_folder(make_folder({"a/1.png": grey(1), "b/2.png": equal, "b/3.png": red}, "three")).train
    assert mixed.images[:, :, 3, 3].tolist() == [[1, 1, 1], [7, 7, 7], [200, 0, 0]]


def test_sizes_are_unified(make_folder, grey):
    same = make_folder({"a/1.png": grey(1, (9, 7)), "b/2.png": grey(2, (9, 7))}, "same")
    assert read_folder(same).train.shape == (1, 7, 9)
    assert read_folder(same).notes == ()
    assert read_folder(same, image_size=12).train.shape == (1, 12, 12)
    assert read_folder(same, 12).notes == ("images of 7×9 pixels are fitted into 12×12",)
    sizes = make_folder({f"{c}/{n}.png": grey(1, (n, 5)) for c in "ab" for n in (20, 30, 40)}, "sizes")
    assert read_folder(sizes).train.shape == (1, 30, 30)
    assert read_folder(sizes).notes == ("images of 3 different sizes are fitted into 30×30 (choose with --image-size)",)
    large = make_folder({"a/1.png": grey(1, (300, 257)), "b/2.png": grey(2, (300, 257))}, "large")
    assert read_folder(large).train.shape == (1, 64, 64)


BAD = {"a/1.png": b"\x89PNG\r\n\x1a\n", "b/bad.png": b"no image"}


def test_unreadable_images_are_named_or_left_out_and_counted(make_folder, grey):
    good = {f"{c}/good{n}.png": grey(n) for c in "ab" for n in range(5)}
    root = make_folder({**good, **BAD})
    for _ in range(2):  # decoded, then from the cache
        with pytest.raises(DataError) as caught:
            read_folder(root)
        assert caught.value.message == (
            "2 of 12 images cannot be used:\n"
            f"  {root / 'a' / '1.png'} is no image that can be read\n"
            f"  {root / 'b' / 'bad.png'} is no image that can be read"
        )
        assert "--skip-bad" in caught.value.help
        found = read_folder(root, skip_bad=True)
        assert found.skipped == 2
        assert list(shares(found.train)) == sorted(good)
    data = open_source(root, skip_bad=True)
    assert data.skipped == 2
    assert len(data.train) + len(data.test) == 10


def test_a_bomb_is_named(make_folder, grey):
    bomb = Image.new("1", (9000, 8000))
    root = make_folder({"a/1.png": grey(1), "a/bomb.png": bomb, "b/2.png": grey(2)})
    with pytest.raises(DataError, match=r"bomb\.png is too large: 9,000 × 8,000 pixels"):
        read_folder(root)


def test_a_folder_of_nothing_readable(make_folder):
    with pytest.raises(DataError, match=r"none of its 2 images can be read, such as:\n  .*a/1\.png"):
        read_folder(make_folder(BAD))


def test_a_class_all_of_whose_images_are_bad_is_empty(make_folder, grey):
    root = make_folder({"a/1.png": grey(1), "a/2.png": grey(1), "b/bad.png": b"no image"})
    with pytest.raises(DataError, match="classes without images for training: 'b'"):
        open_source(root, skip_bad=True)


# The cache


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, as a list that grows."""
    calls = []
    real = pixel_cache.Decoding

    class Counting(real):
        def __init__(self, paths, shape, bad):
            calls.extend(paths)
            super().__init__(paths, shape, bad)

    monkeypatch.setattr(pixel_cache, "Decoding", Counting)
    return calls


@pytest.fixture
def root(make_folder, grey):
    return make_folder({f"{c}/{n}.png": grey(n) for c in "ab" for n in range(3)})


def test_the_second_run_decodes_nothing_and_has_the_same_pixels(root, decoded, cache):
    first = read_folder(root)
    assert len(decoded) == 6
    second = read_folder(root)
    assert len(decoded) == 6
    assert second.train.fingerprint == first.train.fingerprint
    assert second.train.images.flags.writeable, "so that torch.from_numpy takes it without a warning"
    assert not [path for path in cache.rglob("*") if path.suffix == ".tmp"]


def test_a_changed_folder_is_decoded_anew_in_its_place(root, decoded, cache, grey):
    read_folder(root)
    grey(77).save(root / "a" / "1.png")
    os.utime(root / "a" / "1.png", ns=(5, 5))
    assert shares(read_folder(root).train)["a/1.png"] == 77
    (root / "b" / "0.png").unlink()
    assert len(read_folder(root).train) == 5
    assert len(decoded) == 6 + 6 + 5
    read_folder(root, image_size=9)
    assert len(list((cache / "folders").iterdir())) == 2, "one for each image size, none for what was"


def spoil_entry(change):
    return lambda entry, _: (entry / "entry.json").write_text(change((entry / "entry.json").read_text()))


def in_place(path, make):
    path.unlink(missing_ok=True)
    make(path)


def moved_away(pixels):
    other = pixels.with_suffix(".away")
    with other.open("wb") as file:
        np.save(file, np.zeros((6, 1, 6, 6), np.uint8))
    return other


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_entry(lambda text: text[:-5]),
        spoil_entry(lambda text: "[]"),
        spoil_entry(lambda text: text.replace("-grey.npy", "/../../grey.npy")),
        spoil_entry(lambda text: text.replace("bad", "worse")),
        lambda _, pixels: pixels.write_bytes(b"x"),
        lambda _, pixels: pixels.write_bytes(pixels.read_bytes()[:-1]),
        lambda _, pixels: np.save(pixels, np.zeros((5, 1, 6, 6), np.uint8)),
        lambda _, pixels: np.save(pixels, np.zeros((6, 1, 6, 6), np.float32)),
        lambda _, pixels: np.save(pixels, np.full((6, 1, 6, 6), None), allow_pickle=True),
        lambda _, pixels: pixels.unlink(),
        lambda _, pixels: pixels.write_bytes(b""),
        lambda _, pixels: pixels.write_bytes(pixels.read_bytes() + b"x"),
        lambda _, pixels: np.save(pixels, np.asfortranarray(np.zeros((6, 1, 6, 6), np.uint8))),
        lambda entry, _: (entry / "entry.json").write_bytes(b"\xff\xfe"),
        spoil_entry(lambda text: "[" * 100_000),
        spoil_entry(lambda text: text.replace('"bad": {', '"bad": {"x": "y"')),
        lambda entry, _: in_place(entry / "entry.json", os.mkfifo),
        lambda _, pixels: in_place(pixels, os.mkfifo),
        lambda _, pixels: in_place(pixels, lambda path: path.symlink_to("/dev/zero")),
        lambda entry, _: in_place(entry / "entry.json", lambda path: path.symlink_to("/dev/zero")),
        lambda _, pixels: in_place(pixels, lambda path: path.symlink_to(moved_away(pixels))),
        lambda _, pixels: pixels.chmod(0o666),
    ],
)
def test_a_spoilt_cache_is_made_anew(root, decoded, cache, spoil):
    fingerprint = read_folder(root).train.fingerprint
    (entry,) = (cache / "folders").iterdir()
    (pixels,) = entry.glob("*.npy")
    spoil(entry, pixels)
    assert read_folder(root).train.fingerprint == fingerprint
    assert len(decoded) == 12
    assert read_folder(root).train.fingerprint == fingerprint
    assert len(decoded) == 12


def test_a_file_in_the_place_of_an_entry_is_done_without(root, decoded, cache):
    fingerprint = read_folder(root).train.fingerprint
    (entry,) = (cache / "folders").iterdir()
    shutil.rmtree(entry)
    entry.write_text("in the way")
    assert read_folder(root).train.fingerprint == fingerprint


def test_many_pixels_are_mapped_and_few_are_read(root, monkeypatch, decoded):
    fingerprint = read_folder(root).train.fingerprint
    assert not is_mapped(read_folder(root).train.images)
    monkeypatch.setattr(pixel_cache, "SMALL", 0)
    mapped = read_folder(root).train
    assert is_mapped(mapped.images)
    assert (mapped.fingerprint, mapped.images.flags.writeable) == (fingerprint, True)
    assert len(decoded) == 6


def is_mapped(array):
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return isinstance(array, mmap.mmap)


def test_what_killed_processes_left_goes_and_what_others_write_stays(root, cache, grey):
    read_folder(root)
    (entry,) = (cache / "folders").iterdir()
    for name, changed in ((".old.tmp", 5), (".new.tmp", None)):
        (entry / name).touch()
        if changed:
            os.utime(entry / name, (changed, changed))
    grey(9).save(root / "a" / "new.png")
    read_folder(root)
    kept = sorted(path.name for path in entry.iterdir() if path.suffix not in (".npy", ".blocks"))
    assert kept == [".lock", ".new.tmp", "entry.json"]
    assert len(list(entry.glob("*.npy"))) == len(list(entry.glob("*.blocks"))) == 1


def test_without_a_place_for_the_cache_it_works_in_memory(root, monkeypatch, tmp_path):
    expected = read_folder(root).train.fingerprint
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file"))
    assert read_folder(root).train.fingerprint == expected


def test_a_full_disk_leaves_nothing_and_the_pixels_are_made_in_memory(root, monkeypatch, cache):
    expected = read_folder(root).train.fingerprint
    monkeypatch.setenv("CONVSCOPE_CACHE", str(cache / "second"))

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert read_folder(root).train.fingerprint == expected
    assert [path.name for path in (cache / "second").rglob("*") if path.is_file()] == [".lock"]


def test_what_fits_neither_cache_nor_memory_is_refused_with_its_size(root, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("convscope.storage.memory.available_memory", lambda: 100)
    with pytest.raises(DataError, match=r"pets needs 216 bytes of memory, but 100 bytes are free"):
        read_folder(root)


def test_colour_that_turns_out_grey_is_kept_as_grey(make_folder, cache):
    equal = {f"{c}/{n}.png": Image.fromarray(np.full((6, 6, 3), n, np.uint8)) for c in "ab" for n in range(3)}
    root = make_folder(equal)
    first = read_folder(root).train
    assert first.shape == (1, 6, 6)
    (pixels,) = cache.glob("folders/*/*.npy")
    assert pixels.name.endswith("-grey.npy")
    assert read_folder(root).train.fingerprint == first.fingerprint


# Real images


@pytest.mark.mnist
def test_mnist_as_png_files_has_the_same_fingerprint_as_idx(mnist_dir, tmp_path):
    mnist = open_source("mnist", data_dir=mnist_dir)
    expected = {}
    for part, images, count in (("train", mnist.train, 2500), ("test", mnist.test, 500)):
        for i in range(count):
            path = tmp_path / "png" / part / str(images.labels[i]) / f"{i:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[i, 0]).save(path)
        class_by_class = np.argsort(images.labels[:count], kind="stable")  # the order of a folder
        expected[part] = images.take(class_by_class).fingerprint
    data = open_source(tmp_path / "png")
    assert {"train": data.train.fingerprint, "test": data.test.fingerprint} == expected


def test_a_real_folder_of_photographs():
    root = Path(os.environ.get("CONVSCOPE_DATA", "")) / "photos"
    if not root.is_dir():
        pytest.skip("needs photos/ in $CONVSCOPE_DATA")
    data = open_source(root)
    assert data.train.images.shape == (1600, 3, 32, 32)
    assert np.bincount(data.test.labels).tolist() == [40] * 10
    assert data.classes[3] == "cat"
    first = np.asarray(Image.open(root / data.test.name(0)))
    assert np.array_equal(first.transpose(2, 0, 1), data.test.images[0])
