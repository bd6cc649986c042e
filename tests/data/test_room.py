"""The cache of decoded pixels: a bound, room for others, an entry for each table, a verb that clears it."""

import os
from collections import namedtuple

import numpy as np
import pytest

from convscope.data.pictures import room
from convscope.data.sources import open_source
from convscope.errors import UsageError
from convscope.storage import kept

from ..helpers import run_cli, run_json

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def pets(make_folder, grey):
    """pets(name, side): two classes of four images, 8 · side² bytes of pixels."""
    return lambda name, side=100: make_folder(
        {f"{c}/{n}.png": grey(n * 20 + k, (side, side)) for k, c in enumerate("ab") for n in range(4)}, name
    )


def of():
    return [entry.data.rpartition("/")[2] for entry in kept.kept_pixels()]


def age(seconds):
    """Make every entry look as if it had been used so long ago, the first the longest."""
    for number, entry in enumerate(kept.kept_pixels()):
        for path in entry.place.iterdir():
            os.utime(path, (entry.used - seconds + number, entry.used - seconds + number))


def test_what_was_used_least_lately_goes_first(pets, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_CACHE_GB", "0.0002")  # 200 kB: two of 80 kB
    one, two, three = pets("one"), pets("two"), pets("three")
    open_source(one)
    age(4000)
    open_source(two)
    age(2000)
    open_source(one)  # used again
    age(1000)
    open_source(three)
    assert sorted(of()) == ["one", "three"]


def test_what_another_process_may_be_about_to_use_stays(pets, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_CACHE_GB", "0.0002")
    for name in ("one", "two", "three"):
        assert len(open_source(pets(name)).train) == 6
    assert sorted(of()) == ["one", "two"]


def test_a_disk_that_is_nearly_full_is_left_alone(pets, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: Usage(100_000_000, 0, 10_050_000))
    monkeypatch.setattr("convscope.data.pictures.cache.SMALL", 0)
    data = open_source(pets("pets"))
    assert kept.kept_pixels() == []
    assert any(
        note.startswith("the 80.0 kB of decoded pixels are not kept, for want of room in") for note in data.notes
    )
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: Usage(100_000_000, 0, 10_090_000))
    assert open_source(pets("more")).train.shape == (1, 100, 100)
    assert of() == ["more"]


def test_none_are_kept_where_nobody_wants_them(pets, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_CACHE_GB", "0")
    open_source(pets("pets"))
    assert kept.kept_pixels() == []
    monkeypatch.setenv("CONVSCOPE_CACHE_GB", "much")
    with pytest.raises(UsageError, match="the environment variable CONVSCOPE_CACHE_GB is 'much'"):
        room.limit()


def test_two_tables_in_one_folder_have_an_entry_each(pets):
    root = pets("pets")
    tables = [root / "one.csv", root / "two.csv"]
    for table, count in zip(tables, (3, 4), strict=True):
        rows = "".join(f"{c}/{n}.png,{c}\n" for c in "ab" for n in range(count))
        table.write_text("path,label\n" + rows, encoding="utf-8")
    for table in (*tables, root):
        open_source(table)
    stamps = {path: path.stat().st_mtime_ns for entry in kept.kept_pixels() for path in entry.place.glob("*.npy")}
    assert len(stamps) == 3
    for table in (*tables, root):
        open_source(table)
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}, "nothing was decoded again"


def test_the_verb_lists_and_clears_what_is_ours_and_nothing_else(pets, cache, capsys):
    root = pets("pets")
    open_source(root)
    (cache / "programs").mkdir()
    (cache / "programs" / f"{'0' * 64}.bin").write_bytes(b"x" * 1000)
    mine = [
        cache / "notes.txt",
        cache / "programs" / "mine.py",
        cache / "folders" / "photo.npy",
        cache / "mnist" / "a.gz",
    ]
    mine[-1].parent.mkdir()
    for path in mine:
        path.write_bytes(b"mine")
    elsewhere = pets("elsewhere") / "entry.json"
    elsewhere.write_bytes(b"{}")
    (cache / "folders" / ("a" * 32)).symlink_to(elsewhere.parent)
    code, out, err = run_cli(capsys, "cache")
    assert code == 0, err
    assert f"of {root}" in out
    assert "compiled programs" in out
    told = run_json(capsys, "cache", "--clear")
    assert told["freed"] > 80_000 + 1000
    assert {kind["kind"]: kind["files"] for kind in told["kinds"]} == {
        "folders": 0, "features.sqlite": 0, "programs": 0, "weights": 0, "downloads": 1,
    }  # fmt: skip
    assert all(path.read_bytes() == b"mine" for path in mine)
    assert elsewhere.exists()
    assert np.array_equal(np.unique(open_source(root).train.labels), [0, 1])
    assert "cleared 0 bytes" in run_cli(capsys, "cache")[1] or of() == ["pets"]


def test_the_cache_is_listed_once_however_many_data_sets_it_holds(monkeypatch, cache):
    """Listing it once for each of them took seconds before every new picture folder, in a cache of hundreds."""
    for number in range(3):
        place = cache / "folders" / f"{number:032x}"
        place.mkdir(parents=True)
        (place / "entry.json").write_text("{}")
    listed, files = [], kept._files
    monkeypatch.setattr(kept, "_files", lambda kind: listed.append(kind) or files(kind))
    assert len(kept.kept_pixels()) == 3
    assert listed == ["folders"]
