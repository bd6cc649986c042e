"""Expressions: the chain rule by hand against PyTorch's autograd, and everything that must be refused."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from convscope.errors import ConvscopeError, UsageError
from convscope.explain.backprop.autograd import DIFFERENCE_TOLERANCE, check
from convscope.explain.backprop.expression import explain_expression, parse, run
from convscope.explain.backprop.passes import backprop
from convscope.explain.backprop.walk import snapshot
from convscope.storage.strict_json import dumps

from ..helpers import examples


def on_tensors(function):
    return lambda *values: function(*(torch.as_tensor(value, dtype=torch.float64) for value in values))


# Python itself evaluates the text with these: a reading that shares nothing with the parser under test.
NAMES = ["relu", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "sum", "mean"]
MEANING = {name: on_tensors(getattr(torch, name)) for name in NAMES}
MEANING["max"] = on_tensors(lambda *a: torch.max(a[0]) if len(a) == 1 else torch.maximum(*a))
SHAPES = {"w": (), "x": (), "u": (3,), "v": (2,), "A": (2, 3), "B": (3, 2), "R": (1, 3), "C": (2, 1)}


def by_torch(text, values):
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    result = eval(text, {"__builtins__": {}}, MEANING | leaves)
    result.sum().backward()
    return result.item(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def literal(value):
    return json.dumps(np.asarray(value).tolist())


def shape_after(op, a, b):
    try:
        if op == "@":
            return np.shape(np.zeros(a) @ np.zeros(b)) if a and b else None
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


@st.composite
def expressions(draw, names, depth=4):
    """(text, shape) of a random expression over ``names``."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        if draw(st.integers(0, 4)) == 0:
            return str(draw(st.integers(1, 40)) / 8), ()
        name = draw(st.sampled_from(names))
        return name, SHAPES[name]
    text, shape = draw(expressions(names, depth - 1))
    kind = draw(st.sampled_from(["function", "negative", "power", "binary", "binary", "binary", "reduce"]))
    if kind == "negative":
        return f"-({text})", shape
    if kind == "power":
        return f"({text})**{draw(st.sampled_from(['2', '3', '1', '0']))}", shape
    if kind == "reduce":
        return f"{draw(st.sampled_from(['sum', 'mean', 'max']))}({text})", ()
    if kind == "function":
        function = draw(st.sampled_from(["relu", "sigmoid", "tanh", "abs", "safe exp", "safe log", "safe sqrt"]))
        safe = {"safe exp": "exp(tanh(@))", "safe log": "log(1.5+(@)**2)", "safe sqrt": "sqrt(2+abs(@))"}
        return safe.get(function, f"{function}(@)").replace("@", text), shape
    other, its = draw(expressions(names, depth - 1))
    op = draw(st.sampled_from(["+", "-", "*", "/", "@", "max", "**"]))
    together = shape_after(op, shape, its)
    assume(together is not None)
    if op == "max":
        return f"max({text}, {other})", together
    if op == "/":
        return f"({text})/(1+({other})**2)", together
    if op == "**":
        return f"(1.25+tanh({text}))**tanh({other})", together
    return f"({text}){op}({other})", together


@st.composite
def problems(draw, names):
    text, shape = draw(expressions(names))
    used = [name for name in names if re.search(rf"\b{name}\b", text)]
    assume(used)
    numbers = st.integers(-24, 24).map(lambda n: n / 8)
    values = {}
    for name in used:
        size = math.prod(SHAPES[name])
        values[name] = np.array(draw(st.lists(numbers, min_size=size, max_size=size))).reshape(SHAPES[name])
    return (text if math.prod(shape) == 1 and not shape else f"sum({text})"), values


def agrees(text, values):
    plan = parse(text, [f"{name}={literal(value)}" for name, value in values.items()])
    walk = backprop(plan)
    result, gradients = by_torch(text, values)
    assert np.asarray(walk.nodes[-1].value).item() == pytest.approx(result, rel=1e-9, abs=1e-12)
    for gradient in walk.gradients:
        ours, terms = np.asarray(gradient.value), np.asarray(gradient.magnitude)
        assert ours.shape == gradients[gradient.label].shape
        assert (np.abs(ours - gradients[gradient.label]) <= 1e-9 * terms).all(), (gradient, gradients[gradient.label])
    # the last state holds exactly the gradients; the first none
    last, first = snapshot(walk, len(walk.steps)), snapshot(walk, 0)
    assert all(last.gradients[g.node] == g.value for g in walk.gradients)
    assert first.gradients == (None,) * len(walk.nodes)
    assert not any(last.cached)
    json.loads(dumps(walk))
    return plan, walk


