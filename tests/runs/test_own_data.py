"""A run's own data are known by their pixels and classes: whatever happens to the files, no trained image is tested."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import convscope
from convscope import job
from convscope.data.images import ImageSet
from convscope.data.sources import open_source
from convscope.errors import DataError
from convscope.recipe import Recipe
from convscope.runs.evaluation import images_to_test
from convscope.runs.folder import RunFolder
from convscope.runs.images import RunImages
from convscope.runs.own_data import own_data

from ..helpers import examples, small_data

CLASSES = "abc"
EACH = 6


def picture(path: Path, seed: int, size: int = 6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def pictures(root: Path) -> Path:
    for number, name in enumerate(CLASSES):
        for i in range(EACH):
            picture(root / name / f"{i}.png", 100 * number + i)
    return root


def train(data, out, **choices):
    recipe = Recipe(data=str(data), net="linear", epochs=1, threads=1, engine="eager", **choices)
    return list(job.start(recipe, open_source(data, val_fraction=recipe.val_fraction), out))[-1].folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run on a folder of noise, and its images by part."""
    base = tmp_path_factory.mktemp("own")
    folder = train(pictures(base / "mine"), base / "runs", val_fraction=0.2)
    return base, folder, own_data(folder).data


@pytest.fixture
def mine(begun, tmp_path):
    """A copy of the run's data that a test may change, and the run."""
    base, folder, _ = begun
    return Path(shutil.copytree(base / "mine", tmp_path / "mine")), folder


def same(one: ImageSet, other: ImageSet) -> bool:
    return np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)


def test_what_was_kept_reads_back_and_matches_the_data(begun):
    _, folder, data = begun
    kept = folder.images()
    assert kept.classes == data.classes == tuple(CLASSES)
    for name, images in {"train": data.train, "val": data.val, "test": data.test}.items():
        assert np.array_equal(kept.parts[name].hashes, images.hashes)
        assert np.array_equal(kept.parts[name].labels, images.labels)
        assert kept.parts[name].names == tuple(images.names)


def test_hashes_are_equal_exactly_where_pixels_are():
    images = np.zeros((4, 1, 3, 3), dtype=np.uint8)
    images[1, 0, 2, 2] = 1
    images[3] = images[1]
    hashes = [bytes(key) for key in ImageSet(images, np.zeros(4, np.int64), ("a",)).hashes]
    assert hashes[0] == hashes[2] != hashes[1] == hashes[3]


def test_added_images_are_named_and_not_used_and_are_a_set_of_their_own(mine, begun):
    root, folder = mine
    picture(root / "a" / "new.png", 1000)
    picture(root / "b" / "0new.png", 1001)
    shutil.copy(root / "c" / "0.png", root / "c" / "again.png")
    own = own_data(folder, root)
    for part in ("train", "val", "test"):
        assert same(getattr(own.data, part), getattr(begun[2], part))
    assert own.data.mean == begun[2].mean
    names = [own.new.name(i) for i in range(len(own.new))]
    assert {"a/new.png", "b/0new.png"} <= set(names) <= {"a/new.png", "b/0new.png", "c/again.png", "c/0.png"}
    assert any("came since custom-mine-1 began and are not used: a/new.png" in note for note in own.notes)
    fresh = images_to_test(folder, folder.model(), moved=root, new=True)
    assert not folder.images().seen(fresh.images).any()


def test_new_images_are_asked_for_where_there_are_none(mine):
    root, folder = mine
    with pytest.raises(DataError, match="no images came to the data of custom-mine-1 since it began"):
        images_to_test(folder, folder.model(), moved=root, new=True)


def test_another_name_of_a_file_changes_nothing(mine, begun):
    root, folder = mine
    (root / "a" / "0.png").rename(root / "a" / "zero.png")
    os.utime(root / "b" / "1.png", ns=(1, 1))
    own = own_data(folder, root)
    assert same(own.data.train, begun[2].train)
    assert same(own.data.test, begun[2].test)
    assert own.notes == ("1 image got another name since custom-mine-1 began: the pixels are the same",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "a" / "0.png").unlink(), "1 (train|val|test) image gone or altered (a/0.png)"),
        (lambda root: picture(root / "a" / "0.png", 77), "1 (train|val|test) image gone or altered (a/0.png)"),
        (lambda root: (root / "b").rename(root / "bee"), "6 images went from class 'b' to 'bee'"),
        (lambda root: (root / "b" / "1.png").rename(root / "c" / "new.png"), "1 image went from class 'b' to 'c'"),
        (lambda root: [picture(root / "d" / f"{i}.png", 90 + i) for i in range(4)], "class 'd' is new"),
        (lambda root: shutil.rmtree(root / "c"), "class 'c' is gone"),
        (
            lambda root: [picture(file, i, size=9) for i, file in enumerate(sorted(root.rglob("*.png")))],
            "the images are now 9×9 pixels, then they were 6×6",
        ),
    ],
    ids=["removed", "altered", "class-renamed", "moved", "class-added", "class-removed", "resized"],
)
def test_what_has_changed_is_said(mine, change, message):
    root, folder = mine
    change(root)
    for use in (lambda: own_data(folder, root), lambda: images_to_test(folder, folder.model(), moved=root)):
        with pytest.raises(DataError) as caught:
            use()
        pattern, said = message.replace("(train|val|test) ", ""), caught.value.message
        for part in ("train ", "val ", "test "):
            said = said.replace(f"1 {part}image", "1 image")
        assert said.startswith("the data are not those that custom-mine-1 began with: ")
        assert pattern in said
        assert caught.value.exit_code == 3
        assert "convscope train" in caught.value.help
        assert "--data PATH" in caught.value.help


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "copy", "remove", "rename", "move", "touch", "alter", "class"]),
        st.integers(0, len(CLASSES) - 1),
        st.integers(0, EACH - 1),
        st.integers(0, len(CLASSES) - 1),
    ),
    max_size=5,
)


