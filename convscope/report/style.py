"""How every picture looks: one palette, quiet axes, files written whole."""

import contextlib
import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..language import chosen, say
from ..language.width import fit
from ..storage.files import write_atomic
from ..storage.leaving import MARK, put_picture, require_place
from .fonts import coded, families, lacking, tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind eyes too.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
INK, QUIET, FAINT = "#222222", "#8a8a8a", "#e6e6e6"

FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def matplotlib() -> ModuleType:
    """Matplotlib itself. The backend that the environment names may be unknown here, as Jupyter's is to a command
    that a notebook runs: it is not asked for, as no window is ever opened.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        module = importlib.import_module("matplotlib")  # for half a second, so only when something is drawn
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend is not None:
        with contextlib.suppress(ValueError):  # for those who open windows of their own, as they said
            module.rcParams["backend"] = backend
    return module


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Whatever Matplotlib settings the user has (LaTeX, margins, fonts), within this, its defaults hold.

    Every function that draws is decorated with it; an artist takes its settings when it is made.
    """
    with matplotlib().rc_context():
        matplotlib().rcdefaults()
        yield


NAME = "a name"  # the label of a text that users wrote, such as a class: it is not said in another language


@own_style()
def new_figure(width: float, height: float) -> "Figure":
    """A figure of width × height inches that no window or global state knows about. Notebooks show it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure._repr_png_ = partial(picture, figure)  # type: ignore[attr-defined]  # pyplot would teach it to notebooks
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a picture of convscope's own folders, whole or not at all, whatever is there."""
    write_atomic(path, picture(figure, _kind(path), 150))


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a picture where the user wants it, whole or not at all. Raises UsageError as :func:`require_plot` does."""
    put_picture(path, picture(figure, _kind(path), 150))


def require_plot(path: Path) -> None:
    """Raise UsageError where a picture cannot be put, must not be as a file of the user's is there, or has no format:
    that is known before any work is done.
    """
    require_place(path)
    _kind(path)


def _kind(path: Path) -> str:
    """The format, by the name's ending. Raises UsageError for an unknown one."""
    kind = path.suffix.lstrip(".").lower() or "png"
    if kind not in FORMATS:
        raise UsageError(f"{path.name} is no name for a picture", f"known endings: {', '.join(FORMATS)}")
    return kind


@own_style()
def picture(figure: "Figure", kind: str = "png", dpi: int = 80) -> bytes:
    """The figure as the content of a file of ``kind``, one of FORMATS. The default suits a notebook."""
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    if chosen() != "en":
        _translate(texts)
    fonts, missing = families(text.get_text() for text in texts)
    if missing:
        _write_codes(figure, texts, missing)
    for text in texts:
        text.set_fontfamily(fonts)
    buffer = BytesIO()
    with warnings.catch_warnings(), _silent(logging.getLogger("matplotlib.font_manager")):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # it was said
        figure.savefig(buffer, format=kind, dpi=dpi, **_mark(kind))
    return buffer.getvalue()


@contextlib.contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Without warnings, such as that a font has no bold letters: nobody can do anything about that."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write_codes(figure: "Figure", texts: list[Any], missing: set[str]) -> None:
    """Codes for the characters that are ``missing``. Labels of ticks, set when they are drawn, change in the axes."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if missing & set("".join(labels)):
            axis.set_ticks(axis.get_ticklocs(), [coded(label, missing) for label in labels])
    for text in texts:
        text.set_text(coded(text.get_text(), missing))


def _mark(kind: str) -> dict[str, Any]:
    """Where the formats have a place for the program that made a picture, as ``savefig`` takes it."""
    if kind in ("jpg", "webp"):
        from PIL import ExifTags, Image

        exif = Image.Exif()
        exif[ExifTags.Base.Software] = MARK
        return {"pil_kwargs": {"exif": exif}}
    return {"metadata": {"Software" if kind == "png" else "Creator": MARK}}


def _translate(texts: list[Any]) -> None:
    """Say every text but names in the chosen language. Where no font has its characters, the picture stays English."""
    texts = [text for text in texts if text.get_label() != NAME]
    words = [_said(text.get_text()) for text in texts]
    if missing := lacking("".join(words)) - lacking("".join(text.get_text() for text in texts)):
        tell(missing, "the picture's words stay English")
        return
    for text, said in zip(texts, words, strict=True):
        if said != text.get_text():
            text.set_text(said)


def _said(text: str) -> str:
    """A text as a whole, else what stands in it with wide spaces between."""
    whole = say(text)
    return whole if whole != text else re.sub(r"[^\n]+?(?=   |\n|$)", lambda part: say(part[0]), text)


def plain(text: str, most: int = 60, end: int = 0) -> str:
    """A name as a picture may show it: a ``$`` begins no formula, and of one that is wider than ``most`` columns the
    beginning and the last ``end`` are left.
    """
    return fit(text, most, end).replace("$", r"\$")


def short(name: str, most: int) -> str:
    """The name of a class, as :func:`plain`: both ends are left of a long one, as names often begin alike."""
    return plain(name, most, most // 2)


def quiet_axes(axes: "Axes") -> None:
    """Only the lines that carry information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
