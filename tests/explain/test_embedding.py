"""The map of images: its features against PyTorch, PCA against NumPy's SVD, t-SNE by what it promises."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from convscope.explain.trained.channels import best_images
from convscope.explain.trained.embedding import ROUNDS, among, features, neighbourly, plane
from convscope.net.build import build, seeded
from convscope.net.model import Model
from convscope.net.spec import parse


def blobs(count=60, size=8):
    """Three far groups of points, and which group each is of."""
    rng = np.random.default_rng(0)
    group = np.arange(count) % 3
    middle = rng.normal(size=(3, size)) * 20
    return (middle[group] + rng.normal(size=(count, size))).astype(np.float32), group


@pytest.mark.parametrize(
    ("spec", "count"), [("conv 2 3 | relu | linear 7 | tanh | linear", 7), ("conv 3 3 | globalavg | flatten", 3)]
)
def test_features_are_what_the_last_linear_layer_reads(spec, count):
    net = build(parse(spec), (1, 8, 8), 3)
    model = Model(net, spec, (1, 8, 8), (0.5,), (0.2,), ("a", "b", "c"))
    images = np.random.default_rng(1).integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)
    found, scores = features(model, images)
    assert found.shape == (12, count)
    with torch.no_grad():
        given = (torch.from_numpy(images) / 255 - 0.5) / 0.2
        assert scores == pytest.approx(net(given).numpy(), abs=1e-5)
        want = net[:-1](given) if "linear" in spec else net(given)
    assert found == pytest.approx(want.flatten(1).numpy(), abs=1e-5)


class Twice(nn.Module):
    """A linear layer and an activation that are used twice each."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(1, 3, 8), nn.Tanh(), nn.Linear(3, 3)

    def forward(self, x):
        return self.fc(self.act(self.fc(self.act(self.conv(x)).flatten(1))))


def test_of_a_layer_that_is_used_twice_each_image_has_its_own():
    """Its last use makes the scores; the first is the one that its name stands for."""
    with seeded(0):
        net = Twice().eval()
    model = Model(net, "custom", (1, 8, 8), (0.5,), (0.2,), ("a", "b", "c"))
    images = np.random.default_rng(1).integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)
    given = (torch.from_numpy(images) / 255 - 0.5) / 0.2
    with torch.no_grad():
        maps = torch.tanh(net.conv(given))
        assert features(model, images)[0] == pytest.approx(torch.tanh(net.fc(maps.flatten(1))).numpy(), abs=1e-5)
    best = best_images(model, images, "act", 1, count=12)
    assert [one.image for one in best] == np.argsort(-maps[:, 1, 0, 0].numpy(), kind="stable").tolist()


def test_others_who_use_the_net_meanwhile_are_not_heard():
    net = build(parse("conv 2 3 | relu | linear"), (1, 8, 8), 3)
    model = Model(net, "", (1, 8, 8), (0.5,), (0.2,), ("a", "b", "c"))
    images = np.random.default_rng(1).integers(0, 256, (60, 1, 8, 8)).astype(np.uint8)
    alone, best = features(model, images)[0], best_images(model, images, "conv1", 1)
    others, done = torch.from_numpy(images[:7]), threading.Event()

    def use():
        while not done.is_set():
            model.logits(others)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(2) as pool:
        using = [pool.submit(use) for _ in range(2)]
        try:
            for _ in range(20):
                assert np.array_equal(features(model, images)[0], alone)
                assert best_images(model, images, "conv1", 1) == best
        finally:
            done.set()
            sys.setswitchinterval(interval)
    assert all(future.exception() is None for future in using)


def test_the_plane_is_that_of_the_singular_value_decomposition():
    found, _ = blobs()
    made = plane(found)
    centred = found.astype(float) - found.mean(0, dtype=float)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    want = u[:, :2] * s[:2]
    signs = np.sign((made.places * want).sum(0))
    assert made.places == pytest.approx(want * signs, rel=1e-3, abs=1e-3)
    assert made.explained == pytest.approx(s[:2] ** 2 / (s**2).sum(), rel=1e-4)
    assert made.land(found[5:6])[0] == pytest.approx(made.places[5], abs=1e-3)


def test_one_feature_and_equal_features_lie_on_a_line():
    made = plane(np.arange(5, dtype=np.float32)[:, None])
    assert made.places.shape == (5, 2)
    assert (made.places[:, 1] == 0).all()


def test_neighbours_stay_neighbours():
    """Trustworthiness as scikit-learn measures it (J. Venna and S. Kaski, ICANN 2001)."""
    from sklearn.manifold import trustworthiness

    found, group = blobs()
    rounds = list(neighbourly(found, plane(found).places))
    assert len(rounds) == ROUNDS
    assert trustworthiness(found, rounds[-1], n_neighbors=5) > 0.9
    middles = np.stack([rounds[-1][group == g].mean(0) for g in range(3)])
    for point, own in zip(rounds[-1], group, strict=True):
        assert np.argmin(((middles - point) ** 2).sum(1)) == own
    again = list(neighbourly(found, plane(found).places))
    assert np.array_equal(rounds[-1], again[-1])


def test_the_nearest_are_found_by_all_features():
    found, group = blobs()
    near = among(found, found[4] + 0.01)
    assert near[0] == 4
    assert set(group[near]) == {group[4]}
