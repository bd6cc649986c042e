"""Initial weights: their bits, and that nothing around them matters or is changed."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from convscope.net.build import build
from convscope.net.spec import parse

NOTE = "conv 10 5 | pool 2 | relu | conv 20 5 | pool 2 | relu | flatten | linear 50 | relu | linear"
EVERY = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.3 | linear"


def digest(net):
    """A hash of all tensors' names, types and bytes."""
    found = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        found.update(name.encode() + str(tensor.dtype).encode() + tensor.numpy().tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(
    ("spec", "image", "classes", "seed", "expected"),
    [
        (EVERY, (1, 8, 8), 3, 5, "ab797057eee233b9"),
        (NOTE, (1, 28, 28), 10, 0, "046952e2e2b5aa92"),
        ("flatten | linear 7 bias=no | tanh | linear", (3, 5, 4), 2, 2**63 - 1, "a55699a2a03a11b6"),
    ],
)
def test_initial_weights_keep_their_bits(spec, image, classes, seed, expected):
    assert digest(build(parse(spec), image, classes, seed)) == expected


@pytest.mark.parametrize(
    "around",
    [
        lambda: torch.device("meta"),
        torch.inference_mode,
        torch.no_grad,
        lambda: torch.autocast("cpu"),
    ],
    ids=["device", "inference", "no_grad", "autocast"],
)
def test_what_is_set_around_them_does_not_matter(around):
    with around():
        net = build(parse(NOTE), (1, 28, 28), 10)
    assert digest(net) == "046952e2e2b5aa92"


def test_the_default_dtype_does_not_matter():
    torch.set_default_dtype(torch.float64)
    try:
        net = build(parse(EVERY), (1, 8, 8), 3, 5)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert digest(net) == "ab797057eee233b9"


def test_no_global_generator_is_touched_and_threads_do_not_disturb_each_other():
    before = torch.get_rng_state()
    with ThreadPoolExecutor(8) as pool:
        nets = pool.map(lambda seed: digest(build(parse(NOTE), (1, 28, 28), 10, seed)), [0, 1] * 16)
    assert set(list(nets)[::2]) == {"046952e2e2b5aa92"}
    assert torch.equal(torch.get_rng_state(), before)
