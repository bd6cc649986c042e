"""The slice through the loss of a run: its plane against PyTorch's own, its losses against the net's, and in room 3."""

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.trained.slice import GRID, MOST_SNAPSHOTS, Slice, plane, random_plane, thinned
from convscope.lab.live.film import FILE, read_film
from convscope.lab.shelf import Shelf
from convscope.net.build import build
from convscope.net.model import Model
from convscope.net.spec import parse
from convscope.recipe import Recipe

from ..helpers import small_data
from .test_training_film import new, trained

RECIPE = Recipe(
    data="digits",
    net="conv 4 5 stride=3 | relu | linear",
    batch_size=50,
    lr=0.1,
    threads=1,
    engine="eager",
    epochs=2,
)


@pytest.fixture(scope="module")
def filmed(lab):
    """The name of a run that the lab has trained, so that it has kept its weights."""
    return trained(new(lab.runs, RECIPE))["started"][0][0]["run"]


@given(st.integers(3, 12), st.integers(3, 40), st.integers(0, 999))
def test_the_directions_are_the_principal_components_of_the_way(count, size, seed):
    snapshots = np.random.default_rng(seed).normal(size=(count, size))
    found = plane(snapshots)
    moved = torch.from_numpy(snapshots - snapshots[-1])
    values, vectors = torch.linalg.eigh(moved.T @ moved)  # the second way to the same: covariance about the centre
    want = vectors[:, -2:].flip(1).T.numpy()
    assert np.abs((found.directions * want).sum(1)) == pytest.approx([1, 1], abs=1e-6)
    assert found.directions @ found.directions.T == pytest.approx(np.eye(2), abs=1e-9)
    assert found.shares == pytest.approx((values[-2:].flip(0) / values.sum()).tolist(), abs=1e-9)
    assert found.path[-1] == pytest.approx([0, 0], abs=1e-9)
    assert (found.path[0] <= 1e-12).all()


@given(st.integers(3, 9), st.integers(0, 999))
def test_a_path_in_a_plane_is_on_the_slice_itself(count, seed):
    random = np.random.default_rng(seed)
    snapshots = random.normal(size=(count, 2)) @ random.normal(size=(2, 15)) + random.normal(size=15)
    found = plane(snapshots)
    assert found.centre + found.path @ found.directions == pytest.approx(snapshots, abs=1e-8)
    assert sum(found.shares) == pytest.approx(1)
    for side, places in zip(found.sides(), found.path.T, strict=True):
        assert len(side) == GRID
        assert side[0] < places.min() <= places.max() < side[-1]


@pytest.mark.parametrize(
    ("snapshots", "words"),
    [
        (np.zeros((2, 5)), "a slice needs three snapshots"),
        (np.outer(np.arange(4.0), np.ones(5)), "lies on a line"),
        (np.full((4, 5), np.nan), "of finite weights"),
    ],
)
def test_what_spans_no_plane_is_refused(snapshots, words):
    with pytest.raises(UsageError, match=words):
        plane(snapshots)