@examples(50, 300)
@given(problems(("w", "x")))
@example(("w*w + w", {"w": np.array(3.0)}))
@example(("abs(w)+relu(w)+max(w,x)", {"w": np.array(0.0), "x": np.array(0.0)}))
@example(("sigmoid(w)", {"w": np.array(-700.0)}))
@example(("w**0 + w**1", {"w": np.array(0.0)}))
def test_scalars_equal_autograd(problem):
    agrees(*problem)


@examples(50, 300)
@given(problems(("u", "v", "A", "B", "R", "C", "w")))
@example(("sum(A*R + C)", {"A": np.ones((2, 3)), "R": np.ones((1, 3)), "C": np.ones((2, 1))}))
@example(("u@u", {"u": np.array([1.0, 2.0, 3.0])}))
@example(("sum(v@A)", {"v": np.array([1.0, 2.0]), "A": np.ones((2, 3))}))
@example(("max(A)", {"A": np.ones((2, 3))}))
def test_matrices_equal_autograd(problem):
    agrees(*problem)


@examples(50, 300)
@given(problems(("w", "x", "u", "A")))
def test_smooth_expressions_equal_finite_differences(problem):
    text, values = problem
    assume(not any(kink in text for kink in ("relu", "abs", "max")))
    plan = parse(text, [f"{name}={literal(value)}" for name, value in values.items()])
    found = check(plan, backprop(plan))
    assert found.finite_elements == sum(value.size for value in values.values())
    assert found.finite_difference <= DIFFERENCE_TOLERANCE
    assert found.autograd_difference <= 1e-9


EXTREME = [0, 1, -1, 2, -3, 0.5, 1e-8, 1e8, -1e-160, 1e150, 20, -40, 700, 1e-300]


@examples(50, 300)
@given(expressions(("w", "x")), st.sampled_from(EXTREME), st.sampled_from(EXTREME))
def test_extreme_values_are_explained_as_autograd_does_or_refused(expression, w, x):
    try:
        plan = parse(f"{expression[0]} + 0*w + 0*x", [f"w={w}", f"x={x}"])  # both are used
        walk = run(plan)
    except UsageError:
        return
    check(plan, walk)  # raises where autograd finds other gradients; warnings are errors


def test_the_example_of_the_tour():
    walk = explain_expression("(w*x + b - y)**2", ["w=3", "x=2", "b=1", "y=5"])
    assert [(n.label, n.formula, n.numbers, n.value) for n in walk.nodes if n.op] == [
        ("v1", "w * x", "3 * 2", 6.0),
        ("v2", "v1 + b", "6 + 1", 7.0),
        ("v3", "v2 - y", "7 - 5", 2.0),
        ("v4", "v3 ** 2", "2 ** 2", 4.0),
    ]
    assert {n.label for n in walk.nodes if n.cached} == {"w", "x", "v3"}
    assert {g.label: g.value for g in walk.gradients} == {"w": 8.0, "x": 12.0, "b": 4.0, "y": -4.0}
    assert walk.nodes[-1].locals[0].formula == "∂v4/∂v3 = 2·v3^(2−1) = 2·2^(2−1) = 4"
    assert [s.phase for s in walk.steps] == ["forward"] * 4 + ["seed"] + ["backward"] * 4


def test_values_fill_forward_and_gradients_backward():
    walk = explain_expression("w*x", ["w=3", "x=2"])
    w, x, v = 0, 1, 2
    states = [snapshot(walk, taken) for taken in range(len(walk.steps) + 1)]
    assert [s.values[v] for s in states] == [None, 6.0, 6.0, 6.0]
    assert [s.gradients for s in states] == [(None,) * 3, (None,) * 3, (None, None, 1.0), (2.0, 3.0, 1.0)]
    assert [s.cached[w] for s in states] == [True, True, True, False]
    assert states[0].values[x] == 2.0


def test_fan_out_accumulates():
    walk = explain_expression("w*w + w", ["w=3"])
    to_w = [c for s in walk.steps for c in s.contributions if c.input == 0]
    assert [(c.value, c.accumulated) for c in to_w] == [(1.0, 1.0), (3.0, 4.0), (3.0, 7.0)]


