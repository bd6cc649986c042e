"""Images in a file: the order of windows, what is taken into memory, and a training that does not fit."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope import job
from convscope.data.batches import epoch_order
from convscope.data.images import ImageSet
from convscope.data.mapped import memory
from convscope.data.mapped.ahead import Ahead
from convscope.data.mapped.memory import taken, window_for
from convscope.data.mapped.order import ends, windows
from convscope.data.pictures.maps import owned, owner_of
from convscope.data.split import divided
from convscope.engine.devices import survey
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.training.loop import Tick

from ..helpers import small_data


@given(st.integers(1, 300), st.integers(0, 3), st.integers(1, 3), st.integers(0, 320), st.integers(1, 40))
def test_windows_are_whole_pages_and_hold_every_image_once(count, seed, epoch, window, page):
    parts = windows(count, seed, epoch, window, page)
    order = np.concatenate(parts)
    assert np.array_equal(np.sort(order), np.arange(count))
    assert ends(parts)[-1] == count
    if not 0 < window < count:
        assert np.array_equal(order, epoch_order(count, seed, epoch))
        return
    most = max(window // page, 1) * page
    assert all(len(part) <= most for part in parts)
    held = [set((part // page).tolist()) for part in parts]
    assert sum(map(len, held)) == -(-count // page), "a page lies in one window"
    again = windows(count, seed, epoch, window, page)
    assert all(np.array_equal(one, other) for one, other in zip(parts, again, strict=True))


def test_every_epoch_has_other_windows():
    first, second = (np.concatenate(windows(1000, 0, epoch, 100, 10)) for epoch in (1, 2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.concatenate(windows(1000, 1, 1, 100, 10)))


@pytest.fixture
def mapped(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (200, 1, 32, 32), dtype=np.uint8)
    images.tofile(tmp_path / "pixels")
    return images, owned(np.memmap(tmp_path / "pixels", np.uint8, "c", 0, images.shape))


def test_a_map_is_known_through_every_view(mapped):
    images, found = mapped
    assert owner_of(images) is None
    assert owner_of(found) is owner_of(found[10:50, :, ::2]) is not None


def test_what_is_taken_of_a_map_is_a_map(mapped, monkeypatch, tmp_path):
    images, found = mapped
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    index = np.array([3, 199, 0, 77])
    assert owner_of(taken(found, index)) is None, "what is small is read"
    monkeypatch.setattr(memory, "LEAST", 0)
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    some = taken(found, index)
    assert owner_of(some) is not None
    assert np.array_equal(some, images[index])
    assert not list((tmp_path / "cache").iterdir()), "its file has no name"
    assert owner_of(taken(images, index)) is None
    whole = ImageSet(found, np.arange(200) % 2, ("a", "b"))
    for part, index in zip(
        divided(whole, np.arange(150), np.arange(150, 200), "it"), (slice(150), slice(150, 200)), strict=True
    ):
        assert owner_of(part.images) is not None
        assert np.array_equal(part.images, images[index])


@pytest.mark.parametrize(("free", "window"), [(None, 0), (10_000_000, 0), (300_000, 73), (40_000, 9)])
def test_data_that_do_not_fit_have_a_window_of_a_fourth_of_the_memory(mapped, monkeypatch, free, window):
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    monkeypatch.setattr(memory, "LEAST", 0)
    assert window_for(mapped[1]) == window
    assert window_for(mapped[0]) == 0


def test_the_next_window_is_read_and_the_last_forgotten(mapped, monkeypatch):
    _, found = mapped
    parts = windows(200, 0, 1, 40, 8)
    ahead, advised = Ahead(found, parts, 8), []
    monkeypatch.setattr(ahead, "_read", lambda number: advised.append((number, "read")))
    monkeypatch.setattr(ahead, "_let_go", lambda number: advised.append((number, "let go")))
    for image in range(0, 200, 10):
        ahead.at(image)
    steps = [[(number - 1, "let go"), (number + 1, "read")] for number in range(1, 4)]
    assert advised == [(0, "read"), (1, "read"), *chain(*steps), (3, "let go")]
    real = Ahead(found, parts, 8)
    real.at(0), real.at(100)
    Ahead(np.array(found), parts, 8).at(0)


def training(data, out, **choices):
    recipe = Recipe(
        "stripes", net="conv 4 3 | relu | pool 2 | linear", epochs=2, batch_size=7, threads=1, engine="eager", **choices
    )
    return list(job.start(recipe, data, out))[-1].folder


def test_a_run_on_a_map_has_the_bits_of_one_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "save_figure", lambda *_: None)
    data = small_data()
    data.train.images.tofile(tmp_path / "pixels")
    images = np.asarray(np.memmap(tmp_path / "pixels", np.uint8, "c", 0, data.train.images.shape))
    there = replace(data, train=replace(data.train, images=images))
    for window in (None, 20):
        mine, theirs = (
            training(one, tmp_path / f"{name}-{window}", window=window)
            for name, one in (("memory", data), ("map", there))
        )
        points = mine.resume_point(), theirs.resume_point()
        assert all(points[0].net[name].equal(points[1].net[name]) for name in points[0].net)


def test_a_run_on_a_map_that_was_stopped_within_a_window_has_the_bits_of_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "save_figure", lambda *_: None)
    data = small_data()
    data.train.images.tofile(tmp_path / "pixels")
    images = owned(np.memmap(tmp_path / "pixels", np.uint8, "c", 0, data.train.images.shape))
    there = replace(data, train=replace(data.train, images=images))
    monkeypatch.setattr("convscope.data.mapped.order.PAGE", 5 * 64)  # bytes: pages of five images
    choices = {"window": 20, "log_interval": 1, "save_seconds": 0.0}
    whole = training(there, tmp_path / "whole", **choices)
    recipe = whole.recipe()
    for update in (2, 4, 11, 16):  # of nine an epoch; windows end with the images 20, 40 and 60
        events = job.start(recipe, there, tmp_path / f"stopped-{update}")
        folder = next(event.folder for event in events if isinstance(event, job.Started))
        next(event for event in events if isinstance(event, Tick) and event.step == update)
        events.close()
        assert folder.resume_point().state.epoch_step == update % 9
        list(job.resume(folder, there))
        points = folder.resume_point(), whole.resume_point()
        assert all(points[0].net[name].equal(points[1].net[name]) for name in points[0].net)


LIMITED = """
import os, resource, sys
from pathlib import Path
import numpy as np
from convscope import job
from convscope.data.images import Dataset, ImageSet
from convscope.data.mapped import memory
from convscope.data.pictures.maps import let_go, owned
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.training.loop import Tick
from tests.helpers import stripes

