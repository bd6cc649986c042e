"""A thousand runs in one folder, and data that do not fit into memory."""

import os
import subprocess
import sys
import time

import pytest

from convscope import job
from convscope.runs import folder as runs

from ..helpers import run_cli
from .attempt import dataset, recipe
from .conftest import COUNTS

RUNS = 1000
COMPARED = (17, 1000)
CPU_SECONDS = 1.0  # the CPU's time, so that a busy machine is no fault


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A folder with a thousand runs, all with the files of one."""
    root = tmp_path_factory.mktemp("thousand")
    first = list(job.start(recipe({"epochs": 1}), dataset(), root))[-1].folder.path
    for number in range(2, RUNS + 1):
        folder = root / f"custom-stripes-{number}"
        folder.mkdir()
        for name in ("recipe.json", "summary.json", *(["epochs.csv"] if number in COMPARED else [])):
            os.link(first / name, folder / name)
    return root


def quick(what, function, *arguments):
    began = time.process_time()
    result = function(*arguments)
    seconds = time.process_time() - began
    COUNTS[f"ms of CPU: {what} among {RUNS:,} runs"] = round(1000 * seconds)
    assert seconds < CPU_SECONDS, what
    return result


def test_many_runs(thousand, capsys):
    code, out, _ = quick("convscope runs", run_cli, capsys, "runs", "--out", thousand)
    assert code == 0
    assert out.count("custom-stripes-") == RUNS
    names = [f"custom-stripes-{number}" for number in COMPARED]
    run_cli(capsys, "compare", *names, "--out", thousand, "--plot", thousand / "warm.png")  # matplotlib is imported
    code, out, _ = quick(
        "convscope compare", run_cli, capsys, "compare", *names, "--out", thousand, "--plot", thousand / "compare.png"
    )
    assert code == 0
    assert all(name in out for name in names)
    made = quick("a new run's folder", runs.create, thousand, "custom-stripes")
    assert made.name == f"custom-stripes-{RUNS + 1}"
    assert quick("finding a run", runs.find, "custom-stripes-500", thousand).summary().stopped_by == "epochs"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the address space")
def test_data_larger_than_memory_are_refused_with_the_size_they_need(tmp_path):
    """Sparse files of 30 GB, and a limit of 8 GB on what the process may take."""
    count = 30_000_000_000 // 784
    for name, header, size in (
        ("train-images-idx3-ubyte", [8, 3, count, 28, 28], count * 784),
        ("train-labels-idx1-ubyte", [8, 1, count], count),
        ("t10k-images-idx3-ubyte", [8, 3, 1, 28, 28], 784),
        ("t10k-labels-idx1-ubyte", [8, 1, 1], 1),
    ):
        head = bytes([0, 0, *header[:2]]) + b"".join(value.to_bytes(4, "big") for value in header[2:])
        with (tmp_path / name).open("wb") as file:
            file.write(head)
            file.truncate(len(head) + size)
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (8 * 10**9,) * 2)\n"
        "from convscope.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "train", str(tmp_path), "--out", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    assert "needs 30.0 GB of memory, but " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
