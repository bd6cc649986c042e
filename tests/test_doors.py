"""One picture, one answer: whatever it is and by whichever door it comes in."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convscope
from convscope.data.ink import Steps
from convscope.data.preparation import Preparation
from convscope.data.sources import read_parts
from convscope.lab.server.app import create_app
from convscope.lab.server.guard.access import TOKEN_HEADER, Access
from convscope.lab.shelf import Shelf
from convscope.net.build import build
from convscope.net.model import Model, save_model
from convscope.net.spec import parse

NET = "conv 4 3 | relu | pool 2 | flatten | linear"
MODES = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,), "I;16": ()}
PREPARATIONS = {
    "grey": Preparation((1, 20, 16)),
    "colour": Preparation((3, 12, 12)),
    "ink": Preparation((1, 28, 28), Steps()),
    "digits": Preparation((1, 28, 28), Steps(margin=True)),
    "deep": Preparation((1, 16, 16), deep=(1000, 3000)),
}


@st.composite
def pictures(draw):
    """A picture of any mode and of 5 to 60 pixels, of noise, one value, or a few strokes.

    The axes of arrays of four pixels or fewer can be read in two ways; they are as in training.
    """
    mode = draw(st.sampled_from(sorted(MODES)))
    height, width, seed = draw(st.integers(5, 60)), draw(st.integers(5, 60)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    shape = (height, width, *MODES[mode])
    top = 65_535 if mode == "I;16" else 255
    kind = draw(st.sampled_from(["noise", "flat", "strokes"]))
    pixels = rng.integers(0, top + 1, shape) if kind == "noise" else np.full(shape, rng.integers(0, top + 1))
    if kind == "strokes":
        for _ in range(3):
            y, x = rng.integers(0, height), rng.integers(0, width)
            pixels[y : y + 12, x : x + 4] = rng.integers(0, top + 1)
    return Image.fromarray(pixels.astype(np.uint16 if mode == "I;16" else np.uint8))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run folder for each preparation, whose net has random weights: how to prepare is all that matters here."""
    root = tmp_path_factory.mktemp("runs")
    made = {}
    for name, preparation in PREPARATIONS.items():
        folder = root / name
        data = (np.zeros((8, 8, 8), np.uint8), np.arange(8) % 2)
        run = convscope.train(data, net="linear", epochs=1, out=root, threads=1)
        run.path.rename(folder)
        net = build(parse(NET), preparation.image, 3)
        count = preparation.image[0]
        model = Model(net, NET, preparation.image, (0.4,) * count, (0.3,) * count, ("a", "b", "c"), preparation)
        save_model(folder / "model.safetensors", model, net.state_dict())
        made[name] = convscope.load(folder)
    return made


def lab_scores(run, content):
    async def ask():
        app = create_app(Access(token="t"), Shelf(run.path.parent))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000", headers={TOKEN_HEADER: "t"}
        ) as client:
            body = {"run": run.path.name, "picture": base64.b64encode(content).decode()}
            answer = await client.post("/api/inside/look", json=body)
            assert answer.status_code == 200, answer.text
            return answer.content

    with ThreadPoolExecutor(1) as other:  # the browser tests leave an event loop running in this thread
        content = other.submit(lambda: asyncio.run(ask())).result()
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length])["scores"]


def logits(run, pixels):
    return run.model.logits(torch.from_numpy(pixels.copy())).numpy()


@settings(max_examples=40)
@given(name=st.sampled_from(sorted(PREPARATIONS)), picture=pictures())
def test_any_picture_by_any_door_gets_the_same_scores(runs, tmp_path_factory, name, picture):
    run = runs[name]
    folder = tmp_path_factory.mktemp("own")
    (folder / "a").mkdir()
    file = folder / "a" / "one.png"
    picture.save(file)
    array = np.asarray(picture)
    expected = run.predict(file)
    assert expected.shape == (1, 3)
    for handed in (str(file), [file], folder, picture, array, array[None], torch.from_numpy(array.copy()), [picture]):
        if isinstance(handed, np.ndarray | torch.Tensor) and handed.ndim == 3 and handed.shape[-1] == 2:
            continue  # (H, W, 2) is (N, H, W)
        assert np.array_equal(run.predict(handed), expected), type(handed)
    explained = convscope.explain(run, file)
    assert np.array_equal(explained.scores, logits(run, run.prepare(file))[0])
    other = read_parts(folder, None, True, None, False, run.model.preparation).train
    assert np.array_equal(other.images, run.prepare(file))
    assert lab_scores(run, file.read_bytes()) == explained.scores.tolist()
