"""The main job: a recipe becomes a run folder. Data, net, engine, loop and files meet here and nowhere else.

``start`` and ``resume`` are generators: the command line draws their records, the Python API drains them.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from .data.batches import Batches
from .data.images import Dataset
from .data.sources import data_name
from .engine.base import Engine
from .errors import ConvscopeError, DataError, Interrupted, NotFinite, TrainingError
from .net.model import Model, save_model
from .net.shapes import Row
from .net.zoo import net_name
from .recipe import Recipe
from .report.curves import draw_curves
from .report.style import save_figure
from .runs.checkpoint import ResumePoint
from .runs.environment import Watch, as_before, describe, go_on_here
from .runs.folder import RunFolder, create
from .runs.images import RunImages
from .runs.own_data import OwnData, compare
from .runs.resume import go_on
from .runs.summary import Summary
from .runs.writer import RunWriter
from .storage.interruption import interruption
from .storage.lock import locked
from .storage.memory import is_out_of_memory
from .training.augment import Augment, settled
from .training.calibration import calibrated
from .training.finding import Facts, finding
from .training.loop import Epoch, Record, Tick, train
from .training.pace import Pace
from .training.prepared import Prepared, prepare
from .training.pretrained import one_step
from .training.scores import score
from .training.state import State


@dataclass(frozen=True, repr=False)
class Started:
    """A run begins or resumes. ``rows`` are the net's layers, ``resumed_at`` the update it resumes from (0: none).

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
    batches: Batches
    notes: tuple[str, ...]
    resumed_at: int = 0

    @property
    def epoch_steps(self) -> int:
        """Updates in an epoch."""
        return self.batches.steps

    def __repr__(self) -> str:
        return f"Started({self.folder.path}: {self.recipe.net} on {self.data.name}, {self.engine} on {self.device})"


@dataclass(frozen=True)
class Finished:
    """A run has ended; ``summary`` is the content of summary.json, ``notes`` say what went wrong beside it."""

    folder: RunFolder
    summary: Summary
    notes: tuple[str, ...] = ()


Event = Started | Record | Finished


def start(
    recipe: Recipe,
    data: Dataset,
    out: Path = Path("runs"),
    pace: Pace | None = None,
    augment: Augment | None = None,
    net: nn.Module | None = None,
) -> Iterator[Event]:
    """Run ``recipe`` on ``data`` in a new folder below ``out``, at ``pace`` where somebody wants to hold it back.

    ``augment`` is the user's own function where the recipe names one, ``net`` their own module for a custom net.
    Nothing is written before recipe, data and net are known to fit. Raises Interrupted (the work is saved) on
    Ctrl-C, SIGTERM or SIGHUP, TrainingError where the loss is not finite or the disk fails.
    """
    recipe = settled(one_step(recipe), data)
    prepared = prepare(recipe, data, net)
    folder = create(out, f"{net_name(recipe.net)}-{data_name(recipe.data)}")
    with locked(folder.path):
        writer = RunWriter(folder, data.val is not None)
        writer.begin(
            recipe, describe(data, prepared.engine.name, prepared.device, prepared.threads), RunImages.of(data)
        )
        yield from _work(_started(prepared, folder, recipe, data), prepared.engine, writer, State(), pace, augment)


