"""The layered drawing: nothing overlaps, everything flows forward, and it is tidy where tidiness is possible."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.explain.backprop.layout import Link, Size, crossings, layered, ranks, spread

from ..helpers import examples


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    number = st.integers(1, 90)
    boxes = [Size(draw(number), draw(number)) for _ in range(count)]
    links = []
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), max_size=3)):
            label = Size(draw(number), draw(number)) if draw(st.booleans()) else None
            links.append(Link(source, target, label))
    return boxes, links


def overlap(a, b):
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@examples(50, 300)
@given(graphs())
def test_boxes_and_labels_do_not_overlap_and_links_run_forward(graph):
    boxes, links = graph
    layout = layered(boxes, links)
    places = [*layout.boxes, *(r.label for r in layout.routes if r.label)]
    assert [(p.width, p.height) for p in layout.boxes] == [(b.width, b.height) for b in boxes]
    for a, b in itertools.combinations(places, 2):
        assert not overlap(a, b)
    assert all(p.x >= 0 and p.y >= 0 for p in places)
    assert all(p.x + p.width <= layout.width and p.y + p.height <= layout.height for p in places)
    for link, route in zip(links, layout.routes, strict=True):
        xs = [x for x, _ in route.points]
        assert xs == sorted(xs)
        assert xs[0] == layout.boxes[link.source].x + boxes[link.source].width
        assert xs[-1] == layout.boxes[link.target].x
        assert (route.label is None) == (link.label is None)
    assert layered(boxes, links) == layout


def test_a_chain_is_a_straight_line():
    layout = layered([Size(40, 20)] * 4, [Link(0, 1), Link(1, 2), Link(2, 3)])
    assert {p.y for p in layout.boxes} == {0}


def test_a_leaf_stands_right_before_what_uses_it():
    assert ranks(5, [Link(0, 1), Link(1, 2), Link(2, 4), Link(3, 4)]) == [0, 1, 2, 2, 3]


def test_a_tree_is_drawn_without_crossings():
    # leaves are given in the worst order: 0..7 feed 8..11 crosswise, which feed 12 and 13, which feed 14
    pairs = [(0, 8), (4, 8), (1, 9), (5, 9), (2, 10), (6, 10), (3, 11), (7, 11),
             (8, 12), (10, 12), (9, 13), (11, 13), (12, 14), (13, 14)]  # fmt: skip
    layout = layered([Size(10, 10)] * 15, [Link(*pair) for pair in pairs])
    lines = [(r.points[0], r.points[-1]) for r in layout.routes]
    for (a, b), (c, d) in itertools.combinations(lines, 2):
        if a[0] == c[0] and b[0] == d[0]:
            assert (a[1] - c[1]) * (b[1] - d[1]) >= 0


def test_crossings_are_counted():
    assert crossings([0, 1], [2, 3], [[3], [2], [], []]) == 1
    assert crossings([0, 1], [2, 3], [[2, 3], [2, 3], [], []]) == 1
    assert crossings([0, 1], [2, 3], [[2], [3], [], []]) == 0


def test_spread_is_the_nearest_order_without_overlap():
    assert spread([0, 100], [10, 10], [1, 1], 5) == [0, 100]
    assert spread([0, 0], [10, 10], [1, 1], 5) == [-7.5, 7.5]
    assert spread([0, 0], [10, 10], [1, 3], 5) == [-11.25, 3.75]


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        layered([Size(1, 1)] * 2, [Link(0, 1), Link(1, 0)])


def test_many_uses_of_one_leaf_take_no_forever():
    count = 200
    links = [Link(0, i, Size(30, 10)) for i in range(1, count)] + [Link(i, i + 1) for i in range(1, count - 1)]
    assert len(layered([Size(30, 20)] * count, links).routes) == len(links)
