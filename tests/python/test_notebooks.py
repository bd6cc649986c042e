"""The notebooks of examples/ run from top to bottom, show what they are to show, and are kept without outputs."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
# What stands in the outputs of each: text, and pictures in HTML.
SHOWN = {
    "1-the-note": (["211", "= 1,250", "the sum of 9 products", "test accuracy"], 1),
    "2-your-photos": (["china", "flower", "photos.onnx", "test accuracy"], 1),
    "3-explain": (["conv1  10×24×24", "conv2[7,3,4] sees", "Grad-CAM"], 10),
    "4-your-own-module": (["the jit engine trains this net, traced by torch.fx", "f1", "convscope's engine"], 2),
    "5-scikit-learn": (["classifier__lr", "even", "(sd, n = 3)"], 0),
}


def outputs(notebook):
    """All that the cells have shown, as text."""
    return json.dumps([cell.get("outputs", []) for cell in notebook.cells], ensure_ascii=False)


def test_there_are_five():
    assert [path.stem for path in NOTEBOOKS] == list(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None and not cell.metadata for cell in code)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One process for all, as importing torch takes longer than they do; each begins without names."""
    place = str(tmp_path_factory.mktemp("ipython"))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=os.environ | {"CONVSCOPE_OFFLINE": "1", "IPYTHONDIR": place})
    yield manager
    manager.shutdown_kernel(now=True)
    manager.context.term()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_its_results(path, tmp_path, kernel):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"%reset -f\nimport os\nos.chdir({str(tmp_path)!r})"))
    client = NotebookClient(notebook, km=kernel, timeout=120)
    client.execute()
    client.kc.stop_channels()
    found = outputs(notebook)
    texts, pictures = SHOWN[path.stem]
    assert [text for text in texts if text not in found] == []
    assert found.count("data:image/png;base64,") >= pictures
    assert "Warning" not in found
