"""Nets that are too large: refused before a run is made; and memory that ends in the middle of one."""

import numpy as np
import pytest
import torch

from convscope import job
from convscope.engine.eager import EagerEngine
from convscope.errors import TrainingError, UsageError
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.storage.memory import is_out_of_memory

from .helpers import NET, small_data


def recipe(**choices):
    return Recipe(**{"net": NET, "epochs": 3, "batch_size": 16, "threads": 1, "data": "stripes", **choices})


@pytest.fixture
def free(monkeypatch):
    """How much memory there is."""

    def there_are(count):
        monkeypatch.setattr("convscope.storage.memory.available_memory", lambda: count)

    return there_are


@pytest.mark.parametrize("engine", ["jit", "eager", "auto"])
def test_a_net_whose_weights_do_not_fit_is_refused_before_a_run_is_made(tmp_path, free, engine):
    free(10**8)
    expected = (
        r"^training the net's 12,\d{3},\d{3} weights needs 2\d\d\.\d MB of memory, but 100\.0 MB are free\n  help: "
    )
    wide = recipe(net="flatten | linear 3000 | linear 4000 | linear", engine=engine)
    with pytest.raises(UsageError, match=expected):
        next(job.start(wide, small_data(), tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_does_not_fit_is_refused_before_a_run_is_made(tmp_path, free):
    free(3 * 10**7)
    data, net = small_data(shape=(1, 64, 64)), "conv 64 3 | relu | conv 64 3 | relu | globalavg | linear"
    with pytest.raises(UsageError, match=r"^training this net on batches of 60 needs 1\d\d\.\d MB of memory"):
        next(job.start(recipe(net=net, engine="eager", batch_size=64), data, tmp_path))
    next(job.start(recipe(net=net, engine="eager", batch_size=4), data, tmp_path / "smaller"))
    assert [path.name for path in tmp_path.iterdir()] == ["smaller"]


def test_the_cpu_engines_memory_is_asked_for_before_it_is_taken(tmp_path, free, monkeypatch):
    monkeypatch.setattr("convscope.engine.jit.machine.runtime.LARGE", 10**5)
    free(10**6)
    data, net = small_data(shape=(1, 64, 64)), "conv 8 3 | relu | conv 8 3 | relu | globalavg | linear"
    with pytest.raises(UsageError, match=r"^the CPU engine's memory for this net needs "):
        next(job.start(recipe(net=net, engine="jit"), data, tmp_path))
    free(1_400_000)
    started = next(job.start(recipe(net=net, batch_size=4), data, tmp_path / "auto"))
    assert started.engine == "eager"
    assert any("PyTorch may do with less memory" in note for note in started.notes)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_memory_that_ends_in_the_middle_saves_and_resumes_to_the_same_bits(tmp_path, monkeypatch, error):
    choices, data = recipe(engine="eager"), small_data()
    *_, whole = job.start(choices, data, tmp_path / "whole")
    step, taken = EagerEngine._step, []

    def failing(self, *given):
        taken.append(1)
        if len(taken) == 6:
            raise error
        return step(self, *given)

    monkeypatch.setattr(EagerEngine, "_step", failing)
    with pytest.raises(TrainingError, match=r"^there was no memory left after \d updates; the work is saved\n  help: "):
        list(job.start(choices, data, tmp_path / "cut"))
    folder = next(runs.every(tmp_path / "cut"))
    *_, finished = job.resume(folder, data)
    a, b = whole.folder.model().net.state_dict(), finished.folder.model().net.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_other_errors_are_not_taken_for_a_want_of_memory():
    assert is_out_of_memory(np._core._exceptions._ArrayMemoryError((1,), np.dtype(float)))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(OSError("cannot allocate memory"))
