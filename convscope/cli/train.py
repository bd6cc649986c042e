"""``convscope train`` and ``convscope resume``: the main job, drawn in the terminal as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..recipe import DEFAULT_EPOCHS, EngineName, LossName, OptimizerName, Recipe, ScheduleName, flag
from . import terminal

if TYPE_CHECKING:
    from ..job import Event, Finished, Started
    from ..training.loop import Epoch

DataDir = Annotated[
    Path | None, typer.Option(help="Where data sets are looked for first; then $CONVSCOPE_DATA, then your cache.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network (CONVSCOPE_OFFLINE=1: the same).")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable images out and count them.")]
ClassFrom = Annotated[
    str | None, typer.Option(help="Read a folder's classes from its file names, as by '{class}.*' from cat.0.png.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's folder, or its name.")]
Moved = Annotated[str | None, typer.Option("--data", help="Where the run's data are now, if not where they were.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the run's folder and nothing else.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(train)
    app.command()(resume)


def train(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="digits, mnist, fashion-mnist, kmnist, a folder of images, a folder with "
                                             "IDX files, a table of labels (.csv), or an .npz.")] = "digits",
    net: Annotated[str, typer.Option(help="A named net (convscope nets) or a spec.")] = "note",
    epochs: Annotated[int | None, typer.Option(help="Passes over the images.  [default: 10; digits 60]")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", help="Images of one update.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    momentum: Annotated[float, typer.Option(help="Momentum of SGD.")] = 0.5,
    nesterov: Annotated[bool, typer.Option("--nesterov", help="Nesterov's momentum.")] = False,
    weight_decay: Annotated[float, typer.Option(help="Weight decay (L2), as in torch.optim.")] = 0.0,
    optimizer: Annotated[OptimizerName, typer.Option(help="How gradients change the weights.")] = "sgd",
    schedule: Annotated[ScheduleName, typer.Option(help="The learning rate over the updates.")] = "constant",
    loss: Annotated[LossName, typer.Option(help="What is minimised (mse, mae: to one-hot).")] = "cross-entropy",
    target_loss: Annotated[float | None, typer.Option(help="Stop when a log interval's mean loss falls to it.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after epochs without a lower validation loss.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Stop after these seconds of training and tests.")] = None,
    val_fraction: Annotated[float, typer.Option(help="Share of the training images held out for validation.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides initial weights, order, splits and dropout.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps (convscope devices).")] = "auto",
    engine: Annotated[EngineName, typer.Option(help="Who does the arithmetic; auto takes the fastest.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 means all cores.")] = 0,
    log_interval: Annotated[int, typer.Option(help="Updates between two lines of the log.")] = 300,
    save_seconds: Annotated[float, typer.Option(help="Save the state this often, and after each epoch.")] = 60.0,
    image_size: Annotated[int | None, typer.Option(help="Height and width of a folder's images.")] = None,
    class_from: ClassFrom = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    out: Annotated[Path, typer.Option(help="The folder that runs are made in.")] = Path("runs"),
    resume_run: Annotated[str | None, typer.Option("--resume", help="Go on with this run by its own recipe.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Train, test and plot a net."""
    if resume_run is not None:
        _refuse_choices(context)
        resume(resume_run, epochs, None, data_dir, offline, quiet, as_json)
        return
    recipe = Recipe(
        data=data, net=net, epochs=DEFAULT_EPOCHS.get(data, 10) if epochs is None else epochs, batch_size=batch_size,
        lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, optimizer=optimizer, schedule=schedule,
        loss=loss, target_loss=target_loss, patience=patience, max_seconds=max_seconds, val_fraction=val_fraction,
        seed=seed, device=device, engine=engine, threads=threads, log_interval=log_interval, save_seconds=save_seconds,
        image_size=image_size, skip_bad=skip_bad, data_dir=None if data_dir is None else str(data_dir),
        class_from=class_from,
    )  # fmt: skip
    from .. import job
    from ..data.sources import open_recipe
    from ..engine.devices import resolve
    from ..net.zoo import resolve as resolve_net

    resolve(recipe.device)  # a wrong device or net is told before any data are read
    resolve_net(recipe.net)
    _draw(job.start(recipe, open_recipe(recipe, offline), out), quiet, as_json)


