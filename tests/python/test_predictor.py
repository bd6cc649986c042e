"""``run.predictor`` covers every layer that the jit engine trains; batch normalisations go into the weights."""

import copy

import numpy as np
import pytest
import torch

import convscope

NETS = [
    "conv 6 3 padding=1 padding_mode=reflect | batchnorm | relu | avgpool 3 stride=2 ceil_mode=yes | linear",
    "pad 0 1 | conv 4 3 padding=1 padding_mode=circular | batchnorm | gelu | adaptiveavgpool 3x2 | linear",
    "conv 4 3 padding=1 padding_mode=replicate | batchnorm | pool 2 ceil_mode=yes | dropout 0.3 | linear",
]


@pytest.mark.parametrize("net", NETS, ids=["reflect", "circular", "replicate"])
def test_a_runs_predictor_gives_the_nets_scores(net, tmp_path):
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (60, 11, 13, 3), dtype=np.uint8), generator.integers(0, 3, 60)
    run = convscope.train((images, labels), net=net, epochs=1, engine="jit", out=tmp_path / "run", progress=False)
    shown = torch.from_numpy(run.prepare(images[:40]))
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (run.model.mean, run.model.std))
    with torch.no_grad():
        expected = copy.deepcopy(run.net).eval().double()((shown.double() / 255 - mean) / std)
    scores = run.predictor()
    for count in (1, 40):
        torch.testing.assert_close(scores.logits(shown[:count]).double(), expected[:count], rtol=1e-4, atol=1e-5)
