"""Arrays as they are typed, and files that are not what they say."""

import numpy as np
import pytest
from PIL import Image

from convscope.data.literal import read_array
from convscope.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3", [1, 2, 3]),
        ("5", [5]),
        ("-1 .5e1", [-1, 5]),
        ("1, 2 / 3, 4", [[1, 2], [3, 4]]),
        ("1 2; 3 4", [[1, 2], [3, 4]]),
        ("1\n2\n3", [[1], [2], [3]]),
        ("1 2 | 3 4", [[[1, 2]], [[3, 4]]]),
        ("1 2 / 3 4 | 5 6 / 7 8", [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
        ("[[1, 2], [3, 4.5]]", [[1, 2], [3, 4.5]]),
    ],
)
def test_literals(text, expected):
    assert read_array(text, "--input").tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 / 3", r"--input is ragged: it has rows of 2, 1 numbers"),
        ("1 2 / 3 4 | 5 6", r"--input is ragged: its channels have 2, 1 rows"),
        ("1 2 | 3", r"--input is ragged: it has channels of different widths"),
        ("1 /", "ragged"),
        ("", "--input is empty: it has no numbers"),
        (" / ", "--input is empty: it has no numbers"),
        ("[]", "--input is empty: it has no numbers"),
        ("1 nan", "--input holds nan, which is no finite number"),
        ("-inf", "no finite number"),
        ("1e999", "not finite"),
        ("[NaN]", "not finite"),
        ("1 two", r"--input holds 'two', which is not a number\n  help: write numbers as '1 2 / 3 4'"),
        ("0x10", "not a number"),
        ("1_000", "not a number"),
        ("__import__('os')", "not a number"),
        ("[[1, 2], [3]]", "ragged"),
        ("[1, 'a']", "no JSON list of numbers"),
        ('["a"]', "something other than numbers"),
        ("[true]", "something other than numbers"),
        ("[" * 10_000, "no JSON list"),
        ("9" * 100_000 + "e1", "not finite"),
    ],
)
def test_bad_literals(text, message):
    with pytest.raises(UsageError, match=message):
        read_array(text, "--input")


def test_files(tmp_path):
    array = np.arange(12, dtype=np.int16).reshape(2, 2, 3)
    np.save(tmp_path / "a.npy", array)
    assert read_array(str(tmp_path / "a.npy"), "--input").tolist() == array.tolist()
    (tmp_path / "b.csv").write_text("\ufeff1,2\r\n3,4\r\n\r\n5, 6\n7;8\n")
    assert read_array(str(tmp_path / "b.csv"), "--input").tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    (tmp_path / "c.csv").write_text("1\n2\n3\n")
    assert read_array(str(tmp_path / "c.csv"), "--pred").tolist() == [1, 2, 3]


def test_images(tmp_path):
    Image.fromarray(np.array([[0, 255, 51]], np.uint8)).save(tmp_path / "grey.png")
    assert read_array(str(tmp_path / "grey.png"), "--input").tolist() == [[[0, 1, 0.2]]]
    Image.new("RGB", (4, 2), (255, 0, 51)).save(tmp_path / "colour.PNG", "png")
    colour = read_array(str(tmp_path / "colour.PNG"), "--input")
    assert colour.shape == (3, 2, 4)
    assert colour[:, 1, 3].tolist() == [1, 0, 0.2]


def test_bad_files(tmp_path):
    def refused(name, message):
        with pytest.raises(DataError, match=message) as caught:
            read_array(str(tmp_path / name), "--input")
        assert caught.value.exit_code == 3

    refused("none.npy", "--input: cannot read .*none.npy: No such file")
    np.save(tmp_path / "o.npy", np.array([{}, 1], object), allow_pickle=True)
    refused("o.npy", "Python objects, which are never loaded")
    (tmp_path / "p.npy").write_bytes(b"\x80\x04nonsense")
    refused("p.npy", "it is of another kind")
    np.save(tmp_path / "s.npy", np.array(["a"]))
    refused("s.npy", "does not hold an array of real numbers")
    np.save(tmp_path / "n.npy", np.array([np.nan]))
    refused("n.npy", "not finite")
    whole = (tmp_path / "n.npy").read_bytes()
    (tmp_path / "t.npy").write_bytes(whole.replace(b"(1,)", b"(9999999999,)"))
    refused("t.npy", "no usable .npy file")
    (tmp_path / "r.csv").write_text("1,2\n3\n")
    refused("r.csv", r"--input \(.*r.csv\) is ragged")
    (tmp_path / "h.csv").write_text("pred\n1\n")
    refused("h.csv", "holds 'pred', which is not a number")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    refused("x.csv", "is no text file")
    (tmp_path / "i.png").write_bytes(b"no image")
    refused("i.png", "i.png")
    (tmp_path / "d.csv").mkdir()
    refused("d.csv", "is not a regular file")
