"""docs/python.md: its code runs and gives what stands behind the arrows; it names every public name and its twin."""

import re
from pathlib import Path

import pytest

import convscope
from convscope import cli

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.S | re.M)
ROWS = re.findall(r"^\| (`\w.*?) \| (.+?) \| (.+?) \|$", TEXT.partition("\n## The concepts")[0], flags=re.M)


def checked(block):
    """A line with an arrow becomes an assertion: what it gives looks like what is shown."""
    return re.sub(
        r"^(\S.*?)  # → (.*)$",
        lambda found: f"assert repr({found[1]}) == {found[2]!r}, repr({found[1]})",
        block,
        flags=re.M,
    )


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    """The names of the page after all of its code has run, in its order and in one folder."""
    found: dict = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        patch.setenv("CONVSCOPE_OFFLINE", "1")
        for block in CODE:
            exec(compile(checked(block), "docs/python.md", "exec"), found)
    return found


def test_the_code_gives_what_is_shown(scope):
    assert sum(block.count("  # → ") for block in CODE) > 40
    assert scope["message"] == "no layer is called 'pul'"  # from the last block


@pytest.mark.parametrize("name", convscope.__all__)
def test_every_public_name_has_a_row_and_an_example(name):
    assert any(re.search(rf"`{name}\b", row[0]) for row in ROWS), "no row"
    named = TEXT if name in ("TensorBoard", "MLflow", "WandB", "Trackio") else "\n".join(CODE)  # these need packages
    assert re.search(rf"convscope\.{name}\b|`{name}\(", named) or name == "Run", "no example"


def test_the_twins_are_verbs():
    verbs = {command.name or command.callback.__name__ for command in cli.application().registered_commands}
    twins = set(re.findall(r"`convscope ([a-z-]+)", " ".join(row[2] for row in ROWS)))
    assert twins <= verbs
    alone = {"lab", "nets", "cache", "recipe", "man", "completion"}  # of the command line alone
    assert verbs - twins <= alone, "a verb without a twin"


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", TEXT))
def test_what_it_links_to_exists(path):
    assert (PAGE.parent / path).exists()
