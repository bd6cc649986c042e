"""Every refusal carries PyTorch's message to the letter, and a fix that works."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.explain.concepts.shapes import LayerError, check, fits, make
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import examples


def eager_error(layer, shape):
    """What PyTorch says to real data, or None."""
    try:
        with torch.no_grad():
            layer().eval()(torch.zeros(shape))
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def our_error(layer, shape):
    try:
        check(make(layer, shape), shape)
    except LayerError as error:
        return error.diagnosis
    return None


small = st.integers(1, 4)
pair = st.tuples(small, small)


@st.composite
def layers(draw):
    """(a way to make a layer, an input shape); about half do not fit."""
    channels, kind = draw(small), draw(st.sampled_from(["conv", "linear", "max", "avg", "norm"]))
    shape = (draw(small), draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    if kind == "conv":
        padding = draw(st.one_of(st.just("same"), st.tuples(st.integers(0, 4), st.integers(0, 4))))
        values = (
            channels,
            draw(small),
            draw(pair),
            draw(st.integers(1, 2)),
            padding,
            draw(small),
            draw(small),
            True,
            draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
        )
        return lambda: nn.Conv2d(*values), shape[draw(st.integers(0, 1)) :]
    if kind == "linear":
        features = draw(st.integers(1, 6))
        return lambda: nn.Linear(features, 2), shape[draw(st.integers(0, 3)) :]
    if kind == "norm":
        return lambda: nn.BatchNorm2d(channels), shape
    sides = st.tuples(st.integers(1, 7), st.integers(1, 7))
    kernel, stride, ceil = draw(sides), draw(pair), draw(st.booleans())
    padding = draw(st.tuples(*(st.integers(0, k // 2 + draw(st.integers(0, 3)) // 3) for k in kernel)))
    if kind == "max":
        dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
        return lambda: nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil), shape
    include = draw(st.booleans())
    return lambda: nn.AvgPool2d(kernel, stride, padding, ceil, include), shape


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@examples(80, 500)
@given(layers())
def test_the_message_is_pytorchs(case):
    layer, shape = case
    expected, found = eager_error(layer, shape), our_error(layer, shape)
    assert (found and found.message) == expected
    if found:
        assert found.problem
        assert found.fix


@pytest.mark.parametrize(("layer", "shape", "message", "problem", "fix"), [
    (lambda: nn.Conv2d(5, 10, 3), (1, 6, 100, 100),
     "Given groups=1, weight of size [10, 5, 3, 3], expected input[1, 6, 100, 100] to have 5 channels, but got 6",
     "the layer is made for 5 channels, but the input has 6", "nn.Conv2d(6, 10, ...)"),
    (lambda: nn.Conv2d(3, 8, 3), (2, 32, 32, 3), "to have 3 channels, but got 32 channels instead",
     "its last axis is 3, so the channels seem to come last (NHWC)", "x.permute(0, 3, 1, 2)"),
    (lambda: nn.Conv2d(3, 8, 3), (32, 32, 3), "got 32 channels", "(NHWC)", "x.permute(2, 0, 1)"),
    (lambda: nn.Conv2d(1, 8, 3), (64, 28, 28), "got 64 channels", "read as one image (C, H, W)", "x.unsqueeze(1)"),
    (lambda: nn.Conv2d(1, 8, 3), (1, 3, 28, 28), "got 3 channels", "for 1 channel,", "x.mean(1, keepdim=True)"),
    (lambda: nn.Conv2d(1, 8, 3), (28, 28), "Expected 3D (unbatched) or 4D (batched)", "not 2 axes", "x[None, None]"),
    (lambda: nn.Conv2d(1, 1, 5), (1, 1, 3, 3), "Kernel size: (5 x 5). Kernel size can't be greater than actual",
     "the window covers 5×5 pixels", "a larger image"),
    (lambda: nn.Conv2d(1, 1, 3, dilation=2), (1, 1, 4, 4), "(5 x 5)", "dilation (2, 2) spreads", "less dilation"),
    (lambda: nn.Conv2d(4, 6, 3, groups=3), (1, 4, 9, 9), "in_channels must be divisible by groups", "share", "groups"),
    (lambda: nn.Conv2d(1, 1, 3, stride=2, padding="same"), (1, 1, 9, 9), "not supported for strided", "keeps the size",
     "kernel // 2"),
    (lambda: nn.Conv2d(1, 1, 3, padding=3, padding_mode="reflect"), (1, 1, 3, 3), "Padding size should be less than",
     "takes its values from the image", "at most 2"),
    (lambda: nn.Linear(320, 10), (1, 500), "mat1 and mat2 shapes cannot be multiplied (1x500 and 320x10)",
     "a classifier fixes the size", "nn.Linear(500, 10)"),
    (lambda: nn.Linear(320, 10), (1, 20, 4, 4), "mat1 and mat2 shapes cannot be multiplied (80x4 and 320x10)",
     "they are not flattened", "20 · 4 · 4 = 320, which fits"),
    (lambda: nn.Linear(9, 10), (1, 20, 4, 4), "cannot be multiplied", "they hold 320 numbers", "nn.Linear(320, 10)"),
    (lambda: nn.BatchNorm2d(3), (1, 4, 8, 8), "should contain 4 elements not 3", "normalises 3", "BatchNorm2d(4)"),
])  # fmt: skip
def test_diagnoses(layer, shape, message, problem, fix):
    found = our_error(layer, shape)
    assert message in found.message
    assert problem in found.problem
    assert fix in found.fix


def test_the_text_of_the_error():
    with pytest.raises(LayerError) as caught:
        check(nn.Conv2d(5, 10, 3), (1, 6, 100, 100))
    assert str(caught.value).splitlines() == [
        "Conv2d(5, 10, kernel_size=(3, 3), stride=(1, 1)) refuses input (1, 6, 100, 100)",
        "  PyTorch: Given groups=1, weight of size [10, 5, 3, 3], expected input[1, 6, 100, 100] to have 5 channels, "
        "but got 6 channels instead",
        "  the layer is made for 5 channels, but the input has 6",
        "  help: make the layer for what comes: nn.Conv2d(6, 10, ...); or feed 5 channels",
    ]
    assert caught.value.exit_code == 2


def test_no_memory_is_needed():
    """These weights would take 40 TB."""
    assert our_error(lambda: nn.Conv2d(10**6, 10**6, 3), (1, 7, 10**5, 10**5)).message.endswith(
        "got 7 channels instead"
    )


def test_a_net_fed_with_another_image_size():
    net = build(resolve("note"), (1, 28, 28), 10).train()
    net.conv2.eval()
    assert fits(net, (1, 1, 28, 28)).layers[-1].output == (1, 10)
    fit = fits(net, (1, 1, 32, 32))
    assert [layer.name for layer in fit.layers] == ["conv1", "pool1", "relu1", "conv2", "pool2", "relu2", "flatten1"]
    assert fit.name == "linear1"
    assert fit.diagnosis.message == "mat1 and mat2 shapes cannot be multiplied (1x500 and 320x10)"
    assert "nn.Linear(500, 10)" in fit.diagnosis.fix
    assert (net.training, net.conv1.training, net.conv2.training) == (True, True, False)
    assert not net.conv1._forward_hooks


def test_an_error_outside_any_layer():
    class Net(nn.Module):
        def forward(self, x):
            return x.view(1, 320)

    fit = fits(Net(), (1, 20, 5, 5))
    assert "is invalid for input of size 500" in fit.diagnosis.message
