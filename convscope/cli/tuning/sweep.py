"""``convscope sweep``: every combination of some choices, in a table that continues where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import UsageError
from ...recipe import Recipe
from ...storage.loading import loading
from .. import terminal
from ..options import (
    AsJson,
    ClassFrom,
    DataDir,
    ImageSize,
    Offline,
    data_argument,
    option,
    path_option,
    plot_option,
    together,
)
from ..shell import completion

HELD_OUT = 0.1  # of the training images, where nobody says how many
Values = Annotated[str | None, typer.Option(help="Values with commas.", metavar="A,B,…")]


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(sweep)


def sweep(
    data: Annotated[list[str], data_argument()],
    net: Values = None,
    lr: Values = None,
    optimizer: Values = None,
    schedule: Values = None,
    batch_size: Values = None,
    weight_decay: Values = None,
    augment: Values = None,
    ema: Values = None,
    seed: Values = None,
    epochs: Annotated[int | None, option("epochs")] = None,
    val_fraction: Annotated[
        float | None,
        option("val_fraction", help="Share of the training images that ranks the runs.  [default: 0.1]"),
    ] = None,
    tta: Annotated[str | None, option("tta")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            autocompletion=completion.recipes,
            help="All other choices: a .toml or .json file, a run's folder, or a name such as mnist-99.",
        ),
    ] = None,
    image_size: ImageSize = None,
    class_from: ClassFrom = None,
    data_dir: DataDir = None,
    out: Annotated[Path, path_option("The folder that the runs are made in.")] = Path("sweep"),
    plot: Annotated[Path, plot_option("Where the picture of all curves goes.")] = Path("sweep.png"),
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Train every combination of the values, and rank them by images that are held out of training.

    The test images rank nothing. The same command again continues where it was stopped: what is finished is not trained
    again.
    """
    with loading():
        from ...auto import settle
        from ...recipes import named
        from ...report.curves import draw_curves
        from ...report.style import save_plot
        from ...tuning import sweep as sweeping

    texts = {
        "net": net,
        "lr": lr,
        "optimizer": optimizer,
        "schedule": schedule,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
        "augment": augment,
        "ema": ema,
        "seed": seed,
    }
    values = {name: sweeping.read(name, text) for name, text in texts.items() if text is not None}
    if not values:
        raise UsageError("nothing is swept over", "for example: convscope sweep digits --lr 0.01,0.1 --net note,mlp")
    first = {name: found[0] for name, found in values.items()}
    fixed = {"data": together(data), "epochs": epochs, "val_fraction": val_fraction, "image_size": image_size}
    fixed |= {"class_from": class_from, "data_dir": str(data_dir) if data_dir else None, "tta": tta}
    fixed = (named(base).choices if base else {}) | {name: value for name, value in fixed.items() if value is not None}
    fixed["val_fraction"] = fixed.get("val_fraction") or HELD_OUT
    given = set(fixed) | set(first)
    every = sweeping.combinations(Recipe.of(fixed | first), values)
    runs = []
    for recipe in every:
        settled = settle(recipe, given, offline)
        runs.append(sweeping.trained(settled.recipe, settled.data, out))
        if not as_json:
            terminal.note(f"finished {len(runs)} of {len(every)}: {runs[-1].name}")
    save_plot(draw_curves(runs), plot)
    ranked = sorted(runs, key=sweeping.best_validation, reverse=True)
    rows = [sweeping.row(folder, list(values)) for folder in ranked]
    if as_json:
        terminal.emit_json({"runs": rows, "plot": plot})
        return
    columns = sweeping.columns(rows, list(values))
    shown = [[_shown(row[column]) for column in columns] for row in rows]
    terminal.out().print(terminal.table(columns, shown, left=["run", "net", "augment", "optimizer", "schedule", "tta"]))
    share = every[0].val_fraction
    terminal.out().print(
        f"\nranked by {100 * share:g} % of the training images, held out; the test images ranked nothing"
        f"\nplot    {plot}",
        markup=False,
    )


def _shown(value: Any) -> str:
    return "—" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
