"""Files and texts from outside: whatever is in them, the answer is a result or an error of the project, soon."""

import gzip
import io
import json
import os
import resource
import shutil
import struct
import time
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from convscope import job
from convscope.data.batches import Batches
from convscope.data.literal import read_array
from convscope.data.pictures.decode import read_header, read_image
from convscope.data.preparation import Preparation
from convscope.data.readers.idx import read_idx
from convscope.data.readers.npz import read_npz
from convscope.data.sources import open_source
from convscope.errors import ConvscopeError, DataError
from convscope.explain.backprop.expression import explain_expression
from convscope.net.build import build
from convscope.net.model import load_model
from convscope.net.spec import parse
from convscope.net.tree import text
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.runs.checkpoint import ResumePoint
from convscope.runs.folder import EPOCH_COLUMNS
from convscope.runs.images import RunImages
from convscope.storage.lock import LOCK, OWNER

from ..helpers import run_cli, stripes, write_npz
from .attempt import dataset, recipe
from .conftest import COUNTS, FULL

CPU_SECONDS = 1.0  # of one input: the CPU's time, so that a busy machine is no fault
LARGEST_GROWTH = 400  # MiB that the process may grow by over one kind of input


def many(full, quick=60):
    """As many examples; the suite's profile makes them the same every time."""
    return settings(max_examples=full if FULL else quick, suppress_health_check=list(HealthCheck))


def survives(name, function, *arguments):
    """``function``'s result, or None where it refused; anything but an error of the project fails the test."""
    COUNTS["bad inputs tried"] += 1
    COUNTS[f"inputs: {name}"] += 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return function(*arguments)
    except ConvscopeError:
        return None
    finally:
        assert time.process_time() - began < CPU_SECONDS
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < LARGEST_GROWTH


@st.composite
def damaged(draw, *originals):
    """One of the originals with some bytes changed, put in, or cut off; now and then no trace of it."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 4))):
        if not data:
            break
        # Headers decide what is believed, so half of the changes go there.
        at = draw(st.one_of(st.integers(0, min(len(data), 64) - 1), st.integers(0, len(data) - 1)))
        kind = draw(st.sampled_from(["change", "number", "insert", "cut"]))
        if kind == "change":
            data[at] = draw(st.integers(0, 255))
        elif kind == "number":
            number = draw(st.sampled_from([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1]))
            data[at : at + 4] = struct.pack(draw(st.sampled_from(["<I", ">I"])), number & 0xFFFFFFFF)
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        else:
            del data[at : at + draw(st.integers(1, len(data)))]
    return bytes(data)


def idx(array, type_code=8):
    return struct.pack(f">4B{array.ndim}I", 0, 0, type_code, array.ndim, *array.shape) + array.tobytes()


ARRAY = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
IDX = [idx(ARRAY), idx(ARRAY[:, 0, 0]), gzip.compress(idx(ARRAY), mtime=0), idx(ARRAY, 13)]


@many(3000)
@given(damaged(*IDX), st.sampled_from([1, 3]))
@example(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), 3)
@example(gzip.compress(b"\0" * 10_000_000, mtime=0), 3)
def test_idx(tmp_path_factory, data, dims):
    path = tmp_path_factory.getbasetemp() / "fuzz-idx"
    path.write_bytes(data)
    array = survives("IDX", read_idx, path, dims)
    assert array is None or (array.dtype == np.uint8 and array.ndim == dims)


def pictures():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    for form, mode, options in [
        ("PNG", "RGB", {}),
        ("PNG", "P", {}),
        ("PNG", "LA", {}),
        ("JPEG", "RGB", {}),
        ("BMP", "RGB", {}),
        ("GIF", "P", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("TIFF", "RGB", {}),
        ("TIFF", "L", {"compression": "tiff_lzw"}),
        ("TIFF", "I;16", {"compression": "tiff_deflate"}),
        ("PPM", "RGB", {}),
        ("AVIF", "RGB", {}),
    ]:
        buffer = io.BytesIO()
        image.convert("I" if mode == "I;16" else mode).convert(mode).save(buffer, form, **options)
        yield buffer.getvalue()


@many(4000)
@given(damaged(*pictures()))
def test_images(data):
    survives("images", read_header, io.BytesIO(data))
    pixels = survives("images", read_image, io.BytesIO(data), Preparation((3, 8, 8)))
    assert pixels is None or (pixels.shape == (3, 8, 8) and pixels.dtype == np.uint8)


def archives():
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, images=ARRAY, labels=np.arange(5) % 2)
        yield buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, images=np.array([{}] * 5, dtype=object), labels=np.arange(5))
    yield buffer.getvalue()


@many(2000)
@given(damaged(*archives()))
def test_npz(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    path.write_bytes(data)
    survives("npz", read_npz, path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real run's folder."""
    return list(job.start(recipe({"epochs": 1}), dataset(), tmp_path_factory.mktemp("fuzzed")))[-1].folder


