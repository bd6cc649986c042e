"""The gradient of a weight, place by place, against autograd, slow loops and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import convscope
from convscope.errors import UsageError
from convscope.explain.trained.backward import differentiable, weight_use, with_gradients
from convscope.explain.trained.receptive import centres, receptive_field
from convscope.explain.trained.trace import trace
from convscope.net.build import build, seeded
from convscope.net.spec import parse

NET = "conv 4 3 padding=1 | relu | pool 2 | conv 3 3 stride=2 | tanh | linear 5 | relu | linear"


def picture(*shape):
    with seeded(3):
        return torch.randn(shape)


def traced(spec=NET, shape=(2, 12, 10), classes=3, target=1):
    net = build(parse(spec), shape, classes)
    return trace(net, picture(*shape), target)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_places_of_any_convolution_add_up_to_autograds_gradient(data):
    pick = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731 - a name for what is drawn
    groups = pick(1, 2)
    spec = (
        f"conv {2 * groups} {pick(1, 3)} stride={pick(1, 2)} padding={pick(0, 2)} dilation={pick(1, 2)} groups={groups}"
        f" padding_mode={data.draw(st.sampled_from(['zeros', 'replicate', 'circular']))} | tanh | linear"
    )
    found = traced(spec, (2, 8, 7))
    weight = found.weights["conv1.weight"]
    index = tuple(pick(0, n - 1) for n in weight.shape)
    use = weight_use(found, "conv1.weight", index)
    scale = float(np.abs(use.products).sum()) or 1.0
    assert use.products.sum() == pytest.approx(float(weight[index]), abs=1e-6 * scale)
    assert use.on_image.sum() == pytest.approx(use.products.sum(), abs=1e-12 * scale)
    assert np.array_equal(use.products, use.upstream * use.read)
    assert use.upstream == pytest.approx(found.gradients["conv1"][index[0]])
    with np.nditer(use.rows, flags=["multi_index"]) as places:
        for row in places:
            at = places.multi_index
            column, channel = use.columns[at], index[1] + (index[0] // 2 * (2 // groups) if groups > 1 else 0)
            want = 0.0 if row < 0 else float(found.image[channel, row, column])
            assert use.read[at] == want


def test_what_was_read_is_pytorchs_unfold():
    found = traced("conv 3 3 stride=2 padding=1 dilation=2 | linear", (2, 9, 8))
    size = found.calls["conv1"].output.shape[1:]
    columns = functional.unfold(torch.from_numpy(found.image)[None], 3, dilation=2, padding=1, stride=2)[0]
    use = weight_use(found, "conv1.weight", (1, 1, 2, 0))
    assert use.read == pytest.approx(columns[1 * 9 + 2 * 3 + 0].numpy().reshape(size))


def test_a_deeper_layers_products_lie_where_the_elements_that_it_reads_see():
    found = traced()
    use = weight_use(found, "conv2.weight", (2, 1, 0, 1))
    assert use.products.sum() == pytest.approx(float(found.weights["conv2.weight"][2, 1, 0, 1]), rel=1e-5)
    assert use.on_image.sum() == pytest.approx(use.products.sum())
    field = receptive_field(found.net, (2, 12, 10), "pool1", (1, 2, 1))  # what position (1, 0) reads: 1·2 + 0, 0·2 + 1
    assert use.rows[1, 0] == int(np.floor((field.top + field.bottom) / 2 + 0.5))
    assert use.columns[1, 0] == int(np.floor((field.left + field.right) / 2 + 0.5))


def test_biases_and_linear_layers():
    found = traced()
    bias = weight_use(found, "conv2.bias", (1,))
    assert (bias.read == 1).all()
    assert bias.products == pytest.approx(found.gradients["conv2"][1])
    assert bias.on_image.sum() == pytest.approx(float(found.weights["conv2.bias"][1]), rel=1e-5)
    one = weight_use(found, "linear1.weight", (4, 7))
    assert one.products.shape == (1, 1)
    assert one.on_image.sum() == pytest.approx(float(found.weights["linear1.weight"][4, 7]), rel=1e-5)
    hidden = weight_use(found, "linear2.weight", (1, 3))
    assert hidden.on_image is None  # a feature of all pixels lies nowhere
    assert hidden.products.sum() == pytest.approx(float(found.weights["linear2.weight"][1, 3]), rel=1e-5)


def test_the_sum_is_what_the_loss_does_when_the_weight_moves():
    net = build(parse(NET), (2, 12, 10), 3)
    image = picture(2, 12, 10)
    use = weight_use(trace(net, image, 1), "conv1.weight", (3, 1, 2, 0))
    net.double()

    def loss(by):
        with torch.no_grad():
            net.conv1.weight[3, 1, 2, 0] += by
            value = float(functional.cross_entropy(net(image.double()[None]), torch.tensor([1])))
            net.conv1.weight[3, 1, 2, 0] -= by
        return value

    assert use.products.sum() == pytest.approx((loss(1e-6) - loss(-1e-6)) / 2e-6, rel=1e-4, abs=1e-7)


def test_centres_of_many_rows_lie_between_those_that_were_asked():
    net = build(parse("conv 2 3 | pool 2 | linear"), (1, 60, 24), 2)
    rows, columns = centres(net, (1, 60, 24), "pool1", (29, 11))
    assert rows == pytest.approx(2 * np.arange(29) + 1.5)  # a window of 4 pixels from row 2·r
    assert columns == pytest.approx(2 * np.arange(11) + 1.5)


def test_frozen_weights_take_part_inside_the_block_only():
    net = build(parse("conv 2 3 | linear"), (1, 6, 6), 2)
    net.conv1.requires_grad_(False)
    with with_gradients(net):
        found = trace(net, picture(1, 6, 6), 0)
    assert [(one.name, one.bias) for one in differentiable(found)] == [("conv1", True), ("linear1", True)]
    assert not net.conv1.weight.requires_grad
    assert net.linear1.weight.requires_grad


def test_what_cannot_be_taken_apart_is_refused_and_not_offered():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(36, 2)

        def forward(self, x):
            return self.fc(self.conv(self.conv(x)).flatten(1))

    found = trace(Twice(), picture(1, 6, 6), 0)
    assert [one.name for one in differentiable(found)] == ["fc"]
    with pytest.raises(UsageError, match="conv is used 2 times"):
        weight_use(found, "conv.weight", (0, 0, 1, 1))


def test_from_python_by_its_name():
    net = build(parse("conv 2 3 | linear"), (1, 6, 6), 2)
    explained = convscope.explain(net, picture(1, 6, 6))
    use = explained.weight_use("conv1[1,0,2,2]", 1)
    assert use.products.sum() == pytest.approx(explained.weight_gradient("conv1[1,0,2,2]", 1).total)
