"""One attempt at a run in a process that may be killed, and what must hold of the folder at any moment."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from convscope import job
from convscope.errors import ConvscopeError
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.runs.checkpoint import ResumePoint

from ..helpers import small_data
from .injection import Disk, Fault, arm

SPEC = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.2 | linear"
JIT_SPEC = "conv 4 3 | relu | pool 2 | linear"  # that engine leaves the other layers to PyTorch
TIMES = ("seconds", "images_per_second", "epoch_seconds", "train_seconds", "test_seconds", "compile_seconds")


def recipe(choices):
    spec = JIT_SPEC if choices.get("engine") == "jit" else SPEC
    base = {"data": "stripes", "net": spec, "epochs": 3, "batch_size": 7, "log_interval": 4, "threads": 1}
    return Recipe(**(base | choices))


def dataset():
    return small_data(train=60, test=30, val=18)


def hopeless():
    """The same with wrong labels for validation: the better the net, the worse they look."""
    data = dataset()
    return replace(data, val=replace(data.val, labels=(data.val.labels + 1) % 3))


def attempt(task):
    """Start or resume the run below ``task["out"]`` (extend it, to ``extend`` epochs), with the fault of the task."""
    given = dict(task["choices"])
    extend = given.pop("extend", None)
    out, choices = Path(task["out"]), recipe(given)
    data = dataset()
    folders = list(runs.every(out))
    for folder in folders:
        check(folder, replace(choices, epochs=folder.recipe().epochs) if extend else choices)
        summary = folder.summary()
        if summary is not None and summary.epochs == (extend or choices.epochs):  # killed when all was done
            return {"end": "finished", "seen": [], "injected": None}
    disk = Disk(Fault(*task["fault"]) if task["fault"] else None)
    arm(disk)
    try:
        for _ in job.resume(folders[-1], data, extend) if folders else job.start(choices, data, out):
            pass
    except ConvscopeError as error:
        return {"end": "error", "message": str(error), "code": error.exit_code, "injected": disk.injected}
    return {"end": "finished", "seen": disk.seen, "injected": disk.injected}


def check(folder, choices):
    """Every file can be read, and the logs have no gap and no double row."""
    count = 60
    steps = -(-count // choices.batch_size)
    interval = min(choices.log_interval, steps)
    folder.environment(), folder.summary(), folder.resume_point()
    assert folder.recipe() == choices
    if (folder.path / "model.safetensors").exists():
        folder.model()
    expected = [(e, s) for e in range(1, choices.epochs + 1) for s in range(interval, steps + 1, interval)]
    rows = [(row.epoch, row.step) for row in folder.losses()]
    assert rows == expected[: len(rows)], rows
    epochs = [row.epoch for row in folder.epochs()]
    assert epochs == list(range(1, len(epochs) + 1)), epochs


def outcome(folder):
    """A hash of all that a run ends with, timings aside: weights, optimizer, random state, counters, logs, summary."""
    digest = hashlib.sha256()
    point = folder.resume_point()
    assert isinstance(point, ResumePoint)
    groups = {
        "net": point.net,
        "engine": point.engine,
        "best": point.state.best.weights,
        "model": folder.model().net.state_dict(),
    }
    for group, tensors in groups.items():
        for name in sorted(tensors):
            digest.update(f"{group}/{name}{tuple(tensors[name].shape)}".encode())
            digest.update(tensors[name].contiguous().numpy().tobytes())
    digest.update((folder.path / "model.safetensors").read_bytes())
    records = [vars(row) for row in (*folder.losses(), *folder.epochs())]
    for numbers in [point.state.numbers(), vars(folder.summary()), *records]:
        kept = {key: value for key, value in numbers.items() if key not in (*TIMES, "run")}
        digest.update(json.dumps(kept, sort_keys=True).encode())
    assert not list(folder.path.glob(".*.tmp")), "temporary files are left"
    return digest.hexdigest()
