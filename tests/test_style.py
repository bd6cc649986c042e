"""What docs/style.md promises: retired words stand nowhere, files and functions stay small."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "convscope"
RETIRED = {
    r"\b[Ww]ays? back\b": "backward pass",
    r"\b[Mm]end(s|ed|ing)?\b": "fix",
    r"\b(is|are) no numbers?\b": "is not finite, or is not a number",
    r"\banew\b": "again",
    r"\b([Gg]o|goes|going|gone|went) on\b": "resume, continue",
    r"\b[Ww]ays? forward\b": "forward pass",
}
TEXTS = sorted(
    path
    for pattern in (
        "convscope/**/*.py",
        "convscope/**/*.js",
        "convscope/**/en/*.json",
        "bench/*.py",
        "docs/**/*.md",
        "tests/**/*.py",
        "README.md",
    )
    for path in ROOT.glob(pattern)
    if path.name not in ("style.md", "LOG.md", "test_style.py")
)


@pytest.mark.parametrize("word", RETIRED)
def test_retired_words_stand_nowhere(word):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(word, line)
    ]
    assert not found, f"say {RETIRED[word]!r} instead:\n" + "\n".join(found)


def test_no_file_holds_both_sides_of_a_conflict():
    endings = {".md", ".py", ".js", ".css", ".html", ".json", ".toml", ".yml", ".ipynb", ".txt"}
    texts = [
        path for place in ("convscope", "docs", "tests", "bench", "examples") for path in (ROOT / place).rglob("*")
    ]
    texts = [path for path in [*texts, *ROOT.iterdir()] if path.suffix in endings]
    assert len(texts) > 1000
    found = [path for path in texts if re.search(rb"^(<{7}|>{7}) ", path.read_bytes(), re.M)]
    assert not found, f"a conflict is left in {found}: keep one side, or both"


def test_the_formatter_is_overruled_for_tables_alone():
    """Under 60 places in all (`# fmt: skip`); everything else takes the formatter's shape."""
    marked = [
        path
        for folder in ("convscope", "tests", "bench", "docs")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("# fmt: skip") and path.name != "test_style.py"
    ]
    assert len(marked) < 60, sorted(str(path.relative_to(ROOT)) for path in set(marked))


def test_functions_fit_a_screen_and_files_hold_one_concept():
    """Files of at most 300 lines, half of them at most 130; at most 1.6 % of the functions have more than 40."""
    lengths, functions = [], []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        lengths.append(len(text.splitlines()))
        assert lengths[-1] <= 300, path.relative_to(PACKAGE)
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        functions += [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]
    assert sorted(lengths)[len(lengths) // 2] <= 130
    assert sum(length > 40 for length in functions) <= 0.016 * len(functions)


def test_words_that_fit_everything_name_one_class_each():
    """Names that say little had two or three meanings each; layers (Conv, Pool) bear one name on every floor."""
    named = [
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for name in ("Place", "Step", "Row", "State", "Plan", "Rule", "Stage", "Given", "Block", "Dropped", "Request"):
        assert named.count(name) <= 1, name
