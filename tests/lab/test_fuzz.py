"""Whatever is posted to any address of the API: an answer in strict JSON, never a failure of the server."""

import copy
import json
import random

import pytest

from convscope.lab.server.guard.access import TOKEN_HEADER

SEEDS = {
    "/api/losses": {"prediction": [1, 2], "target": [1, 3], "column": False, "at": 0, "logits": [1, 2], "klass": 1},
    "/api/backprop": {"mode": "expression", "expression": "w*x", "values": "w=1 x=2", "net": "linear 1", "input": "1,2",
                      "target": "1", "loss": "mse", "seed": 0, "passes": 1},
    "/api/descent": {"samples": 8, "batch_size": 3, "epochs": 2, "lr": 0.1, "seed": 1, "regime": 0, "drop_last": True,
                     "count_samples": 10, "count_batch_size": 3},
    "/api/convolution": {"input": [[[1, 2], [3, 4]]], "in_channels": 1, "weight": [[[[1, 2], [0, 1]]]], "bias": [1],
                         "stride": [1, 1], "padding": [1, 1], "padding_mode": "reflect", "dilation": [1, 1],
                         "groups": 1, "at": [0, 0, 0]},
    "/api/pooling": {"input": [[[1, 2], [3, 4]]], "kind": "avg", "kernel_size": [2, 2], "stride": [1, 1],
                     "padding": [1, 1], "dilation": [1, 1], "ceil_mode": True, "count_include_pad": False,
                     "backward": True, "at": [0, 0, 0]},
    "/api/shapes": {"net": "conv 2 3 | linear", "image": [1, 8, 8], "classes": 3, "feed": "1, 1, 8, 8"},
}  # fmt: skip
SEEDS["/api/convolution/ledger"] = SEEDS["/api/convolution"]
SEEDS["/api/pooling/ledger"] = SEEDS["/api/pooling"]
ODD = [None, True, False, 0, -1, 1, 2, 3, 7, 1000, 1001, 10**6, 10**30, 0.5, -0.0, 1e-320, 1e308, "", "x", "same",
       "\0", "é" * 50, "(" * 3000, "9**9**9", "__import__('os')", "conv 0 0", "|", "linear", [], {}, [[]], [1], [1, 2],
       [1, 2, 3], [[1], [1, 2]], [[[1]]], [[[[1]]]], [None], ["a"], [0, 0], [-1, -1], [1e9, 1], [[[1e39]]]]  # fmt: skip


def mutated(random, body):
    """``body`` with one to three of its parts, at any depth, replaced or removed."""
    body = json.loads(json.dumps(body))
    for _ in range(random.randint(1, 3)):
        part, key = body, random.choice(sorted(body)) if body else None
        while key is not None and isinstance(part[key], list) and part[key] and random.random() < 0.6:
            part, key = part[key], random.randrange(len(part[key]))
        if key is None:
            continue
        if isinstance(part, dict) and random.random() < 0.1:
            del part[key]
        else:
            part[key] = copy.deepcopy(random.choice(ODD))
    return body


def strict(text):
    """Whether ``text`` is JSON without NaN or Infinity."""
    return bool(json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no strict JSON")))


@pytest.mark.parametrize("path", sorted(SEEDS))
def test_no_5xx(lab, path):
    generator = random.Random(path)
    headers = {TOKEN_HEADER: lab.token, "content-type": "application/json"}
    seen = set()
    for _ in range(250):
        text = json.dumps(mutated(generator, SEEDS[path]))
        answer = lab.client.post(path, content=text, headers=headers)
        seen.add(answer.status_code)
        assert answer.status_code in (200, 400, 422), (answer.status_code, text[:500], answer.text[:300])
        assert strict(answer.text), text[:300]
        assert answer.status_code == 200 or answer.json()["error"]
    assert len(seen) > 1
