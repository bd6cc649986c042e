"""``convscope train`` and ``convscope resume``: the main job, drawn in the terminal as it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..distributed import voice
from ..errors import UsageError
from ..language import say
from ..language.counts import number_of
from ..language.width import rjust
from ..recipe import flag
from ..storage.loading import loading
from ..storage.places import as_argument
from . import growth, terminal
from .options import AsJson, Chosen, DataDir, Moved, Offline, Quiet, path_option, run_argument, with_choices
from .shell import completion
from .streams import unheard
from .tuning import repeated

if TYPE_CHECKING:
    from ..distributed.team import Team
    from ..job import Event, Finished, Started
    from ..training.loop import Epoch


Film = Annotated[bool, typer.Option("--film", help="Keep a film for the lab's room 7: up to 6 MiB, 3 % of the time.")]


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(train)
    app.command()(resume)


@with_choices
def train(
    *,
    chosen: Chosen,
    offline: Offline = False,
    out: Annotated[Path, path_option("The folder that runs are made in.")] = Path("runs"),
    resume_run: Annotated[
        str | None,
        typer.Option("--resume", help="Resume this run by its own recipe.", autocompletion=completion.runs),
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Then try 25 and 50 % of the images: would more help?")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Train with so many seeds: mean ± sd.")] = 1,
    folds: Annotated[
        int | None, typer.Option(min=2, max=100, help="Test on so many parts of the training images in turn.")
    ] = None,
    film: Film = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train, test and plot a net."""
    if resume_run is not None:
        _refuse_choices(chosen)
        data_dir = chosen.values["data_dir"]
        epochs = chosen.values["epochs"] if "epochs" in chosen.written else None
        resume(resume_run, epochs, None, Path(data_dir) if data_dir else None, offline, film, quiet, as_json)
        return
    repeated.check(seeds, folds, curve, film, chosen.recipe.tta)
    voice.refuse({"--curve": curve})
    recipe = chosen.recipe
    with loading():
        from .. import job
        from ..auto import agreed, settle_together
        from ..distributed.join import joined
        from ..engine.devices import resolve
        from ..net.zoo import resolve as resolve_net

    resolve(recipe.device)  # a wrong device or net is told before any data are read
    if recipe.net.strip() != "auto":
        resolve_net(recipe.net)
    voice.hush()
    with unheard(), joined() as team:
        team = agreed(team)
        settled = settle_together(team, recipe, chosen.given, offline)
        if settled.chosen and not quiet and team.leads:
            terminal.note(settled.chosen)
        if folds is not None:
            repeated.fold(settled, team, folds, quiet=quiet, as_json=as_json)
        elif seeds > 1:
            repeated.with_seeds(settled, team, seeds, out, offline=offline, quiet=quiet, as_json=as_json)
        else:
            events = job.start(settled.recipe, settled.data, out, team=team)
            _show(_filmed(events, team, film), team, quiet, as_json, curve)


def _refuse_choices(chosen: Chosen) -> None:
    """Raise UsageError for choices given beside --resume: the run's own hold, and none is passed over in silence."""
    allowed = {"resume_run", "epochs", "data_dir", "offline", "film", "quiet", "as_json"}
    given = [name for name in chosen.written if name not in allowed]
    if given:
        words = ["DATA" if name == "data" else flag(name) for name in given]
        raise UsageError(
            f"{', '.join(words)} cannot be given with --resume: the run resumes with its own recipe",
            "leave it out, or start a new run without --resume",
        )


