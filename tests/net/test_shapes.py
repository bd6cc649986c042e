import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.net.build import build
from convscope.net.ops import AvgPool, BatchNorm, Conv, Flatten, GlobalAvg, Linear, Pool, Relu
from convscope.net.shapes import ShapeError, table
from convscope.net.spec import parse
from convscope.net.zoo import ZOO, resolve

small = st.integers(1, 4)
pair = st.tuples(small, small)
pads = st.tuples(st.integers(0, 3), st.integers(0, 3))


@st.composite
def pools(draw):
    kernel = draw(pair)
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    return draw(st.sampled_from([Pool, AvgPool]))(kernel, draw(pair), padding, draw(st.booleans()))


convs = st.one_of(
    st.builds(Conv, st.sampled_from([2, 3, 4, 6]), pair, pair, pads, pair, st.integers(1, 3), st.booleans()),
    st.builds(Conv, small, pair, st.just((1, 1)), st.just("same"), pair, st.just(1), st.booleans()),
)
bodies = st.lists(st.one_of(convs, pools(), st.just(Relu()), st.just(BatchNorm()), st.just(GlobalAvg())), max_size=4)


def apply(layer, x):
    if isinstance(layer, Conv):
        return nn.Conv2d(
            x.shape[1], layer.out, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups
        )(x)
    assert isinstance(layer, Pool)
    return (nn.AvgPool2d if layer.average else nn.MaxPool2d)(layer.kernel, layer.stride, layer.padding)(x)


def count_multiply_adds(net, image):
    """What really happens: products of every convolution and linear layer, counted from the tensors' shapes."""
    counts = {}

    def count(name):
        def hook(module, inputs, output):
            if isinstance(module, nn.Conv2d):
                counts[name] = output.numel() * module.weight[0].numel()
            elif isinstance(module, nn.Linear):
                counts[name] = module.weight.numel()

        return hook

    for name, module in net.named_children():
        module.register_forward_hook(count(name))
    net.eval()(torch.zeros(1, *image))
    return counts


@settings(max_examples=300)
@given(bodies, st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 12), st.integers(1, 12)), st.integers(1, 5))
def test_the_table_says_what_torch_does(body, image, classes):
    layers = (*body, Flatten(), Linear(None))
    try:
        rows = table(layers, image, classes)
    except ShapeError as error:
        # The failing layer must fail in torch too, on the input that the table worked out for it.
        shape = error.rows[-1].output if error.rows else image
        failing = layers[len(error.rows)]
        with pytest.raises((RuntimeError, ValueError)):
            apply(failing, torch.zeros(1, *shape))
        return
    net = build(layers, image, classes)
    x = torch.zeros(1, *image)
    net.eval()
    for row, (name, module) in zip(rows, net.named_children(), strict=True):
        assert (row.name, row.input) == (name, tuple(x.shape[1:]))
        x = module(x)
        assert row.output == tuple(x.shape[1:])
        assert row.parameters == sum(p.numel() for p in module.parameters())
    counts = count_multiply_adds(net, image)
    assert {row.name: row.multiply_adds for row in rows if row.multiply_adds} == counts


def test_the_note_has_8490_parameters_and_467200_multiply_adds():
    rows = table(resolve("note"), (1, 28, 28), 10)
    assert [row.output for row in rows] == [
        (10, 24, 24),
        (10, 12, 12),
        (10, 12, 12),
        (20, 8, 8),
        (20, 4, 4),
        (20, 4, 4),
        (320,),
        (10,),
    ]
    assert sum(row.parameters for row in rows) == 8490
    assert sum(row.multiply_adds for row in rows) == 467_200
    assert rows[0].formula == "⌊(28 + 2·0 − 1·(5−1) − 1) / 1⌋ + 1 = 24"


@pytest.mark.parametrize("name", ZOO)
def test_named_nets_fit_the_image_they_are_made_for(name):
    entry = ZOO[name]
    net = build(resolve(name), entry.image, 10)
    assert net(torch.zeros(2, *entry.image)).shape == (2, 10)


def test_errors_show_the_table_up_to_the_failing_layer_and_a_mend():
    with pytest.raises(ShapeError) as caught:
        table(parse("conv 10 5 | pool 2 | conv 7 13 | linear"), (1, 28, 28), 10)
    assert caught.value.message.splitlines() == [
        "conv2 (conv 7 13) does not fit: its window covers 13 pixels, but the height is 12 + 2·0",
        "  conv1       conv 10 5                   10×24×24",
        "  pool1       pool 2                      10×12×12",
        "  conv2       conv 7 13                   ✗",
    ]
    assert caught.value.help.startswith("use a smaller window, more padding")
    with pytest.raises(ShapeError, match="groups=3 must divide the 4 input and the 6 output channels") as caught:
        table(parse("conv 4 3 | conv 6 3 groups=3 | linear"), (1, 28, 28), 10)
    assert caught.value.help == "groups that work here: 1, 2"
    with pytest.raises(ShapeError, match="the net ends with 20 values, but the data have 10 classes") as caught:
        table(parse("linear 20"), (1, 28, 28), 10)
    assert caught.value.help == "end the net with 'linear' (no number: the classes)"
    with pytest.raises(ShapeError, match="10×1×1 values") as caught:
        table(parse("conv 10 3 | globalavg"), (1, 28, 28), 10)
    assert caught.value.help == "end the net with 'flatten'"
    with pytest.raises(ShapeError, match="absurdly large"):
        table(parse("linear 1000000 | linear 1000000 | linear"), (3, 1000, 1000), 10)


def test_weights_come_from_the_seed_and_leave_the_callers_random_state_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, two, other = (build(resolve("note"), (1, 28, 28), 10, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.conv1.weight, two.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)