def _refuse_choices(context: typer.Context) -> None:
    """Raise UsageError for choices given beside --resume: the run's own hold, and none is passed over in silence."""
    allowed = {"resume_run", "epochs", "data_dir", "offline", "quiet", "as_json"}
    given = [
        name for name in (parameter.name or "" for parameter in context.command.params)
        if name not in allowed and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]  # fmt: skip
    if given:
        words = ["DATA" if name == "data" else flag(name) for name in given]
        raise UsageError(
            f"{', '.join(words)} cannot be given with --resume: the run goes on with its own recipe",
            "leave it out, or start a new run without --resume",
        )


def resume(
    run: Annotated[str, typer.Argument(help="A run's folder or name.")],
    epochs: Annotated[int | None, typer.Option(help="Train until so many epochs in all.")] = None,
    moved: Moved = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with an interrupted run, or extend a finished one with --epochs."""
    from .. import job
    from ..runs import folder as runs
    from ..runs.own_data import own_data

    folder = runs.find(run)
    own = own_data(folder, moved, data_dir=data_dir, offline=offline)
    _draw(job.resume(folder, own, epochs), quiet, as_json)


def _draw(events: Iterator[Event], quiet: bool, as_json: bool) -> None:
    """Print the events of a run: a table on stdout, a bar where somebody watches."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from .. import job
    from ..training import loop

    console = terminal.out() if terminal.out().is_terminal and not as_json else terminal.err()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(), console=console, transient=True, disable=quiet or not console.is_terminal,
    )  # fmt: skip
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
                    bar.update(task, completed=event.step, total=started.epoch_steps * started.recipe.epochs,
                               description=f"epoch {event.epoch}/{started.recipe.epochs}",
                               rate=f"{rate:,.0f} images/s")  # fmt: skip
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
    if as_json:
        terminal.emit_json(finished.summary)
    elif quiet:
        print(finished.folder.path)
    else:
        _print_end(finished, started)


def _row(*cells: str) -> None:
    widths = (5, 7, 8, 10, 10, 9)
    line = " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=False))
    terminal.out().print(line.rstrip(), markup=False)


def _notes(event: Started) -> list[str]:
    """What the user should know of the data and the engine."""
    skipped = [f"{terminal.count(event.data.skipped, 'unreadable image')} left out"] if event.data.skipped else []
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
        f"run     {event.folder.path}: {terminal.count(recipe.epochs, 'epoch')} of "
        f"{terminal.count(event.epoch_steps, 'update')}, seed {recipe.seed}",
        f"engine  {event.engine} on {event.device}" + (f", {event.threads} threads" if event.device == "cpu" else ""),
    ]
    lines += [f"        {note}" for note in _notes(event)]
    if event.resumed_at:
        lines.append(f"        goes on after update {event.resumed_at:,}")
    for line in lines:
        terminal.out().print(line, markup=False)
    terminal.out().print()
    val = ("val acc",) if data.val is not None else ()
    _row("epoch", "update", "loss", "test acc", *val, *(() if val else ("images/s",)))


def _print_epoch(event: Epoch) -> None:
    last = f"{event.images_per_second:,.0f}" if event.val_accuracy is None else f"{100 * event.val_accuracy:.2f} %"
    _row(str(event.epoch), "all", terminal.loss(event.train_loss), f"{100 * event.test_accuracy:.2f} %", last)


def _print_end(event: Finished, started: Started) -> None:
    from ..training.stop import SENTENCES

    summary = event.summary
    path = event.folder.path
    lines = [
        "",
        f"test accuracy {100 * (summary.test_accuracy or 0):.2f} % after {terminal.count(summary.steps, 'update')} in "
        f"{summary.train_seconds:.1f} s of training ({summary.images_per_second:,.0f} images/s); "
        f"{SENTENCES[summary.stopped_by]}",
        "",
        *([] if event.notes else [f"plot    {path / 'curves.png'}"]),
        f"run     {path}",
    ]
    following = [
        (f"convscope evaluate {path}", "every class, the worst mistakes"),
        (f"convscope predict {path} IMAGE", "what is on your own image"),
    ]
    if started.recipe.data == "digits":
        following.append(("convscope train mnist", "the note's full run"))
    across = max(len(command) for command, _ in following)
    for i, (command, why) in enumerate(following):
        lines.append(f"{'' if i else 'next':<8}{command:<{across}}  {why}")
    for line in lines:
        terminal.out().print(line, markup=False)
