"""The main job: a recipe becomes a run folder. Data, net, engine, loop and files meet here and nowhere else.

``start`` and ``resume`` are generators: the command line draws their records, the Python API drains them.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from .data.images import Dataset, sets_of
from .data.sources import data_name
from .distributed.agree import same_data
from .distributed.team import ALONE, SAVED, PeerLost, Team
from .engine.base import Engine
from .errors import ConvscopeError, DataError, Interrupted, NotFinite, TrainingError, UsageError
from .events import Event as Event
from .events import Finished as Finished
from .events import Started as Started
from .language.counts import number_of
from .net.zoo import net_name
from .recipe import Recipe
from .report.curves import draw_curves
from .report.style import save_figure
from .runs.checkpoint import ResumePoint
from .runs.environment import Watch, as_before, describe, go_on_here
from .runs.folder import RunFolder, create
from .runs.images import RunImages
from .runs.own_data import OwnData, compare
from .runs.resume import go_on, require_unaltered
from .runs.summary import Summary, summary_of
from .runs.views import figure
from .runs.writer import Onlooker, RunWriter
from .storage.interruption import interruption
from .storage.lock import locked
from .storage.memory import is_out_of_memory
from .storage.places import as_argument, user_path
from .training.augment import Augment, settled
from .training.augment.views import seen_accuracy
from .training.calibration import calibrated
from .training.loop import Epoch, Record, Tick, train
from .training.pace import Pace
from .training.prepared import Prepared, prepare, windowed
from .training.pretrained import one_step
from .training.scores import score
from .training.state import State


def start(
    recipe: Recipe,
    data: Dataset,
    out: Path = Path("runs"),
    pace: Pace | None = None,
    augment: Augment | None = None,
    net: nn.Module | None = None,
    team: Team = ALONE,
) -> Generator[Event]:
    """Run ``recipe`` on ``data`` in a new folder below ``out``, at ``pace`` where somebody wants to hold it back.

    ``augment`` is the user's own function where the recipe names one, ``net`` their own module for a custom net.
    All processes of ``team`` call it with the same recipe and data; rank 0 alone writes, and comes to Finished.

    Nothing is written before recipe, data and net are known to fit. Raises Interrupted (the work is saved) on
    Ctrl-C, SIGTERM or SIGHUP, TrainingError where the loss is not finite or the disk fails.
    """
    recipe = windowed(settled(one_step(recipe), data), data, team)
    if recipe.local_batchnorm and team.ranks == 1:
        raise UsageError("--local-batchnorm is for several processes, and this is one", "start it with torchrun")
    same_data(team, {name: images.fingerprint for name, images in sets_of(data).items()})
    prepared = prepare(recipe, data, net, team)
    name = f"{net_name(recipe.net)}-{data_name(recipe.data)}"
    folder = create(out, name) if team.leads else RunFolder(user_path(out) / name)
    with _kept(folder, team):
        writer = _writer(folder, data, team)
        environment = describe(data, prepared.engine.name, prepared.device, prepared.threads, prepared.team)
        writer.begin(recipe, environment, RunImages.of(data))
        yield from _work(_started(prepared, folder, recipe, data), prepared.engine, writer, State(), pace, augment)


def resume(
    folder: RunFolder,
    data: OwnData | Dataset,
    epochs: int | None = None,
    pace: Pace | None = None,
    augment: Augment | None = None,
    net: nn.Module | None = None,
    team: Team = ALONE,
) -> Iterator[Event]:
    """Resume the run in ``folder`` at the very update where it was saved; ``epochs`` extends it.

    The coming weights are bit for bit those of an uninterrupted run on the same machine, engine and thread count;
    what differs is said in the notes of :class:`Started`. A run that was killed before its first save begins again,
    one that was killed when all was done but its summary is finished. Images that came to the data since are not used.
    All processes of ``team`` call it, each with a copy of the run's files; there may be more or fewer than before.
    Raises DataError where the data are not those that the run began with or a file is damaged, UsageError where there
    is nothing to do, TrainingError where another process works on the run.
    """
    with _kept(folder, team):
        recipe, before, point = folder.recipe(), folder.environment(), folder.resume_point()
        require_unaltered(recipe, folder.summary(), folder.path)
        keeps_images = folder.images() is not None
        own = data if isinstance(data, OwnData) else compare(folder, data)
        data = own.data
        as_then, team = as_before(recipe, before, team)
        prepared = prepare(as_then, data, net, team)
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
        now = describe(data, prepared.engine.name, prepared.device, prepared.threads, prepared.team)
        environment, limits = go_on_here(before, now, state.step)
        interval = min(recipe.log_interval, epoch_steps)
        writer = _writer(folder, data, team)
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


def _kept(folder: RunFolder, team: Team) -> AbstractContextManager[None]:
    """The run's lock, for the one process that writes."""
    return locked(folder.path) if team.leads else nullcontext()


def _writer(folder: RunFolder, data: Dataset, team: Team) -> RunWriter:
    return (RunWriter if team.leads else Onlooker)(folder, data.val is not None)


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
        threads=prepared.team.all_threads(prepared.threads),
        batches=prepared.batches,
        notes=prepared.notes + notes,
        resumed_at=resumed_at,
        team=prepared.team,
    )


