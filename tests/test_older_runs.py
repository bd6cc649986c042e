"""A run that version 0.1 began, and was stopped in: two of four epochs on the digits, one thread, eager engine.

``run-v0.1-finished.safetensors`` holds the weights with which the same version ended the same run uninterrupted.
"""

import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import convscope
from convscope.data.sources import open_source
from convscope.engine.devices import cpu_name
from convscope.net.model import load_tensors

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def stopped(tmp_path):
    return shutil.copytree(FIXTURES / "run-v0.1", tmp_path / "run-v0.1")


def same_machine():
    """Whether bits may be compared: another processor or PyTorch rounds otherwise."""
    then = json.loads((FIXTURES / "run-v0.1" / "environment.json").read_text())
    now = {"torch": version("torch"), "machine": platform.machine(), "cpu": cpu_name()}
    return all(then[name] == value for name, value in now.items())


def test_a_run_of_version_0_1_loads_and_evaluates(stopped):
    run = convscope.load(stopped)
    assert run.recipe.net == "conv 4 5 stride=3 | batchnorm | relu | pool 2 | linear"
    assert [name for name, _ in run.net.named_children()] == [
        "conv1",
        "batchnorm1",
        "relu1",
        "pool1",
        "flatten1",
        "linear1",
    ]
    data = open_source("digits", offline=True)
    likeliest = run.predict(data.test.images).argmax(1)
    assert (likeliest == data.test.labels).mean() == pytest.approx(run.history[-1].test_accuracy)
    assert convscope.explain(run, data.test.images[0]).ledger("linear1", (3,)).terms


def test_a_run_of_version_0_1_resumes_to_the_weights_it_would_have_had(stopped):
    run = convscope.resume(stopped, offline=True)
    assert [epoch.epoch for epoch in run.history] == [1, 2, 3, 4]
    wanted, _ = load_tensors(FIXTURES / "run-v0.1-finished.safetensors")
    found = run.net.state_dict()
    assert list(found) == list(convscope.load(stopped).net.state_dict())
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)
        assert not same_machine() or torch.equal(found[name], tensor), f"{name} differs in bits"
