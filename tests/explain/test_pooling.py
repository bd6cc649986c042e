"""Pooling's winners, averages and gradients against PyTorch, over every parameter."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.concepts.pooling import PoolSettings, pool
from convscope.explain.concepts.shapes import LayerError
from convscope.explain.ledger_text import ledger_text
from convscope.storage.strict_json import dumps

from ..helpers import examples


@st.composite
def cases(draw):
    """(kind, image, settings) that PyTorch takes. Values are few, so that ties are many."""
    kind = draw(st.sampled_from(["max", "avg"]))
    pair = st.tuples(st.integers(1, 4), st.integers(1, 4))
    kernel, stride = draw(pair), draw(pair)
    padding = draw(st.tuples(*(st.integers(0, k // 2) for k in kernel)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) if kind == "max" else (1, 1)
    shape = draw(st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9)))
    image = np.random.default_rng(draw(st.integers(0, 2**32))).integers(-3, 4, shape).astype(np.float32)
    chosen = PoolSettings(kernel, stride, padding, dilation, draw(st.booleans()), draw(st.booleans()))
    try:
        return pool(kind, image, chosen)
    except UsageError:
        assume(False)


def layer_of(found):
    s = found.settings
    if found.kind == "max":
        return torch.nn.MaxPool2d(s.kernel_size, s.stride, s.padding, s.dilation, ceil_mode=s.ceil_mode)
    return torch.nn.AvgPool2d(s.kernel_size, s.stride, s.padding, s.ceil_mode, s.count_include_pad)


@examples(80, 500)
@given(cases(), st.integers(0, 2**32))
def test_forward_and_backward(found, seed):
    rng = np.random.default_rng(seed)
    image = torch.tensor(found.input, requires_grad=True)
    output = layer_of(found)(image[None])[0]
    upstream = rng.normal(size=output.shape).astype(np.float32)
    output.backward(torch.from_numpy(upstream))
    output = output.detach().numpy()
    assert np.array_equal(found.output, output)
    gradient = found.input_gradient(upstream)
    assert np.array_equal(gradient, image.grad.numpy())
    for index in {tuple(int(rng.integers(n)) for n in output.shape) for _ in range(4)}:
        ledger = found.ledger(*index)
        assert ledger.reported == float(output[index])
        assert ledger.text in ledger_text(ledger)
        if found.kind == "max":
            assert ledger.terms[ledger.winner].x.index[1:] == tuple(found.winners[index])
    for index in {tuple(int(rng.integers(n)) for n in image.shape) for _ in range(4)}:
        assert found.gradient_ledger(upstream, gradient, index).reported == float(image.grad[index])


def test_ties_go_to_the_first():
    found = pool("max", np.ones((1, 2, 2), np.float32), PoolSettings((2, 2), (2, 2)))
    assert found.winners.tolist() == [[[[0, 0]]]]
    assert found.ledger(0, 0, 0).winner == 0
    assert found.input_gradient(np.ones((1, 1, 1), np.float32)).tolist() == [[[1, 0], [0, 0]]]


def test_padding_is_minus_infinity_for_max_and_zero_for_avg():
    image = np.full((1, 2, 2), -5, np.float32)
    largest = pool("max", image, PoolSettings((2, 2), (2, 2), (1, 1))).ledger(0, 0, 0)
    assert [term.x.value for term in largest.terms] == [-np.inf, -np.inf, -np.inf, -5]
    assert largest.total == -5
    assert '"product": null' in dumps(largest, indent=1)
    mean = pool("avg", image, PoolSettings((2, 2), (2, 2), (1, 1))).ledger(0, 0, 0)
    assert (mean.total, mean.terms[0].w.tensor) == (-1.25, "1/4")
    inside = pool("avg", image, PoolSettings((2, 2), (2, 2), (1, 1), count_include_pad=False)).ledger(0, 0, 0)
    assert (inside.total, inside.terms[0].w.tensor) == (-5, "1/1")


def test_ceil_mode_keeps_the_rest():
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5)
    assert pool("max", image, PoolSettings((2, 2), (2, 2))).output.shape == (1, 2, 2)
    found = pool("max", image, PoolSettings((2, 2), (2, 2), ceil_mode=True))
    assert found.output.tolist() == [[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]
    assert found.rows.formula == "⌈(5 + 2·0 − 1·(2−1) − 1) / 2⌉ + 1 = 3"
    assert len(found.ledger(0, 2, 2).terms) == 1


def test_what_does_not_fit():
    with pytest.raises(LayerError, match="pad should be at most half of effective kernel size"):
        pool("max", np.ones((1, 4, 4), np.float32), PoolSettings((2, 2), (2, 2), (2, 2)))
    with pytest.raises(LayerError, match=r"Output size is too small\n  its window of 9×9 does not fit into .* 4×4"):
        pool("avg", np.ones((1, 4, 4), np.float32), PoolSettings((9, 9), (1, 1)))
    with pytest.raises(UsageError, match="a window that sees nothing but padding"):
        pool("max", np.ones((1, 1, 1), np.float32), PoolSettings((1, 2), (1, 1), (0, 1), (1, 2)))