def resume(
    run: Annotated[str, run_argument("A run's folder or name.")],
    epochs: Annotated[int | None, typer.Option(help="Train until so many epochs in all.")] = None,
    moved: Moved = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    film: Film = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Resume an interrupted run, or extend a finished one with --epochs."""
    with loading():
        from .. import job
        from ..auto import agreed
        from ..distributed.agree import same_choices
        from ..distributed.copied import copied
        from ..distributed.join import joined
        from ..runs import folder as runs
        from ..runs.own_data import own_data

    voice.hush()
    with unheard(), joined() as team, copied(team, lambda: runs.find(run).path, runs.FILES) as path:
        folder = runs.RunFolder(path)
        team = agreed(team)
        same_choices(team, {"epochs": epochs})
        own = own_data(folder, moved, data_dir=data_dir, offline=offline)
        events = job.resume(folder, own, epochs, team=team)
        _show(_filmed(events, team, film), team, quiet, as_json)


def _filmed(events: Iterator[Event], team: Team, film: bool) -> Iterator[Event]:
    """The events of a run, of which a film is kept where one is wanted, by the one process that writes."""
    if not film or not team.leads:
        return events
    from ..lab.live.filmed import filmed

    return filmed(events)


def _show(events: Iterator[Event], team: Team, quiet: bool, as_json: bool, curve: bool = False) -> None:
    """Draw the events of a run, or only let them happen, where another process draws."""
    if team.leads:
        _draw(events, quiet, as_json, curve)
    else:
        deque(events, maxlen=0)


def _draw(events: Iterator[Event], quiet: bool, as_json: bool, curve: bool = False) -> None:
    """Print the events of a run: a table on stdout, a bar where somebody watches."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from .. import job
    from ..training import loop

    console = terminal.out() if terminal.out().is_terminal and not as_json else terminal.err()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    silent = quiet or as_json
    began = time.monotonic()
    first_step = 0
    with bar:
        console.show_cursor(True)  # a second Ctrl-C kills at once, and would leave the terminal without one
        task = bar.add_task("", total=None, rate="")
        for event in events:
            match event:
                case job.Started():
                    started = event
                    first_step = event.resumed_at
                    if not silent:
                        _print_start(event)
                    elif not quiet:  # JSON on stdout
                        for line in _notes(event):
                            terminal.note(line)
                case loop.Tick():
                    rate = (event.step - first_step) * started.recipe.batch_size / (time.monotonic() - began)
                    bar.update(
                        task,
                        completed=event.step,
                        total=started.epoch_steps * started.recipe.epochs,
                        description=say(f"epoch {event.epoch}/{started.recipe.epochs}"),
                        rate=say(f"{rate:,.0f} images/s"),
                    )
                case loop.Progress() if not silent and started.recipe.log_interval < started.epoch_steps:
                    _row(str(event.epoch), str(event.step), terminal.loss(event.loss))
                case loop.Epoch() if not silent:
                    _print_epoch(event)
                case job.Finished():
                    finished = event
                case _:
                    pass
    if finished.summary.warning and not quiet:
        terminal.note(finished.summary.warning)
    for note in finished.notes:
        terminal.note(note)
    grown = growth.measure(finished, started) if curve else None
    if as_json:
        terminal.emit_json({**asdict(finished.summary), "growth": grown} if grown else finished.summary)
    elif quiet:
        print(finished.folder.path)
    else:
        _print_end(finished, started)
        if grown:
            growth.show(grown, finished)


def _row(*cells: str) -> None:
    widths = (5, 7, 8, 10, 10, 9)
    line = " ".join(rjust(say(cell), width) for cell, width in zip(cells, widths, strict=False))
    terminal.out().print(line.rstrip(), markup=False)


def _notes(event: Started) -> list[str]:
    """What the user should know of the data and the engine."""
    skipped = [f"{number_of(event.data.skipped, 'unreadable image')} left out"] if event.data.skipped else []
    return [*skipped, *event.data.notes, *event.notes]


def _print_start(event: Started) -> None:
    data, recipe = event.data, event.recipe
    parameters = sum(row.parameters for row in event.rows)
    arithmetic = sum(row.multiply_adds for row in event.rows)
    c, h, w = data.train.shape
    sets = f"{len(data.train):,} training, {len(data.test):,} test"
    if data.val is not None:
        sets = f"{len(data.train):,} training, {len(data.val):,} validation, {len(data.test):,} test"
    lines = [
        f"net     {recipe.net}: {parameters:,} parameters, {arithmetic:,} multiply-adds an image",
        f"data    {data.name}: {sets} images of {c}×{h}×{w}, {len(data.classes)} classes",
        f"run     {event.folder.path}: {number_of(recipe.epochs, 'epoch')} of "
        f"{number_of(event.epoch_steps, 'update')}, seed {recipe.seed}",
        f"engine  {event.engine} on {event.device}"
        + (f", {number_of(event.threads, 'thread')}" if event.device == "cpu" else ""),
    ]
    if event.team.ranks > 1:
        lines.append(f"        {event.team.ranks} processes share every batch")
    lines += [f"        {note}" for note in _notes(event)]
    if event.resumed_at:
        lines.append(f"        resumes after update {event.resumed_at:,}")
    for line in lines:
        terminal.out().print(line, markup=False)
    terminal.out().print()
    val = ("val acc",) if data.val is not None else ()
    _row("epoch", "update", "loss", "test acc", *val, *(() if val else ("images/s",)))


def _print_epoch(event: Epoch) -> None:
    last = f"{event.images_per_second:,.0f}" if event.val_accuracy is None else f"{100 * event.val_accuracy:.2f} %"
    _row(str(event.epoch), "all", terminal.loss(event.train_loss), f"{100 * event.test_accuracy:.2f} %", last)


def _print_end(event: Finished, started: Started) -> None:
    from ..runs.views import explained
    from ..training.stop import SENTENCES

    summary = event.summary
    path = event.folder.path
    waiting = [f"        {100 * event.waited:.0f} % of the time was spent waiting for other processes"]
    lines = [
        "",
        f"test accuracy {100 * (summary.test_accuracy or 0):.2f} % after {number_of(summary.steps, 'update')} in "
        f"{summary.train_seconds:.1f} s of training ({summary.images_per_second:,.0f} images/s); "
        f"{SENTENCES[summary.stopped_by]}",
        *(waiting if started.team.ranks > 1 else []),
        *growth.warnings(event, started),
        *([] if summary.tta_accuracy is None else [f"{'':<8}{explained(summary.tta_accuracy, started.recipe.tta)}"]),
        "",
        *([] if event.notes else [f"plot    {path / 'curves.png'}"]),
        f"run     {path}",
    ]
    following = [
        (f"convscope evaluate {as_argument(path)}", "every class, the worst mistakes"),
        (f"convscope predict {as_argument(path)} IMAGE", "what is on your own image"),
    ]
    if started.recipe.data == "digits":
        following.append(("convscope train mnist", "the note's full run"))
    across = max(len(command) for command, _ in following)
    for i, (command, why) in enumerate(following):
        lines.append(f"{'' if i else 'next':<8}{command:<{across}}  {why}")
    for line in lines:
        terminal.out().print(line, markup=False)
