"""The house of docs/architecture.md: a module imports only from its own floor or from floors above it.

Inside a floor the rooms of every folder stand in some order, too: their imports make no circle.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "convscope"
FLOORS = ["language", "errors", "shown", "storage", "choice", "recipe", "recipes", "data", "net", "distributed",
          "engine", "training", "runs", "explain", "report", "export", "events", "job", "auto", "tuning", "audit",
          "python", "lab", "cli"]  # fmt: skip
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE})


def imports(path: Path) -> set[tuple[str, ...]]:
    """The modules that ``path`` imports from the package, wherever in the file it does so: ("net", "zoo")."""
    found: set[tuple[str, ...]] = set()
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = (*base, *(node.module or "").split(".")) if node.module else base
            found |= {(*module, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {tuple(name.split(".")[1:]) for name in names if name.startswith("convscope.")}
    return found


def room(path: Path, folder: Path) -> str:
    """The child of ``folder`` in which ``path`` lies: a module or a folder."""
    return path.relative_to(folder).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_up(path):
    floor = room(path, PACKAGE)
    if floor in ("__init__", "__main__"):
        return
    assert floor in FLOORS, f"{path.name} stands on no floor"
    used = {module[0] for module in imports(path)} & set(FLOORS)
    below = {name for name in used if FLOORS.index(name) > FLOORS.index(floor)}
    assert not below, f"{path.relative_to(PACKAGE)} imports from floors below it: {below}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_rooms_of_a_folder_import_each_other_one_way(folder):
    where = folder.relative_to(PACKAGE).parts
    graph: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        name = room(path, folder)
        used = {m[len(where)] for m in imports(path) if m[: len(where)] == where and len(m) > len(where)}
        graph.setdefault(name, set()).update(used - {name})
    rooms = set(graph)
    try:
        TopologicalSorter({name: used & rooms for name, used in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"{'/'.join(where)}: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("folder", [PACKAGE, *FOLDERS], ids=lambda p: str(p.relative_to(PACKAGE.parent)))
def test_no_folder_is_a_heap(folder):
    modules = [path for path in folder.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    most = 6 if folder == PACKAGE else 14
    assert len(modules) <= most, f"{folder.name} holds {len(modules)} modules"