@given(st.integers(0, 999))
def test_random_directions_are_normalised_filter_by_filter(seed):
    """d_ij / ‖d_ij‖ · ‖θ_ij‖, with each filter taken by itself; biases are left alone."""
    net = build(parse("conv 4 3 | batchnorm | relu | linear"), (2, 5, 5), 3, seed=seed)
    named = dict(net.named_parameters())
    flat = torch.nn.utils.parameters_to_vector(net.parameters()).detach().double().numpy()
    path = flat + np.random.default_rng(seed).normal(size=(4, flat.size)) * np.array([[3], [2], [1], [0]])
    found = random_plane(path, [tuple(part.shape) for part in named.values()], seed)
    drawn = np.random.default_rng(seed).normal(size=(2, flat.size))
    for direction, normal in zip(found.directions, drawn, strict=True):
        parts = [torch.from_numpy(one).split([part.numel() for part in named.values()]) for one in (direction, normal)]
        for name, made, raw in zip(named, *parts, strict=True):
            if named[name].dim() < 2:
                assert not made.any(), name
                continue
            filters, random, own = (part.reshape(named[name].shape[0], -1) for part in (made, raw, named[name]))
            assert filters.norm(dim=1).tolist() == pytest.approx(own.norm(dim=1).tolist(), rel=1e-6)
            assert torch.cosine_similarity(filters, random).tolist() == pytest.approx([1.0] * len(filters))
    nearest = np.stack([np.linalg.lstsq(found.directions.T, row - flat, rcond=None)[0] for row in path])
    assert found.path == pytest.approx(nearest, abs=1e-9)
    rest = ((path - flat - nearest @ found.directions) ** 2).sum()
    assert 1 - sum(found.shares) == pytest.approx(rest / ((path - flat) ** 2).sum(), abs=1e-9)


def test_a_net_of_another_scale_has_the_same_slice():
    """Why directions are normalised: with ReLU, one layer ×8 and the next ÷8 compute the same (Li et al., 4)."""
    data = small_data(shape=(1, 6, 6))
    net = build(parse("conv 4 3 bias=false | relu | linear"), (1, 6, 6), 3, seed=2)
    rows = []
    for scale in (1.0, 8.0):
        with torch.no_grad():
            net.conv1.weight.mul_(scale)
            net.linear1.weight.div_(scale)
        flat = torch.nn.utils.parameters_to_vector(net.parameters()).detach().double().numpy()
        shapes = [tuple(part.shape) for part in net.parameters()]
        model = Model(net, "", (1, 6, 6), (0.4,), (0.3,), ("a", "b", "c"))
        on = random_plane(np.stack([flat * 0.5, flat * 0.9, flat]), shapes, seed=5)
        assert [side[0] for side in on.sides()] == [-1, -1]
        rows.append(Slice(model, on, data.test).row(3))
    assert rows[1] == pytest.approx(rows[0], rel=1e-4)
    assert max(rows[0]) > min(rows[0])


def test_snapshots_are_bounded_and_hold_both_ends():
    assert thinned([0, 1, 5]) == [0, 1, 2]
    chosen = thinned(list(range(500)))
    assert (len(chosen), chosen[0], chosen[-1]) == (MOST_SNAPSHOTS, 0, 499)


@pytest.mark.parametrize("which", ["", "?directions=random&seed=3"])
def test_losses_are_those_of_the_net_with_these_weights(lab, filmed, which):
    found = lab.client.get(f"/api/runs/{filmed}/slice{which}").json()
    row = lab.client.get(f"/api/runs/{filmed}/slice/7{which}").json()["losses"]
    opened = Shelf(lab.runs).open(filmed)
    frames = [frame for frame in read_film(lab.runs / filmed).frames if frame.head["whole"]]
    assert found["steps"] == [frame.step for frame in frames]
    assert found["images"] == 256
    chosen = np.linspace(0, len(opened.images) - 1, 256).round().astype(int)
    images = torch.from_numpy(opened.images.images[chosen])
    labels = torch.from_numpy(opened.images.labels[chosen]).long()
    with opened.alone() as model:
        names = [name for name, _ in model.net.named_parameters()]
        states = [{name: torch.from_numpy(frame.arrays()[f"state.{name}"]) for name in names} for frame in frames]
        for state, loss in zip(states, found["losses"], strict=True):
            model.net.load_state_dict(state)
            want = torch.nn.functional.cross_entropy(model.logits(images), labels)
            assert loss == pytest.approx(want.item(), rel=1e-5)
        flat = np.stack([np.concatenate([part.ravel().numpy() for part in state.values()]) for state in states])
        shapes = [tuple(part.shape) for part in model.net.parameters()]
        flat = flat.astype(np.float64)
        on = random_plane(flat, shapes, 3) if which else plane(flat)
        assert on.path == pytest.approx(np.array(found["path"]), abs=1e-9)
        for c in (0, 10, 20):
            place = on.centre + found["xs"][c] * on.directions[0] + found["ys"][7] * on.directions[1]
            torch.nn.utils.vector_to_parameters(torch.from_numpy(place.astype(np.float32)), model.net.parameters())
            want = torch.nn.functional.cross_entropy(model.logits(images), labels)
            assert row[c] == pytest.approx(want.item(), rel=1e-5)
        before = [parameter.clone() for parameter in model.net.parameters()]
        Slice(model, on, opened.images).row(0)
        assert all(torch.equal(*pair) for pair in zip(before, model.net.parameters(), strict=True))  # a copy computes


