"""The drawing of a walk: one well-formed file that asks for nothing, with every number in its place."""

from xml.etree import ElementTree

import pytest

from convscope.explain.backprop.expression import explain_expression
from convscope.report.backprop import SMALL, svg

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing):
    return [t.text for t in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


@pytest.fixture
def walk():
    return explain_expression("(w*x + b - y)**2", ["w=3", "x=2", "b=1", "y=5"])


def test_every_value_gradient_and_contribution_is_drawn(walk):
    found = texts(svg(walk))
    assert found[0] == "(w*x + b - y)**2"
    for wanted in ("w * x", "v3 ** 2", "12", "-4", "← 4 × 2 = 8", "← 4 × (-1) = -4", "← 1 × 4 = 4"):
        assert wanted in found
    assert "—" not in found
    assert "cached" not in found


def test_what_is_not_computed_yet_is_a_dash(walk):
    start = texts(svg(walk, 0))
    assert start.count("—") == 4 + 8  # four values of operations, eight gradients
    assert not any(t.startswith("← 4") for t in start)
    assert start.count("cached") == 2  # w and x; v3 has no value yet
    assert texts(svg(walk, 4)).count("cached") == 3


def test_boxes_do_not_move_from_step_to_step(walk):
    def places(taken):
        tree = ElementTree.fromstring(svg(walk, taken))
        return [r.attrib for r in tree.iter(f"{SVG}rect") if r.attrib["class"].startswith("box")]

    assert places(0) == places(5) == places(9)


def test_the_file_is_self_contained_and_follows_dark_mode(walk):
    drawing = svg(walk)
    assert drawing.count("http") == 1  # the name space
    assert "prefers-color-scheme:dark" in drawing
    assert "url(" not in drawing
    assert "<script" not in drawing


def test_long_texts_are_cut_and_whole_in_the_tooltip():
    name = "a_rather_long_name_1"
    walk = explain_expression(f"({name}*{name}+{name})*{name}", [f"{name}=-123456.789"])
    tree = ElementTree.fromstring(svg(walk))
    for group in tree.iter(f"{SVG}g"):
        box, small = group.find(f"{SVG}rect[@class='box']"), group.find(f"{SVG}text[@class='s q e']")
        if box is not None and small is not None:
            title = group.find(f"{SVG}text[@class='b']")
            assert (len(small.text) * SMALL + len(title.text) * 8.5) < float(box.attrib["width"])
            assert name in group.find(f"{SVG}title").text


def test_matrices_are_drawn_as_grids():
    found = texts(svg(explain_expression("sum(W@x)", ["W=[[1,-2],[3,4]]", "x=[5,6]"])))
    for wanted in ("1  -2", "3   4", "5  6", "← upstream @ xᵀ", "← Wᵀ @ upstream", "4  2"):
        assert wanted in found
