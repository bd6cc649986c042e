"""The convolution's ledgers against torch.nn.Conv2d and autograd, over every parameter that it has."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.explain.concepts.convolution import Settings, convolve
from convscope.explain.ledger_text import ledger_text
from convscope.storage.strict_json import dumps

from ..helpers import examples

# PyTorch says it once a process, for "same" with an even kernel.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

NOTE_INPUT = np.array(
    [[[3, 4, 6, 5, 7], [2, 4, 6, 8, 2], [1, 6, 7, 8, 4], [9, 7, 4, 6, 2], [3, 7, 5, 4, 1]]], np.float32
)
NOTE_KERNEL = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)


@st.composite
def cases(draw):
    """(Conv2d, image (C, H, W)) that fit each other."""
    small = st.integers(1, 3)
    groups, per_in, per_out = draw(small), draw(small), draw(small)
    kernel, stride, dilation = (draw(st.tuples(small, small)) for _ in range(3))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    padding = draw(st.one_of(st.sampled_from(["same", "valid"]), st.tuples(st.integers(0, 3), st.integers(0, 3))))
    size = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    assume(padding != "same" or stride == (1, 1))
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**32)))
        layer = torch.nn.Conv2d(
            groups * per_in, groups * per_out, kernel, stride, padding, dilation, groups, draw(st.booleans()), mode
        )
        image = torch.randn(groups * per_in, *size)
    try:
        layer(image[None])
    except RuntimeError:
        assume(False)
    return layer, image


def explained(layer, image):
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    padding = layer.padding if isinstance(layer.padding, str) else tuple(layer.padding)
    chosen = Settings(layer.stride, padding, layer.padding_mode, layer.dilation, layer.groups)
    return convolve(image.numpy(), layer.weight.detach().numpy(), bias, chosen)


@examples(60, 400)
@given(cases(), st.randoms(use_true_random=False))
def test_forward(case, random):
    layer, image = case
    expected = layer(image[None])[0].detach().numpy()
    found = explained(layer, image)
    assert np.array_equal(found.output, expected)
    assert found.products == layer.weight[0].numel() * expected.size
    for _ in range(4):
        index = tuple(random.randrange(n) for n in expected.shape)
        ledger = found.ledger(*index)  # raises where the terms do not add up
        assert ledger.reported == expected[index]
        assert len(ledger.terms) == layer.weight[0].numel()
        assert ledger.text in ledger_text(ledger, limit=7)
        for term in ledger.terms:
            c, row, column = term.x.index
            inside = 0 <= row < image.shape[1] and 0 <= column < image.shape[2]
            assert inside is not term.x.padding
            assert found.padded[c, row + found.rows.before, column + found.columns.before] == np.float32(term.x.value)
            origin = term.x.index if inside else term.x.copy_of
            assert term.x.value == (0.0 if origin is None else float(image[origin]))


@examples(60, 400)
@given(cases(), st.randoms(use_true_random=False))
def test_gradients(case, random):
    layer, image = case
    image.requires_grad_()
    output = layer(image[None])[0]
    upstream = torch.tensor(
        np.random.default_rng(random.randrange(2**32)).normal(size=output.shape), dtype=output.dtype
    )
    output.backward(upstream)
    found = explained(layer, image.detach())
    g = found.gradients(upstream.numpy())
    for ledger_of, expected in ((found.weight_gradient, layer.weight.grad), (found.input_gradient, image.grad)):
        for _ in range(4):
            index = tuple(random.randrange(n) for n in expected.shape)
            ledger = ledger_of(g, index)
            assert ledger.text in ledger_text(ledger, by_size=True, limit=7)
            assert ledger.reported == pytest.approx(float(expected[index]), abs=1e-6 * ledger.magnitude)
            assert abs(ledger.total - float(expected[index])) <= 1e-6 * ledger.magnitude
    if layer.bias is not None:
        o = random.randrange(len(layer.bias))
        ledger = found.bias_gradient(g, o)
        assert abs(ledger.total - float(layer.bias.grad[o])) <= 1e-6 * ledger.magnitude


def test_the_notes_numbers():
    padded = convolve(NOTE_INPUT, NOTE_KERNEL, None, Settings(padding=(1, 1)))
    assert padded.output.tolist() == [
        [
            [91, 168, 224, 215, 127],
            [114, 211, 295, 262, 149],
            [192, 259, 282, 214, 122],
            [194, 251, 253, 169, 86],
            [96, 112, 110, 68, 31],
        ]
    ]
    strided = convolve(NOTE_INPUT, NOTE_KERNEL, None, Settings(stride=(2, 2)))
    assert strided.output.tolist() == [[[211, 262], [251, 169]]]
    assert strided.rows.formula == "⌊(5 + 2·0 − 1·(3−1) − 1) / 2⌋ + 1 = 2"


def test_the_notes_shapes():
    rng = np.random.default_rng(0)
    wide = convolve(
        rng.normal(size=(5, 100, 100)).astype(np.float32), rng.normal(size=(10, 5, 3, 3)).astype(np.float32)
    )
    assert wide.output.shape == (10, 98, 98)
    colour = convolve(rng.normal(size=(3, 6, 6)).astype(np.float32), rng.normal(size=(1, 3, 3, 3)).astype(np.float32))
    assert colour.output.shape == (1, 4, 4)
    assert colour.products_each == 27
    assert len(colour.ledger(0, 1, 1).terms) == 27
    assert [part.terms for part in colour.ledger(0, 1, 1).subtotals] == [9, 9, 9]


def test_many_terms_stay_within_the_tolerance():
    """The largest layers of common nets: 4,608 products an element, and a weight that 50,176 positions feed, all of
    one sign, which is the hardest case."""
    rng = np.random.default_rng(1)
    deep = convolve(rng.random((512, 4, 4), np.float32), rng.normal(size=(1, 512, 3, 3)).astype(np.float32))
    assert len(deep.ledger(0, 1, 1).terms) == 4608
    large = convolve(rng.random((1, 226, 226), np.float32), rng.random((1, 1, 3, 3), np.float32))
    g = large.gradients(rng.random((1, 224, 224), np.float32))
    assert len(large.weight_gradient(g, (0, 0, 1, 1)).terms) == 224 * 224


def test_steps_walk_every_window_in_order():
    found = convolve(NOTE_INPUT, NOTE_KERNEL, None, Settings(stride=(2, 2), padding=(1, 1)))
    steps = list(found.steps())
    assert [(s.row, s.column) for s in steps] == [(y, x) for y in range(3) for x in range(3)]
    assert steps[0].rows == (-1, 0, 1)
    assert steps[5].columns == (3, 4, 5)
    assert [s.value for s in steps] == found.output.ravel().tolist()


def test_it_serialises():
    assert '"copy_of":' in dumps(convolve(NOTE_INPUT, NOTE_KERNEL, None, Settings(padding=(1, 1))).ledger(0, 0, 0))
    assert '"formula":' in dumps(convolve(NOTE_INPUT, NOTE_KERNEL))
