"""The program of plain steps computes what PyTorch computes, layer by layer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from convscope.export.program import program
from convscope.export.reference import run
from convscope.export.steps import Conv, Scale
from convscope.net.ops import JOINS, WORDS
from convscope.net.zoo import ZOO
from tests.export.models import model_of, models, random_models


def compare(model, seed=0):
    """Scores and every shape of the program against the net in float64."""
    image = torch.randn(1, *model.image, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = program(model)
    made = run(found, image[0].numpy())
    with torch.inference_mode():
        want = model.net.double()(image)[0].numpy()
    model.net.float()
    for step in found.steps:
        assert made[step.name].shape == step.output, step.name
    scale = np.abs(want).max() + max(float(np.abs(value).max()) for value in made.values()) * 1e-2
    assert np.abs(made[found.result] - want).max() <= 2e-5 * scale


def test_the_random_nets_that_every_format_is_tried_with_have_every_kind_of_layer():
    found = random_models()
    assert len(found) >= 50
    words = " ".join(model.spec for model in found).split()
    assert set(words) >= {*WORDS, *(f"]{sign}" for sign in JOINS)}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@settings(max_examples=150)
@given(models())
def test_random_nets_give_the_scores_of_torch(model):
    compare(model)


@pytest.mark.parametrize("name", [name for name in ZOO if not name.startswith("efficientnet")])
def test_the_zoo_gives_the_scores_of_torch(name):
    entry = ZOO[name]
    compare(model_of(entry.spec, entry.image))


def test_batch_norm_goes_into_the_convolution_that_feeds_it_alone():
    folded = program(model_of("conv 2 3 | batchnorm | relu | flatten | linear"))
    assert isinstance(folded.steps[0].op, Conv)
    assert not any(isinstance(step.op, Scale) for step in folded.steps)
    assert folded.steps[0].name == "batchnorm1"
    shared = program(model_of("conv 2 3 | [ batchnorm ]+ | flatten | linear"))
    assert any(isinstance(step.op, Scale) for step in shared.steps)


def test_dropout_leaves_no_step():
    names = [step.name for step in program(model_of("conv 2 3 | dropout 0.5 | [ dropout 0.1 ]+ | linear")).steps]
    assert names == ["conv1", "add1", "flatten1", "linear1"]
