"""What a channel likes, against PyTorch by hand and against nets whose answer is known in closed form."""

import numpy as np
import pytest
import torch

from convscope.errors import UsageError
from convscope.explain.trained.channels import Regularisation, best_images, maximise, with_channels
from convscope.explain.trained.trace import trace
from convscope.net.build import build
from convscope.net.model import Model
from convscope.net.spec import parse

SPEC = "conv 4 3 | relu | pool 2 | conv 3 3 | tanh | linear"


def model_of(spec=SPEC, shape=(1, 12, 10), classes=3):
    mean, std = (0.4,) * shape[0], (0.25,) * shape[0]
    return Model(build(parse(spec), shape, classes), spec, shape, mean, std, tuple(map(str, range(classes))))


def pictures(count, shape=(1, 12, 10)):
    return np.random.default_rng(2).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize(("layer", "channel"), [("conv1", 2), ("pool1", 0), ("conv2", 1), ("linear1", 2)])
def test_the_best_images_are_those_with_the_largest_numbers(layer, channel):
    model, images = model_of(), pictures(40)
    found = best_images(model, images, layer, channel, count=5)
    largest = []
    for image in images:
        given = (torch.from_numpy(image) / 255 - 0.4) / 0.25
        largest.append(float(trace(model.net, given).calls[layer].output[channel].max()))
    assert [one.image for one in found] == list(np.argsort(-np.array(largest), kind="stable")[:5])
    for one in found:
        output = trace(model.net, (torch.from_numpy(images[one.image]) / 255 - 0.4) / 0.25).calls[layer].output
        assert one.value == pytest.approx(float(output[one.index]), abs=1e-5)
        assert one.value == pytest.approx(float(output[channel].max()), abs=1e-5)
    assert not model.net.get_submodule(layer)._forward_hooks


def test_without_regularisation_a_linear_net_is_driven_to_the_corners():
    """The gradient of a linear score is its weights, so every pixel ends at 0 or 255 by the sign of its weight."""
    model = model_of("linear", (1, 6, 6), 2)
    made = maximise(model, "linear1", 1, steps=200, regularisation=Regularisation(decay=0, blur=0, jitter=0))
    weight = model.net.linear1.weight[1].detach().view(1, 6, 6).numpy()
    strong = np.abs(weight) > 0.3 * np.sqrt((weight**2).mean())
    assert np.array_equal(made.pixels[strong] == 255, weight[strong] > 0)
    assert set(np.unique(made.pixels[strong])) == {0.0, 255.0}
    assert list(made.means) == sorted(made.means)


def test_the_picture_excites_the_channel_more_and_is_the_same_every_time():
    model = model_of()
    made, again = (maximise(model, "conv2", 1) for _ in range(2))
    assert np.array_equal(made.pixels, again.pixels)
    assert made.means == again.means
    assert len(made.means) == 129
    given = (torch.from_numpy(made.pixels / 255) - 0.4) / 0.25
    output = trace(model.net, given).calls["conv2"].output[1]
    assert made.means[-1] == pytest.approx(float(output.mean()), abs=1e-5)
    assert made.largest == pytest.approx(float(output.max()), abs=1e-5)
    assert made.means[-1] > made.means[0]
    best = best_images(model, pictures(200), "conv2", 1, count=1)[0]
    given = (torch.from_numpy(pictures(200)[best.image] / 255).float() - 0.4) / 0.25
    assert made.means[-1] > float(trace(model.net, given).calls["conv2"].output[1].mean())
    assert not np.array_equal(maximise(model, "conv2", 1, seed=1).pixels, made.pixels)


def test_a_channel_that_is_dead_stays_so():
    model = model_of("conv 2 3 | relu | linear", (1, 8, 8))
    with torch.no_grad():
        model.net.conv1.weight.zero_()
        model.net.conv1.bias.fill_(-1)
    made = maximise(model, "relu1", 0)
    assert set(made.means) == {0.0}


def test_large_images_take_fewer_steps():
    model = model_of("conv 1 3 stride=8 | linear", (1, 128, 128))
    assert len(maximise(model, "conv1", 0).means) == 33


def test_what_there_is_and_what_is_refused():
    model = model_of()
    known = with_channels(trace(model.net, torch.zeros(model.image)))
    assert known["conv2"] == (3, 3, 2)
    assert known["linear1"] == (3,)
    with pytest.raises(UsageError, match="no layer 'cnv2'"):
        maximise(model, "cnv2", 0)
    with pytest.raises(UsageError, match="conv2 has no channel 3"):
        best_images(model, pictures(2), "conv2", 3)
