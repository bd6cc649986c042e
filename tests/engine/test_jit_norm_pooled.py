"""A max pool behind a normalisation is part of it; a convolution before it may form its gradient where it reads it."""

import pytest
import torch

from convscope.engine.jit import JitEngine
from convscope.engine.jit.machine import host
from convscope.engine.jit.ways.norm.layer import BatchNorm
from convscope.net.build import build
from convscope.net.zoo import resolve

from .test_jit_arithmetic import CLASSES, distance, problem_of
from .test_jit_norm import wanted_and_found

IMAGE = 3, 12, 16
# Spec; by node whether its gradient is formed on demand.
SPECS = {
    # A thin first layer, then one by tiles; windows of 2×2 and 1×4.
    "conv 8 5 padding=2 | batchnorm | pool 2 | relu | conv 8 5 padding=2 | batchnorm | relu | pool 1x4 | linear": 2,
    # The pool before the normalisation; overlapping tiles (3×5 outputs); no pool at all.
    "conv 8 5 padding=2 | pool 2 | batchnorm | gelu | conv 8 4 | batchnorm | tanh | linear": 2,
    # By tiles, too, but the normalisation reads what a ReLU made of it.
    "conv 8 5 padding=2 | relu | conv 8 5 | relu | batchnorm | pool 2 | linear": 0,
    # Direct convolutions, which read a gradient often: with a stride, and 1×1.
    "conv 6 3 stride=2 padding=1 | batchnorm | pool 2 | relu | conv 5 1 | batchnorm | pool 3x1 | linear": 0,
}


def problem(spec):
    net = build(resolve(spec), IMAGE, CLASSES)
    turned(net)
    return problem_of(net, IMAGE, 37, 0)


def turned(net):
    """Give normalisations other factors and shifts than 1 and 0; γ < 0 turns a channel's order round."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "batchnorm" in name:
                parameter.uniform_(-1.5, 1.5, generator=generator)


@pytest.mark.parametrize(("isa", "threads"), list(zip(host.available(), (2, 1, 3), strict=False)))
@pytest.mark.parametrize("spec", SPECS)
def test_gradients_and_statistics_are_pytorchs(spec, isa, threads):
    given = problem(spec)
    (loss, gradients, buffers), (got, found, kept) = wanted_and_found(given, threads, isa, torch.arange(37))
    assert abs(got - loss) <= 1e-5 * loss
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 5e-5 * max(float(theirs.norm()), 1e-2 * whole)
    for name, theirs in buffers.items():
        assert distance(kept[name], theirs) <= 1e-5 * float(theirs.double().norm())


@pytest.mark.parametrize(("spec", "formed"), list(SPECS.items()))
def test_what_is_read_once_is_not_stored(spec, formed):
    block = JitEngine(problem(spec), 1, batch_size=37)._core.program(37).program.block
    assert sum(gradient.former is not None for gradient in block.gradients) == formed
    assert sum(isinstance(node.op, BatchNorm) and node.op.pool is not None for node in block.nodes) == spec.count(
        "pool"
    ) - ("pool 2 | batchnorm" in spec)


def test_a_bias_before_a_normalisation_has_no_gradient():
    """PyTorch's is what is left where its terms cancel."""
    given = problem("conv 5 3 | batchnorm | relu | conv 5 3 stride=2 | batchnorm | linear")
    (_, gradients, _), (_, found, _) = wanted_and_found(given, 2, None, torch.arange(37))
    biases = [i for i, (name, _) in enumerate(given.net.named_parameters()) if name in ("conv1.bias", "conv2.bias")]
    assert len(biases) == 2
    for i in biases:
        assert float(gradients[i].abs().max()) < 1e-12
        assert not found[i].any()


def test_a_constant_channel_and_one_far_from_zero_keep_their_digits():
    """A lane's first number is what its numbers are measured from, here at 1,000 deviations from zero, or none."""
    net = build(resolve("conv 3 1 | batchnorm | pool 2 | linear"), (1, 8, 8), CLASSES)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 0.0, 1.0])[:, None, None, None])
        net[0].bias.copy_(torch.tensor([1000.0, 5.0, -0.5]))
    given = problem_of(net, (1, 8, 8), 40, 0)
    (_, _, buffers), (_, _, kept) = wanted_and_found(given, 2, None, torch.arange(40))
    for name, theirs in buffers.items():
        for mine, channel in zip(kept[name].flatten(), theirs.flatten(), strict=True):
            assert float(mine) == pytest.approx(float(channel), rel=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_one_image_is_enough_where_a_window_holds_several_numbers(channels):
    """Two channels go along with the convolution, one does not."""
    image = 1, 4, 4
    given = problem_of(build(resolve(f"conv {channels} 3 | batchnorm | pool 2 | linear"), image, CLASSES), image, 3, 0)
    (loss, gradients, _), (got, found, _) = wanted_and_found(given, 1, None, torch.arange(1))
    assert abs(got - loss) <= 1e-5 * loss
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 5e-5 * whole
