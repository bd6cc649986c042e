"""``convscope batches`` and ``convscope descent``: what a batch is, and what its size does to the way down."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...language import say
from ...language.counts import number_of
from ...storage.loading import loading
from .. import columns, terminal
from ..options import AsJson, DataDir, Offline, plot_option
from .options import save_plot

if TYPE_CHECKING:
    from ...explain.concepts.batches import Batches
    from ...explain.concepts.descent import Descent
    from ...explain.concepts.objectives import Terrain

SHOWN_EPOCHS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(batches)
    app.command()(descent)


def batches(
    samples: Annotated[int, typer.Option(help="Samples of the training set.")] = 60_000,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", help="Samples of one update.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, max=1_000_000, help="Passes over the training set.")] = 1,
    drop_last: Annotated[bool, typer.Option("--drop-last", help="Leave out a last batch that is not full.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides the order of the samples.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say how many updates an epoch takes and what the last batch holds."""
    with loading():
        from ...explain.concepts.batches import STRIP_SAMPLES, cut, strip

    chosen = cut(samples, batch_size, drop_last)
    small = samples <= STRIP_SAMPLES
    strips = [strip(chosen, seed, epoch) for epoch in range(1, min(epochs, 3) + 1)] if small else []
    if as_json:
        terminal.emit_json({"output": chosen, "epochs": epochs, "updates": chosen.updates * epochs, "strips": strips})
        return
    _print_batches(chosen, epochs)
    for epoch, parts in enumerate(strips, 1):
        columns.heading(f"Epoch {epoch}: shuffled again, then cut")
        for number, part in enumerate(parts, 1):
            print(f"  update {number:<4}{' '.join(f'{sample:>3}' for sample in part)}")


def _print_batches(chosen: "Batches", epochs: int) -> None:
    from ...explain.concepts.batches import cut

    samples, size = chosen.samples, chosen.batch_size
    print(f"{number_of(samples, 'sample')} in batches of {size:,} ({chosen.regime})\n")
    one = samples < size or not samples % size  # the other choice leaves nothing, or changes nothing
    both = [chosen] if one else [chosen, cut(samples, size, not chosen.drop_last)]
    rows = [
        ["updates in an epoch", *(_division(b) for b in both)],
        ["the last batch holds", *(f"{b.last:,}" for b in both)],
        ["left out of an epoch", *(f"{b.left_out:,}" for b in both)],
        [f"updates in {epochs:,} epoch{'s' * (epochs > 1)}", *(f"{b.updates * epochs:,}" for b in both)],
        ["samples seen", *(f"{(samples - b.left_out) * epochs:,}" for b in both)],
    ]
    titles = ["smaller last batch dropped" if b.drop_last else "smaller last batch used" for b in both]
    names = ["", *(["every batch is full"] if chosen.last == size and one else titles)]
    columns.show(names, rows, right=names[1:])


def _division(chosen: "Batches") -> str:
    left, right = ("⌊", "⌋") if chosen.drop_last else ("⌈", "⌉")
    return f"{left}{chosen.samples:,} / {chosen.batch_size:,}{right} = {chosen.updates:,}"


def descent(
    data: Annotated[
        str | None, typer.Option(help="digits, mnist, ...: a net on images instead of a regression on made-up samples.")
    ] = None,
    net: Annotated[str, typer.Option(help="A named net or a spec, with --data.")] = "note",
    samples: Annotated[int | None, typer.Option(help="To learn from.  [default: 100; with --data 1000]")] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", "-b", help="Of the mini-batch.  [default: 10; with --data 32]")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the samples.  [default: 20; with --data 5; updates, with --surface 100]"),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.  [default: 0.1; with --data 0.01; with --surface 0.05]")
    ] = None,
    surface: Annotated[
        str | None, typer.Option(help="Instead of samples, a surface: valley, saddle or two-minima.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="W,B", help="Where every path begins on the map, such as --start=-1,2.")
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(help="A further path, by mini-batches: momentum, nesterov or adam. May be given several times."),
    ] = None,
    momentum: Annotated[float, typer.Option(help="Of momentum and nesterov.")] = 0.9,
    adam_lr: Annotated[float | None, typer.Option(help="Adam's own learning rate.  [default: --lr]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides samples, initial weights and order.")] = 0,
    data_dir: DataDir = None,
    offline: Offline = False,
    plot: Annotated[Path | None, plot_option("Draw it as .png, .svg or .pdf.", "FILE.png")] = None,
    as_json: AsJson = False,
) -> None:
    """Descend with one sample, a mini-batch and all samples an update: same start, same samples seen."""
    with loading():
        from ...explain.concepts.asked import Asked, read_start, terrain

    if plot and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--plot is {str(plot)!r}, expected a .png, .svg or .pdf file", "such as --plot descent.png")
    asked = Asked(
        data=data,
        net=net,
        surface=surface,
        start=None if start is None else read_start(start),
        samples=samples,
        batch_size=batch_size,
        epochs=epochs,
        lr=lr,
        optimizers=optimizer or (),
        momentum=momentum,
        adam_lr=adam_lr,
        seed=seed,
        data_dir=data_dir,
        offline=offline,
    )
    objective = asked.objective()
    result = asked.descend(objective, terminal.note if data else None)
    if plot:
        from ...report.descent import draw_descent

        save_plot(draw_descent(result, terrain(objective)), plot)
    if as_json:
        terminal.emit_json({"output": result})
    else:
        _print_descent(result, terrain(objective))


