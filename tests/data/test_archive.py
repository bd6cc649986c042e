"""A ZIP or TAR archive is read in place, as the folder that was packed into it."""

import contextlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.sources import open_source
from convscope.errors import DataError

from ..helpers import run_cli, run_json


def png(value, size=6):
    file = io.BytesIO()
    Image.fromarray(np.full((size, size), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def pack(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


PETS = {f"{name}/{n}.png": png(20 * n + k) for k, name in enumerate(("cat", "dog")) for n in range(5)}


@pytest.mark.parametrize("top", ["", "pets/", "archive/pets/"])
def test_an_archive_is_read_as_the_folder_in_it(tmp_path, top, cache):
    (tmp_path / "pets").mkdir()
    for name, content in PETS.items():
        (tmp_path / "pets" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(content)
    folder = open_source(tmp_path / "pets")
    path = pack(tmp_path / "pets.zip", {f"{top}{name}": content for name, content in PETS.items()})
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):  # decoded, then from the cache
        data = open_source(path)
        assert (data.name, data.train.fingerprint, data.test.fingerprint) == (
            "pets",
            folder.train.fingerprint,
            folder.test.fingerprint,
        )
    assert sorted(tmp_path.rglob("*")) == before, "nothing was unpacked"


def test_an_entry_without_a_name_is_passed_over_by_name(tmp_path):
    """zipfile ends a name at its first null byte, and this one begins with one."""
    path = pack(tmp_path / "pets.zip", PETS | {"Xx.png": png(7)})
    path.write_bytes(path.read_bytes().replace(b"Xx.png", b"\0x.png"))
    data = open_source(path)
    assert len(data.train) + len(data.test) == len(PETS)


def test_parts_and_what_is_passed_over(tmp_path):
    files = {f"pets/{part}/{name}": content for part in ("train", "test") for name, content in PETS.items()}
    files |= {
        "pets/train/cat/a.jxl": b"x",
        "pets/.DS_Store": b"x",
        "__MACOSX/pets/._0.png": b"x",
        "pets/readme.txt": b"x",
        "pets/train/cat/../../../../etc/evil.png": png(1),
        "/etc/worse.png": png(2),
    }
    data = open_source(pack(tmp_path / "pets.zip", files))
    assert (len(data.train), len(data.test)) == (10, 10)
    notes = " | ".join(data.notes)
    for text in (
        "not read: 1 .jxl, 1 .txt",
        "2 hidden files and folders were left out: .DS_Store, __MACOSX",
        "2 links were not followed",
    ):
        assert text in notes, notes


def test_odd_folders_doubled_names_and_runs_in_an_archive(tmp_path):
    path = pack(tmp_path / "pets.zip", PETS)
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../", "/", "a/../", "cat/", "runs/"):
            archive.writestr(name, b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("cat/0.png", png(99))
        for name in ("recipe.json", "environment.json", "curves.png"):
            archive.writestr(f"runs/note-1/{name}", png(1))
    data = open_source(path)
    assert (data.classes, len(data.train) + len(data.test)) == (("cat", "dog"), 10)
    assert "convscope's own runs were left out: runs/" in data.notes


def test_an_image_in_an_archive_that_cannot_be_read_is_named(tmp_path):
    path = pack(tmp_path / "pets.zip", PETS | {"cat/bad.png": b"no image"})
    with pytest.raises(DataError, match=r"pets\.zip/cat/bad\.png is no image that can be read"):
        open_source(path)
    assert open_source(path, skip_bad=True).skipped == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello", "is no ZIP archive, or is damaged"),
        (b"PK\5\6" + bytes(18), "has no class folders"),
    ],
)
def test_what_is_no_archive_of_images(tmp_path, content, text):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=text):
        open_source(tmp_path / "a.zip")


def test_members_that_lie_are_refused(tmp_path, monkeypatch):
    path = pack(tmp_path / "lzma.zip", PETS, zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match=r"none of its 10 images can be read(.|\n)*is compressed in an unusual way"):
        open_source(path)
    path = pack(tmp_path / "secret.zip", PETS)
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        place = content.find(mark)
        while place >= 0:
            content[place + at] |= 1
            place = content.find(mark, place + 4)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is encrypted"):
        open_source(path)
    monkeypatch.setattr("convscope.data.pictures.archives.MAX_UNPACKED", 50)
    with pytest.raises(DataError, match="is too large for an image"):
        open_source(pack(tmp_path / "large.zip", PETS))


WHOLE = pack(io.BytesIO(), {name: png(n, 2) for n, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png"))})


@given(data=st.data())
def test_any_damage_gives_data_or_the_projects_error(tmp_path_factory, data):
    content = bytearray(WHOLE.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(bytes(content))
    with contextlib.suppress(DataError):
        open_source(path, skip_bad=data.draw(st.booleans()))


def test_the_commands_take_an_archive(tmp_path, capsys):
    path = pack(tmp_path / "pets.zip", PETS)
    report = run_json(capsys, "check", path)
    assert (report["data"], report["problem"]) == ("pets", "")
    assert report["sizes"] == {"6×6": 10}
    code, out, err = run_cli(capsys, "train", path, "--net", "linear", "--epochs", "1", "-q", "--out", tmp_path / "r")
    assert (code, out.strip()) == (0, str(tmp_path / "r" / "custom-pets-1")), err
    run = out.strip()
    assert run_cli(capsys, "evaluate", run)[0] == 0
    code, out, err = run_cli(capsys, "predict", run, path, "--format", "csv")
    assert (code, [line.split(",")[0] for line in out.splitlines()[1:]]) == (0, [f"{path}/{name}" for name in PETS]), (
        err
    )


def pack_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content) if isinstance(content, bytes) else 0
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_a_tar_is_read_as_the_zip_of_the_same_files(tmp_path, ending):
    packing = ending.rpartition(".")[2].replace("tgz", "gz")
    mode = "w" if ending == "tar" else f"w:{packing}"
    path = pack_tar(tmp_path / f"pets.{ending}", {f"./pets/{name}": content for name, content in PETS.items()}, mode)
    of_zip = open_source(pack(tmp_path / "pets.zip", PETS))
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):  # decoded, then from the cache
        data = open_source(path)
        assert (data.name, data.train.fingerprint, data.test.fingerprint) == (
            "pets",
            of_zip.train.fingerprint,
            of_zip.test.fingerprint,
        )
    assert sorted(tmp_path.rglob("*")) == before, "nothing was unpacked"


def test_links_devices_and_ways_out_of_a_tar_are_passed_over(tmp_path):
    files = PETS | {
        "cat/link.png": special("cat/link.png", tarfile.SYMTYPE, "/etc/passwd"),
        "cat/hard.png": special("cat/hard.png", tarfile.LNKTYPE, "cat/0.png"),
        "cat/pipe.png": special("cat/pipe.png", tarfile.FIFOTYPE),
        "../out.png": png(1),
        "/etc/worse.png": png(2),
        "dog": special("dog", tarfile.DIRTYPE),
    }
    data = open_source(pack_tar(tmp_path / "pets.tar", files))
    assert len(data.train) + len(data.test) == 10
    assert any(note.startswith("5 links were not followed") for note in data.notes), data.notes


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_what_is_no_tar_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"hello" * 300)
    with pytest.raises(DataError, match="is no TAR archive, or is damaged"):
        open_source(tmp_path / name)


def test_a_tar_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    path = pack_tar(tmp_path / "pets.tar.gz", PETS, "w:gz")
    monkeypatch.setattr("convscope.data.pictures.archives.MAX_DECOMPRESSED", 5000)
    with pytest.raises(DataError, match=r"unpacks to more than 5\.0 kB, for which there is no room"):
        open_source(path)
    monkeypatch.setattr("convscope.data.pictures.archives.LONGEST_HEADER", 600)
    long = pack_tar(tmp_path / "long.tar", PETS | {f"cat/{'x' * 2000}.png": png(1)})
    with pytest.raises(DataError, match="the header of a file in it has"):
        open_source(long)


@pytest.fixture(scope="module")
def whole_tar(tmp_path_factory):
    names = ("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    return pack_tar(path, {name: png(n, 2) for n, name in enumerate(names)}).read_bytes()


@given(data=st.data())
def test_any_damage_of_a_tar_gives_data_or_the_projects_error(tmp_path_factory, whole_tar, data):
    content = bytearray(whole_tar[: data.draw(st.integers(1, len(whole_tar)))])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 6000) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    path.write_bytes(bytes(content))
    with contextlib.suppress(DataError):
        open_source(path, skip_bad=data.draw(st.booleans()))