def check_point(path):
    """Reading a saved state and comparing it with its recipe: what resume does before it touches anything."""
    point = ResumePoint.read(path)
    net = build(parse(recipe({}).net), (1, 8, 8), 3)
    point.check(path, recipe({}), net, Batches(60, recipe({}).batch_size))
    return point


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([-1, 2**63, 10**400, 1e308, float("nan"), float("inf")])
    | st.sampled_from(["1" * 5000, "\ud800", "\0", "\x1b[2J", "../../x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def nested(value, path, new):
    """``value`` with ``new`` at ``path``."""
    if not path:
        return new
    return {**value, path[0]: nested(value.get(path[0]), path[1:], new)}


@pytest.mark.parametrize("name", ["model.safetensors", "resume.safetensors", "images.safetensors"])
def test_weights(run, tmp_path, name):
    data = (run.path / name).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    read = {"model": load_model, "resume": check_point, "images": RunImages.read}[name.split(".")[0]]
    keys = [(key,) for key in header] + [(key, field) for key in header for field in header[key]]
    state = json.loads(header["__metadata__"].get("state", '{"no": "state"}'))
    path = tmp_path / name

    @many(2500)
    @given(damaged(data) | st.tuples(st.sampled_from(keys), JSON) | st.tuples(st.sampled_from(list(state)), JSON))
    @example(struct.pack("<Q", 2**63) + data[8:])
    @example((("__metadata__", "net"), "linear 2147483647 | linear 2147483647"))
    @example((("__metadata__", "net"), "conv 1 1 | " * 500 + "linear"))
    def check(change):
        if isinstance(change, bytes):
            path.write_bytes(change)
        else:
            key, value = change
            if isinstance(key, str):
                key, value = ("__metadata__", "state"), json.dumps(state | {key: value})
            new = json.dumps(nested(header, key, value), ensure_ascii=True).encode()
            path.write_bytes(struct.pack("<Q", len(new)) + new + body)
        survives("safetensors", read, path)

    check()


@many(2500)
@given(
    st.dictionaries(st.sampled_from([*Recipe.__dataclass_fields__, "evil"]), JSON, max_size=3).map(json.dumps)
    | damaged(Recipe().to_json().encode()).map(lambda data: data.decode(errors="replace"))
)
@example("[" * 100_000)
@example('{"epochs": ' + "9" * 5000 + "}")
@example('{"lr": ' + "9" * 400 + "}")
@example('{"data": "\\ud800"}')
def test_recipes(content):
    read = survives("recipes", Recipe.from_json, content)
    assert read is None or Recipe.from_json(read.to_json()) == read


WORDS = ["conv", "pool", "relu", "linear", "batchnorm", "dropout", "flatten", "globalavg", "avgpool", "tanh", "|", "||",
         "1", "5", "0", "-1", "3x3", "99999999999", "2147483647", "0.5", "nan", "1e9", "stride=2", "padding=same",
         "groups=2", "dilation=1000000", "bias=no", "bias=", "=", "x", "é", "\0", "１"]  # fmt: skip
SPECS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=60)


def use_spec(source):
    layers = parse(source)
    assert parse(text(layers)) == layers
    with torch.device("meta"):
        return build(layers, (3, 32, 32), 10)


@many(4000)
@given(SPECS)
@example("conv 1 1 | " * 5000)
@example("linear " + "9" * 10_000)
def test_net_specs(source):
    survives("net specs", use_spec, source)


SYMBOLS = ["w", "x", "b", "+", "-", "*", "/", "**", "@", "(", ")", "[", "]", ",", "1", "0", "2.5", "1e308", "9**9",
           "sum(", "exp(", "sigmoid(", "log(", "T", ".", "__class__", "lambda", "import", "\0", "λ", " "]  # fmt: skip
VALUES = st.sampled_from(
    [[], ["w=3"], ["w=3", "x=[1,2]"], ["x=[[1,2],[3]]"], ["w=" + "9" * 400], ["w=1", "x=0", "b=-1"]]
)


@many(3000)
@given(st.lists(st.sampled_from(SYMBOLS), max_size=14).map("".join) | st.text(max_size=40), VALUES)
@example("(" * 2000, [])
@example("2**" * 300 + "2", [])
@example("exp(" * 35 + "x" + ")" * 35, ["x=9"])
def test_expressions(source, values):
    survives("expressions", explain_expression, source, values)


@many(1500)
@given(
    st.lists(st.sampled_from([*"0123456789./|;-+eE[], ", "nan", "inf", "1e999"]), max_size=20).map("".join)
    | st.text(max_size=30)
)
def test_literals(source):
    survives("literals", read_array, source, "--input")


FILES = ["recipe.json", "environment.json", "log.csv", "epochs.csv", "summary.json"]
HOSTILE = [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 5000, b'{"data": 3}', b'{"threads": 1e999}']
LOGS = [b"epoch,step,loss\n1,4,0.5\n1,4,0.5\n", b"epoch,step,loss\n" + b"1,1,1,1\n", b"epoch,step,loss\nx,y,z"]
ROWS = ",".join(EPOCH_COLUMNS) + "\n"
LOGS += [(ROWS + row).encode() for row in ("inf,1,1,1,1,1,1\n", "nan,1,1,1,1,1,1\n", "1,nan,inf,1e308,-1,1,1\n")]


@st.composite
def hostile(draw, original, name):
    """A run's text file, damaged, replaced, or with one of its values exchanged for one that it never has."""
    if name.endswith(".json") and draw(st.booleans()):
        values = json.loads(original)
        return json.dumps(values | {draw(st.sampled_from(list(values))): draw(JSON)}).encode()
    return draw(damaged(original) | st.sampled_from(HOSTILE + LOGS))


def test_run_folders(run, tmp_path, capsys):
    @many(1500)
    @given(st.data())
    def check(data):
        name = data.draw(st.sampled_from(FILES))
        original = (run.path / name).read_bytes()
        content = data.draw(hostile(original, name))
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(run.path, folder)
        (folder / name).write_bytes(content)
        opened = runs.RunFolder(folder)
        for read in (opened.recipe, opened.environment, opened.losses, opened.epochs, opened.summary):
            survives("run folders", read)
        code, out, _ = survives("run folders", run_cli, capsys, "runs", "--out", tmp_path)
        assert (code, out.isprintable() or "\x1b" not in out) == (0, True)

    check()


def test_commands_end_with_a_code_and_no_traceback(run, tmp_path, capsys, monkeypatch):
    """Whole commands on a damaged run: resume reads everything that there is."""
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "stripes.npz")
    code, _, err = run_cli(
        capsys, "train", "stripes.npz", "--net", "conv 2 3 | relu | linear", "--epochs", "1", "--threads", "1", "-q"
    )
    assert code == 0, err
    (real,) = runs.every(tmp_path / "runs")

    @many(60, quick=4)
    @given(st.data())
    def check(data):
        name = data.draw(st.sampled_from([*FILES, "resume.safetensors"]))
        content = data.draw(hostile((real.path / name).read_bytes(), name))
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(real.path, folder)
        (folder / name).write_bytes(content)
        if name != "summary.json":
            (folder / "summary.json").unlink()
        for verb in (("resume", "copy", "-q"), ("runs", "--out", "."), ("compare", "copy", "copy")):
            code, out, err = run_cli(capsys, *verb)
            COUNTS["bad inputs tried"] += 1
            COUNTS["inputs: whole commands"] += 1
            assert code in (0, 1, 2, 3), (verb, code, out, err)
            assert "Traceback" not in err

    check()


