"""``convscope train --curve``: what more images would bring, as a table, a picture and growth.json in the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..language.counts import number_of
from . import terminal

if TYPE_CHECKING:
    from ..job import Finished, Started

NARROW = 0.02  # half of an interval up to which a test set is not called small
FEW = 50  # training images of the smallest class, below which more of them help most


def warnings(finished: Finished, started: Started) -> list[str]:
    """What a small number of images leaves open, as lines below the result."""
    import numpy as np

    from ..training.scores import wilson

    accuracy, tests = finished.summary.test_accuracy, len(started.data.test)
    if accuracy is None:
        return []
    low, high = wilson(round(accuracy * tests), tests)
    few = f": {number_of(tests, 'test image')} are few" if high - low > 2 * NARROW else ""
    lines = [f"95 % interval {100 * low:.1f} to {100 * high:.1f} %{few}"]
    counts = np.bincount(started.data.train.labels, minlength=len(started.data.classes))
    least = int(counts.argmin())
    if counts[least] < FEW:
        images = number_of(int(counts[least]), "training image")
        lines.append(f"class {started.data.classes[least]!r} has {images}: --curve tells what more would bring")
    return [f"{'':<8}{line}" for line in lines]


def measure(finished: Finished, started: Started) -> dict[str, Any]:
    """Compute the curve and what the classes lack; write growth.json and growth.png. The content of the former."""
    from ..report.growth import draw_growth
    from ..report.style import save_figure
    from ..storage.files import write_atomic
    from ..storage.strict_json import dumps, plain
    from ..training.growth import class_worths, lacking, learning_curve

    points = list(learning_curve(started.recipe, started.data, finished.summary.test_accuracy or 0.0))
    classes = class_worths(started.recipe, started.data)
    told = {"curve": plain(points), "classes": plain(classes), "lacking": lacking(classes) if classes else None}
    write_atomic(finished.folder.path / "growth.json", dumps(told, indent=2) + "\n")
    save_figure(draw_growth(points, started.data.name), finished.folder.path / "growth.png")
    return told


def show(told: dict[str, Any], finished: Finished) -> None:
    """Print the curve and the sentence."""
    rows = []
    for point in told["curve"]:
        low, high = (f"{100 * bound:.1f}" for bound in point["interval"])
        images, accuracy = f"{point['images']:,}", f"{100 * point['accuracy']:.2f} %"
        rows.append([images, f"{100 * point['share']:.0f} %", accuracy, f"{low} to {high} %", str(point["draws"])])
    out = terminal.out()
    out.print()
    out.print(terminal.table(["training images", "share", "test accuracy", "95 % interval", "draws"], rows, left=[]))
    if told["lacking"]:
        out.print(told["lacking"], markup=False)
    out.print(f"{'growth':<8}{finished.folder.path / 'growth.png'}", markup=False)