job.save_figure = lambda *_: None
if child := os.fork():  # it does the first part, this process the second: one start for both
    assert os.waitpid(child, 0)[1] == 0
count, shape = 32_768, (1, 64, 64)  # 134 MB
images = owned(np.memmap(sys.argv[1], np.uint8, "r+", 0, (count, *shape)))
few = stripes(40, 1, shape)
train = ImageSet(images, np.arange(count) % 3, few.classes)
data = Dataset("stripes", train, few, (0.5,), (0.3,))
memory.LEAST = 8_000_000
memory.available_memory = lambda: 32_000_000

def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

recipe = Recipe("stripes", net="conv 2 8 stride=8 | linear", epochs=2, batch_size=512, threads=1, engine=sys.argv[3],
                log_interval=20)
out, seen = Path(sys.argv[2]), []
begins = not out.exists()
events = job.start(recipe, data, out) if begins else job.resume(next(runs.every(out)), data)
for event in events:
    if isinstance(event, job.Started):
        assert event.recipe.window == 8_000_000 // 4096, event.recipe.window
        held = kilobytes("VmData:") * 1024 + 32_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (held, held))  # a fourth of the data, and what the program has
        let_go(images)
    if isinstance(event, Tick):
        seen.append(kilobytes("VmRSS:"))
        if event.step == 64 + 20 and begins:  # of 64 updates an epoch
            break
early, late = max(seen[: len(seen) // 2]), max(seen[len(seen) // 2 :])
assert max(early, late) - seen[0] < 48_000, seen
assert late - early < 8_000, seen
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell a process's memory")
@pytest.mark.parametrize("engine", survey().engines[:1])
def test_data_of_four_times_the_memory_are_trained_on_and_resumed_with_no_more(tmp_path, engine):
    with (tmp_path / "pixels").open("wb") as file:
        file.truncate(32_768 * 4096)
    done = subprocess.run(  # the first part is stopped within its second epoch
        [sys.executable, "-c", LIMITED, str(tmp_path / "pixels"), str(tmp_path / "runs"), engine],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (run,) = runs.every(tmp_path / "runs")
    assert len(run.epochs()) == 2
