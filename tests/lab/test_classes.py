"""Classes of one's own on the server: names, limits, removal, and that a set is data like any other."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.sources import open_source
from convscope.errors import ConvscopeError, DataError, UsageError
from convscope.lab.classes import sets as limits
from convscope.lab.classes.pictures import kept
from convscope.lab.classes.sets import Sets


def picture(seed=0, side=40, kind="PNG", exif=None):
    """A file of one colour with some grain."""
    pixels = np.random.default_rng(seed).integers(0, 40, (side, side, 3), dtype=np.uint8)
    pixels[..., seed % 3] += 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"exif": exif} if exif else {}))
    return pixels, base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def sets(tmp_path):
    return Sets(tmp_path)


def fill(sets, name, count, first=0):
    sets.add_class("my-classes", name)
    for seed in range(first, first + 3 * count, 3):
        sets.add_picture("my-classes", name, *kept(picture(seed)[1]))


def test_a_set_is_what_train_reads(sets, tmp_path):
    fill(sets, "red mug", 5)
    fill(sets, "绿叶", 5, first=1)
    data = open_source(str(tmp_path / "my-classes"))
    assert data.classes == ("red mug", "绿叶")
    assert len(data.train) + len(data.test) == 10
    assert not [note for note in data.notes if "left out" in note]
    means = data.train.images.mean((2, 3))
    assert (means.argmax(1) == data.train.labels).all()


def test_small_pictures_are_kept_to_the_bit_and_large_ones_reduced():
    pixels, text = picture(side=128)
    file, content = kept(text)
    assert file.endswith(".png")
    assert (np.asarray(Image.open(io.BytesIO(content))) == pixels).all()
    file, content = kept(picture(side=1200, kind="JPEG")[1])
    assert file.endswith(".jpg")
    assert Image.open(io.BytesIO(content)).size == (512, 512)


def test_what_is_kept_is_upright_and_tells_nothing_of_its_place():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "secret camera"
    file = io.BytesIO()
    Image.new("RGB", (300, 200)).save(file, "JPEG", exif=exif)
    _, content = kept(base64.b64encode(file.getvalue()).decode())
    assert b"secret" not in content
    assert Image.open(io.BytesIO(content)).size == (200, 300)


@pytest.mark.parametrize("text", ["no base64!", base64.b64encode(b"no picture").decode(), ""])
def test_what_is_no_picture_is_refused(text):
    with pytest.raises(ConvscopeError):
        kept(text)


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", ".hidden", "a/b", "a\\b", "a\0b", "train", "Test", "x" * 61, "end.", "a:b", "new\nline\x07"],
)
def test_names_that_are_no_folders_are_refused(sets, tmp_path, name):
    with pytest.raises(UsageError):
        sets.add_class("my-classes", name)
    assert not list((tmp_path / "my-classes").glob("*"))


def test_names_are_told_apart_as_every_disk_does(sets):
    sets.add_class("my-classes", "Mug")
    with pytest.raises(UsageError, match="there is a class 'mug' already"):
        sets.add_class("my-classes", "mug")
    sets.rename_class("my-classes", "Mug", "mug")
    assert [one.name for one in sets.show("my-classes").classes] == ["mug"]


@pytest.mark.parametrize("name", ["..", "runs", "my-classes/..", "my-classes-0", "other", "my-classes-99999"])
def test_a_set_has_a_name_of_ours(sets, name):
    with pytest.raises(UsageError, match="there is no set of classes"):
        sets.show(name)


def test_no_link_leads_out(sets, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0123456789abcdef.png").write_bytes(b"precious")
    sets.add_class("my-classes", "a")
    (tmp_path / "my-classes" / "link").symlink_to(outside)
    (tmp_path / "my-classes" / "a" / "0123456789abcdef.png").symlink_to(outside / "0123456789abcdef.png")
    (tmp_path / "my-classes-2").symlink_to(outside)
    assert [one.name for one in sets.show("my-classes").classes] == ["a"]
    for wrong in (
        lambda: sets.remove_class("my-classes", "link"),
        lambda: sets.picture("my-classes", "a", "0123456789abcdef.png"),
        lambda: sets.add_class("my-classes-2", "b"),
        lambda: sets.picture("my-classes", "a", "../../outside/0123456789abcdef.png"),
    ):
        with pytest.raises(DataError):
            wrong()
    assert (outside / "0123456789abcdef.png").read_bytes() == b"precious"
    assert sets.begin() == "my-classes-3"


def test_removed_is_removed_and_what_is_not_ours_stays(sets, tmp_path):
    fill(sets, "a", 3)
    own = tmp_path / "my-classes" / "a" / "holiday.jpg"
    own.write_bytes(b"mine")
    shown = sets.show("my-classes").classes[0]
    assert (len(shown.pictures), shown.others) == (3, 1)
    sets.remove_picture("my-classes", "a", shown.pictures[0])
    assert not (tmp_path / "my-classes" / "a" / shown.pictures[0]).exists()
    with pytest.raises(DataError, match="has no picture"):
        sets.remove_picture("my-classes", "a", shown.pictures[0])
    with pytest.raises(DataError, match="files that the lab did not put there"):
        sets.remove_class("my-classes", "a")
    assert list(own.parent.iterdir()) == [own]
    own.unlink()
    sets.remove_class("my-classes", "a")
    assert sets.show("my-classes").classes == ()


def test_renaming_never_replaces_a_folder(sets, tmp_path):
    sets.add_class("my-classes", "a")
    (tmp_path / "my-classes" / "b").write_text("a file of the user's")
    with pytest.raises(UsageError, match="is there already"):
        sets.rename_class("my-classes", "a", "b")
    assert (tmp_path / "my-classes" / "b").read_text() == "a file of the user's"


def test_number_and_bytes_are_bounded(sets, monkeypatch):
    fill(sets, "a", 2)
    monkeypatch.setattr(limits, "MOST_PICTURES", 2)
    with pytest.raises(UsageError, match="class 'a' has 2 pictures already"):
        sets.add_picture("my-classes", "a", *kept(picture(9)[1]))
    monkeypatch.setattr(limits, "MOST_PICTURES", 1000)
    monkeypatch.setattr(limits, "MOST_BYTES", sets.show("my-classes").bytes + 10)
    with pytest.raises(UsageError, match="would take more than"):
        sets.add_picture("my-classes", "a", *kept(picture(9)[1]))
    monkeypatch.setattr(limits, "MOST_CLASSES", 1)
    with pytest.raises(UsageError, match="there are 1 classes already"):
        sets.add_class("my-classes", "b")
    sets.add_picture("my-classes", "a", *kept(picture(0)[1]))  # there already: kept once
    assert len(sets.show("my-classes").classes[0].pictures) == 2


def test_the_doors(lab):
    """Without the key nothing is written; bad requests are told; pictures come back as what they are."""
    asked = {"set": "my-classes", "name": "door"}
    assert lab.client.post("/api/classes/class", json=asked).status_code == 403
    assert not (lab.runs.parent / "my-classes" / "door").exists()
    lab.ask("/api/classes/class", asked)
    file = lab.ask("/api/classes/add", {**asked, "picture": picture()[1]})["file"]
    answer = lab.client.get(f"/api/classes/my-classes/door/{file}")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert lab.client.get("/api/classes/my-classes/door/..%2F..%2Fx").status_code in (400, 404)
    assert lab.post("/api/classes/add", {**asked, "picture": "A" * (3 * 2**20 + 4)}).status_code == 422
    assert lab.post("/api/classes/train", {"set": "my-classes"}).json()["error"] == (
        "my-classes has 1 class, but there must be two or more"
    )
    lab.ask("/api/classes/class", {**asked, "name": "other"})
    assert (
        "class 'door' has too few pictures: 1, but it needs 5 or more"
        in lab.post("/api/classes/train", {"set": "my-classes"}).json()["error"]
    )
    for name in ("door", "other"):
        lab.ask("/api/classes/remove", {**asked, "name": name})
    assert lab.client.get("/api/classes/my-classes").json()["classes"] == []
    assert lab.client.get("/").headers["permissions-policy"].startswith("camera=(self), microphone=()")


def test_the_answer_is_the_runs(lab, colour_run):
    """What the page asks live is what the command line predicts."""
    _, text = picture(1)
    found = lab.ask("/api/classes/answer", {"run": colour_run, "picture": text})
    run = convscope.load(lab.runs / colour_run)
    file = lab.runs.parent / "asked.png"
    file.write_bytes(base64.b64decode(text))
    assert found["classes"] == list(run.classes)
    assert found["confidences"] == pytest.approx(run.predict(file)[0].tolist(), abs=1e-6)
