"""How every picture looks: one palette, quiet axes, files written whole."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..storage.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind eyes too.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
INK, QUIET, FAINT = "#222222", "#8a8a8a", "#e6e6e6"

# Asked in turn for a character: the names of classes and files may be in any script.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC",
         "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
         "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans")  # fmt: skip

FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def new_figure(width: float, height: float) -> "Figure":
    """A figure of width × height inches that no window or global state knows about."""
    from matplotlib.figure import Figure  # imports for half a second, so only when something is drawn

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure whole or not at all. The name's ending decides the format; UsageError for an unknown one."""
    kind = path.suffix.lstrip(".").lower() or "png"
    if kind not in FORMATS:
        raise UsageError(f"{path.name} is no name for a picture", f"known endings: {', '.join(FORMATS)}")
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = {font.name for font in fontManager.ttflist}
    for text in figure.findobj(Text):
        text.set_fontfamily([name for name in FONTS if name in installed])
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # no font here has it: it is drawn as a box
        figure.savefig(buffer, format=kind, dpi=150)
    write_atomic(path, buffer.getvalue())


def plain(text: str, most: int = 60) -> str:
    """A name as a picture may show it: a ``$`` begins no formula, and the end of a long one is cut off."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("$", r"\$")


def quiet_axes(axes: "Axes") -> None:
    """Only the lines that carry information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
