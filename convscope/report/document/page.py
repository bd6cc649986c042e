"""A run's document as one HTML file: everything inside, no script, and no more than 10 MB."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ... import __version__
from ...errors import DataError
from ...language import Language, chinese
from ...training.scores import confidence_of, wilson
from . import charts, galleries
from .answers import reliability
from .comparison import side_by_side
from .facts import RunFacts
from .limits import limits
from .thumbs import Room

TEMPLATES = Path(__file__).parent / "templates"
LARGEST = 10_000_000  # bytes of the file
ROOMS = (8_500_000, 4_000_000, 1_000_000, 0)  # for pictures: the next where all else took more than was thought
MOST_ROWS = 500  # of a table
MOST_CLASSES = 40  # of a confusion matrix; of more, the most frequent mistakes are listed


def page(facts: RunFacts, others: Sequence[RunFacts] = (), language: Language = "en") -> str:
    """The text of the file: about one run, with ``others`` beside it; it opens in ``language``, and holds both."""
    for free in ROOMS:
        text = _written(facts, others, language, Room(free))
        if len(text.encode()) <= LARGEST:
            return text
    raise DataError(f"{facts.name} has too many layers or names for a report of 10 MB", "take --card")


def _written(facts: RunFacts, others: Sequence[RunFacts], language: Language, room: Room) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"percent": percent, "number": number, "loss": loss, "shade": shade}
    environment.globals |= {"t": both, "translated": translated, "wilson": wilson}
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    values = _values(facts, others, room)
    return environment.get_template("report.html").render(
        values,
        language=language,
        style=Markup(style),
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        version=__version__,
        left_out=room.left_out,
    )


def _values(facts: RunFacts, others: Sequence[RunFacts], room: Room) -> dict[str, Any]:
    """What the templates show, pictures in the order of their weight: the first ones get the room."""
    tested, data = facts.tested, facts.data
    count, doubted = galleries.doubted(tested, room) if tested else (0, [])
    return {
        "facts": facts,
        "limits": limits(facts),
        "sure": confidence_of(facts.model.loss),
        "worst": galleries.worst(facts, tested, room) if tested else [],
        "doubts": count,
        "doubted": doubted,
        "samples": galleries.samples(data.train, room) if data else [],
        "maps": galleries.feature_maps(facts, tested, room) if tested else [],
        "cells": galleries.cells(tested, room) if tested else [],
        "bins": reliability(tested) if tested else [],
        "loss_chart": Markup(charts.curves([(facts.name, facts.epochs)], "loss")),
        "accuracy_chart": Markup(charts.curves([(facts.name, facts.epochs)], "accuracy")),
        "calibration_chart": Markup(charts.calibration(reliability(tested))) if tested else "",
        "comparison": side_by_side([facts, *others]) if others else None,
        "compared_charts": [
            Markup(charts.curves([(run.name, run.epochs) for run in (facts, *others)], what))
            for what in ("loss", "accuracy")
        ]
        if others
        else [],
        "most_rows": MOST_ROWS,
        "most_classes": MOST_CLASSES,
    }


def both(en: str, zh: str) -> Markup:
    """A text in both languages; the document shows one of them."""
    return Markup(f'<span class="en" lang="en">{escape(en)}</span><span class="zh" lang="zh">{escape(zh)}</span>')


def translated(text: str) -> Markup:
    """A sentence of the program in both languages; in English alone where the catalogue lacks it."""
    return both(text, chinese().say(text))


def percent(value: float | None, digits: int = 2) -> str:
    """A share in per cent; a dash where there is none."""
    return "—" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None) -> str:
    """A whole number with commas, another with the digits that matter; a dash where there is none."""
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def loss(value: float | None) -> str:
    """Four digits behind the point."""
    return "—" if value is None else f"{value:.4f}" if abs(value) < 1e5 else f"{value:.2e}"


def shade(count: int, total: int) -> str:
    """The style class of a cell of mistakes: s1 to s5 by their share of the row."""
    return f"s{min(5, 1 + int(10 * count / max(total, 1)))}" if count else "none"
