"""The house of docs/DESIGN: a module imports only from its own floor or from floors above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "convscope"
FLOORS = ["errors", "strict_json", "files", "lock", "recipe", "schedule", "data", "net", "weights", "evaluate",
          "predict", "engine", "environment", "diagnosis", "loop", "extension", "checkpoint", "runs", "explain",
          "report", "job", "api", "export", "lab", "cli"]  # fmt: skip


def floor(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The floors that ``path`` imports from, wherever in the file it does so."""
    found = set()
    package = ("convscope", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if len(base) == 1 and node.module is None:
                found |= {alias.name for alias in node.names}
            else:
                found.add((*base, *(node.module or "").split("."))[1])
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found |= {name.split(".")[1] for name in names if name.startswith("convscope.")}
    return found & set(FLOORS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_up(path):
    if floor(path) in ("__init__", "__main__"):
        return
    assert floor(path) in FLOORS, f"{path.name} stands on no floor"
    below = {name for name in imports(path) if FLOORS.index(name) > FLOORS.index(floor(path))}
    assert not below, f"{path.relative_to(PACKAGE)} imports from floors below it: {below}"
