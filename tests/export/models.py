"""Random models, for hypothesis: every kind of layer, branches, batch norm with statistics of its own."""

from functools import cache

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.data.preparation import Preparation
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.model import Model
from convscope.net.spec import parse
from convscope.net.tree import size, text
from tests.net.trees import classified, fitting, image_layers

SMALL = ("note", "lenet5", "tiny-vgg", "resnet8", "mlp")  # of the zoo: those that are tried in seconds


def model_of(spec, image=(1, 9, 8), classes=("a", "b", "c"), seed=0):
    """A model with random weights and statistics, and its net in evaluation mode."""
    net = build(parse(spec), image, len(classes), seed)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            shape = module.running_mean.shape
            module.running_mean.copy_(torch.randn(shape, generator=generator))
            module.running_var.copy_(torch.rand(shape, generator=generator) + 0.3)
            module.weight.data.copy_(torch.rand(shape, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(shape, generator=generator))
    statistics = (0.4,) * image[0], (0.3,) * image[0]
    return Model(net.eval(), spec, image, *statistics, tuple(classes), Preparation(image))


@st.composite
def models(draw, image=(2, 9, 8)):
    """A model whose net fits images (C, H, W): layers of every kind, then branches, then scores."""
    body = (*draw(st.lists(image_layers, max_size=4)), *parse("conv 2 1"), *draw(fitting))
    assume(size(body) <= 25)
    spec = text(classified(body))
    channels = draw(st.sampled_from([1, 3]))
    try:
        return model_of(spec, (channels, *image[1:]), seed=draw(st.integers(0, 99)))
    except UsageError:
        assume(False)


@cache
def random_models(count=60):
    """Nets that hypothesis draws, for formats whose runtime is slow to start: all of them are tried at once.

    Those whose scores are large are left out: one step of float32 is then more than a probability can bear.
    """
    found = []

    @settings(max_examples=count)
    @given(models())
    def collect(model):
        images = torch.randn(2, *model.image, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            if float(model.net(images).abs().max()) < 30:
                found.append(model)

    collect()
    return found
