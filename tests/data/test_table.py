"""Tables: labels and splits of image files below the table's folder, and rows of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.sources import open_source, read_parts
from convscope.errors import DataError

from ..helpers import run_cli, run_json


@pytest.fixture
def root(make_folder, grey):
    """Ten images img/0.png … img/9.png, each of one grey value."""
    return make_folder({f"img/{n}.png": grey(10 * n) for n in range(10)})


def write(root, text, name="labels.csv"):
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def read(path, **options):
    return read_parts(path, None, True, options.get("image_size"), options.get("skip_bad", False))


def labelled(images):
    """Grey value → class name."""
    return {int(images.images[i, 0, 0, 0]): images.classes[images.labels[i]] for i in range(len(images))}


CLASSES = ("ant", "bee")
EXPECTED = {10 * n: CLASSES[n % 2] for n in range(10)}


@pytest.mark.parametrize(
    ("header", "cell", "join", "name"),
    [
        ("path,label\n", "img/{}.png", ",", "labels.csv"),
        ("filename;class\n", "img/{}.png", ";", "labels.csv"),
        ("Image\tTarget\n", "./img/{}.png", "\t", "labels.tsv"),
        ("", "img/{}.png", ",", "labels.csv"),
        ("id,breed\n", "{}", ",", "labels.csv"),
        ("image_id,label\n", "{}.png", ",", "labels.csv"),
        ("\ufeffpath,label\r\n", "img\\{}.png", ",", "labels.csv"),
        ("label,note,file\n", "img/{}.png", ",", "labels.csv"),
    ],
)
def test_labels_in_the_usual_spellings(root, header, cell, join, name):
    lines = [[cell.format(n), CLASSES[n % 2]] for n in range(10)]
    if header.startswith("label"):
        lines = [[label, "z", path] for path, label in lines]
    path = write(root, header + "".join(join.join(line) + "\n" for line in lines), name)
    data = read(path).train
    assert (labelled(data), data.classes) == (EXPECTED, CLASSES)


def test_absolute_paths_within_the_folder_and_quoted_cells(root):
    text = "path,label\n" + "".join(f'"{root}/img/{n}.png","{CLASSES[n % 2]}, big"\n' for n in range(10))
    assert read(write(root, text)).train.classes == ("ant, big", "bee, big")


def test_a_split_of_the_tables_own(root):
    splits = ["train"] * 6 + ["valid", "Validation", "test", "TEST"]
    rows = "".join(f"{n}.png,{CLASSES[n % 2]},{split}\n" for n, split in enumerate(splits))
    found = read(write(root, "file,label,split\n" + rows))
    assert [len(part) for part in (found.train, found.val, found.test)] == [6, 2, 2]
    assert (labelled(found.test), found.notes) == ({80: "ant", 90: "bee"}, ())
    odd = write(root, "file,label,split\n0.png,a,dev\n")
    with pytest.raises(DataError, match=r"labels\.csv, line 2, has the split 'dev'"):
        read(odd)
    none = write(root, "file,label,split\n0.png,a,test\n")
    with pytest.raises(DataError, match="has no image for training"):
        read(none)
    held = read(write(root, "file,label,split\n" + rows.replace("test", "train").replace("TEST", "train")))
    assert held.notes == (
        "there is no test set with labels: the val split of labels.csv is used for tests, not for validation",
    )


def test_what_the_table_leaves_out_or_repeats_is_said(root):
    (root / "img" / "x.jxl").touch()
    rows = "".join(f"img/{n}.png,{CLASSES[n % 2]}\n" for n in range(8))
    notes = read(write(root, f"path,label\n{rows}img/0.png,ant\n\n")).notes
    assert notes[:2] == (
        "1 line name a file again: it is taken once",
        f"left out, for the table does not name them: 2 images in {root}",
    )
    assert notes[2].startswith("not read: 1 .jxl")


@pytest.mark.parametrize(
    ("rows", "text", "advice"),
    [
        ("../secret.png,a\n", "line 2: ../secret.png lies outside the table's folder", "above its images"),
        ("/etc/passwd,a\n", "line 2: /etc/passwd lies outside the table's folder", "above its images"),
        ("img/0.png,\n", "line 2, has no label", "leave the line out"),
        ("img/0.png\n", "line 2, has 1 column, but 2 are needed", "path,label"),
        (
            "img/0.png,a\nimg/0.png,b\n",
            "names img/0.png twice, as a (train) in line 2 and as b (train) in line 3",
            "one",
        ),
        ("img/0.png,a\nimg/77.png,a\n0.jpg,b\n", "2 of the files that ", "--skip-bad leaves such lines out"),
        ("", "names no images", "path,label"),
    ],
)
def test_bad_rows_are_named_by_line(root, grey, rows, text, advice):
    grey(99).save(root.parent / "secret.png")
    with pytest.raises(DataError) as caught:
        read(write(root, "path,label\n" + rows))
    assert text in caught.value.message
    assert advice in caught.value.help


def test_absent_files_are_listed_or_left_out(root):
    rows = "".join(f"img/{n}.png,{CLASSES[n % 2]}\n" for n in range(12))
    path = write(root, "path,label\n" + rows)
    with pytest.raises(DataError, match=r"are not there:\n  line 12: img/10\.png\n  line 13: img/11\.png"):
        read(path)
    found = read(path, skip_bad=True)
    assert (len(found.train), found.notes[0]) == (
        10,
        "left out, for the table names what is not there: 2 files",
    )


def test_a_mere_name_must_be_of_one_file(make_folder, grey):
    root = make_folder({"a/1.png": grey(1), "b/1.png": grey(2)})
    with pytest.raises(DataError, match=r"line 2: several files are called 1\.png") as caught:
        read(write(root, "path,label\n1.png,x\n"))
    assert "give the path below" in caught.value.help


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xff\xfe\x00a", "is no text in UTF-8"),
        (b"", "has the columns"),
        (b"a,b,c,d\n1,2,3,4\n", "the columns a, b, c, d"),
        (b"path,label\n" + b'"' + b"x" * 200_000 + b'",a\n', "is not a table: field larger than field limit"),
    ],
)
def test_what_is_no_table(root, content, text):
    (root / "odd.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(root / "odd.csv")
    assert text in caught.value.message


@given(st.binary(max_size=200) | st.text(alphabet="path,label\n\"'01.png/;\t", max_size=80).map(str.encode))
def test_any_bytes_give_data_or_the_projects_error(tmp_path_factory, content):
    place = tmp_path_factory.getbasetemp() / "tables"
    place.mkdir(exist_ok=True)
    (place / "any.csv").write_bytes(content)
    with pytest.raises(DataError):
        open_source(place / "any.csv")


def test_the_commands_take_a_table(root, tmp_path, capsys):
    path = write(root, "path,label\n" + "".join(f"img/{n}.png,{CLASSES[n % 2]}\n" for n in range(10)))
    report = run_json(capsys, "check", path)
    assert (report["data"], list(report["images"]["train"]), report["problem"]) == ("labels", ["ant", "bee"], "")
    runs = tmp_path / "runs"
    code, out, err = run_cli(capsys, "train", path, "--net", "linear", "--epochs", "1", "-q", "--out", runs)
    assert (code, out.strip()) == (0, str(runs / "custom-labels-1")), err
    assert run_cli(capsys, "resume", out.strip(), "--epochs", "2", "-q")[0] == 0
    assert run_cli(capsys, "evaluate", out.strip(), path)[0] == 0


# Pixels


def pixel_table(root, labels, header=True, float_=False):
    rows = np.arange(20 * 36).reshape(20, 36) % 251
    values = rows / 255 if float_ else rows
    lines = [",".join([str(label), *(f"{v:.8g}" for v in row)]) for label, row in zip(labels, values, strict=True)]
    head = ",".join(["label", *(f"pixel{i}" for i in range(36))]) + "\n" if header else ""
    return write(root, head + "\n".join(lines) + "\n", "train.csv"), rows.reshape(20, 6, 6)


@pytest.mark.parametrize("float_", [False, True])
def test_rows_of_pixels(root, float_):
    path, images = pixel_table(root, [n % 3 for n in range(20)], float_=float_)
    found = read(path, image_size=6)
    assert np.array_equal(found.train.images[:, 0], images)
    assert (found.train.classes, found.train.labels[:4].tolist()) == (("0", "1", "2"), [0, 1, 2, 0])
    names, _ = pixel_table(root, ["cat" if n % 2 else "dog" for n in range(20)])
    assert open_source(names, image_size=6).classes == ("cat", "dog")


def test_rows_of_pixels_need_their_side_and_numbers(root, capsys):
    path, _ = pixel_table(root, [n % 3 for n in range(20)])
    code, _, err = run_cli(capsys, "train", path)
    assert (code, "rows of pixels? 36 = 6 × 6: give image_size=6 (--image-size)" in err) == (3, True), err
    assert run_json(capsys, "check", path, "--image-size", "6")["images"]["train"]["0"] > 0
    path.write_text(path.read_text().replace(",7,", ",seven,", 1))
    with pytest.raises(DataError, match="is no table of pixels: could not convert string 'seven'"):
        read(path, image_size=6)
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match="holds no images"):
        read(path, image_size=6)
