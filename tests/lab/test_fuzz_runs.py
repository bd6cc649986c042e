"""The same for the rooms that train and look inside, in a lab of its own: what is started here spoils no other run."""

import json
import random
import shutil

import pytest

from convscope.lab.binary import KIND, unpack
from convscope.lab.server.guard.access import TOKEN_HEADER

from .conftest import running_lab
from .test_fuzz import ODD, mutated, strict
from .test_training import until

TRAIN = {"data": "digits", "net": "flatten | linear", "epochs": 1, "batch_size": 64, "lr": 0.1, "momentum": 0.5,
         "weight_decay": 0, "optimizer": "sgd", "schedule": "constant", "loss": "cross-entropy", "val_fraction": 0,
         "seed": 0, "image_size": 28}  # fmt: skip
LOOK = {
    "run": "RUN",
    "test": None,
    "strokes": [[[30, 30], [80, 30]], [[50, 90]]],
    "pen": 10,
    "crop": True,
    "box": True,
    "centre": None,
    "invert": False,
}
SEEDS = {
    "/api/train": TRAIN,
    "/api/train/script": TRAIN,
    "/api/train/resume": {"run": "RUN", "epochs": 4},
    "/api/train/control": {"do": "go", "probe": 1},
    "/api/inside/look": LOOK,
    "/api/inside/pixel": {**LOOK, "layer": "conv1", "index": [0, 3, 3]},
    "/api/inside/script": LOOK,
    "/api/inside/saliency": {**LOOK, "target": 1},
    "/api/inside/attack": {**LOOK, "target": 1},
    "/api/inside/backward": {**LOOK, "target": 1, "layer": "conv1", "bias": False, "index": [0, 0, 3, 3]},
    "/api/inside/channel": {"run": "RUN", "layer": "conv1", "channel": 3},
    "/api/inside/atlas": LOOK,
    "/api/inside/beside": {**LOOK, "other": "RUN"},
    "/api/inside/kernels": {"run": "RUN"},
}
READ = [
    "/api/runs/{0}/curves",
    "/api/runs/{0}/images",
    "/api/runs/{0}/images/{1}.png",
    "/api/runs/{0}/verdict",
    "/api/inside/atlas/{0}.png",
    "/api/runs/{0}/cell?label={1}&predicted={2}",
    "/api/train/probe/{1}.png",
    "/api/train/events?job={1}",
    "/api/train?{1}={2}",
    "/api/runs?{1}={2}",
    "/api/train/probe?{1}",
]


@pytest.fixture(scope="module")
def spare(lab, digits_run, tmp_path_factory):
    """A lab with a copy of one run, which may be trained on and spoilt."""
    runs = tmp_path_factory.mktemp("spare") / "runs"
    shutil.copytree(lab.runs / digits_run, runs / digits_run)
    with running_lab(runs) as running:
        yield running


def idle(lab):
    """Whether nothing is being trained: a run that was stopped takes a moment to save itself."""
    state = lab.client.get("/api/train").json()["state"]
    return state is None or state["status"] not in ("opening", "training", "paused")


def sound(answer, asked):
    """An answer as it must be: 200 in the route's own form, nothing (204), or an error that says what is wrong."""
    assert answer.status_code in (200, 204, 307, 400, 404, 422), (answer.status_code, asked[:500], answer.text[:300])
    if answer.status_code == 307:
        assert answer.headers["location"].startswith("http://127.0.0.1:")  # to the same path without its last slash
    elif answer.status_code == 204:
        assert not answer.content
    elif answer.status_code != 200:
        assert strict(answer.text)
        assert answer.json()["error"], asked[:300]
    elif answer.headers["content-type"] == KIND:
        assert unpack(answer.content)[0]
    elif answer.headers["content-type"] == "application/json":
        strict(answer.text)


@pytest.mark.parametrize("path", sorted(SEEDS))
def test_no_5xx(spare, digits_run, path):
    generator = random.Random(path)
    headers = {TOKEN_HEADER: spare.token, "content-type": "application/json"}
    seed = {key: digits_run if value == "RUN" else value for key, value in SEEDS[path].items()}
    until(lambda: idle(spare))
    seen = set()
    for _ in range(250):
        text = json.dumps(mutated(generator, seed))
        answer = spare.client.post(path, content=text, headers=headers)
        seen.add(answer.status_code)
        sound(answer, text)
        if answer.status_code == 200 and path in ("/api/train", "/api/train/resume"):
            spare.post("/api/train/control", {"do": "stop"})  # the next ones may find it still stopping: a 400
    assert len(seen) > 1


@pytest.mark.parametrize("path", READ)
def test_reading_with_odd_names_and_numbers_is_no_5xx(spare, digits_run, path):
    generator = random.Random(path)
    odd = [*ODD, digits_run, 5, "..", "../..", "%00", "%2e%2e", "%ff", "a/b", "?", "#", "1e3", "٣", "-0", "9" * 5000]
    for _ in range(40):
        url = path.format(*(generator.choice([digits_run, generator.choice(odd)]), *generator.choices(odd, k=2)))
        with spare.client.stream("GET", url.replace("\0", "%00")) as answer:
            assert answer.status_code < 500, url
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                continue  # it may last as long as a run
            answer.read()
            sound(answer, url)
