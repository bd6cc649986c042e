"""How many threads a run takes: the cores, a container's quota, OMP_NUM_THREADS."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from convscope.data.pictures import bulk
from convscope.storage import cores

from ..helpers import run_cli, run_json


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 16 cores, with the given control groups."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(cores, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "OWN_GROUPS", tmp_path / "own")

    def make(own, **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", ".").replace("_DIR_", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


@pytest.mark.parametrize(
    ("own", "files", "threads"),
    [
        ("0::/\n", {"cpu__max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu__max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu__max": "50000 100000\n"}, 1),  # half a core
        ("0::/\n", {"cpu__max": "350000 100000\n"}, 3),
        ("0::/\n", {"cpu__max": "9000000 100000\n"}, 16),
        ("0::/a/b\n", {"a_DIR_cpu__max": "400000 100000", "a_DIR_b_DIR_cpu__max": "max 100000"}, 4),  # of a group above
        ("0::/../elsewhere\n", {"cpu__max": "300000 100000\n"}, 3),
        (
            "4:memory:/x\n1:cpu,cpuacct:/d\n",
            {"cpu,cpuacct_DIR_d_DIR_cpu.cfs_quota_us": "150000", "cpu,cpuacct_DIR_d_DIR_cpu.cfs_period_us": "100000"},
            1,
        ),
        ("1:cpu:/docker/7\n", {"cpu_DIR_cpu.cfs_quota_us": "250000", "cpu_DIR_cpu.cfs_period_us": "50000"}, 5),
        ("1:cpu:/\n", {"cpu_DIR_cpu.cfs_quota_us": "-1", "cpu_DIR_cpu.cfs_period_us": "100000"}, 16),
        ("0::/\n", {"cpu__max": "what 0\n"}, 16),
        ("0::/\n", {"cpu__max": "100000 0\n"}, 16),
        ("nonsense\n\n", {}, 16),
    ],
)
def test_a_quota_of_a_container_is_kept(machine, own, files, threads):
    machine(own, **files)
    assert cores.cores() == threads
    assert bool(cores.survey().limit) == (threads < 16)


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        ("4", 4),
        ("3,2", 3),
        ("64", 16),
        ("0", 16),
        ("", 16),
        ("many", 16),
        ("-1", 16),
        ("9999999999", 16),
    ],
)
def test_omp_num_threads_is_kept(machine, monkeypatch, text, threads):
    machine("0::/\n")
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert cores.cores() == threads


@pytest.mark.parametrize(
    ("quota", "before", "after"),
    [("250000", None, "2"), ("max", None, None), ("250000", "1", "1"), ("250000", "9", "9")],
)
def test_libraries_hear_of_a_quota_before_they_are_loaded(machine, monkeypatch, quota, before, after):
    machine("0::/\n", cpu__max=f"{quota} 100000\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "0")  # so that it is as it was when the test is over
    monkeypatch.delenv("OMP_NUM_THREADS")
    if before:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    cores.tell_libraries()
    assert os.environ.get("OMP_NUM_THREADS") == after
    assert cores.survey().limit == (
        "" if quota == "max" else "OMP_NUM_THREADS is 1" if before == "1" else "the container's CPU quota is 2.5 cores"
    )


def test_pictures_are_decoded_by_as_many_threads(machine, monkeypatch):
    machine("0::/\n", cpu__max="300000 100000\n")
    asked = []

    def pool(threads):
        asked.append(threads)
        return ThreadPoolExecutor(threads)

    monkeypatch.setattr(bulk, "ThreadPoolExecutor", pool)
    assert list(bulk.in_parallel(lambda start: start, range(0, 40, 10))) == [0, 10, 20, 30]
    assert asked == [3]


def test_devices_says_why_there_are_fewer(machine, capsys):
    machine("0::/\n", cpu__max="250000 100000")
    assert run_json(capsys, "devices")["limit"] == "the container's CPU quota is 2.5 cores"
    _, out, _ = run_cli(capsys, "devices")
    assert "cores    16\nthreads  2 (the container's CPU quota is 2.5 cores)\n" in out