# -- what must not be followed, executed or allocated


@pytest.mark.parametrize("make", [lambda path, target: path.symlink_to(target), lambda path, _: os.mkfifo(path)])
@pytest.mark.parametrize("name", [*FILES, "model.safetensors", "resume.safetensors", "images.safetensors"])
def test_links_and_pipes_in_a_run_folder_are_not_followed(run, tmp_path, name, make):
    secret = tmp_path / "secret"
    shutil.copy(run.path / name, secret)
    folder = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    (folder.path / name).unlink()
    make(folder.path / name, secret)
    readers = {
        "recipe.json": folder.recipe,
        "environment.json": folder.environment,
        "log.csv": folder.losses,
        "epochs.csv": folder.epochs,
        "summary.json": folder.summary,
        "model.safetensors": folder.model,
        "resume.safetensors": folder.resume_point,
        "images.safetensors": folder.images,
    }
    with pytest.raises(DataError, match="is a link or no plain file"):
        readers[name]()
    if name != "model.safetensors":  # which is written again, in the link's place
        with pytest.raises(DataError, match="is a link or no plain file"):
            list(job.resume(folder, dataset(), 2))
    assert secret.read_bytes() == (run.path / name).read_bytes()


@pytest.mark.parametrize("make", [lambda path, target: path.symlink_to(target), lambda path, _: os.mkfifo(path)])
@pytest.mark.parametrize("name", [LOCK, OWNER])
def test_a_lock_writes_through_no_link_and_waits_for_no_pipe(run, tmp_path, name, make):
    folder = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    (folder.path / name).unlink(missing_ok=True)
    precious = tmp_path / "precious"
    precious.write_text("keep me\n")
    make(folder.path / name, precious)
    if name == LOCK:
        with pytest.raises(DataError, match="is a link or no plain file"):
            list(job.resume(folder, dataset(), 2))
    else:
        list(job.resume(folder, dataset(), 2))
        assert folder.summary().epochs == 2
    assert precious.read_text() == "keep me\n"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data", 3, "its data is '3'"),
        ("epochs", 2.5, "its epochs is '2.5'"),
        ("net", None, "its net is 'None'"),
        ("test_accuracy", "high", "its test_accuracy is 'high'"),
        ("steps", 10**400, "is not a number of JSON that a machine can hold"),
        ("test_loss", float("nan"), "NaN is not a number of JSON that a machine can hold"),
    ],
)
def test_a_summary_of_other_types_is_damaged_and_so_listed(run, tmp_path, capsys, key, value, message):
    folder = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    (folder.path / "summary.json").write_text(json.dumps(vars(run.summary()) | {key: value}))
    with pytest.raises(DataError, match=r"summary\.json is damaged: ") as caught:
        folder.summary()
    assert message in caught.value.message
    code, out, _ = run_cli(capsys, "runs", "--out", tmp_path)
    assert (code, out.splitlines()[1].split()[:4]) == (0, ["run", "—", "—", "damaged"])