def resume(
    folder: RunFolder,
    data: OwnData | Dataset,
    epochs: int | None = None,
    pace: Pace | None = None,
    augment: Augment | None = None,
    net: nn.Module | None = None,
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
        keeps_images = folder.images() is not None
        own = data if isinstance(data, OwnData) else compare(folder, data)
        data = own.data
        prepared = prepare(as_before(recipe, before), data, net)
        state = State()
        if point is not None:
            file = folder.path / "resume.safetensors"
            point.check(file, recipe, prepared.engine.net, prepared.batches)
            point.load_into(prepared.engine, file)
            state = point.state
        epoch_steps = prepared.batches.steps
        new, notes = go_on(recipe, state, folder.summary() is not None, epochs, epoch_steps, folder.path)
        notes += own.notes
        if point is None:
            notes += ("it was stopped before its first save, so it begins again",)
        now = describe(data, prepared.engine.name, prepared.device, prepared.threads)
        environment, limits = go_on_here(before, now, state.step)
        interval = min(recipe.log_interval, epoch_steps)
        writer = RunWriter(folder, data.val is not None)
        writer.begin_again(
            new,
            environment,
            log_rows=state.epoch * (epoch_steps // interval) + state.epoch_step // interval,
            epoch_rows=state.epoch,
        )
        if not keeps_images:
            writer.keep_images(RunImages.of(data))
        began = _started(prepared, folder, new, data, notes + limits, state.step)
        yield from _work(began, prepared.engine, writer, state, pace, augment)


def _started(
    prepared: Prepared,
    folder: RunFolder,
    recipe: Recipe,
    data: Dataset,
    notes: tuple[str, ...] = (),
    resumed_at: int = 0,
) -> Started:
    return Started(
        folder=folder,
        recipe=recipe,
        data=data,
        model=prepared.model,
        rows=prepared.rows,
        engine=prepared.engine.name,
        device=prepared.device,
        threads=prepared.threads,
        batches=prepared.batches,
        notes=prepared.notes + notes,
        resumed_at=resumed_at,
    )


def _work(
    began: Started, engine: Engine, writer: RunWriter, state: State, pace: Pace | None, augment: Augment | None
) -> Iterator[Event]:
    """Train, write what comes, save the state from time to time, and finish."""
    recipe, data, folder = began.recipe, began.data, began.folder
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
        writer.save(ResumePoint(state, state.average.trained or engine.net.state_dict(), engine.state()))
        save_model(folder.path / "model.safetensors", began.model, state.kept or engine.net.state_dict())

    saved = time.monotonic()
    with interruption() as interrupted:
        try:
            for record in train(engine, recipe, data, state, pace, began.batches, augment):
                writer.record(record)
                yield record
                # The test of an epoch that was cut short is no part of the state: one that resumes must not know it.
                cut_short = isinstance(record, Epoch) and state.epoch_step > 0
                stopping = isinstance(record, Tick) and state.stopped_by is not None
                due = isinstance(record, Epoch) or stopping or time.monotonic() - saved >= recipe.save_seconds
                if (due or interrupted) and not cut_short:
                    save()
                    saved = time.monotonic()
                if interrupted:
                    raise Interrupted(
                        f"stopped after {state.step:,} updates in epoch {record.epoch}; the work is saved",
                        f"resume it with: convscope resume {folder.path}",
                        interrupted.number,
                    )
        except NotFinite:
            save()
            raise
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            try:
                save()
                kept = "the work is saved"
            except (MemoryError, RuntimeError):
                kept = "what was saved before is intact"
            raise TrainingError(
                f"there was no memory left after {state.step:,} updates; {kept}",
                f"close other programs, then: convscope resume {folder.path}; or train with a smaller --batch-size",
            ) from None
        check_data()
        if state.kept:
            engine.net.load_state_dict(state.kept)
        if state.best.weights:
            logits = engine.logits(torch.from_numpy(data.test.images))
            result = score(logits, torch.from_numpy(data.test.labels), recipe.loss)
            state.last.test_loss, state.last.test_accuracy = result.loss, result.accuracy
        model = calibrated(began.model, engine, data.val)
        save_model(folder.path / "model.safetensors", model, engine.net.state_dict())
        notes = _draw(folder)
        summary = _summary(began, engine, state)
        writer.finish(summary)
    yield Finished(folder, summary, notes)


def _draw(folder: RunFolder) -> tuple[str, ...]:
    """Draw curves.png. A net that is trained is not lost by its picture: what keeps that from being drawn is a note."""
    try:
        save_figure(draw_curves([folder]), folder.path / "curves.png")
    except ConvscopeError:
        raise
    except Exception as error:  # of Matplotlib, its plugins and fonts: anything
        again = f"convscope compare {folder.path} {folder.path} --plot curves.png"
        return (f"curves.png could not be drawn ({error}); the run is complete; draw it with: {again}",)
    return ()


def _summary(began: Started, engine: Engine, state: State) -> Summary:
    recipe, seconds = began.recipe, state.seconds
    assert state.stopped_by is not None, "a run has ended by then"
    found = finding(_facts(began, engine, state))
    return Summary(
        run=str(began.folder.path),
        data=recipe.data,
        net=recipe.net,
        engine=began.engine,
        device=began.device,
        threads=began.threads,
        seed=recipe.seed,
        epochs=state.epoch,
        steps=state.step,
        train_loss=state.last.train_loss,
        test_loss=state.last.test_loss,
        test_accuracy=state.last.test_accuracy,
        train_seconds=seconds.train,
        test_seconds=seconds.test,
        compile_seconds=engine.compile_seconds,
        images_per_second=state.images / max(seconds.train, 1e-9),
        stopped_by=state.stopped_by,
        warning=str(found) if found else None,
    )


def _facts(began: Started, engine: Engine, state: State) -> Facts:
    """What the test says of the run. Which classes the net names is looked at only where its accuracy is low."""
    test, last = began.data.test, state.last
    facts = Facts.of(began.recipe, len(test.classes), test.labels, last.test_accuracy, last.train_loss, state.step)
    if not facts.no_better_than_one_class:
        return facts
    named = engine.logits(torch.from_numpy(test.images)).argmax(1).unique()
    return replace(facts, only=test.classes[int(named[0])] if len(named) == 1 else None)