def apply(root: Path, changes) -> None:
    """Do to the files of ``root`` what ``changes`` say; what is not there any more is left alone."""
    for number, (kind, c, i, other) in enumerate(changes):
        file, to = root / CLASSES[c] / f"{i}.png", root / CLASSES[other]
        if kind == "add" and file.parent.is_dir():
            picture(file.with_name(f"{i}-{number}.png"), 1000 + number)
        elif kind == "class" and file.parent.is_dir():
            file.parent.rename(root / f"{CLASSES[c]}{number}")
        elif not file.is_file() or not to.is_dir():
            continue
        elif kind == "copy":
            shutil.copy(file, to / f"copy{number}.png")
        elif kind == "remove":
            file.unlink()
        elif kind == "rename":
            file.rename(file.with_name(f"{number}-{i}.png"))
        elif kind == "move":
            file.rename(to / f"moved{number}.png")
        elif kind == "touch":
            os.utime(file, ns=(number, number))
        elif kind == "alter":
            picture(file, 2000 + number)


@examples(25, 80)
@given(changes=CHANGES)
def test_whatever_happens_to_the_files_no_trained_image_is_tested(begun, tmp_path_factory, changes):
    base, folder, data = begun
    root = tmp_path_factory.mktemp("changed") / "mine"
    shutil.copytree(base / "mine", root)
    apply(root, changes)
    known = {bytes(key) for part in (data.train, data.val) for key in part.hashes}
    for new in (False, True):
        try:
            test = images_to_test(folder, folder.model(), moved=root, new=new)
        except DataError:  # a sentence, exit code 3
            continue
        assert not known & {bytes(key) for key in test.images.hashes}
        assert new or same(test.images, data.test)
    try:
        other = images_to_test(folder, folder.model(), root)
    except DataError:
        return
    assert other.trained_on == len(other.images) or not known & {bytes(key) for key in other.images.hashes}
    shutil.rmtree(root)


def test_of_other_data_those_that_were_trained_on_are_left_out_and_counted(begun, tmp_path):
    base, folder, data = begun
    shutil.copytree(base / "mine", tmp_path / "copy")
    test = images_to_test(folder, folder.model(), tmp_path / "copy")
    assert test.trained_on == len(data.train) + len(data.val)
    assert {bytes(key) for key in test.images.hashes} == {bytes(key) for key in data.test.hashes}
    assert f"{test.trained_on} of 18 images were trained on and are left out" in test.notes


def test_other_data_that_were_all_trained_on_are_tested_with_a_warning(begun, tmp_path):
    _, folder, data = begun
    for i in range(len(data.train)):
        name = data.classes[data.train.labels[i]]
        (tmp_path / "old" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.train.images[i, 0]).save(tmp_path / "old" / name / f"{i}.png")
    test = images_to_test(folder, folder.model(), tmp_path / "old")
    assert len(test.images) == test.trained_on == len(data.train)
    assert "all of them were trained on" in test.notes[-1]


def test_a_run_of_an_older_version_goes_by_its_fingerprints(begun, tmp_path):
    base, folder, data = begun
    old = RunFolder(Path(shutil.copytree(folder.path, tmp_path / "old")))
    (old.path / "images.safetensors").unlink()
    environment = old.environment()
    del environment["data"]["place"]
    (old.path / "environment.json").write_text(json.dumps(environment))
    assert same(own_data(old).data.test, data.test)
    root = Path(shutil.copytree(base / "mine", tmp_path / "mine"))
    picture(root / "a" / "new.png", 1000)
    with pytest.raises(DataError, match="test and train and val images or labels are not those that old began with"):
        own_data(old, root)
    assert images_to_test(old, old.model(), root).notes[-1].startswith("old was begun by an older version: whether")
    list(job.resume(old, own_data(old), epochs=2))
    assert old.images().parts.keys() == {"train", "val", "test"}  # from now on it knows


