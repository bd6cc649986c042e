"""docs/architecture.md and README's tree show the package as it is."""

import ast
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = runpy.run_path(str(ROOT / "docs" / "floors.py"))
NAMED = sorted(set(re.findall(r"`([\w/]+(?:\.py|/))(?::(\w+))?`", TEXT)))


def test_the_picture_is_drawn_from_the_imports_of_today():
    drawn = (ROOT / "docs" / "images" / "floors.svg").read_text(encoding="utf-8")
    assert drawn == FLOORS["draw"](), "run python docs/floors.py"


def test_the_tree_of_the_readme_is_that_of_the_docstrings():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == FLOORS["with_tree"](readme), "run python docs/floors.py"
    assert FLOORS["tree"]() in readme


def test_the_picture_holds_the_floors_in_the_order_of_the_floors_test():
    from tests.test_floors import FLOORS as ORDER

    assert list(FLOORS["FLOORS"]) == ORDER


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[":".join(filter(None, named)) for named in NAMED])
def test_what_a_walk_names_is_there(path, name):
    places = [place for place in (ROOT / "convscope" / path, ROOT / path) if place.exists()]
    assert places, path
    if name:
        tree = ast.parse(places[0].read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert name in defined
