"""Draws docs/images/floors.svg from the package's imports, and writes the tree of README.md from its docstrings.

``python docs/floors.py`` does both; a test compares them. Floors stand in the order of tests/test_floors.py. An arc
says that the floor at its dot imports from the one at its arrow; what every floor uses (the first six) is left out of
the picture, for its arcs would hide the others.
"""

import ast
import re
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "convscope"
PICTURE = ROOT / "docs" / "images" / "floors.svg"
README = ROOT / "README.md"
FLOORS = (
    "language", "errors", "shown", "storage", "choice", "recipe", "recipes", "data", "net", "distributed", "engine",
    "training", "runs", "explain", "report", "export", "events", "job", "auto", "tuning", "audit", "python", "lab",
    "cli",
)  # fmt: skip
EVERYWHERE = FLOORS[:6]
ROW, LEFT, WIDTH, GAP = 46, 16, 560, 12
STYLE = """
  svg { font: 13px system-ui, sans-serif; color-scheme: light dark; }
  .floor { fill: #f4f6f8; stroke: #c9d1d9; } text { fill: #1f2328; } .small { fill: #57606a; font-size: 11px; }
  path { fill: none; stroke: #0969da; stroke-opacity: .55; stroke-width: 1.3; } circle, .head { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    .floor { fill: #161b22; stroke: #30363d; } text { fill: #e6edf3; } .small { fill: #9198a1; }
    path { stroke: #58a6ff; } circle, .head { fill: #58a6ff; }
  }
"""


def floor(path: Path) -> str:
    """The floor on which a module stands."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The floors that a module imports from."""
    found = set()
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = (*base, *(node.module or "").split(".")) if node.module else base
            found |= {(*module, alias.name)[0] for alias in node.names}
    return found


def about(name: str) -> str:
    """What a floor is: the first sentence of its docstring, up to its full stop."""
    path = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
    said = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[A-Za-z`])[.](?: |$)", said)[0].replace("``", "`")


def tree() -> str:
    """The package as README.md shows it."""
    longest = max(map(len, FLOORS)) + 2  # a slash and a space
    lines = [f"  {name + '/' * (PACKAGE / name).is_dir():<{longest}}{about(name)}" for name in FLOORS]
    return "\n".join(["convscope/", *lines])


def rooms(name: str) -> str:
    """The folders of a floor; its modules are for its own readers."""
    inside = sorted(path.parent for path in (PACKAGE / name).glob("*/__init__.py"))
    return "  ".join(f"{path.name}/" for path in inside)


def _short(name: str) -> str:
    """:func:`about` within a box."""
    said = about(name)
    return said if len(said) <= 76 else said[: said.rindex(" ", 0, 74)] + " …"


def draw() -> str:
    """The picture as SVG."""
    names = [name for name in FLOORS if name not in EVERYWHERE]
    uses: dict[str, set[str]] = {name: set() for name in names}
    for path in sorted(PACKAGE.rglob("*.py")):
        if floor(path) in uses:
            uses[floor(path)] |= imported(path) & set(names) - {floor(path)}
    height = len(names) * ROW + GAP
    parts = []
    for i, name in enumerate(names):
        y = GAP + i * ROW
        parts.append(f'<rect class="floor" x="{LEFT}" y="{y}" width="{WIDTH}" height="{ROW - 8}" rx="6"/>')
        title = f'<tspan font-weight="600">{name}</tspan><tspan class="small" dx="8">{escape(_short(name))}</tspan>'
        parts.append(f'<text x="{LEFT + 10}" y="{y + 16}">{title}</text>')
        parts.append(f'<text class="small" x="{LEFT + 10}" y="{y + 31}">{escape(rooms(name))}</text>')
    edge = LEFT + WIDTH
    for i, name in enumerate(names):
        for above in sorted(uses[name], key=names.index):
            j = names.index(above)
            start, end = GAP + i * ROW + 12, GAP + j * ROW + 26
            reach = edge + 18 + 17 * (i - j)
            parts.append(f'<path d="M{edge} {start} C{reach} {start} {reach} {end} {edge + 7} {end}"/>')
            parts.append(f'<circle cx="{edge}" cy="{start}" r="2.5"/>')
            parts.append(f'<path class="head" d="M{edge} {end} l8 -4 v8 z"/>')
    width = edge + 30 + 13 * len(names)
    body = "\n".join(parts)
    label = "The floors of the package and what they import"
    size = f'viewBox="0 0 {width} {height}" width="{width}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return f"{head}\n<style>{STYLE}</style>\n{body}\n</svg>\n"


def with_tree(text: str) -> str:
    """README.md's text with the tree as it is now."""
    return re.sub(r"(?<=^```\n)convscope/\n.*?(?=\n```$)", lambda _: tree(), text, flags=re.S | re.M)


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    README.write_text(with_tree(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(PICTURE.relative_to(ROOT), README.relative_to(ROOT), sep="\n", file=sys.stderr)