def test_resume_goes_on_with_the_old_images_in_the_old_order(begun, tmp_path):
    base, folder, _ = begun
    one, two = (RunFolder(Path(shutil.copytree(folder.path, tmp_path / name))) for name in ("one", "two"))
    root = Path(shutil.copytree(base / "mine", tmp_path / "mine"))
    picture(root / "a" / "00.png", 1000)
    (root / "b" / "0.png").rename(root / "b" / "zero.png")
    list(job.resume(one, own_data(one), epochs=3))
    events = list(job.resume(two, own_data(two, root), epochs=3))
    assert any("came since" in note for note in events[0].notes)
    weights = [run.model().net.state_dict() for run in (one, two)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert two.environment()["data"]["place"] == str(root)  # where it is looked for next time


def test_data_are_found_from_another_working_folder_and_asked_for_where_they_were_moved(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    pictures(Path("mine"))
    folder = train("mine", tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "two")
    first = own_data(folder).data
    shutil.move(tmp_path / "one" / "mine", tmp_path / "moved")
    with pytest.raises(DataError, match="the data of custom-mine-1 are no longer at") as caught:
        own_data(folder)
    assert caught.value.help.startswith("say where they are now with --data PATH")
    assert same(own_data(folder, "../moved").data.train, first.train)
    assert convscope.load(folder.path).evaluate(data="../moved").images == len(first.test)
    assert convscope.resume(folder.path, data="../moved", epochs=2).summary["epochs"] == 2


def test_data_that_were_given_in_python_are_asked_for(tmp_path):
    data = small_data()
    pair = ((data.train.images, data.train.labels), (data.test.images, data.test.labels))
    run = convscope.train(pair, net="linear", epochs=1, out=tmp_path, threads=1)
    with pytest.raises(DataError, match="arrays that were given in Python are not kept") as caught:
        run.evaluate()
    assert caught.value.help == "give them again: resume(run, data=…)"
    assert run.evaluate(data=pair).accuracy == run.accuracy
    assert run.evaluate((data.test.images, data.test.labels)).accuracy == run.accuracy


def test_a_model_file_alone_can_predict(begun, tmp_path):
    _, folder, data = begun
    shutil.copy(folder.path / "model.safetensors", tmp_path / "alone.safetensors")
    whole, alone = convscope.load(folder.path), convscope.load(tmp_path / "alone.safetensors")
    assert np.array_equal(whole.predict(data.test.images), alone.predict(data.test.images))
    (tmp_path / "with").mkdir()
    shutil.copy(folder.path / "model.safetensors", tmp_path / "with" / "model.safetensors")
    assert convscope.load(tmp_path / "with").classes == whole.classes
    with pytest.raises(DataError, match=r"it has no recipe\.json"):
        alone.evaluate()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tensors, meta: meta.update(format="other"), "its metadata lack format=convscope-images"),
        (lambda tensors, meta: meta.update(classes="[1]"), "classes must be a list of names"),
        (lambda tensors, meta: tensors.pop("test.hashes"), "a part is missing"),
        (lambda tensors, meta: tensors.update({"train.labels": tensors["train.labels"] + 9}), "name no class"),
        (lambda tensors, meta: tensors.update({"train.labels": tensors["train.labels"][1:]}), "do not go with"),
        (lambda tensors, meta: tensors.update({"train.hashes": tensors["train.hashes"][:, 1:]}), "expected uint8"),
        (lambda tensors, meta: tensors.update({"more": tensors["train.labels"]}), "unknown tensor 'more'"),
        (lambda tensors, meta: tensors.update({"train.names": tensors["train.names"][:3]}), "train.names are"),
    ],
    ids=["format", "classes", "part", "class", "labels", "hashes", "unknown", "names"],
)
def test_a_damaged_list_of_images_is_refused(begun, tmp_path, damage, message):
    from convscope.net.model import load_tensors, save_tensors

    path = tmp_path / "images.safetensors"
    tensors, metadata = load_tensors(begun[1].path / "images.safetensors")
    damage(tensors, metadata)
    save_tensors(path, {name: value.clone() for name, value in tensors.items()}, metadata)
    with pytest.raises(DataError) as caught:
        RunImages.read(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message


@pytest.mark.parametrize("kind", ["larger", "coloured", "deep"])
def test_pictures_of_another_kind_that_came_since_change_none_of_the_old_ones(mine, begun, tmp_path, kind):
    """Size, colour and depth of all pictures are decided by all of them: the run's own must stay as they were."""
    root, folder = mine
    for i in range(40 if kind == "larger" else 2):
        file = root / "a" / f"new{i:02}.png"
        if kind == "larger":
            picture(file, 1000 + i, size=9)
        elif kind == "coloured":
            noise = np.random.default_rng(1000 + i).integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(noise).save(file)
        else:
            Image.fromarray(np.random.default_rng(i).integers(0, 60_000, (6, 6)).astype(np.uint16)).save(file)
    own = own_data(folder, root)
    for part in ("train", "val", "test"):
        assert same(getattr(own.data, part), getattr(begun[2], part))
    assert own.new.shape == begun[2].train.shape
    two = RunFolder(Path(shutil.copytree(folder.path, tmp_path / "two")))
    list(job.resume(two, own_data(two, root), epochs=2))
    assert two.model().image == begun[2].train.shape
