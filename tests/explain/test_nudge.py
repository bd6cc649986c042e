"""The nudge test, and what an expression is completed with."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.backprop.expression import completed, parse, run
from convscope.explain.backprop.nudge import MOST, nudges
from convscope.explain.backprop.small_net import explain_small, small_net


@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([0.1, 0.01, 0.001]), st.integers(1, 3))
def test_predicted_is_the_gradient_of_autograd_and_measured_the_function_itself(w, x, change, passes):
    tape = parse("sigmoid(w*x) * w", [f"w={w!r}", f"x={x!r}"])
    found = nudges(tape, run(tape, passes), change, passes)
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w, x))
    result = torch.sigmoid(a * b) * a
    result.backward()
    assert [one.label for one in found] == ["w", "x"]
    assert [one.predicted for one in found] == pytest.approx(
        [change * a.grad.item(), change * b.grad.item()], abs=1e-14
    )
    with torch.no_grad():
        moved = [torch.sigmoid((a + change) * b) * (a + change) - result, torch.sigmoid(a * (b + change)) * a - result]
    assert [one.measured for one in found] == pytest.approx([one.item() for one in moved], abs=1e-12)


def test_the_smaller_the_change_the_closer_they_are():
    tape = parse("(w*x + b - y)**2", ["w=3", "x=2", "b=1", "y=5"])
    walk = run(tape)
    for change in (0.1, 0.01, 0.001):
        first = nudges(tape, walk, change)[0]
        assert first.measured - first.predicted == pytest.approx((2 * change) ** 2)  # the square of x·change


def test_where_the_result_is_not_defined_nothing_is_measured():
    tape = parse("log(0 - x)", ["x=-0.005"])
    (found,) = nudges(tape, run(tape), 0.01)
    assert found.predicted == pytest.approx(0.01 / -0.005)
    assert found.measured is None


def test_numbers_of_matrices_have_places_and_are_bounded():
    tape = parse("sum(W @ x)", ["W=[[1,2],[3,4]]", "x=[1,-1]"])
    found = nudges(tape, run(tape))
    assert [one.label for one in found] == ["W[0, 0]", "W[0, 1]", "W[1, 0]", "W[1, 1]", "x[0]", "x[1]"]
    assert [one.predicted for one in found] == pytest.approx([one.measured for one in found], abs=1e-12)
    tape = parse("sum(x)", [f"x={[1] * 60}"])
    assert len(nudges(tape, run(tape))) == MOST


@pytest.mark.parametrize(
    ("expression", "given", "want"),
    [
        ("log(x)/y", ["w=3", "x=2"], ["x=2", "y=1"]),
        ("q*2", ["w=3"], ["q=1"]),
        ("b*a + relu(a)", [], ["b=1", "a=1"]),
        ("x", ["x=1", "nonsense"], ["x=1", "nonsense"]),
    ],
)
def test_unused_values_are_dropped_and_new_names_are_one(expression, given, want):
    assert completed(expression, given) == want


def test_a_nets_numbers_can_be_others():
    changes = {("linear1.weight", (0, 1)): 0.5, ("input", (0,)): 3.0, ("target", (0,)): -1.0}
    small = small_net("linear 2 | relu | linear 1", "1, 2", "0.5", changes=changes)
    walk, judged = explain_small(small)
    assert judged.autograd_difference < 1e-12
    weight, bias = small.module.linear1.weight, small.module.linear1.bias
    assert weight[0, 1].item() == 0.5
    assert small.sample.ravel().tolist() == [3.0, 2.0]
    hidden = torch.relu(weight @ torch.tensor([3.0, 2.0], dtype=torch.float64) + bias)
    last = next(reversed([part for part in small.module if isinstance(part, torch.nn.Linear)]))
    loss = (last(hidden) + 1).pow(2).mean()
    assert np.asarray(walk.nodes[-1].value) == pytest.approx(loss.item())
    found = {one.label: one for one in nudges(small.tape, walk)}
    assert found["linear1.weight[0, 1]"].value == 0.5
    assert found["input[0]"].gradient is None


@pytest.mark.parametrize("change", [("linear9.weight", (0, 0)), ("linear1.weight", (0,)), ("linear1.weight", (0, 7))])
def test_a_number_that_is_not_there_is_refused(change):
    with pytest.raises(UsageError, match="the net has no number"):
        small_net("linear 2 | relu | linear 1", "1, 2", "0.5", changes={change: 1.0})