def _print_descent(result: "Descent", on: "Terrain | None") -> None:
    one = result.samples == 1  # a surface: its gradient is exact
    if one:
        print(
            f"{result.objective}: {number_of(result.parameters, 'parameter')}, {number_of(result.epochs, 'update')}, "
            f"lr {result.lr:g}"
        )
    else:
        print(
            f"{result.objective}: {number_of(result.parameters, 'parameter')}, {number_of(result.samples, 'sample')}, "
            f"{number_of(result.epochs, 'epoch')}, lr {result.lr:g}"
        )
    _print_regimes(result, one)
    columns.heading("Loss after an update" if one else "Loss over all samples after an epoch")
    table = []
    for epoch in [e for e in SHOWN_EPOCHS if e < result.epochs] + [result.epochs]:
        at = [next(p.loss for p in r.points if p.samples == epoch * result.samples) for r in result.regimes]
        table.append([str(epoch), *(f"{loss:.4f}" for loss in at)])
    names = ["update" if one else "epoch", *(r.name for r in result.regimes)]
    columns.show(names, table, right=names)
    seconds = ", ".join(f"{say(r.name)} {r.seconds:.3f}" for r in result.regimes)
    print(f"\nseconds in updates: {seconds}")
    if on is not None and (one or result.regimes[-1].optimizer != "sgd"):
        _print_limits(result, on)


def _print_regimes(result: "Descent", one: bool) -> None:
    if one:
        columns.heading("Equal start, equal updates")
        names = ["regime", "lr", "updates", "loss", "detour"]
        columns.show(names, [
            [say(r.name), f"{r.lr:g}", f"{r.updates:,}", f"{r.loss:.4f}", f"{r.detour:.2f}"] for r in result.regimes
        ], right=names[1:])  # fmt: skip
        print("detour: length of the path / distance from its start to its end")
        return
    columns.heading("Equal start, equal samples seen")
    names = ["regime", "batch size", "updates", "samples seen", "loss", "angle", "noise", "detour"]
    columns.show(names, [
        [say(r.name), f"{r.batch_size:,}", f"{r.updates:,}", f"{r.samples:,}", f"{r.loss:.4f}", f"{r.angle:.1f}°",
         f"{r.noise:.3f}", f"{r.detour:.2f}"]
        for r in result.regimes
    ], right=names[1:])  # fmt: skip
    print(
        "angle: mean, between a batch's gradient and that of all samples; noise: length of the difference,\n"
        "root mean square; detour: length of the path / distance from its start to its end"
    )


def _print_limits(result: "Descent", on: "Terrain") -> None:
    """From which learning rate exact gradients lead away at the deepest place."""
    from ...explain.concepts.optimizers import OPTIMIZERS, UpdateRule

    curvature = on.curvature()
    limits = [UpdateRule(name, result.lr, result.momentum).limit(curvature) for name in OPTIMIZERS]
    written = ", ".join(f"{name} {limit:.4g}" for name, limit in zip(OPTIMIZERS, limits, strict=True) if limit)
    print(f"λmax = {curvature:.4g} at the deepest place; with exact gradients these lr lead away from it: {written}")
