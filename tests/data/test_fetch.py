"""Downloads against mirrors on this machine's loopback: broken ones first, a good one last."""

import dataclasses
import gzip
import hashlib
import http.server
import struct
import threading

import numpy as np
import pytest

from convscope.data.readers import fetch as module
from convscope.data.readers.fetch import FILES, PUBLISHED, fetch
from convscope.data.readers.idx import read_idx, write_idx
from convscope.data.sources import open_source
from convscope.errors import DataError


def small_set(count):
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 4), dtype=np.uint8)
    return images, (np.arange(count) % 10).astype(np.uint8)


ARRAYS = dict(zip(FILES, [*small_set(40), *small_set(20)], strict=True))
PLAIN = {f: struct.pack(f">4B{a.ndim}I", 0, 0, 8, a.ndim, *a.shape) + a.tobytes() for f, a in ARRAYS.items()}
PACKED = {f"{f}.gz": gzip.compress(content, mtime=0) for f, content in PLAIN.items()}


class Mirror(http.server.BaseHTTPRequestHandler):
    """/good/FILE is right, and /own/mnist/FILE; the other folders are broken each in its own way."""

    def do_GET(self):
        kind, file = self.path.strip("/").rsplit("/", 1)
        self.server.asked.append((kind, file))
        content = PACKED[file]
        if kind in ("503", "404"):
            self.send_error(int(kind))
            return
        if kind == "wrong":
            content = gzip.compress(b"not what was asked for")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if kind == "truncated" else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirrors(monkeypatch):
    """mirrors(kind, ...) makes those the mirrors of mnist and kmnist; the network may be used."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.delenv("CONVSCOPE_OFFLINE")
    monkeypatch.delenv("CONVSCOPE_DATA", raising=False)

    def use(*kinds):
        urls = tuple(f"http://127.0.0.1:{server.server_port}/{kind}/" for kind in kinds)
        sha256 = tuple(hashlib.sha256(PLAIN[file]).hexdigest() for file in FILES)
        md5 = tuple(hashlib.md5(PACKED[f"{file}.gz"]).hexdigest() for file in FILES)
        publish(monkeypatch, mnist={"mirrors": urls, "sha256": sha256}, kmnist={"mirrors": urls, "md5_gz": md5})
        return server.asked

    yield use
    server.shutdown()
    thread.join()
    server.server_close()


def publish(monkeypatch, **changes):
    for name, change in changes.items():
        monkeypatch.setitem(module.PUBLISHED, name, dataclasses.replace(PUBLISHED[name], **change))


def write_set(folder, zipped=True, without=()):
    folder.mkdir(parents=True)
    for file, array in ARRAYS.items():
        if file not in without:
            write_idx(folder / (f"{file}.gz" if zipped else file), array)
    return folder


@pytest.mark.parametrize("name", ["mnist", "kmnist"])
@pytest.mark.parametrize("broken", ["503", "404", "truncated", "wrong"])
def test_a_broken_mirror_is_passed_over(name, broken, mirrors, cache):
    asked = mirrors(broken, "good")
    paths = fetch(name)
    assert paths == [cache / name / f"{file}.gz" for file in FILES]
    assert [path.read_bytes() for path in paths] == list(PACKED.values())
    assert asked == [(kind, f"{file}.gz") for file in FILES for kind in (broken, "good")]
    assert sorted(p.name for p in (cache / name).iterdir()) == sorted(PACKED), "no part of a download stays behind"
    asked.clear()
    assert fetch(name, offline=True) == paths
    assert not asked, "what is in the cache is not asked for again"


def test_when_all_mirrors_fail_each_is_named_with_its_reason(mirrors, cache):
    mirrors("503", "truncated", "wrong")
    with pytest.raises(DataError) as caught:
        fetch("mnist")
    lines = caught.value.message.split("\n")
    assert lines[0] == "train-images-idx3-ubyte.gz could not be fetched from any mirror:"
    assert "/503/: 503 Server Error" in lines[1]
    assert "/truncated/: " in lines[2]
    assert "IncompleteRead" in lines[2]
    assert "/wrong/: " in lines[3]
    assert "is no IDX file" in lines[3]
    assert str(cache / "mnist") in caught.value.help
    assert not any((cache / "mnist").iterdir())


def test_an_interrupted_download_starts_anew(mirrors, cache):
    mirrors("truncated")
    with pytest.raises(DataError):
        fetch("kmnist")
    mirrors("good")
    assert len(fetch("kmnist")) == 4


def test_a_mirror_of_the_users_is_asked_first(mirrors, monkeypatch, cache):
    asked = mirrors("good")
    first = module.PUBLISHED["mnist"].mirrors[0].removesuffix("good/")
    monkeypatch.setenv("CONVSCOPE_MIRROR", f"{first}own {first}404/")
    assert [path.read_bytes() for path in fetch("mnist")] == list(PACKED.values())
    assert asked == [("own/mnist", f"{file}.gz") for file in FILES]


def test_one_of_mnists_mirrors_answers_in_china():
    assert "https://dataset.bj.bcebos.com/mnist/" in PUBLISHED["mnist"].mirrors


def test_the_network_is_not_asked_offline(mirrors, monkeypatch, cache):
    asked = mirrors("good")
    for offline, variable in ((True, "0"), (False, "1")):
        monkeypatch.setenv("CONVSCOPE_OFFLINE", variable)
        with pytest.raises(DataError) as caught:
            fetch("mnist", offline=offline)
        assert "mnist is not on this machine, and the network is not to be used" in caught.value.message
        assert f"no train-images-idx3-ubyte[.gz] in {cache / 'mnist'}" in caught.value.message
        assert "digits" in caught.value.help
    assert not asked


def test_a_cache_that_cannot_be_made_is_said(mirrors, tmp_path, monkeypatch):
    mirrors("good")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot make the folder .*file/mnist for downloads: Not a directory"):
        fetch("mnist")


@pytest.mark.parametrize("layout", ["kmnist", "KMNIST/raw"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_are_found_where_people_keep_them(layout, zipped, mirrors, tmp_path, monkeypatch):
    asked = mirrors()
    folder = write_set(tmp_path / "here" / layout, zipped)
    ending = ".gz" if zipped else ""
    for data_dir, variable in ((tmp_path / "here", None), (None, tmp_path / "here")):
        if variable:
            monkeypatch.setenv("CONVSCOPE_DATA", str(variable))
        assert fetch("kmnist", data_dir) == [folder / f"{file}{ending}" for file in FILES]
    assert not asked


def test_the_data_sets_own_folder_may_be_named(mirrors, tmp_path):
    mirrors()
    assert fetch("kmnist", write_set(tmp_path / "kmnist"))[0].parent == tmp_path / "kmnist"


def test_first_data_dir_then_the_variable_then_the_cache_then_the_network(mirrors, tmp_path, monkeypatch, cache):
    asked = mirrors("good")
    _, second, third, fourth = FILES
    write_set(cache / "mnist", without=[fourth])
    write_set(tmp_path / "variable" / "mnist", without=[third, fourth])
    write_set(tmp_path / "flag" / "mnist", without=[second, third, fourth])
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "variable"))
    folders = [path.parent.parent.name for path in fetch("mnist", tmp_path / "flag")]
    assert folders == ["flag", "variable", cache.name, cache.name]
    assert asked == [("good", f"{fourth}.gz")]


@pytest.mark.parametrize(("name", "kind"), [("mnist", "SHA-256"), ("kmnist", "MD5")])
def test_a_local_file_with_other_content_is_refused(name, kind, mirrors, tmp_path):
    mirrors("good")
    folder = write_set(tmp_path / name)
    write_idx(folder / f"{FILES[0]}.gz", ARRAYS[FILES[0]] ^ 1)
    with pytest.raises(DataError) as caught:
        open_source(name, data_dir=tmp_path)
    assert f"{folder / FILES[0]}.gz is not the published file: expected {kind} " in caught.value.message
    assert "remove it to have it fetched again" in caught.value.help


def test_a_published_set_has_its_class_names(mirrors, tmp_path):
    mirrors("good")
    data = open_source("kmnist")
    assert data.classes == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    assert (data.train.images[:, 0] == ARRAYS[FILES[0]]).all()
    assert (data.test.labels == ARRAYS[FILES[3]]).all()


def test_the_sums_in_the_code_are_whole_and_differ():
    for published in PUBLISHED.values():
        sums = [s for s in (*published.sha256, *published.md5_gz) if s]
        assert len(set(sums)) == 4
        assert all(len(s) == (64 if published.sha256[0] else 32) for s in sums)
        assert len(published.mirrors) >= 2
        assert len(published.classes) == 10


@pytest.mark.mnist
def test_the_real_mnist_is_verified_and_read(mnist_dir):
    data = open_source("mnist", data_dir=mnist_dir)
    assert data.train.images.shape == (60000, 1, 28, 28)
    assert data.test.images.shape == (10000, 1, 28, 28)
    assert np.bincount(data.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (data.mean, data.std) == ((0.1307,), (0.3081,))
    assert np.array_equal(data.train.images[:, 0], read_idx(mnist_dir / "train-images-idx3-ubyte.gz", 3))
