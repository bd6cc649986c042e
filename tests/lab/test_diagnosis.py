"""What goes wrong in a run is told in a sentence: each by a training in which it does."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convscope.lab.binary import unpack
from convscope.lab.live.live import RunStatus
from convscope.storage.strict_json import dumps

from .test_training_film import RECIPE, new, trained

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
MODULE = Path(__file__).parents[2] / "convscope" / "lab" / "static" / "js" / "rooms" / "train" / "diagnosis.js"
TELL = f"""import {{ remarks }} from "{MODULE.as_uri()}";
import {{ readFileSync }} from "node:fs";
console.log(JSON.stringify(remarks(JSON.parse(readFileSync(0, "utf8")))));"""
PLAIN = replace(RECIPE, net="conv 4 5 stride=3 | relu | linear", momentum=0.0)


def told(folder, recipe):
    """{key: values} of the remarks that the page makes of a run, from what the training process says."""
    said = RunStatus()
    for kind, messages in trained(new(folder, recipe)).items():
        for fields, body in messages:
            said.take(json.loads(dumps({"kind": kind, **fields})), body)
    state = {**said.intro, "epochs_done": said.epochs}
    run = {"state": state, "losses": said.losses, "norms": said.norms, "probe": {"head": unpack(said.probe)[0]}}
    found = subprocess.run(
        ["node", "--input-type=module", "-e", TELL], input=dumps(run), capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    return dict(json.loads(found.stdout))


@pytest.fixture
def by_heart(tmp_path):
    """Twenty training images whose labels mean nothing, and test images like them."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (60, 1, 8, 8), dtype=np.uint8), np.arange(60) % 2
    np.savez(tmp_path / "noise.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    return str(tmp_path / "noise.npz")


def test_a_run_that_learns_is_left_in_peace(tmp_path):
    assert told(tmp_path, PLAIN) == {}


def test_steps_that_are_too_large(tmp_path):
    found = told(tmp_path, replace(PLAIN, lr=5.0, epochs=1))
    assert found["exploded"]["loss"] > 5 * np.log(10)
    assert found["exploded"]["try"] == 0.5


def test_a_layer_that_is_dead(tmp_path):
    found = told(tmp_path, replace(PLAIN, net="flatten | linear 6 | relu | linear", lr=20.0, epochs=3))
    assert found["dead"] == {"name": "relu1", "n": 6, "of": 6}
    assert "vanished" not in found  # that is why


def test_a_loss_that_stays_at_that_of_guessing(tmp_path):
    found = told(tmp_path, replace(PLAIN, net="conv 4 5 stride=3 | relu | linear 10 | linear", lr=1e-6))
    assert found == {"plateau": {"k": 10, "guess": pytest.approx(np.log(10))}}


def test_training_images_learnt_by_heart(tmp_path, by_heart):
    net = "flatten | linear 40 | relu | linear"
    found = told(tmp_path, replace(PLAIN, data=by_heart, net=net, lr=0.2, epochs=60, batch_size=10))
    assert 1 <= found["overfitting"]["epoch"] < 58


def test_a_gradient_that_vanishes_on_its_way_down(tmp_path):
    net = "flatten | linear 8 | sigmoid | " + "linear 8 | sigmoid | " * 7 + "linear"
    assert told(tmp_path, replace(PLAIN, net=net, epochs=1))["vanished"] == {"name": "linear1"}
