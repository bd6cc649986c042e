"""The page's modules that know no DOM, in Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from convscope.storage.strict_json import dumps

from .fixtures import fixtures


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_pure_modules(tmp_path):
    """Hand-written cases, and hundreds of random ones against PyTorch.

    The page computes windows and the links between cells, the layout of ledgers, colours, number formats, scales, and
    decodes tensors: that is compared here. Output sizes and PyTorch's refusals, receptive fields and every value are
    computed by the server alone (convscope.explain), whose answers are compared with PyTorch in test_room_*.py; here
    the page reads them.
    """
    (tmp_path / "torch.json").write_text(dumps(fixtures(0)))
    files = map(str, sorted((Path(__file__).parent / "node").glob("*.test.mjs")))
    found = subprocess.run(
        ["node", "--test", *files],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CONVSCOPE_FIXTURES": str(tmp_path / "torch.json")},
    )
    assert found.returncode == 0, found.stdout + found.stderr
