"""Descent: the facts that a comparison of batch sizes rests on."""

import json

import numpy as np
import pytest
import torch

from convscope.data.batches import epoch_order
from convscope.data.images import Dataset
from convscope.data.readers.digits import read_digits
from convscope.errors import TrainingError, UsageError
from convscope.explain.concepts.descent import Way, angle, compare, descend
from convscope.explain.concepts.objectives import NetObjective, regression
from convscope.explain.concepts.optimizers import rule
from convscope.report.descent import draw_descent
from convscope.storage.strict_json import dumps


@pytest.fixture(scope="module")
def descent():
    return compare(regression(60, 1), 10, 8, 0.1, 0)


@pytest.fixture(scope="module")
def digits():
    train, test = read_digits()
    return Dataset("digits", train, test, (0.1307,), (0.3081,))


def test_the_full_batch_path_is_exact_gradient_descent():
    problem = regression(80, 3)
    path = [np.array(p.parameters) for p in descend(problem, Way("full batch", 80, rule("sgd", 0.1)), 15, 0).points]
    design = np.stack([problem.x, np.ones_like(problem.x)], 1)
    hessian = 2 * design.T @ design / 80
    best = np.linalg.solve(design.T @ design, design.T @ problem.y)
    assert problem.best() == pytest.approx(best)
    for k, point in enumerate(path):  # θ_k − θ* = (1 − lr·H)^k (θ_0 − θ*)
        shrink = np.linalg.matrix_power(np.eye(2) - 0.1 * hessian, k)
        assert point == pytest.approx(best + shrink @ (path[0] - best), rel=1e-10)


def test_every_path_equals_torch_sgd():
    problem = regression(50, 5)
    for size in (1, 7, 50):
        theta = torch.tensor(problem.start(), requires_grad=True)
        optimizer = torch.optim.SGD([theta], lr=0.05)
        x, y = torch.tensor(problem.x), torch.tensor(problem.y)
        for epoch in (1, 2):
            order = torch.from_numpy(epoch_order(50, 9, epoch))
            for batch in order.split(size):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(theta[0] * x[batch] + theta[1], y[batch]).backward()
                optimizer.step()
        end = descend(problem, Way("any", size, rule("sgd", 0.05)), 2, 9).points[-1].parameters
        assert end == pytest.approx(theta.tolist(), rel=1e-10)


def test_equal_start_and_equal_samples(descent):
    assert [r.updates for r in descent.regimes] == [480, 48, 8]
    assert {r.samples for r in descent.regimes} == {480}
    assert len({r.points[0].parameters for r in descent.regimes}) == 1
    assert len({r.points[0].loss for r in descent.regimes}) == 1


def test_smaller_batches_are_noisier(descent):
    stochastic, mini, full = descent.regimes
    assert stochastic.noise > mini.noise > full.noise
    assert full.noise < 1e-12
    assert stochastic.angle > mini.angle > full.angle
    assert stochastic.detour > mini.detour > full.detour >= 1


def test_batch_gradients_average_to_the_full_gradient():
    problem = regression(60, 1)
    theta = np.array([0.3, -0.2])
    parts = [problem.loss(theta, np.arange(i, i + 10))[1] for i in range(0, 60, 10)]
    assert np.mean(parts, 0) == pytest.approx(problem.loss(theta, np.arange(60))[1])


def test_the_same_seed_walks_the_same_path(descent):
    again = compare(regression(60, 1), 10, 8, 0.1, 0)
    for a, b in zip(descent.regimes, again.regimes, strict=True):
        assert [(p.parameters, p.loss, p.angle) for p in a.points] == [
            (p.parameters, p.loss, p.angle) for p in b.points
        ]
    other = compare(regression(60, 1), 10, 8, 0.1, 1)
    assert other.regimes[0].points[-1].parameters != descent.regimes[0].points[-1].parameters