def test_names_from_files_do_not_steer_the_terminal(run, tmp_path, capsys):
    folder = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    (folder.path / "summary.json").write_text(json.dumps(vars(run.summary()) | {"data": "\x1b[2Jgone\a"}))
    code, out, _ = run_cli(capsys, "runs", "--out", tmp_path)
    assert (code, out.splitlines()[1].split()[:2]) == (0, ["run", "\ufffd[2Jgone\ufffd"])
    code, _, err = run_cli(capsys, "resume", "\x1b[2Jgone")
    assert (code, "\x1b" in err) == (3, False)


def test_a_hundred_bytes_that_claim_ten_gigabytes(tmp_path):
    path = tmp_path / "claims"
    header = json.dumps({"w": {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10**10]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    assert len(path.read_bytes()) < 100
    assert survives("claims", load_model, path) is None
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 10_000, 1000, 1000))
    assert survives("claims", read_idx, path, 3) is None


def test_large_files_of_small_things_are_refused_at_once(run, tmp_path):
    """What takes many times its size when it is read: JSON of empty lists, weights without a weight."""
    folder = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    for name, read in (("summary.json", folder.summary), ("recipe.json", folder.recipe)):
        (folder.path / name).write_text('{"a": [' + "[]," * 1_500_000 + "[]]}")
        with pytest.raises(DataError, match="is larger than 4 MiB, so convscope did not write it"):
            read()
    empty = {f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(10_001)}
    header = json.dumps(empty).encode()
    (folder.path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(DataError, match="it holds 10,001 tensors, more than any net here has"):
        folder.model()


def test_classes_that_are_no_text_are_refused_before_training(tmp_path):
    labels = np.array(["a", "\udc80"] * 6)
    with pytest.raises(DataError, match=r"the class '\\udc80' is no text"):
        open_source((np.zeros((12, 4, 4), np.uint8), labels))


def test_pickles_are_not_opened(tmp_path):
    """An .npz of objects, and a checkpoint as torch.save writes it: both would run code of their author's choice."""
    np.savez(tmp_path / "evil.npz", images=np.array([print], dtype=object), labels=np.zeros(1, np.int64))
    with pytest.raises(ConvscopeError, match="objects"):
        read_npz(tmp_path / "evil.npz")
    torch.save(stripes(3), tmp_path / "model.safetensors")
    with pytest.raises(ConvscopeError, match="cannot be read"):
        load_model(tmp_path / "model.safetensors")
