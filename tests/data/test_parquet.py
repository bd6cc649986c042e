"""Parquet: pictures and labels in shards as Hugging Face's datasets keep them, and tables of paths."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.pictures.archives import ParquetArchive
from convscope.data.sources import open_source
from convscope.errors import DataError

from ..helpers import run_cli, run_json

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'convscope[parquet]'")
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ("cat", "dog")


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 6), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(path, columns, names=None):
    """A file of these columns, with the class names of ``label`` as Hugging Face's datasets write them."""
    table = pa.table(columns)
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)
    return path


def rows(numbers):
    """Images of these grey values, each of class value % 2."""
    return {"image": [{"bytes": png(n), "path": f"{n}.png"} for n in numbers], "label": [n % 2 for n in numbers]}


def labelled(images):
    return {int(images.images[i, 0, 0, 0]): images.classes[images.labels[i]] for i in range(len(images))}


def expected(numbers):
    return {n: NAMES[n % 2] for n in numbers}


def test_shards_of_hugging_face_bring_their_split_and_class_names(tmp_path, cache):
    root = tmp_path / "pets"
    write(root / "data" / "train-00000-of-00002.parquet", rows(range(10)), NAMES)
    write(root / "data" / "train-00001-of-00002.parquet", rows(range(10, 17)), NAMES)
    write(root / "data" / "test-00000-of-00001.parquet", rows(range(20, 26)), NAMES)
    (root / "README.md").write_text("a card")
    for _ in range(2):  # decoded, then from the cache
        data = open_source(root)
        assert (data.name, data.classes) == ("pets", NAMES)
        assert (labelled(data.train), labelled(data.test)) == (expected(range(17)), expected(range(20, 26)))
    assert data.train.names[-1] == "data/train-00001-of-00002.parquet/5"
    assert [note.partition(" (")[0] for note in data.notes] == ["not read: 1 .md"]


@pytest.mark.parametrize("kind", ["numbers", "names", "bytes", "split"])
def test_one_file_in_other_spellings(tmp_path, kind):
    columns = rows(range(20))
    if kind == "names":
        columns["label"] = [NAMES[n % 2] for n in range(20)]
    if kind == "bytes":
        columns = {"jpg": [cell["bytes"] for cell in columns["image"]], "category": columns["label"]}
    if kind == "split":
        columns["split"] = ["train"] * 12 + ["valid"] * 4 + ["test"] * 4
    data = open_source(write(tmp_path / "pets.parquet", columns, NAMES if kind == "split" else None))
    assert data.name == "pets"
    assert data.classes == (NAMES if kind in ("names", "split") else ("0", "1"))
    sizes = (len(data.train), len(data.val or ()), len(data.test))
    assert sizes == ((12, 4, 4) if kind == "split" else (16, 0, 4))


def test_a_table_of_paths(tmp_path, capsys):
    for n in range(10):
        (tmp_path / f"{n}.png").write_bytes(png(n))
    path = write(
        tmp_path / "labels.parquet",
        {"file_name": [f"{n}.png" for n in range(10)], "label": [n % 2 for n in range(10)]},
        NAMES,
    )
    data = open_source(path)
    assert labelled(data.train) | labelled(data.test) == expected(range(10))
    assert run_json(capsys, "check", path)["problem"] == ""
    code, _, err = run_cli(capsys, "check", tmp_path)
    assert (code, f"give {path}" in err) == (3, True), err


def test_the_commands_take_shards(tmp_path, capsys):
    root = tmp_path / "pets"
    write(root / "train.parquet", rows(range(20)), NAMES)
    report = run_json(capsys, "check", root)
    assert (report["images"]["train"], report["sizes"]) == ({"cat": 8, "dog": 8}, {"6×6": 20})
    code, out, err = run_cli(capsys, "train", root, "--net", "linear", "--epochs", "1", "-q", "--out", tmp_path / "r")
    assert code == 0, err
    assert run_cli(capsys, "evaluate", out.strip())[0] == 0


def test_what_cannot_be_used_is_named_with_its_row(tmp_path, monkeypatch):
    def told(columns, names=None):
        with pytest.raises(DataError) as caught:
            open_source(write(tmp_path / "a.parquet", columns, names))
        return f"{caught.value.message} · {caught.value.help}"

    assert "a.parquet has the columns x, y · a Parquet file of pictures has" in told({"x": [1], "y": [2]})
    assert "row 1, has the label None" in told(rows(range(2)) | {"label": [0, None]})
    assert "row 0, has the label 7" in told(rows(range(2)) | {"label": [7, 1]}, NAMES)
    assert "row 0, has the label 0.5" in told(rows(range(2)) | {"label": [0.5, 1.0]})
    assert "row 0, has the split 'x'" in told(rows(range(2)) | {"split": ["x", "test"]})
    empty = rows(range(6))
    empty["image"][3] = {"bytes": None, "path": "3.png"}
    assert "a.parquet/3 holds no picture" in told(empty)
    assert open_source(tmp_path / "a.parquet", skip_bad=True).skipped == 1
    (tmp_path / "b.parquet").write_bytes(b"PAR1" * 100)
    with pytest.raises(DataError, match=r"b\.parquet is no Parquet file, or is damaged"):
        open_source(tmp_path / "b.parquet")
    monkeypatch.setattr("convscope.data.pictures.archives.MAX_DECOMPRESSED", 100)
    with pytest.raises(DataError, match="unpacks to more than 100 bytes, for which there is no room"):
        ParquetArchive(write(tmp_path / "c.parquet", rows(range(6))))


def test_without_pyarrow_the_package_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "pets.parquet", rows(range(6)))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match="pyarrow, which reads these, is not installed") as caught:
        open_source(path)
    assert caught.value.help == "pip install 'convscope[parquet]'"


def test_a_shard_from_elsewhere_is_not_followed(tmp_path):
    write(tmp_path / "elsewhere" / "train.parquet", rows(range(20)))
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "train.parquet").symlink_to(tmp_path / "elsewhere" / "train.parquet")
    with pytest.raises(DataError, match="has no class folders"):
        open_source(tmp_path / "pets")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write(tmp_path_factory.mktemp("parquet") / "a.parquet", rows(range(6)), NAMES).read_bytes()


@given(data=st.data())
def test_any_damage_gives_data_or_the_projects_error(tmp_path_factory, whole, data):
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    path.write_bytes(bytes(content))
    with contextlib.suppress(DataError):
        open_source(path, skip_bad=True)


def test_a_net_says_what_is_in_the_rows_of_a_file(tmp_path, capsys):
    path = write(tmp_path / "cats.parquet", rows(range(12)), NAMES)
    net = ("--net", "flatten | linear", "--epochs", "1", "--out", tmp_path / "runs")
    run = run_json(capsys, "train", path, *net)["run"]
    more = write(tmp_path / "more.parquet", {"image": rows(range(20, 25))["image"]})
    found = run_json(capsys, "predict", run, more)["predictions"]
    assert [one["file"] for one in found] == [f"{more}/{row}" for row in range(5)]
    (tmp_path / "20.png").write_bytes(png(20))
    (alone,) = run_json(capsys, "predict", run, tmp_path / "20.png")["predictions"]
    assert found[0]["probability"] == pytest.approx(alone["probability"], 1e-5)
    table = write(tmp_path / "paths.parquet", {"path": ["a.png"], "label": ["cat"]})
    code, _, errors = run_cli(capsys, "predict", run, table)
    assert code == 3
    assert "paths.parquet holds no pictures: its columns are path, label" in errors
    assert "name the image files themselves" in errors