class _Saver:
    """Saves a run's work, and only as long as its data are those that it began with."""

    def __init__(self, began: Started, engine: Engine, writer: RunWriter, state: State) -> None:
        self.began, self.engine, self.writer, self.state = began, engine, writer, state
        self.watch, self.saved = Watch(began.data), time.monotonic()
        self.cut_short = False  # the last record tests an epoch that was cut short

    def save(self) -> None:
        """Write state and weights."""
        if self.watch.due():
            self.check_data()
        state, weights = self.state, self.engine.net.state_dict()
        self.writer.save(ResumePoint(state, state.average.trained or weights, self.engine.state()))
        self.writer.save_weights(self.began.model, state.kept or weights)
        self.saved = time.monotonic()

    def check_data(self) -> None:
        """Raise DataError where the data have changed meanwhile."""
        try:
            self.watch.check()
        except DataError:
            self.writer.forget()  # nobody knows since when: the run begins again once the data are put back
            raise

    def see(self, record: Record, asked: bool) -> None:
        """Save after ``record`` where it is time, or where somebody ``asked`` the run to stop."""
        state = self.state
        # The test of an epoch that was cut short is no part of the state: one that resumes must not know it.
        self.cut_short = isinstance(record, Epoch) and state.epoch_step > 0
        stopping = isinstance(record, Tick) and state.stopped_by is not None
        waited = time.monotonic() - self.saved >= self.began.recipe.save_seconds
        if (isinstance(record, Epoch) or stopping or waited or asked) and not self.cut_short:
            self.save()

    @contextmanager
    def at_trouble(self) -> Iterator[None]:
        """What can still be saved is saved when training breaks off, and the sentence says what there is."""
        run = as_argument(self.began.folder.path)
        try:
            yield
        except PeerLost as error:
            if not self.cut_short:
                self.save()
            where = f"the work is saved; resume it, by as many processes or others: convscope resume {run}"
            resume_it = where if self.began.team.leads else SAVED
            raise PeerLost(error.message, error.rank, resume_it) from None
        except NotFinite:
            self.save()
            raise
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            try:
                self.save()
                kept = "the work is saved"
            except (MemoryError, RuntimeError):
                kept = "what was saved before is intact"
            raise TrainingError(
                f"there was no memory left after {number_of(self.state.step, 'update')}; {kept}",
                f"close other programs, then: convscope resume {run}; or train with a smaller --batch-size",
            ) from None


def _work(
    began: Started, engine: Engine, writer: RunWriter, state: State, pace: Pace | None, augment: Augment | None
) -> Iterator[Event]:
    """Train, write what comes, save the state from time to time, and finish."""
    recipe, data, folder, team = began.recipe, began.data, began.folder, began.team
    yield began

    saver = _Saver(began, engine, writer, state)
    began_at, waited = time.monotonic(), team.waited
    with interruption() as interrupted:
        with saver.at_trouble():
            for record in train(engine, recipe, data, state, pace, began.batches, augment, team):
                writer.record(record)
                yield record
                asked = int(team.largest(interrupted.number))  # all ranks stop at the same record
                saver.see(record, bool(asked))
                if asked:
                    raise Interrupted(
                        f"stopped after {number_of(state.step, 'update')} in epoch {record.epoch}; the work is saved",
                        f"resume it with: convscope resume {as_argument(folder.path)}",
                        asked,
                    )
        share = (team.waited - waited) / max(time.monotonic() - began_at, 1e-9)
        saver.check_data()
        if not team.leads:
            return
        summary, notes = _finish(began, engine, writer, state)
    yield Finished(folder, summary, notes, share)


def _finish(began: Started, engine: Engine, writer: RunWriter, state: State) -> tuple[Summary, tuple[str, ...]]:
    """Write the weights that the run ends with, its picture and its summary."""
    data, folder = began.data, began.folder
    if state.kept:
        engine.net.load_state_dict(state.kept)
    if state.best.weights:
        logits = engine.logits(torch.from_numpy(data.test.images))
        result = score(logits, torch.from_numpy(data.test.labels), began.recipe.loss)
        state.last.test_loss, state.last.test_accuracy = result.loss, result.accuracy
    writer.save_weights(calibrated(began.model, engine, data.val), engine.net.state_dict())
    test, val = (seen_accuracy(engine.logits, x, began.recipe.loss, began.recipe.tta) for x in (data.test, data.val))
    notes = _draw(folder, "" if test is None else figure(test, began.recipe.tta))
    summary = summary_of(began.recipe, data, folder.path, engine, began.device, began.threads, state)
    summary = replace(summary, tta_accuracy=test, tta_val_accuracy=val)
    writer.finish(summary)
    return summary, notes


def _draw(folder: RunFolder, views: str) -> tuple[str, ...]:
    """Draw curves.png. A net that is trained is not lost by its picture: what keeps that from being drawn is a note."""
    try:
        save_figure(draw_curves([folder], [views]), folder.path / "curves.png")
    except ConvscopeError:
        raise
    except Exception as error:  # of Matplotlib, its plugins and fonts: anything
        run = as_argument(folder.path)
        again = f"convscope compare {run} {run} --plot curves.png"
        return (f"curves.png could not be drawn ({error}); the run is complete; draw it with: {again}",)
    return ()
