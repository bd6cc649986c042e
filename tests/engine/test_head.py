"""A last layer fitted in closed form: against fits that really leave an image out, and features that are kept."""

import sqlite3

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from convscope.data.batches import Normalize
from convscope.engine.base import Problem
from convscope.engine.head import Features, HeadEngine, store
from convscope.engine.head.ridge import STRENGTHS, fit
from convscope.net.build import build
from convscope.net.spec import parse

SPEC = "conv 4 3 | relu6 | [ conv 6 3 | relu6 | globalavg / globalavg ]& | flatten | linear"


def ridge(x, targets, penalty):
    """The textbook's normal equations with an intercept: (weights, intercept)."""
    mean, base = x.mean(0), targets.mean(0)
    centred = x - mean
    weights = torch.linalg.solve(
        centred.T @ centred + penalty * torch.eye(x.shape[1], dtype=x.dtype), centred.T @ (targets - base)
    )
    return weights, base - mean @ weights


@settings(max_examples=40)
@given(st.integers(4, 14), st.integers(2, 12), st.integers(2, 3), st.integers(0, 2**31))
def test_leaving_one_out_is_what_fits_without_that_image_say(count, features, classes, seed):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=random) * 10 ** torch.randn(features, generator=random)
    labels = torch.cat([torch.arange(classes), torch.randint(classes, (count - classes,), generator=random)])
    head = fit(x, labels, classes)
    assert head.strength in STRENGTHS
    scaled = ((x.double() - x.double().mean(0)) / x.double().std(0, correction=0)).contiguous()
    penalty = head.strength * float(scaled.square().sum()) / count
    targets = F.one_hot(labels, classes).double()
    left_out = []
    for i in range(count):
        rest = torch.arange(count) != i
        weights, intercept = ridge(scaled[rest], targets[rest], penalty)
        left_out.append(scaled[i] @ weights + intercept)
    expected = torch.stack(left_out)
    ratio = float((head.left_out * expected).sum() / expected.square().sum())  # the scale that calibrates
    assert ratio > 0
    assert torch.allclose(head.left_out, ratio * expected, rtol=1e-6, atol=1e-6 * ratio)
    weights, intercept = ridge(scaled, targets, penalty)
    whole = ratio * (scaled @ weights + intercept)
    assert torch.allclose(
        (x.double() @ head.weight.T.double() + head.bias.double()), whole, rtol=1e-3, atol=1e-3 * ratio
    )


def test_probabilities_are_calibrated_on_what_was_left_out():
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    x = torch.randn(300, 20, generator=random) + F.one_hot(labels, 20) * 1.5
    head = fit(x, labels, 3)
    best = float(F.cross_entropy(head.left_out, labels))
    for factor in (0.8, 0.95, 1.05, 1.25):
        assert best <= float(F.cross_entropy(factor * head.left_out, labels))
    fresh = torch.randn(3000, 20, generator=random) + F.one_hot(torch.arange(3000) % 3, 20) * 1.5
    logits = fresh @ head.weight.T + head.bias
    p = logits.softmax(1).max(1).values.mean()
    assert float(p) == pytest.approx(float((logits.argmax(1) == torch.arange(3000) % 3).float().mean()), abs=0.03)


def test_images_that_are_all_right_make_no_certainty():
    labels = torch.arange(40) % 2
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(1)) + 30 * F.one_hot(labels, 6)
    head = fit(x, labels, 2)
    assert (head.left_out.argmax(1) == labels).all()
    p = (x @ head.weight.T + head.bias).softmax(1).max(1).values
    assert float(p.mean()) == pytest.approx(41 / 42, abs=0.01)


def test_features_that_never_change_and_more_features_than_images_do_no_harm():
    x = torch.tensor([[1.0, 5, 0], [2, 5, 0], [3, 5, 0], [4, 5, 0]])
    head = fit(x, torch.tensor([0, 0, 1, 1]), 2)
    assert torch.isfinite(head.weight).all()
    assert head.weight[:, 1:].abs().max() == 0
    assert (x @ head.weight.T + head.bias).argmax(1).tolist() == [0, 0, 1, 1]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path))
    return tmp_path


def problem(count=12, side=8):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    net = build(parse(SPEC), (3, side, side), 3, seed=1)
    return Problem(net, torch.from_numpy(images), torch.arange(count) % 3, (0.5,) * 3, (0.25,) * 3)


