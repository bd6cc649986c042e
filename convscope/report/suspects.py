"""The contact sheet of images whose labels are doubtful."""

from typing import TYPE_CHECKING

from ..data.check import Report
from ..data.images import ImageSet
from ..language.counts import number_of
from .style import INK, NAME, new_figure, own_style, plain, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST, COLUMNS = 40, 8
LONGEST, LONGEST_PATH = 18, 28  # columns of a class's and a file's name


@own_style()
def draw_suspects(report: Report, sets: dict[str, ImageSet]) -> "Figure":
    """The images whose labels are doubtful, the most first, each with its label and the likelier class."""
    shown = report.suspects[:MOST]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure = new_figure(1.35 * COLUMNS, 0.7 + 1.75 * rows)
    found = len(report.suspects)
    most = f"{MOST} of " if found > MOST else ""
    doubtful = f"{most}{number_of(found, 'doubtful label')}" if shown else "no label is doubtful"
    title = f"{report.data}: {doubtful}"
    figure.suptitle(plain(title, 120), x=0.01, ha="left", color=INK, fontsize=10)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, suspect in zip(grid, shown, strict=False):
        image = sets[suspect.place.part].images[suspect.index].transpose(1, 2, 0)
        axes.imshow(image.repeat(3, 2) if image.shape[2] == 1 else image, interpolation="nearest")
        likelier = f"{short(suspect.likelier, LONGEST)}? {100 * suspect.other:.0f} %"
        axes.set_title(f"{short(suspect.place.label, LONGEST)}\n{likelier}", fontsize=8, color=INK).set_label(NAME)
        name = plain(f"{suspect.place.part} {suspect.place.name}", LONGEST_PATH, LONGEST_PATH - 1)
        below = axes.text(0.5, -0.04, name, transform=axes.transAxes, fontsize=5, ha="center", va="top", color=INK)
        below.set_label(NAME)
    return figure
