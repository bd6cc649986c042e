"""Losses against PyTorch's own modules and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.concepts.losses import loss, value
from convscope.storage.strict_json import dumps

from ..helpers import examples

REGRESSION = {
    "mse": torch.nn.MSELoss(),
    "mae": torch.nn.L1Loss(),
    "l2": lambda a, b: torch.linalg.norm((a - b).ravel()),
}


def array(*values):
    return np.array(values, np.float64)


@examples(50, 300)
@given(st.sampled_from(sorted(REGRESSION)), st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_regression(name, seed, shape):
    rng = np.random.default_rng(seed)
    prediction, target = rng.integers(-3, 4, shape) * 0.7, rng.integers(-3, 4, shape) * 0.7
    found = loss(name, prediction, target)
    leaf = torch.tensor(prediction, requires_grad=True)
    expected = REGRESSION[name](leaf, torch.tensor(target))
    expected.backward()
    assert found.value == pytest.approx(float(expected.detach()), rel=1e-12)
    assert found.derivative == pytest.approx(leaf.grad.numpy(), rel=1e-12)
    assert [e.index for e in found.elements] == list(np.ndindex(*shape))


@examples(50, 300)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 6), st.sampled_from([0.1, 1, 30, 800]))
def test_cross_entropy(seed, rows, classes, scale):
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(size=(rows, classes)) * scale, rng.integers(0, classes, rows)
    found = loss("cross-entropy", logits, target.astype(np.float64))
    leaf = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.CrossEntropyLoss()(leaf, torch.tensor(target))
    expected.backward()
    assert found.value == pytest.approx(float(expected.detach()), rel=1e-12, abs=1e-15)
    assert found.derivative == pytest.approx(leaf.grad.numpy(), rel=1e-9, abs=1e-15)
    for row in found.rows:
        assert sum(row.probabilities) == pytest.approx(1)
        assert max(row.shifted) == 0


def test_the_issues_example():
    found = loss("mse", array(1, 2, 3), array(1, 2, 5))
    assert found.formula == "(0 + 0 + 4) / 3 = 1.33333"
    assert found.derivative.tolist() == [0, 0, -4 / 3]
    assert loss("l2", array(1, 2, 3), array(1, 2, 5)).value == 2
    assert loss("mae", array(1, 2, 3), array(1, 2, 5)).value == pytest.approx(2 / 3)


def test_very_small_and_very_large():
    assert loss("l2", array(1e-200), array(0)).value == 1e-200
    assert loss("mse", array(1e100), array(-1e100)).value == 4e200
    assert loss("cross-entropy", array(1e100, 0), array(1)).value == 1e100


def test_derivatives_at_the_kink():
    assert loss("l2", array(1, 2), array(1, 2)).derivative.tolist() == [0, 0]
    assert loss("mae", array(1, 2), array(1, 3)).derivative.tolist() == [0, -0.5]


def test_cross_entropy_step_by_step():
    row = loss("cross-entropy", array(2, 1, 0), array(0)).rows[0]
    assert (row.maximum, row.shifted) == (2, (0, -1, -2))
    assert row.exponentials == pytest.approx((1, 0.36788, 0.13534), abs=1e-5)
    assert row.probabilities == pytest.approx((0.66524, 0.24473, 0.09003), abs=1e-5)
    assert row.loss == pytest.approx(0.40761, abs=1e-5)


def test_softmax_before_cross_entropy_is_noticed():
    logits = array(8, 0, 0)
    assert not loss("cross-entropy", logits, array(0)).warnings
    softmax = np.exp(logits) / np.exp(logits).sum()
    found = loss("cross-entropy", softmax, array(0))
    assert found.value == pytest.approx(0.552, abs=1e-3)
    assert "it looks like the output of a softmax" in found.warnings[0]
    assert "would be 0.000670" in found.warnings[0]


def test_shapes_that_broadcast_are_noticed():
    prediction = np.arange(8.0).reshape(8, 1)
    found = loss("mse", prediction, np.arange(8.0))
    assert len(found.elements) == 64
    assert found.value == 10.5
    assert found.derivative.shape == (8, 1)
    assert "repeats them to (8, 8) and compares 64 pairs; element by element the loss would be 0" in found.warnings[0]
    assert "use target.reshape(8, 1)" in found.warnings[0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("mze", array(1), array(1)), "no loss is called 'mze'\n  help: did you mean 'mse'"),
        (("mse", array(1, 2), array(1, 2, 3)), r"predictions \(2,\) and targets \(3,\) cannot be compared"),
        (("mse", array(), array()), "there is nothing to compare"),
        (("mse", array(1e200), array(-1e200)), r"1e\+200 is too large for a loss"),
        (("mse", np.zeros((2000, 1)), np.zeros(2000)), "4,000,000 differences are too many to show"),
        (("cross-entropy", array(1, 2), array(2)), r"with 2 logits a row, classes are 0..1"),
        (("cross-entropy", array(1, 2), array(0.5)), "target 0.5 is no class index"),
        (
            ("cross-entropy", np.eye(2), np.eye(2)),
            r"for one-hot targets, give the index of the one: targets.argmax\(1\)",
        ),
        (("cross-entropy", np.eye(3), array(1, 2)), "do not fit"),
    ],
)
def test_bad_input(arguments, text):
    with pytest.raises(UsageError, match=text):
        loss(*arguments)


def test_values_alone_and_json():
    assert value("cross-entropy", array(0, 0), np.array(0.0)) == pytest.approx(np.log(2))
    assert '"derivative": [' in dumps(loss("mse", array(1, 2), array(2, 2)))
