"""The ledger refuses what does not add up, and its text hides nothing silently."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import ConvscopeError
from convscope.explain.backprop.activations import function
from convscope.explain.concepts.convolution import Settings, convolve
from convscope.explain.concepts.pooling import PoolSettings, pool
from convscope.explain.ledger import Factor, Ledger, LedgerError, Term, tolerance_for
from convscope.explain.ledger_text import column, ledger_text
from convscope.net.ops import Relu, Sigmoid, Tanh
from convscope.storage.strict_json import plain


def product(x, w, channel=0):
    return Term(channel, Factor("input", (channel, 0, 0), x), Factor("weight", (0, channel, 0, 0), w))


def ledger(reported, terms, **more):
    return Ledger("out", (0,), tuple(terms), reported, **more)


def test_the_parts_add_up():
    found = ledger(2.5, [product(1, 2), product(3, -1, 1), product(4, 0.5, 1)], bias=Factor("bias", (0,), 1.5))
    assert [(s.channel, s.terms, s.total) for s in found.subtotals] == [(0, 1, 2.0), (1, 2, -1.0)]
    assert found.total == 2.5
    assert found.magnitude == 8.5
    assert found.difference == 0


def test_it_refuses_a_number_that_the_terms_do_not_make():
    ledger(1 + 0.9e-6, [product(1, 1)])
    with pytest.raises(
        LedgerError, match=r"the terms come to 1, PyTorch has 1.0000011; the difference 1.1e-06 is more"
    ):
        ledger(1 + 1.1e-6, [product(1, 1)])
    ledger(1 + 1.1e-6, [product(1, 1)], tolerance=2e-6)
    assert issubclass(LedgerError, ConvscopeError)


def test_longer_sums_are_given_what_rounding_at_random_takes():
    assert (tolerance_for([1.0]), tolerance_for(range(4096))) == (1e-6, 1e-6)
    assert tolerance_for(range(1, 160_001)) == 400 / 2**24
    short, long = ([product(1, 1 + i / 2**20) for i in range(n)] for n in (4096, 10_000))
    for terms, tolerance in ((short, 1e-6), (long, 100 / 2**24)):
        exact = sum(term.product for term in terms)
        assert ledger(exact * (1 + 0.9 * tolerance), terms).tolerance == tolerance
        with pytest.raises(LedgerError):
            ledger(exact * (1 + 1.1 * tolerance), terms)


def test_equal_terms_are_given_errors_of_one_sign_and_zeros_none():
    assert tolerance_for([0.1] * 15) == 1e-6
    assert tolerance_for([0.1] * 961) == 961 / 2**24
    assert tolerance_for([0.1] * 961 + [0.0] * 5000) == 961 / 2**24
    assert tolerance_for([0.1] * 300 + [0.2] * 400) == 500 / 2**24
    assert tolerance_for([0.1] * 20) == 20 / 2**24


@given(st.floats(2**-7, 1, width=32), st.floats(2**-7, 1, width=32), st.integers(2, 60))
def test_flat_images_have_ledgers_too(value, upstream, side):
    """Means, weights' gradients and sums over many channels, where rounding errors do not cancel."""
    image = np.full((2, side, side), value, np.float32)
    pooled = pool("avg", image, PoolSettings((side, side), (side, side)))
    assert pooled.ledger(1, 0, 0).total == pytest.approx(value, rel=1e-6)
    convolved = convolve(image, np.full((1, 2, 3, 3), value, np.float32), None, Settings(padding=(1, 1)))
    gradients = convolved.gradients(np.full_like(convolved.output, upstream))
    found = convolved.weight_gradient(gradients, (0, 1, 1, 1))
    assert found.total == pytest.approx(side * side * value * upstream, rel=1e-6)
    deep = convolve(np.full((8 * side, 3, 3), value, np.float32), np.full((1, 8 * side, 3, 3), upstream, np.float32))
    assert deep.ledger(0, 0, 0).total == pytest.approx(72 * side * value * upstream, rel=1e-6)


def test_cancelling_terms_are_measured_by_their_size():
    ledger(0.05, [product(1e5, 1), product(-1e5, 1)])
    with pytest.raises(LedgerError):
        ledger(0.3, [product(1e5, 1), product(-1e5, 1)])


def test_underflow_is_allowed_for_and_nothing_more():
    ledger(0.0, [product(1e-30, 1e-30)])
    with pytest.raises(LedgerError):
        ledger(0.0, [product(1e-30, 1e-3)])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_have_no_ledger(bad):
    for terms, reported in (([product(bad, 1)], 1.0), ([product(1, 1)], bad)):
        with pytest.raises(LedgerError, match=r"out\[0\] has no ledger: it, or a number that makes it, is not finite"):
            ledger(reported, terms)


