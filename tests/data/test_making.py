"""Decoded pixels are made block by block: a making that was stopped continues, and damage is found and said."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from convscope.data.folders.folder import read_folder
from convscope.data.pictures import bulk
from convscope.data.pictures.decode import decode
from convscope.language import say


@pytest.fixture
def root(make_folder, grey):
    return make_folder({f"{c}/{n}.png": grey(n) for c in "ab" for n in range(3)})


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
    """The names of the images that were decoded, as a list that grows; blocks are of two images."""
    names = []

    def noting(path, preparation):
        names.append(str(path))
        return decode(path, preparation)

    monkeypatch.setattr(bulk, "decode", noting)
    monkeypatch.setattr(bulk, "BLOCK", 2)
    return names


def stop(monkeypatch, root, blocks, **choices):
    """Ctrl-C once so many blocks are written."""
    real = bulk.Decoding.blocks

    def some(self, first=0):
        yield from islice(real(self, first), blocks)
        raise KeyboardInterrupt

    with monkeypatch.context() as short:
        short.setattr(bulk.Decoding, "blocks", some)
        with pytest.raises(KeyboardInterrupt):
            read_folder(root, **choices)


@pytest.mark.parametrize("torn", [b"", b"a block whose line was not written"])
def test_decoding_that_was_stopped_continues(root, cache, looked_at, monkeypatch, torn):
    stop(monkeypatch, root, 2)
    (part,) = cache.glob("folders/*/*.part")
    part.write_bytes(part.read_bytes() + torn)
    looked_at.clear()
    found = read_folder(root)
    assert sorted(name[-7:] for name in looked_at) == ["b/1.png", "b/2.png"]  # the last of three blocks
    assert "decoding was stopped before its end: it continued after 4 images" in found.notes
    assert found.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert not any("stopped" in note for note in read_folder(root).notes)
    assert len(looked_at) == 2


@pytest.mark.parametrize(("block", "there"), [(0, 0), (1, 2), (2, 4)])
def test_a_damaged_map_is_found_and_made_again_from_there(root, cache, looked_at, block, there):
    whole = read_folder(root)
    (pixels,) = cache.glob("folders/*/*.npy")
    content = bytearray(pixels.read_bytes())
    content[len(content) - 6 * 36 + block * 72 + 5] ^= 1  # one bit
    pixels.write_bytes(content)
    looked_at.clear()
    found = read_folder(root)
    assert f"the kept pixels were damaged: it continued after {there} images" in found.notes
    assert found.train.fingerprint == whole.train.fingerprint
    assert len(looked_at) == 6 - there


@pytest.mark.parametrize("lines", ["", "2\n", "3\n{}\n", "2\nno line\n", '2\n{"crc": []}\n{}\n', "\xff"])
def test_lines_that_make_no_sense_begin_it_again(root, cache, looked_at, lines):
    whole = read_folder(root)
    (path,) = cache.glob("folders/*/*.blocks")
    path.write_text(lines, encoding="latin-1")
    assert read_folder(root).train.fingerprint == whole.train.fingerprint
    assert len(looked_at) == 12


def test_what_was_bad_or_coloured_before_a_stop_is_known_after_it(make_folder, grey, monkeypatch):
    colour = Image.fromarray(np.arange(108, dtype=np.uint8).reshape(6, 6, 3))
    torn = b"\x89PNG\r\n\x1a\n no image"
    root = make_folder({"a/0.png": torn, "a/1.png": colour, "b/0.png": grey(2).convert("RGB"), "b/1.png": grey(3)})
    stop(monkeypatch, root, 1, skip_bad=True)
    found = read_folder(root, skip_bad=True)
    assert (found.train.shape, found.skipped) == ((3, 6, 6), 1)


def test_colour_that_turns_out_grey_continues_too(make_folder, cache, monkeypatch, looked_at):
    equal = {f"{c}/{n}.png": Image.fromarray(np.full((6, 6, 3), n, np.uint8)) for c in "ab" for n in range(3)}
    root = make_folder(equal)
    stop(monkeypatch, root, 2)
    looked_at.clear()
    assert read_folder(root).train.shape == (1, 6, 6)
    assert len(looked_at) == 2
    assert sorted(path.suffix for path in cache.glob("folders/*/*-*")) == [".blocks", ".npy"]


def test_of_two_that_want_to_decode_a_folder_one_does(root, looked_at):
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(read_folder, [root, root])
    assert one.train.fingerprint == two.train.fingerprint
    assert len(looked_at) == 6


def test_what_is_said_of_it_is_said_in_chinese(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    said = say("the kept pixels were damaged: it continued after 1,234 images")
    assert said == "保存的像素已损坏：在 1,234 张图像之后继续"
