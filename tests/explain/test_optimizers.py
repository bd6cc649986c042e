"""Update rules against torch.optim, surfaces against autograd, and the step from which each rule leads away."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import convscope
from convscope.data.batches import epoch_order
from convscope.errors import UsageError
from convscope.explain.concepts.asked import Asked, read_start, terrain
from convscope.explain.concepts.descent import Way, descend
from convscope.explain.concepts.objectives import regression
from convscope.explain.concepts.optimizers import OPTIMIZERS, rule
from convscope.explain.concepts.polynomials import curvature, heights, slope, value
from convscope.explain.concepts.surfaces import SURFACES, surface
from convscope.report.descent import draw_descent

from ..helpers import examples

PLACES = st.tuples(st.floats(-3, 3), st.floats(-3, 3))


def torch_optimizer(name, parameters, lr, momentum):
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr)
    kept = 0.0 if name == "sgd" else momentum
    return torch.optim.SGD(parameters, lr=lr, momentum=kept, nesterov=name == "nesterov")


def height(terms, theta):
    return sum(c * theta[0] ** i * theta[1] ** j for i, j, c in terms)


@pytest.mark.parametrize("name", OPTIMIZERS)
@examples(20, 100)
@given(st.floats(0.001, 0.05), st.floats(0.1, 0.99), PLACES, st.sampled_from(sorted(SURFACES)))
def test_every_rule_takes_the_updates_of_torch(name, lr, momentum, start, where):
    on = surface(where, start)
    found = descend(on, Way(name, 1, rule(name, lr, momentum)), 30, 0)
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch_optimizer(name, [theta], lr, momentum)
    for point in found.points:
        assert point.parameters == pytest.approx(theta.tolist(), rel=1e-9, abs=1e-11)
        assert point.loss == pytest.approx(height(on.terms, theta).item(), rel=1e-8, abs=1e-10)
        optimizer.zero_grad()
        height(on.terms, theta).backward()
        optimizer.step()
    assert found.diverged or found.updates == 30


@pytest.mark.parametrize("name", OPTIMIZERS[1:])
def test_mini_batches_by_every_rule_as_torch_takes_them(name):
    problem = regression(50, 5)
    theta = torch.tensor(problem.start(), requires_grad=True)
    optimizer = torch_optimizer(name, [theta], 0.05, 0.8)
    x, y = torch.tensor(problem.x), torch.tensor(problem.y)
    for epoch in (1, 2, 3):
        for batch in torch.from_numpy(epoch_order(50, 9, epoch)).split(7):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(theta[0] * x[batch] + theta[1], y[batch]).backward()
            optimizer.step()
    end = descend(problem, Way(name, 7, rule(name, 0.05, 0.8)), 3, 9).points[-1].parameters
    assert end == pytest.approx(theta.tolist(), rel=1e-10)


@given(st.sampled_from(sorted(SURFACES)), PLACES)
def test_slopes_and_curvatures_are_those_of_autograd(name, place):
    on = SURFACES[name]
    theta = torch.tensor(place, dtype=torch.float64)
    gradient = torch.autograd.functional.jacobian(lambda p: height(on.terms, p), theta)
    hessian = torch.autograd.functional.hessian(lambda p: height(on.terms, p), theta)
    loss, found = on.loss(np.array(place), np.array([0]))
    assert loss == pytest.approx(height(on.terms, theta).item(), abs=1e-9)
    assert found == pytest.approx(gradient.numpy(), abs=1e-9)
    assert curvature(on.terms, place) == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), abs=1e-8)


@given(st.integers(2, 60), st.integers(0, 99), PLACES)
def test_the_regressions_polynomial_is_its_loss(samples, seed, place):
    problem = regression(samples, seed)
    everything = np.arange(samples)
    loss, gradient = problem.loss(np.array(place), everything)
    size = sum(abs(c) for _, _, c in problem.terms) * 9
    assert value(problem.terms, *place) == pytest.approx(loss, abs=1e-13 * size)
    assert [value(slope(problem.terms, axis), *place) for axis in (0, 1)] == pytest.approx(gradient, abs=1e-13 * size)
    assert curvature(problem.terms, place) == pytest.approx(problem.curvature(), rel=1e-9)
    drawn = heights(problem.terms, np.array([place[0], 0.5]), np.array([place[1]]))
    assert drawn == pytest.approx(problem.map(np.array([place[0], 0.5]), np.array([place[1]])), abs=1e-13 * size)


@pytest.mark.parametrize("name", sorted(SURFACES))
def test_the_deepest_place_is_flat_and_nothing_in_view_lies_lower(name):
    on = SURFACES[name]
    loss, gradient = on.loss(on.best(), np.array([0]))
    assert gradient == pytest.approx([0, 0], abs=1e-12)
    assert on.curvature() > 0
    ws, bs = (np.linspace(*side, 81) for side in on.view)
    assert on.map(ws, bs).min() >= loss - 1e-12
    assert all(low <= place <= high for place, (low, high) in zip(on.begin, on.view, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS[:3])
@examples(20, 100)
@given(st.floats(0.0, 0.97), st.floats(1.0, 50.0))
def test_beyond_its_limit_a_rule_leads_away_and_below_it_arrives(name, momentum, steep):
    """On ½λw² the roots of the recursion decide; λ is the curvature of a quadratic whose two axes are alike."""
    limit = rule(name, 1.0, momentum).limit(steep)
    for factor, away in ((0.98, False), (1.02, True)):
        by = rule(name, factor * limit, momentum).begin()
        place, biggest = np.array([1.0]), []
        for _ in range(3000):
            place = by.step(place, steep * place)
            if not np.abs(place).max() < 1e100:
                break
            biggest.append(abs(float(place[0])))
        assert (biggest[-1] > 1e3) == away, (name, momentum, factor)


def test_adam_has_no_limit():
    assert rule("adam", 0.1).limit(3.0) is None


def test_python_and_the_defaults():
    found = convscope.descent(surface="two-minima", optimizers=["adam", "momentum"], start=(1.6, 0.0), adam_lr=0.3)
    assert [regime.name for regime in found.regimes] == ["gradient descent", "momentum", "adam"]
    assert [regime.lr for regime in found.regimes] == [0.05, 0.05, 0.3]
    assert {regime.updates for regime in found.regimes} == {100}
    assert {regime.points[0].parameters for regime in found.regimes} == {(1.6, 0.0)}
    line = convscope.descent(samples=20, epochs=2, optimizers="nesterov", start=(0, 0))
    assert [regime.name for regime in line.regimes] == ["stochastic", "mini-batch", "full batch", "nesterov"]
    assert line.regimes[3].batch_size == line.regimes[1].batch_size


def test_surfaces_are_drawn_too():
    asked = Asked(surface="saddle", optimizers=("momentum",))
    on = asked.objective()
    figure = draw_descent(asked.descend(on), terrain(on))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "gradient descent",
        "momentum",
        "start",
        "least loss",
    ]
    assert figure.axes[0].get_title(loc="left") == "Paths on the saddle ½·w² − ½·b² + ¼·b⁴, 100 updates"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"surface": "vally"}, "there is no surface 'vally'"),
        ({"surface": "valley", "data": "digits"}, "a surface has no data"),
        ({"surface": "valley", "samples": 10}, "--samples has no meaning on a surface"),
        ({"surface": "valley", "batch_size": 10}, "--batch-size has no meaning on a surface"),
        ({"data": "digits", "start": (0.0, 0.0)}, "--start is a place on a map, and a net has none"),
        ({"start": (float("nan"), 0.0)}, "--start is nan,0"),
        ({"start": (2000.0, 0.0)}, "--start is 2000,0"),
    ],
)
def test_what_does_not_go_together_is_refused(given, words):
    with pytest.raises(UsageError) as caught:
        Asked(**given).objective()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("optimizers", "momentum", "words"),
    [
        (["adm"], 0.9, "there is no optimizer 'adm'"),
        (["sgd"], 0.9, "sgd is there already"),
        (["momentum"], 1.0, "--momentum is 1.0, expected a number from 0 to below 1"),
    ],
)
def test_optimizers_that_make_no_sense_are_refused(optimizers, momentum, words):
    with pytest.raises(UsageError) as caught:
        convscope.descent(samples=20, epochs=1, optimizers=optimizers, momentum=momentum)
    assert words in str(caught.value)


def test_a_start_is_read_as_two_numbers():
    assert read_start("-1,2") == read_start(" -1 2 ") == (-1.0, 2.0)
    for text in ("1", "1,2,3", "a,b", ""):
        with pytest.raises(UsageError, match="expected w and b"):
            read_start(text)
