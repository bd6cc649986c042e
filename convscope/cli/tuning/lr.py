"""``convscope lr``: which learning rate a net bears."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...recipe import flag
from ...storage.loading import loading
from .. import terminal
from ..options import AsJson, Chosen, Offline, plot_option, with_choices


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(lr)


@with_choices
def lr(
    *,
    chosen: Chosen,
    least: Annotated[float, typer.Option("--from", help="The first learning rate.")] = 1e-5,
    most: Annotated[float, typer.Option("--to", help="The last learning rate.")] = 10.0,
    updates: Annotated[int, typer.Option(min=10, max=100_000, help="Updates from the first to the last.")] = 120,
    plot: Annotated[Path, plot_option()] = Path("lr.png"),
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Let the learning rate grow from update to update, and suggest one by how the loss falls."""
    with loading():
        from ...auto import settle
        from ...errors import UsageError
        from ...report.style import save_plot
        from ...report.tuning.range_test import draw_range_test
        from ...training.range_test import NO_SAY, range_test

    wrong = [flag(name) for name in NO_SAY if name in chosen.written]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} has no say in a range test", "leave it out; --from and --to are the rates"
        )
    settled = settle(chosen.recipe, chosen.given, offline)
    recipe = settled.recipe
    found = range_test(recipe, settled.data, least, most, updates)
    save_plot(draw_range_test(found, f"{settled.data.name}: {recipe.net}, {recipe.optimizer}"), plot)
    if as_json:
        terminal.emit_json({"suggested": found.suggested, "largest": found.largest, "plot": plot})
        return
    for line in (
        f"net     {recipe.net}, {recipe.optimizer}, batches of {recipe.batch_size:,}",
        f"lr      {found.suggested:g}: a tenth of {found.largest:.2g}, beyond which the loss grows",
        f"plot    {plot}",
    ):
        terminal.out().print(line, markup=False)