def features_of(p, digest="a net", threads=2):
    return Features(p.net, digest, Normalize(p.mean, p.std), torch.device("cpu"), threads)


def test_features_are_what_goes_into_the_last_layer(cache):
    p = problem()
    taken = []
    p.net.linear1.register_forward_pre_hook(lambda module, given: taken.append(given[0]))
    with torch.inference_mode():
        p.net(Normalize(p.mean, p.std)(p.images))
    got = features_of(p)(p.images)
    assert got.shape == (12, 10)
    assert torch.allclose(got, taken[0], rtol=1e-4, atol=1e-5)
    assert not any(getattr(module, "inplace", False) for module in p.net.modules())


def test_features_depend_on_their_image_alone_and_are_computed_once(cache, monkeypatch):
    p = problem()
    first = features_of(p, threads=3)(p.images)
    looked = []
    monkeypatch.setattr(Features, "_look", lambda self, images: looked.append(len(images)))
    assert torch.equal(features_of(p)(p.images.flip(0)), first.flip(0))
    assert not looked
    with pytest.raises((TypeError, AttributeError)):  # other weights: nothing is known of them
        features_of(p, digest="another net")(p.images)
    assert looked


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0" + bytes(90)])
def test_a_damaged_store_is_made_again(cache, content):
    p = problem()
    expected = features_of(p)(p.images)
    store.path().write_bytes(content)
    assert torch.equal(features_of(p)(p.images), expected)
    store.read([b"unknown"])
    assert torch.equal(features_of(p)(p.images), expected)
    with sqlite3.connect(store.path()) as kept:
        assert kept.execute("SELECT count(*) FROM features").fetchone() == (12,)
    kept.close()


def test_a_damaged_row_is_computed_again(cache):
    p = problem()
    expected = features_of(p)(p.images)
    with sqlite3.connect(store.path()) as kept:
        kept.execute("UPDATE features SET row = substr(row, 1, 3)")
    kept.close()
    assert torch.equal(features_of(p)(p.images), expected)


def test_a_row_of_another_length_is_computed_again(cache):
    p = problem()
    expected = features_of(p)(p.images)
    with sqlite3.connect(store.path()) as kept:
        kept.execute("UPDATE features SET row = ? WHERE key = (SELECT min(key) FROM features)", (bytes(8),))
    kept.close()
    assert torch.equal(features_of(p)(p.images), expected)


def test_the_store_keeps_within_its_bound_and_lets_go_of_what_was_not_used(cache, monkeypatch):
    monkeypatch.setattr(store, "LARGEST", 4000)
    clock = iter(range(1000))
    monkeypatch.setattr(store.time, "time", lambda: next(clock))
    row = np.zeros(100, dtype=np.float32)
    for number in range(10):
        store.write({bytes([number]): row + number})
    store.read([bytes([0])])
    store.write({b"new": row})
    left = store.read([bytes([number]) for number in range(10)] + [b"new"])
    assert bytes([0]) in left
    assert b"new" in left
    assert len(left) <= 10
    assert all((left[bytes([number])] == number).all() for number in range(10) if bytes([number]) in left)


def test_without_a_cache_everything_is_computed(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("in the way")
    p = problem()
    assert features_of(p)(p.images).shape == (12, 10)


def test_one_step_fits_the_last_layer_and_the_net_says_the_same(cache):
    p = problem(30)
    before = {name: tensor.clone() for name, tensor in p.net.state_dict().items()}
    engine = HeadEngine(p, "a net", torch.device("cpu"), 2)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(5))
    (loss,) = engine.steps(order, 2**31, [0.01])
    assert torch.isfinite(loss)
    changed = [name for name, tensor in p.net.state_dict().items() if not torch.equal(tensor, before[name])]
    assert changed == ["linear1.weight", "linear1.bias"]
    p.net.eval()
    with torch.inference_mode():
        whole = p.net(Normalize(p.mean, p.std)(p.images))
    assert torch.allclose(engine.logits(p.images), whole, rtol=1e-3, atol=1e-3)
    weight = p.net.linear1.weight.clone()
    engine.steps(torch.arange(30), 2**31, [0.5])
    assert torch.equal(p.net.linear1.weight, weight)
    assert engine.state() == {}
