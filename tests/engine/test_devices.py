"""A build of PyTorch for GPUs that lies unused is told, with its size and what to do."""

from types import SimpleNamespace

import pytest
import torch

from convscope.engine import devices
from convscope.language import say

from ..helpers import run_cli, run_json

LIBRARIES = {"nvidia-cudnn-cu13": 500_000_000, "triton": 286_000_000, "numpy": 60_000_000}


@pytest.fixture
def cuda_build(monkeypatch):
    """PyTorch for CUDA 13.0 with two of its libraries, on a machine without a GPU."""
    installed = [
        SimpleNamespace(name=name, files=[SimpleNamespace(size=size - 1), SimpleNamespace(size=1)])
        for name, size in LIBRARIES.items()
    ]
    monkeypatch.setattr(devices, "distributions", lambda: installed)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_build_for_gpus_without_a_gpu_is_told_with_its_size(cuda_build, capsys):
    code, out, _ = run_cli(capsys, "devices")
    assert code == 0
    assert out.splitlines()[-1] == (
        "unused   torch 2.13.0+cu130 is a build for CUDA 13.0, but there is no GPU that it can use. If there is none, "
        "the build for CPUs does the same without 786.0 MB of libraries: pip install --force-reinstall --no-deps "
        "torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu; pip uninstall nvidia-cudnn-cu13 triton. "
        "If there is one, nvidia-smi says whether its driver works"
    )
    assert run_json(capsys, "devices")["unused"].startswith("torch 2.13.0+cu130 is a build for CUDA 13.0")


def test_where_uv_has_installed_it_uv_changes_it(cuda_build, monkeypatch, tmp_path):
    (tmp_path / "uv-receipt.toml").touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    found = devices._unused()
    assert "786.0 MB of libraries: uv tool install convscope --reinstall --torch-backend cpu. If there is one" in found
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    assert say(found).startswith("torch 2.13.0+cu130 是 CUDA 13.0 版")


def test_a_gpu_in_use_is_no_waste(cuda_build, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices._unused() == ""


def test_a_build_for_rocm_is_told_too(cuda_build, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", "7.0")
    monkeypatch.setattr(devices, "distributions", list)
    found = devices._unused()
    assert "is a build for ROCm 7.0, but there is no GPU that it can use. If there is none, " in found
    assert "the build for CPUs does the same: pip install" in found


@pytest.mark.skipif(torch.version.cuda is not None or torch.version.hip is not None, reason="needs PyTorch for CPUs")
def test_a_build_for_cpus_has_nothing_unused(capsys):
    assert run_json(capsys, "devices")["unused"] == ""
    assert "unused" not in run_cli(capsys, "devices")[1]
