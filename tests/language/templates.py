"""The sentences of the package's source, as the catalogue has them: f-strings with {} for what varies.

A sentence is a string of two words or more, or of a word beside a place, in a module that speaks to people. What looks
like one and is none (code, names, keys) stands in unshown.txt.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "convscope"
UNSHOWN = Path(__file__).parent / "unshown.txt"
# Programs and pages that the package writes: machine code, C, HTML, PyTorch, SQL; a report says both languages itself.
WRITERS = (
    "engine/jit/ir",
    "engine/jit/machine",
    "engine/jit/ways",
    "engine/jit/standalone.py",
    "engine/head/store.py",
    "export/c",
    "export/html",
    "export/native",
    "lab/programs",
    "report/document/charts.py",
    "report/document/limits.py",
)
SENTENCE = re.compile(r"[A-Za-z]{2,}[,:;.)]? \(?[a-zA-Z]|[a-z]{2,}[:,] ?\{\}|\{\} [a-z]{2,}|[a-z]{2,} \{\}")


def sentences(package: Path = PACKAGE) -> dict[str, str]:
    """Sentence → the module that says it."""
    found: dict[str, str] = {}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name.startswith(WRITERS):
            continue
        for text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            for line in re.sub(r"(\{\})+", "{}", text).split("\n"):
                if SENTENCE.search(line):
                    found.setdefault(line.strip(" "), name)
    return found


def _texts(node: ast.AST) -> Iterator[str]:
    """Every string below ``node``, whole: parts that are added are one text. Docstrings and annotations are none."""
    quoted = (getattr(node, "annotation", None), getattr(node, "returns", None))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Constant) and child in quoted:
            continue
        if _is_text(child):
            yield "".join(_parts(child))
            yield from _inside(child)
        else:
            yield from _texts(child)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _parts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _parts(node.left)
        yield from _parts(node.right)
    elif isinstance(node, ast.JoinedStr):
        yield from (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    else:
        yield node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


def _inside(node: ast.AST) -> Iterator[str]:
    """The strings in the places of a text."""
    if isinstance(node, ast.BinOp):
        yield from _inside(node.left)
        yield from _inside(node.right)
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield from _texts(part)
    elif not isinstance(node, ast.Constant):
        yield from _texts(ast.Tuple([node]))


def in_a_text(sentence: str, catalogue: dict[str, str]) -> bool:
    """Whether the catalogue has the sentence, or one that it is a part of; {name} is a place for str.format."""
    plain = re.sub(r"\{\w+(:[^{}]*)?\}", "{}", sentence)
    for before in ("", "{}", "{} "):
        for after in ("", "{}"):
            if f"{before}{sentence}{after}" in catalogue or f"{before}{plain}{after}" in catalogue:
                return True
    return len(plain) > 12 and any(plain in known for known in catalogue)
