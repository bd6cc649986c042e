"""Data of any kind from outside, damaged or odd: they are read or refused, in words and soon."""

import io
import os
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from convscope.audit.check import check
from convscope.data.folders.folder import read_folder
from convscope.data.sources import open_source

from .test_fuzz import damaged, many, survives


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((3, 4), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


IMAGES = {f"{name}/{n}.png": png(40 * n) for name in ("a", "b") for n in range(3)}


def table():
    return b"path,label,split\n" + b"".join(f"{p},{p[0]},train\n".encode() for p in IMAGES) + b"a/0.png,a,\n"


def pixel_table():
    rows = "".join(f"{n % 2},{','.join(str(n + i) for i in range(9))}\n" for n in range(8))
    return ("label," + ",".join(f"p{i}" for i in range(9)) + "\n" + rows).encode()


@many(1500)
@given(damaged(table(), pixel_table(), table().replace(b",", b"\t")), st.sampled_from(["t.csv", "t.tsv"]))
@example(b"path,label\n" + b"../" * 5000 + b"x.png,a\n", "t.csv")
@example(b"label," + b"p," * 100_000 + b"p\n1," + b"2," * 100_000 + b"3\n", "t.csv")
@example(b"path,label\n" + b"a/0.png,a\n" * 20_000, "t.csv")
def test_tables(tmp_path_factory, content, name):
    place = tmp_path_factory.getbasetemp() / "fuzz-table"
    for path, image in IMAGES.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(image)
    (place / name).write_bytes(content)
    survives("tables", open_source, place / name)


def archives():
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for path, image in IMAGES.items():
                archive.writestr(f"pets/{path}", image)
        yield file.getvalue()


@many(2000)
@given(damaged(*archives()), st.booleans())
def test_archives(tmp_path_factory, content, skip_bad):
    path = tmp_path_factory.getbasetemp() / "fuzz.zip"
    path.write_bytes(content)
    survives("archives", lambda: open_source(path, skip_bad=skip_bad))


@pytest.mark.parametrize("name", ["entry.json", "*.npy"])
def test_cached_pixels(tmp_path, monkeypatch, name):
    """Whatever became of the cache, the images are there, one for each file."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "pets"
    for path, image in IMAGES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(image)
    read_folder(root)
    (entry,) = (tmp_path / "cache" / "folders").iterdir()
    (victim,) = entry.glob(name)
    original = victim.read_bytes()

    @many(1000)
    @given(damaged(original))
    def damage(content):
        victim.write_bytes(content)
        found = survives("cached pixels", read_folder, root)
        assert found is not None
        assert found.train.images.shape == (6, 1, 3, 4)

    damage()


NAMES = st.sampled_from(
    ["a", "b", "train", "test", "val", "runs", "seg_train", "images", "1.png", "2.png", "x.heic", "x.csv", ".x",
     "recipe.json"]
)  # fmt: skip
KINDS = st.sampled_from(["image", "junk", "empty", "folder", "link to itself", "link up", "link out", "pipe"])


@many(1500)
@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map("/".join), KINDS, max_size=8))
def test_folders(tmp_path_factory, files):
    root = tmp_path_factory.getbasetemp() / "fuzz-folder"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path, kind in files.items():
        target = root / path
        try:
            if not os.path.realpath(target.parent).startswith(os.path.realpath(root)):
                continue  # a link led there: this test writes into its own folder alone
            target.parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                target.mkdir()
            elif kind == "pipe":
                os.mkfifo(target)
            elif kind.startswith("link"):
                target.symlink_to({"to itself": target.name, "up": "..", "out": "/"}[kind.removeprefix("link ")])
            else:
                target.write_bytes({"image": png(9), "junk": b"junk", "empty": b""}[kind])
        except OSError:
            continue  # a file may stand where a folder should
    survives("folders", lambda: open_source(root, skip_bad=True))
    survives("folders", check, root)


KIND = st.one_of(hnp.scalar_dtypes(), st.just(np.dtype(object)))
PLAIN = st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none(), st.booleans(), st.binary(max_size=2))
LABELS = st.one_of(
    st.lists(PLAIN, max_size=8),
    hnp.arrays(KIND, hnp.array_shapes(max_dims=3, max_side=8)),
    hnp.arrays(np.uint8, (6,), elements=st.integers(0, 2)),
)
ARRAYS = st.one_of(
    hnp.arrays(KIND, hnp.array_shapes(min_dims=0, max_dims=5, max_side=6)),
    hnp.arrays(np.uint8, (6, 4, 4)),
    hnp.arrays(np.float32, (6, 3, 2, 2), elements=st.floats(0, 1, width=32)),
    st.lists(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, max_side=3)), max_size=6),
)
KEYS = st.sampled_from(["train", "test", "val", "x", "image", "label"])
ODD = st.one_of(
    PLAIN, st.tuples(), st.just({}), st.just(object()), st.just(iter(())), st.dictionaries(KEYS, LABELS, max_size=3)
)


@many(3000)
@given(
    st.tuples(ARRAYS, LABELS)
    | ODD
    | st.tuples(ODD, ODD)
    | st.tuples(ARRAYS, LABELS, ODD)
    | st.lists(st.tuples(ARRAYS | ODD, LABELS | ODD), max_size=4)
    | st.lists(st.dictionaries(st.sampled_from(["image", "label", "x"]), ARRAYS | ODD, max_size=2), max_size=3)
    | st.tuples(st.tuples(ARRAYS, LABELS), st.tuples(ARRAYS, LABELS)),
    st.sampled_from([None, 1, 4, 9]),
)
def test_what_python_hands_over(data, image_size):
    if isinstance(data, str):
        return  # a path
    survives("Python data", lambda: open_source(data, image_size=image_size))
