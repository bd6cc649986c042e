"""A folder to work in and a finished run, for the tests of the commands."""

import pytest

from ..helpers import NET, run_json, write_npz


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with stripes.npz in it."""
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "stripes.npz")
    return tmp_path


@pytest.fixture
def trained(here, capsys):
    """A finished run on stripes.npz."""
    return run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "12", "--lr", "0.05", "-b", "8")["run"]
