"""Back-propagation through the layers of a small net, against torch's own modules and finite differences."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.backprop.autograd import DIFFERENCE_TOLERANCE, judge
from convscope.explain.backprop.passes import backprop
from convscope.explain.backprop.small_net import explain_net, small_net, torch_gradients
from convscope.net.shapes import ShapeError
from convscope.storage.strict_json import dumps

from ..helpers import examples


@st.composite
def problems(draw):
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    layers, channels = [], 1
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda p: f"{p[0]}x{p[1]}")
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["conv", "conv", "pool", "avgpool", "relu", "tanh", "sigmoid"]))
        if kind == "conv":
            groups = draw(st.sampled_from([g for g in (1, 2) if channels % g == 0]))
            channels = groups * draw(st.integers(1, 2))
            words = [f"conv {channels} {draw(pair)} groups={groups} dilation={draw(pair)}"]
            words.append(draw(st.sampled_from(["padding=same", f"stride={draw(pair)} padding={draw(pair)}"])))
            layers.append(" ".join([*words, draw(st.sampled_from(["bias=no", ""]))]))
        elif kind.endswith("pool"):
            padding = draw(st.sampled_from(["", "padding=1"]))
            layers.append(f"{kind} {draw(st.sampled_from(['2', '3x2', '2x3']))} stride={draw(pair)} {padding}")
        else:
            layers.append(kind)
    if draw(st.booleans()):
        layers.append("globalavg")
    layers += draw(st.sampled_from([[], ["linear 3", "tanh"], ["linear 2 bias=no", "relu"]]))
    classes = draw(st.integers(1, 3))
    layers.append(f"linear {classes}")
    loss = draw(st.sampled_from(["mse", "mae", "cross-entropy"]))
    number = st.integers(-16, 16).map(lambda n: n / 8)
    image = draw(st.lists(st.lists(number, min_size=width, max_size=width), min_size=height, max_size=height))
    if loss == "cross-entropy":
        target = str(draw(st.integers(0, classes - 1)))
    else:
        target = json.dumps(draw(st.lists(number, min_size=classes, max_size=classes)))
    return " | ".join(layers), json.dumps(image), target, loss


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@examples(50, 300)
@given(problems())
@example(("pool 2 | linear 2", "[[1,1,1],[1,1,1],[1,1,1]]", "0,0", "mse"))
@example(("conv 2 2x3 padding=same dilation=3x2 | globalavg | flatten", "[[1,2,3],[4,5,6]]", "1", "cross-entropy"))
def test_gradients_equal_autograd(problem):
    try:
        small = small_net(*problem, seed=3)
    except ShapeError:
        assume(False)
    walk = backprop(small.tape)
    found = judge(walk, torch_gradients(small), {})  # raises where a gradient differs from autograd's
    assert {g.label for g in walk.gradients} == {name for name, _ in small.module.named_parameters()}
    assert found.autograd_difference <= 1e-9
    outputs = {}
    for name, module in small.module.named_children():
        module.register_forward_hook(lambda m, i, output, name=name: outputs.__setitem__(name, output[0].detach()))
    small.module(torch.tensor(small.sample)[None])
    for node in walk.nodes:
        if node.label in outputs:
            assert np.asarray(node.value) == pytest.approx(outputs[node.label].numpy(), rel=1e-9, abs=1e-12)
    json.loads(dumps(walk))


@settings(max_examples=60)
@given(problems())
def test_smooth_nets_equal_finite_differences(problem):
    assume(problem[3] != "mae" and "relu" not in problem[0] and "| pool" not in problem[0] and problem[0][:4] != "pool")
    try:
        _, found = explain_net(*problem, seed=5)
    except ShapeError:
        assume(False)
    assert found.finite_elements > 0
    assert found.finite_difference <= DIFFERENCE_TOLERANCE


def test_features_need_no_flatten():
    walk, _ = explain_net("linear 3 | relu | linear 1", "1,2", "0.5")
    assert [n.label for n in walk.nodes if n.op] == ["linear1", "relu1", "linear2", "loss"]
    assert [g.label for g in walk.gradients] == ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    assert walk.nodes[3].formula == "linear1.weight @ input + linear1.bias"


def test_the_gradient_of_a_convolution_is_told_as_a_sum():
    walk, _ = explain_net("conv 1 2 | linear 1", "[[1,2,3],[4,5,6],[7,8,9]]", "0")
    to_weight = next(c for s in walk.steps for c in s.contributions if walk.nodes[c.input].label == "conv1.weight")
    assert to_weight.formula == "Σ over positions of upstream × input"
    assert to_weight.text.startswith("Σ over positions of upstream × input = [[[[")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("linear 3 | batchnorm | linear 1", "1,2", "0"), "batchnorm1 mixes the samples of a batch"),
        (("linear 3 | dropout 0.5 | linear 1", "1,2", "0"), "dropout1 draws zeros at random"),
        (("linear 3 | linear 2", "1,2", "0"), "--target has 1 number, but the net has 2 outputs"),
        (("linear 2", "1,2", "2", "cross-entropy"), "--target is '2', expected the index of one of the 2 classes"),
        (("linear 2", "1,2", "0.5", "cross-entropy"), "expected the index of one of the 2 classes"),
        (("linear", "1,2", "1", "cross-entropy"), "the number of classes is not known"),
        (("linear 2", "1,2", "0,0", "hinge"), "there is no loss 'hinge'"),
        (("linear 2", "1,nan", "0,0"), "'nan' is not a number"),
        (("linear 2", "[[1,2],[3]]", "0,0"), "a matrix needs rows of equal length"),
        (("conv 1 5 | linear 1", "[[1,2],[3,4]]", "0"), "conv1 (conv 1 5) does not fit"),
        (("linear 4000 | linear 1", "1,2", "0"), "the net has 16,001 parameters"),
        (("liner 2", "1,2", "0,0"), "no layer is called 'liner'"),
    ],
)
def test_bad_input_is_told_in_one_error(arguments, message):
    with pytest.raises(UsageError) as caught:
        explain_net(*arguments)
    assert message in str(caught.value)