def test_the_largest_wins_and_the_first_of_equals():
    terms = [Term(0, Factor("input", (0, 0, i), v)) for i, v in enumerate([1.0, 4.0, 4.0])]
    found = ledger(4.0, terms, operation="max")
    assert (found.winner, found.total, found.subtotals) == (1, 4.0, ())
    with pytest.raises(LedgerError):
        ledger(1.0, terms, operation="max")


@pytest.mark.parametrize(
    ("op", "value"), [(Relu(), 0.0), (Tanh(), -0.96402758), (Sigmoid(), 0.11920292)], ids=["relu", "tanh", "sigmoid"]
)
def test_functions_of_one_number(op, value):
    known = function(op)
    found = ledger(value, [Term(0, Factor("conv1", (0, 0, 0), -2.0))], operation=known.text, function=known)
    assert (found.total, found.operation) == (pytest.approx(value), op.kind)


def test_text():
    terms = [product(1, 2), product(3, -1, 1), product(4, 0.5, 1)]
    assert ledger_text(ledger(2.5, terms, bias=Factor("bias", (0,), 1.5))).splitlines() == [
        "out[0] = 2.5, the sum of 3 products and a bias",
        "  input[0,0,0]  1  ×  weight[0,0,0,0]   2.0  =   2",
        "  input[1,0,0]  3  ×  weight[0,1,0,0]  -1.0  =  -3",
        "  input[1,0,0]  4  ×  weight[0,1,0,0]   0.5  =   2",
        "  input channel 0     2.0",
        "  input channel 1    -1.0",
        "  bias[0]             1.5",
        "  total               2.5",
        "  PyTorch (float32)   2.5",
        "  difference            0  (allowed: 1e-06 of the sum of |terms|, 8.5)",
    ]


def test_long_text_hides_the_middle_and_says_so():
    text = ledger_text(ledger(5050.0, [product(i, 1) for i in range(1, 101)]), limit=5).splitlines()
    assert [line.split()[1] for line in text[1:4]] == ["1", "2", "3"]
    assert text[4] == f"  … 95 more terms, together {5050 - 1 - 2 - 3 - 99 - 100}"
    assert [line.split()[1] for line in text[5:7]] == ["99", "100"]
    largest = ledger_text(ledger(5050.0, [product(i, 1) for i in range(1, 101)]), by_size=True, limit=5).splitlines()
    assert [line.split()[1] for line in (*largest[1:3], *largest[4:7])] == ["100", "99", "3", "2", "1"]
    assert len(ledger_text(ledger(5050.0, [product(i, 1) for i in range(1, 101)]), limit=None).splitlines()) == 104


def test_a_printed_column_adds_up():
    assert column([0.00012345678, 12.5, -3.0]) == ["0.00012", "12.50000", "-3.00000"]
    assert column([0.00012345678, 0.0]) == ["0.0001234568", "0.0000000000"]
    assert column([1e20, 0.5, -math.inf]) == ["1.000000e+20", "5.000000e-01", "−∞"]
    assert column([]) == []
    assert column([3.0, -0.0]) == ["3", "0"]


def test_it_is_strict_json():
    found = plain(ledger(2.0, [product(1, 2)]))
    assert found["terms"][0]["x"] == {
        "tensor": "input",
        "index": [0, 0, 0],
        "value": 1,
        "padding": False,
        "copy_of": None,
    }
    assert set(found) >= {"name", "index", "terms", "subtotals", "bias", "total", "reported", "difference", "tolerance"}


def test_tiny_columns_share_a_power_of_ten_and_zeros_are_seen():
    assert column([2e-7, -3.5e-6, 0.0]) == ["0.200000e-06", "-3.500000e-06", "0           "]
    assert column([1e-310]) == ["1.000000e-310"]
    terms = tuple(Term(0, Factor("x", (i,), 0.3 * i), Factor("w", (i,), 0.5)) for i in range(9))
    lines = ledger_text(Ledger("y", (), terms, 5.4), limit=2).splitlines()
    assert lines[1] == "  x[0]  0    ×  w[0]  0.5  =  0"
    assert lines[2] == "  … 7 more terms, together 4.2"
    assert "… 1 more term" not in ledger_text(Ledger("y", (), terms, 5.4), limit=9)
