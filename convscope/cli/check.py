"""``convscope check``: what is wrong with data, before a net is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from ..language import Name, say
from ..language.counts import number_of, some
from ..language.width import ljust
from ..storage.loading import loading
from . import terminal
from .options import AsJson, ClassFrom, DataDir, ImageSize, Offline, data_argument, plot_option, together

if TYPE_CHECKING:
    from ..data.check import Place, Report

SHOWN = 5  # of each kind, and of the classes that lack something; --json lists all

LEAKS = "groups of equal images across parts: accuracy on them is memory"
CONFLICTS = "groups of equal images with different classes: one of them is wrong"
# What a single finding is called.
ONE = {
    LEAKS: "group of equal images across parts: accuracy on them is memory",
    CONFLICTS: "group of equal images with different classes: one of them is wrong",
    "files cannot be read": "file cannot be read",
    "images are of one colour all over": "image is of one colour all over",
    "images show next to nothing": "image shows next to nothing",
    "images are far less sharp than the others": "image is far less sharp than the others",
    "groups of equal images within a part": "group of equal images within a part",
    "pairs of nearly the same image within a part": "pair of nearly the same image within a part",
    "pairs of nearly the same image across parts": "pair of nearly the same image across parts",
    "pairs of classes look alike": "pair of classes looks alike",
}


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(check)


def check(
    data: Annotated[list[str], data_argument("What train takes: digits, mnist, ..., a folder of images, an .npz.")],
    image_size: ImageSize = None,
    class_from: ClassFrom = None,
    data_dir: DataDir = None,
    plot: Annotated[Path | None, plot_option("Where a picture of the images whose labels are doubtful goes.")] = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Report counts, sizes, bad files, duplicates, leakage, doubtful labels; exit 3 if train would refuse."""
    with loading():
        from ..audit.check import examined

    report, sets = examined(together(data), data_dir, offline, image_size, class_from)
    if plot is not None:
        from ..report.style import save_plot
        from ..report.suspects import draw_suspects

        save_plot(draw_suspects(report, sets), plot)
    if as_json:
        terminal.emit_json(report)
    else:
        _print(report)
    if report.problem:
        raise DataError(f"training would refuse these data: {report.problem}", report.help)


def _print(report: Report) -> None:
    def line(text: str) -> None:
        terminal.out().print(text, markup=False)

    parts = list(report.images)
    rows = [[Name(name), *(f"{report.images[part][name]:,}" for part in parts)] for name in report.images["train"]]
    rows.append([say("all"), *(f"{sum(report.images[part].values()):,}" for part in parts)])
    terminal.out().print(terminal.table(["class", *parts], rows, left=["class"]))
    line("")
    line(f"sizes       {_counts(report.sizes)}; {_counts(report.modes)}")
    line(f"imbalance   {_imbalance(report)}")
    for part, classes in report.missing.items():
        if classes:
            line(f"missing     {part} has no images of {some(classes, SHOWN)}")
    _list("corrupt", "files cannot be read", list(report.corrupt))
    _list("constant", "images are of one colour all over", [_text(place) for place in report.constant])
    _list("empty", "images show next to nothing", [_text(place) for place in report.empty])
    _list("blurred", "images are far less sharp than the others", [_text(place) for place in report.blurred])
    for name, what, groups in (
        ("duplicates", "groups of equal images within a part", report.duplicates),
        ("leakage", LEAKS, report.leaks),
        ("conflicts", CONFLICTS, report.conflicts),
        ("near", "pairs of nearly the same image within a part", report.near),
        ("near leaks", "pairs of nearly the same image across parts", report.near_leaks),
    ):
        _list(name, what, [" = ".join(map(_text, group[:4])) + " …" * (len(group) > 4) for group in groups])
    _judged(report)
    for text in report.notes:
        line(f"note        {text}")


def _judged(report: Report) -> None:
    """What a classifier thinks of the labels, where one was asked."""
    if not report.judged_by:
        return
    suspects = [
        f"{_text(suspect.place)}: {100 * suspect.own:.1f} %, {suspect.likelier} {100 * suspect.other:.0f} %"
        for suspect in report.suspects
    ]
    by = report.judged_by
    _list("labels", f"label is doubtful, by {by}" if len(suspects) == 1 else f"labels are doubtful, by {by}", suspects)
    if not suspects:
        terminal.out().print(f"            by {report.judged_by}", markup=False)
    alike = [f"{pair.one} and {pair.other}: {100 * pair.share:.0f} % are taken for the other" for pair in report.alike]
    _list("alike", "pairs of classes look alike", alike)


def _list(name: str, what: str, lines: list[str]) -> None:
    begin = ljust(say(name), 11)
    what = ONE.get(what, what) if len(lines) == 1 else what
    terminal.out().print(f"{begin} {len(lines):,} {say(what)}" if lines else f"{begin} {say('none')}", markup=False)
    for text in lines[:SHOWN]:
        terminal.out().print(f"            {text}", markup=False)
    if len(lines) > SHOWN:
        terminal.out().print(f"            … and {len(lines) - SHOWN:,} more (--json lists all)", markup=False)


def _text(place: Place) -> str:
    return f"{say(place.part)} {place.name} ({place.label})"


def _counts(counts: dict[str, int]) -> str:
    shown = ", ".join(
        f"{count:,} of {what}" if "×" in what else f"{count:,} {what}" for what, count in list(counts.items())[:SHOWN]
    )
    return shown + (f", {number_of(len(counts) - SHOWN, 'other size')}" if len(counts) > SHOWN else "")


def _imbalance(report: Report) -> str:
    from ..data.check import IMBALANCED

    if report.imbalance is None:
        return "no images for training"
    text = f"the largest class has {report.imbalance:.1f} times the images of the smallest"
    return f"{text}: accuracy alone will flatter" if report.imbalance >= IMBALANCED else text