def test_going_back_twice_without_zero_grad_doubles_the_leaves_only():
    walk = explain_expression("(w*x)**2", ["w=3", "x=2"], passes=2)
    assert {g.label: g.value for g in walk.gradients} == {"w": 48.0, "x": 72.0}
    after = snapshot(walk, len(walk.steps))
    assert [after.gradients[n.id] for n in walk.nodes if n.op] == [12.0, 1.0]
    plan = parse("(w*x)**2", ["w=3", "x=2"])
    assert check(plan, backprop(plan, 2), 2).gradients == 2


def test_a_lone_variable_is_its_own_result():
    plan = parse("w", ["w=3"])
    assert [g.value for g in backprop(plan).gradients] == [1.0]
    assert [g.value for g in backprop(plan, 2).gradients] == [2.0]
    assert check(plan, backprop(plan, 2), 2).autograd_difference == 0


def test_a_gradient_is_summed_over_broadcast_axes():
    walk = explain_expression("sum(A + b)", ["A=[[1,2,3],[4,5,6]]", "b=[10,20,30]"])
    to_b = next(c for s in walk.steps for c in s.contributions if walk.nodes[c.input].label == "b")
    assert to_b.value == (2.0, 2.0, 2.0)
    assert to_b.note == "summed over axis 0: it was repeated to 2×3"


