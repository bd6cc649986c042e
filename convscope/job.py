"""The main job: a recipe becomes a run folder. Data, net, engine, loop and files meet here and nowhere else.

``start`` and ``resume`` are generators: the command line draws their records, the Python API drains them.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from .data.batches import steps_per_epoch
from .data.images import Dataset
from .data.sources import data_name
from .engine.base import Engine, Problem
from .engine.choose import choose
from .engine.devices import cores, resolve
from .errors import DataError, Interrupted, NotFinite, UsageError
from .net.build import build
from .net.model import Model, save_model
from .net.shapes import Row, table
from .net.tree import text as spec_text
from .net.zoo import net_name
from .net.zoo import resolve as resolve_net
from .recipe import Recipe
from .report.curves import draw_curves
from .report.style import save_figure
from .runs.checkpoint import ResumePoint
from .runs.environment import Watch, as_before, describe, go_on_here
from .runs.folder import RunFolder, create
from .runs.images import RunImages
from .runs.own_data import OwnData, compare
from .runs.resume import go_on
from .runs.writer import RunWriter
from .storage.lock import locked
from .training.loop import Epoch, Pace, Record, State, Tick, train
from .training.scores import score


@dataclass(frozen=True)
class Started:
    """A run begins or goes on. ``rows`` are the net's layers, ``resumed_at`` the update it goes on from (0: none).

    ``model`` holds the very net that is trained: between two events its weights may be read.
    """

    folder: RunFolder
    recipe: Recipe
    data: Dataset
    model: Model
    rows: list[Row]
    engine: str
    device: str
    threads: int
    epoch_steps: int
    notes: tuple[str, ...]
    resumed_at: int = 0


@dataclass(frozen=True)
class Finished:
    """A run has ended; ``summary`` is the content of summary.json."""

    folder: RunFolder
    summary: dict[str, Any]


Event = Started | Record | Finished


def start(recipe: Recipe, data: Dataset, out: Path = Path("runs"), pace: Pace | None = None) -> Iterator[Event]:
    """Run ``recipe`` on ``data`` in a new folder below ``out``, at ``pace`` where somebody wants to hold it back.

    Nothing is written before recipe, data and net are known to fit. Raises Interrupted (the work is saved) on
    Ctrl-C, TrainingError where the loss is not finite or the disk fails.
    """
    check(recipe, data)
    parts = _build(recipe, data)
    folder = create(out, f"{net_name(recipe.net)}-{data_name(recipe.data)}")
    with locked(folder.path):
        writer = RunWriter(folder, data.val is not None)
        writer.begin(recipe, describe(data, parts.engine.name, parts.device, parts.threads), RunImages.of(data))
        yield from _work(parts.started(folder, recipe, data), parts, writer, State(), pace)


def resume(
    folder: RunFolder, data: OwnData | Dataset, epochs: int | None = None, pace: Pace | None = None
) -> Iterator[Event]:
    """Go on with the run in ``folder`` at the very update where it was saved; ``epochs`` extends it.

    The coming weights are bit for bit those of an uninterrupted run on the same machine, engine and thread count;
    what differs is said in the notes of :class:`Started`. A run that was killed before its first save begins again,
    one that was killed when all was done but its summary is finished. Images that came to the data since are not used.
    Raises DataError where the data are not those that the run began with or a file is damaged, UsageError where there
    is nothing to do, TrainingError where another process works on the run.
    """
    with locked(folder.path):
        recipe, before, point = folder.recipe(), folder.environment(), folder.resume_point()
        own = data if isinstance(data, OwnData) else compare(folder, data)
        data = own.data
        check(recipe, data)
        parts = _build(as_before(recipe, before), data)
        state = State()
        if point is not None:
            file = folder.path / "resume.safetensors"
            point.check(file, recipe, parts.engine.net, len(data.train))
            point.load_into(parts.engine, file)
            state = point.state
        epoch_steps = steps_per_epoch(len(data.train), recipe.batch_size)
        new, notes = go_on(recipe, state, folder.summary() is not None, epochs, epoch_steps, folder.path)
        notes += own.notes
        if point is None:
            notes += ("it was stopped before its first save, so it begins again",)
        now = describe(data, parts.engine.name, parts.device, parts.threads)
        environment, limits = go_on_here(before, now, state.step)
        if data.place and isinstance(environment.get("data"), dict):  # where it is looked for next time
            environment = {**environment, "data": {**environment["data"], "place": data.place}}
        interval = min(recipe.log_interval, epoch_steps)
        writer = RunWriter(folder, data.val is not None)
        writer.begin_again(
            new,
            environment,
            log_rows=state.epoch * (epoch_steps // interval) + state.epoch_step // interval,
            epoch_rows=state.epoch,
        )
        if folder.images() is None:
            writer.keep_images(RunImages.of(data))
        yield from _work(parts.started(folder, new, data, notes + limits, state.step), parts, writer, state, pace)


def check(recipe: Recipe, data: Dataset) -> None:
    """Refuse choices that do not go with the data. Raises UsageError."""
    if recipe.patience is not None and data.val is None:
        raise UsageError("--patience needs a validation split, and there is none",
                         "add --val-fraction 0.1, or bring folders for all three: train/, val/ and test/")  # fmt: skip


@dataclass(frozen=True)
class _Parts:
    """What a recipe and its data become before the first update."""

    rows: list[Row]
    model: Model
    engine: Engine
    threads: int
    notes: tuple[str, ...]

    @property
    def device(self) -> str:
        return str(next(self.engine.net.parameters()).device)

    def started(
        self, folder: RunFolder, recipe: Recipe, data: Dataset, notes: tuple[str, ...] = (), resumed_at: int = 0
    ) -> Started:
        epoch_steps = steps_per_epoch(len(data.train), recipe.batch_size)
        return Started(folder, recipe, data, self.model, self.rows, self.engine.name, self.device, self.threads,
                       epoch_steps, self.notes + notes, resumed_at)  # fmt: skip


def _build(recipe: Recipe, data: Dataset) -> _Parts:
    layers = resolve_net(recipe.net)
    rows = table(layers, data.train.shape, len(data.classes))
    net = build(layers, data.train.shape, len(data.classes), recipe.seed)
    model = Model(net, spec_text(layers), data.train.shape, data.mean, data.std, data.classes, data.prepared)
    device = resolve(recipe.device)
    threads = recipe.threads or cores()
    problem = Problem(
        net,
        torch.from_numpy(data.train.images),
        torch.from_numpy(data.train.labels),
        data.mean,
        data.std,
        loss=recipe.loss,
        optimizer=recipe.optimizer,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
    )
    engine, notes = choose(recipe.engine, problem, device, threads, recipe.batch_size)
    return _Parts(rows, model, engine, threads, notes)


def _work(began: Started, parts: _Parts, writer: RunWriter, state: State, pace: Pace | None) -> Iterator[Event]:
    """Train, write what comes, save the state from time to time, and finish."""
    recipe, data, engine, folder = began.recipe, began.data, parts.engine, began.folder
    yield began

    watch = Watch(data)

    def check_data() -> None:
        try:
            watch.check()
        except DataError:
            writer.forget()  # nobody knows since when: the run begins again once the data are put back
            raise

    def save() -> None:
        if watch.due():
            check_data()
        writer.save(ResumePoint(state, engine.net.state_dict(), engine.state()))
        save_model(folder.path / "model.safetensors", parts.model, state.best_weights or engine.net.state_dict())

    saved = time.monotonic()
    with _interruption() as interrupted:
        try:
            for record in train(engine, recipe, data, state, pace):
                writer.record(record)
                yield record
                # The test of an epoch that was cut short is no part of the state: one that goes on must not know it.
                cut_short = isinstance(record, Epoch) and state.epoch_step > 0
                stopping = isinstance(record, Tick) and state.stopped_by is not None
                due = isinstance(record, Epoch) or stopping or time.monotonic() - saved >= recipe.save_seconds
                if (due or interrupted.is_set()) and not cut_short:
                    save()
                    saved = time.monotonic()
                if interrupted.is_set():
                    raise Interrupted(
                        f"stopped after {state.step:,} updates in epoch {record.epoch}; the work is saved",
                        f"go on with: convscope resume {folder.path}",
                    )
        except NotFinite:
            save()
            raise
        check_data()
        if state.best_weights:
            engine.net.load_state_dict(state.best_weights)
            logits = engine.logits(torch.from_numpy(data.test.images))
            result = score(logits, torch.from_numpy(data.test.labels), recipe.loss)
            state.test_loss, state.test_accuracy = result.loss, result.accuracy
        save_model(folder.path / "model.safetensors", parts.model, engine.net.state_dict())
        save_figure(draw_curves([folder]), folder.path / "curves.png")
        summary = _summary(began, engine, state)
        writer.finish(summary)
    yield Finished(folder, summary)


def _summary(began: Started, engine: Engine, state: State) -> dict[str, Any]:
    recipe = began.recipe
    return {
        "run": str(began.folder.path),
        "data": recipe.data,
        "net": recipe.net,
        "engine": began.engine,
        "device": began.device,
        "threads": began.threads,
        "seed": recipe.seed,
        "epochs": state.epoch,
        "steps": state.step,
        "train_loss": state.train_loss,
        "test_loss": state.test_loss,
        "test_accuracy": state.test_accuracy,
        "train_seconds": state.train_seconds,
        "test_seconds": state.test_seconds,
        "compile_seconds": engine.compile_seconds,
        "images_per_second": state.images / max(state.train_seconds, 1e-9),
        "stopped_by": state.stopped_by,
    }


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets, so that work ends where it is whole; the second Ctrl-C kills."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals belong to the main thread
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
