"""Every activation that a net may have: its spec, its module, its ledger and its derivative, against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from convscope.explain.backprop.activations import FUNCTIONAL, function
from convscope.explain.backprop.small_net import explain_net
from convscope.explain.trained.explanation import explain
from convscope.net.build import build
from convscope.net.ops.activation import ACTIVATIONS
from convscope.net.spec import SpecError, parse
from convscope.net.tree import text

SPECS = {
    "relu": ("relu", lambda x: functional.relu(x)),
    "relu6": ("relu6", lambda x: functional.relu6(x)),
    "tanh": ("tanh", lambda x: torch.tanh(x)),
    "sigmoid": ("sigmoid", lambda x: torch.sigmoid(x)),
    "leakyrelu": ("leakyrelu", lambda x: functional.leaky_relu(x)),
    "leakyrelu 0.1": ("leakyrelu", lambda x: functional.leaky_relu(x, 0.1)),
    "silu": ("silu", lambda x: functional.silu(x)),
    "gelu": ("gelu", lambda x: functional.gelu(x)),
    "gelu approximate=tanh": ("gelu", lambda x: functional.gelu(x, approximate="tanh")),
}
numbers = st.floats(-30, 30).map(lambda x: x + 0.0)


def test_every_activation_of_the_language_is_tested_here():
    assert {kind for kind, _ in SPECS.values()} == {op.kind for op in ACTIVATIONS}


@pytest.mark.parametrize("spec", SPECS)
@given(x=numbers)
def test_value_and_derivative_are_those_of_torch(spec, x):
    (op,) = parse(spec)
    assert text((op,)) == spec
    known = function(op)
    given_ = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    wanted = SPECS[spec][1](given_)
    wanted.backward()
    a = np.float64(x)
    value, terms = known(x)
    assert abs(value - wanted.item()) <= 1e-12 * terms
    partial = known.operator.partials[0]
    out = known.operator.forward(a)
    size = abs(partial.local(out, a)) if partial.terms is None else partial.terms(out, a)
    assert abs(partial.local(out, a) - given_.grad.item()) <= 1e-12 * size


class Bare(nn.Module):
    """Calls a function of torch.nn.functional and no module."""

    def __init__(self, f):
        super().__init__()
        self.unused, self.f = nn.Identity(), f

    def forward(self, x):
        return self.f(x)


@pytest.mark.parametrize("spec", SPECS)
@given(x=numbers)
def test_an_element_has_a_ledger_as_a_module_and_as_a_function(spec, x):
    (op,) = parse(spec)
    image = torch.full((1, 1, 1), x)
    module = op.module(((1, 1, 1),))
    assert torch.equal(module(image), SPECS[spec][1](image))
    ledger = explain(nn.Sequential(module), image).ledger("0", (0, 0, 0))
    assert ledger.operation == function(op).text

    bare = explain(Bare(SPECS[spec][1]), image)
    (row,) = bare.rows
    assert row.has_ledger
    assert bare.ledger(row.name, (0, 0, 0)).total == ledger.total


@pytest.mark.parametrize("spec", SPECS)
def test_gradients_through_it_equal_autograd(spec):
    _, check = explain_net(f"linear 4 | {spec} | [ linear 4 | {spec} ]+ | linear 2", "1,-2,3", "0.5,-1", seed=2)
    assert check.autograd_difference <= 1e-10


@pytest.mark.parametrize("spec", SPECS)
def test_the_listing_makes_the_same_module(spec):
    net = build(parse(f"{spec} | linear"), (1, 2, 2), 2)
    (op, *_) = parse(spec)
    made = eval(f"nn.{op.as_pytorch(((1, 2, 2),))}", {"nn": nn})
    assert str(made) == str(net[0])


def test_every_function_of_torch_that_is_known_stands_for_a_module_with_a_function():
    for module, _ in FUNCTIONAL.values():
        assert function(module()) is not None
    assert function(nn.Softmax(1)) is None


def test_the_kink_of_leakyrelu_is_said():
    walk, _ = explain_net("linear 1 bias=no | leakyrelu 0.1", "0", "1")
    assert walk.nodes[3].remark == "at the kink leakyrelu(0) PyTorch takes the derivative 0.1"
    with pytest.raises(SpecError, match="the negative slope must lie in 0 ≤ p < 1, not '2'"):
        parse("leakyrelu 2")