def test_the_check_can_fail():
    plan = parse("w*x", ["w=3", "x=2"])
    walk = backprop(plan)
    wrong = dataclasses.replace(walk.gradients[0], value=2.0001)
    with pytest.raises(ConvscopeError, match=r"the gradient of w in 'w\*x' is 2.0001 by hand, but 2 by autograd"):
        check(plan, dataclasses.replace(walk, gradients=(wrong,)))
    kink = parse("relu(w)", ["w=0"])
    assert "a kink" in check(kink, backprop(kink)).text


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("__import__('os')", [], "\"'\" is not allowed here\n  __import__('os')\n             ^"),
        ("__import__(w)", ["w=1"], "there is no function '__import__'"),
        ("w.real", ["w=1"], "'.real' is not allowed: nothing has attributes here"),
        ("w[0]", ["w=1"], "'w[0]' is not allowed here"),
        ("relu(w)(w)", ["w=1"], "only a function's name can be called"),
        ("w if w else 1", ["w=1"], "'w if w else 1' is not allowed here"),
        ("w // 2", ["w=1"], "'w // 2' is not allowed here"),
        ("w^2", ["w=1"], "'^' is not allowed here"),
        ("w = 3", [], "'=' is not allowed here"),
        ("9**9**9*w", ["w=1"], "9**9**9 overflows: it is beyond ±1.8e308\n  9**9**9*w\n  ^^^^^^^"),
        ("(" * 10_000 + "w", ["w=1"], "the expression has 10,001 characters, at most 2,000 are allowed"),
        ("(" * 1_000 + "w", ["w=1"], "more than 40 nested brackets"),
        ("-" * 1_900 + "w", ["w=1"], "the expression has more than 160 operations inside one another"),
        ("**w" * 600, ["w=1"], "the expression cannot be read"),
        ("w" + "+w" * 900, ["w=1"], "the expression has more than 160 operations inside one another"),
        ("w+w" * 150, ["w=1"], "'ww' has no value"),
        ("sum(w" + ",w" * 300 + ")", ["w=1"], "sum takes 1 value, not 301"),
        ("w*" + "9" * 1_500, ["w=1"], "the number is beyond ±1.8e308"),
        ("", [], "the expression is empty: write a formula"),
        ("  ", [], "the expression is empty: write a formula"),
        ("w +", ["w=1"], "the expression cannot be read: invalid syntax\n  w +\n    ^"),
        ("w\x00", ["w=1"], "'\\x00' is not allowed here"),
        ("2 + 3", [], "the expression has no variable"),
        ("w + z", ["w=1"], "'z' has no value\n  w + z\n      ^\n  help: add z=1"),
        ("w", ["w=1", "z=2"], "'z' has a value, but the expression does not use it"),
        ("w", ["w=1", "w=2"], "'w' is given twice"),
        ("w", ["w=nan"], "'nan' is not a number"),
        ("w", ["w=1e999"], "the number is beyond ±1.8e308"),
        ("w", ["w"], "cannot read 'w' as a value for a name"),
        ("w", ["w="], "the value is empty: write a formula"),
        ("w", ["w=[[1,2],[3]]"], "a matrix needs rows of equal length, but these are 2, 1"),
        ("w", ["w=[[1,2],3]"], "a matrix needs rows of equal length, but these are 2, a number"),
        ("w", ["w=[]"], "a matrix without numbers"),
        ("w", ["w=[[]]"], "a matrix without numbers"),
        ("w", ["w=[[[1]]]"], "'[1]' is not a number"),
        ("w", ["w=" + "[" * 10_000], "more than 40 nested brackets"),
        ("w", ["w=" + "1," * 10_001], "the value has 20,002 characters"),
        ("w", ["w=" + str([1] * 1_001)], "the value has 1,001 numbers, at most 1,000 are allowed"),
        ("w", ["exp=1"], "'exp' is a function and cannot be a name"),
        ("exp", [], "'exp' is a function\n  exp\n  ^^^\n  help: write exp(...)"),
        ("w*True", ["w=1"], "'True' is not a number"),
        ("w*1j", ["w=1"], "'1j' is not a number"),
        ("[w, 1]@[1, 1]", ["w=1"], "a matrix in an expression holds numbers only"),
        (
            "log(w - 2)",
            ["w=2"],
            "log(w - 2) is not defined: log needs numbers above 0\n  log(w - 2)\n  ^^^^^^^^^^\n  "
            "help: here the values are w - 2 = 0",
        ),
        ("1/(w - w)", ["w=2"], "1/(w - w) is not defined: division by zero"),
        ("sqrt(w)", ["w=-1"], "sqrt(w) is not defined: sqrt needs numbers from 0 on"),
        ("sqrt(w)", ["w=0"], "the derivative of sqrt(w) with respect to w is not a finite number"),
        ("w**0.5", ["w=-1"], "a negative number to a power that is not whole"),
        ("w**-1", ["w=0"], "zero to a negative power"),
        ("(-2)**w", ["w=2"], "the derivative of (-2)**w with respect to w is not a finite number"),
        ("exp(w)", ["w=1000"], "exp(w) overflows: it is beyond ±1.8e308"),
        (
            "w*1e200*1e200",
            ["w=1e-200"],
            "the gradient of w overflows here: it is beyond ±1.8e308\n  w*1e200*1e200\n  ^^^^^^^",
        ),
        ("relu()", [], "relu takes 1 value, not 0"),
        ("max(w, w, w)", ["w=1"], "max takes 1 or 2 values, not 3"),
        ("relu(a=w)", ["w=1"], "'=' is not allowed here"),
        ("relu(*w)", ["w=1"], "relu takes 1 value, not 1"),
        ("A@v", ["A=[[1,2],[3,4]]", "v=[1,2,3]"], "has 2 columns, but the right one (3) has 3 rows"),
        ("A@w", ["A=[[1,2],[3,4]]", "w=2"], "@ multiplies matrices and vectors; write * for a number"),
        ("A+v", ["A=[[1,2],[3,4]]", "v=[1,2,3]"], "shapes 2×2 and 3 do not fit together"),
        (
            "2*A",
            ["A=[[1,2],[3,4]]"],
            "the result has shape 2×2, but only a single number has a gradient\n"
            "  help: make it one number: sum(2*A) or mean(2*A)",
        ),
        ("sum(c@r)", ["c=" + str([[1]] * 40), "r=" + str([[1] * 40])], "the result would have 1,600 elements"),
        ("α.x", ["α=1"], "'.x' is not allowed: nothing has attributes here\n  α.x\n  ^^^"),
        ("\ud800", [], "is not allowed here"),
    ],
)
def test_bad_input_gets_one_clear_error(text, values, message):
    with pytest.raises(UsageError) as caught:
        explain_expression(text, values)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600


@examples(50, 300)
@given(st.text(alphabet="wx0123456789.eE+-*/@()[], jlmaxsu_\"'λ²\n", max_size=60))
def test_any_text_is_explained_or_refused(text):
    try:
        walk = explain_expression(text, ["w=2", "x=[[1,2],[3,4]]"])
    except UsageError:
        return
    assert all(math.isfinite(x) for g in walk.gradients for x in np.ravel(g.value))