def test_the_map_holds_the_loss(descent):
    problem = regression(60, 1)
    heights = problem.map(np.array([0.5, 1.5, 2.5]), np.array([-1.0, 0.0]))
    assert heights.shape == (2, 3)
    assert heights[1, 2] == pytest.approx(problem.loss(np.array([2.5, 0.0]), np.arange(60))[0])


def test_a_net_takes_the_steps_of_torch_sgd(digits):
    problem = NetObjective("conv 2 5 | pool 4 | relu | linear", digits, 30, 4)
    found = descend(problem, Way("mini-batch", 8, rule("sgd", 0.05)), 2, 4)
    net, weights = problem.net, list(problem.net.parameters())
    torch.nn.utils.vector_to_parameters(torch.from_numpy(problem.start()), weights)
    optimizer = torch.optim.SGD(weights, lr=0.05)
    for epoch in (1, 2):
        for batch in torch.from_numpy(epoch_order(30, 4, epoch)).split(8):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(problem.images[batch]), problem.labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        loss = float(torch.nn.functional.cross_entropy(net(problem.images), problem.labels))
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert (found.updates, found.samples, found.points[0].parameters) == (8, 60, ())


def test_images_in_any_memory_format_will_do(digits):
    problem = NetObjective("conv 2 5 | pool 2 | conv 3 3 | pool 4 | linear", digits, 10, 0)
    theta, index = problem.start(), np.arange(10)
    loss, gradient = problem.loss(theta, index)
    problem.images = problem.images.to(memory_format=torch.channels_last).as_strided((10, 1, 28, 28), (784, 1, 28, 1))
    other = problem.loss(theta, index)
    assert other[0] == pytest.approx(loss, rel=1e-5)
    assert other[1] == pytest.approx(gradient, rel=1e-3, abs=1e-6)


def test_both_pictures_are_drawn(descent, digits):
    figure = draw_descent(descent, regression(60, 1))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "stochastic (batch size 1)",
        "mini-batch (batch size 10)",
        "full batch (batch size 60)",
        "start",
        "least loss",
    ]
    ends = [line.get_xydata()[-1].tolist() for line in figure.axes[0].lines[:3]]
    assert ends == [list(r.points[-1].parameters) for r in descent.regimes]
    net = compare(NetObjective("linear", digits, 12, 0), 4, 1, 0.01, 0)
    assert draw_descent(net).axes[0].get_ylabel().startswith("degrees")
    json.loads(dumps(net))


def test_angles():
    assert angle(np.array([1.0, 0.0]), np.array([0.0, 2.0])) == pytest.approx(90)
    assert angle(np.array([1.0, 1.0]), np.array([-1.0, -1.0])) == pytest.approx(180)
    assert angle(np.zeros(2), np.ones(2)) == 0


@pytest.mark.parametrize(
    ("batch_size", "epochs", "lr", "message"),
    [
        (1, 5, 0.1, "a mini-batch of 60 samples holds 2 to 59"),
        (60, 5, 0.1, "a mini-batch of 60 samples holds 2 to 59"),
        (10, 0, 0.1, "expected 1 to 1,000,000"),
        (10, 10**6, 0.1, "60,000,000 updates at batch size 1"),
        (10, 5, 0.0, "--lr is 0.0, expected a positive number"),
        (10, 5, float("nan"), "--lr is nan"),
    ],
)
def test_choices_that_make_no_sense_are_refused(batch_size, epochs, lr, message):
    with pytest.raises(UsageError) as caught:
        compare(regression(60, 1), batch_size, epochs, lr, 0)
    assert message in str(caught.value)


def test_a_path_that_leaves_for_infinity_ends_with_advice():
    with pytest.raises(TrainingError, match=r"stochastic descent leaves for infinity after \d+ updates with lr 5"):
        compare(regression(60, 1), 10, 50, 5.0, 0)


def test_too_many_or_too_few_samples_are_refused(digits):
    with pytest.raises(UsageError, match="expected 2 to 10,000"):
        regression(1, 0)
    with pytest.raises(UsageError, match="digits has 1,"):
        NetObjective("linear", digits, 10**6, 0)