def test_a_run_without_a_path_says_so(lab, digits_run, filmed):
    refused = lab.client.get(f"/api/runs/{digits_run}/slice")
    assert refused.status_code == 400
    assert "has kept no path of its training" in refused.json()["error"]
    assert "train in room 7" in refused.json()["help"]
    other = lab.runs / "other-net"
    shutil.copytree(lab.runs / digits_run, other)
    shutil.copy(lab.runs / filmed / FILE, other / FILE)
    refused = lab.client.get("/api/runs/other-net/slice")
    shutil.rmtree(other)
    assert refused.status_code == 400
    assert "is of another net" in refused.json()["error"]
    assert lab.client.get(f"/api/runs/{filmed}/slice/21").status_code == 422


@pytest.mark.browser
@pytest.mark.view(1280, "en", "dark")
def test_by_mouse(room, lab, filmed):
    room.open("/descent")
    room.at("slice-run").select_option(filmed)
    room.page.locator("[data-testid=slice][data-state=done]").wait_for()
    found = lab.client.get(f"/api/runs/{filmed}/slice").json()
    assert room.at("slice-map").locator(".dot").count() == len(found["steps"])
    assert f"{found['parameters']} parameters" in room.at("slice-words").text_content()
    room.at("slice-map").hover(position={"x": 200, "y": 150})
    assert "along the two directions: loss " in room.at("slice-read").text_content()
    room.at("slice").locator("summary").click()
    assert room.at("slice-path").locator("tr").count() == len(found["steps"])
    assert not room.at("other-pair").is_visible()
    room.at("directions").select_option("random")
    room.page.locator("[data-testid=slice][data-state=done]").wait_for()
    assert "d_ij ← d_ij / ‖d_ij‖ · ‖θ_ij‖" in room.at("slice-words").text_content()
    first = room.at("slice-path").text_content()
    room.at("other-pair").click()
    room.page.wait_for_function(
        "old => document.querySelector('[data-testid=slice-path]')?.textContent !== old", arg=first
    )
    room.page.locator("[data-testid=slice][data-state=done]").wait_for()
    room.settle()
    assert "directions=random&pair=1" in room.page.url
    room.open(room.page.url.split("#")[1])
    room.page.locator("[data-testid=slice][data-state=done]").wait_for()


@pytest.mark.browser
@pytest.mark.view(390, "zh", "light")
def test_by_keyboard_and_without_a_path(room, filmed, digits_run):
    room.open(f"/descent?run={filmed}")
    room.page.locator("[data-testid=slice][data-state=done]").wait_for()
    room.at("slice-map").focus()
    room.press("ArrowRight", "ArrowUp")
    assert "损失" in room.at("slice-read").text_content()
    room.tab_to("directions")
    room.press("ArrowDown")
    room.page.locator("[data-testid=slice-words]:has-text('随机方向')").wait_for()
    room.at("slice-run").focus()
    room.page.keyboard.type(digits_run)
    room.page.locator("[data-testid=slice][data-state=refused]").wait_for()
    assert "没有留下训练的路径" in room.at("slice").text_content()
    room.settle()
    room.trouble = [trouble for trouble in room.trouble if "400" not in trouble]  # as it should be
