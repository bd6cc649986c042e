"""FGSM against autograd by hand, and against what it promises."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from convscope.explain.trained.adversarial import fgsm
from convscope.net.build import build, seeded
from convscope.net.model import Model
from convscope.net.spec import parse

SPEC = "conv 4 3 | tanh | pool 2 | linear"


@pytest.fixture(scope="module")
def model():
    net = build(parse(SPEC), (3, 10, 10), 4)
    return Model(net, SPEC, (3, 10, 10), (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), ("a", "b", "c", "d"))


def picture(seed=1):
    return np.random.default_rng(seed).integers(0, 256, (3, 10, 10)).astype(np.uint8)


def loss_of(model, pixels, target):
    mean, std = (torch.tensor(v, dtype=torch.float64).view(-1, 1, 1) for v in (model.mean, model.std))
    with torch.no_grad():
        net = build(parse(SPEC), (3, 10, 10), 4).double()
        net.load_state_dict({k: v.double() for k, v in model.net.state_dict().items()})
        scores = net(((torch.from_numpy(pixels.astype(float)) / 255 - mean) / std)[None])
        return float(functional.cross_entropy(scores, torch.tensor([target])))


def test_every_pixel_moves_to_where_the_loss_grows(model):
    """The sign of a pixel is that of finite differences of the loss, in float64 and in units of a pixel."""
    pixels = picture().astype(float)
    found = fgsm(model, picture(), 2, most=1)
    chance = np.random.default_rng(0)
    for _ in range(40):
        at = tuple(int(chance.integers(n)) for n in pixels.shape)
        step = np.zeros_like(pixels)
        step[at] = 1e-4
        slope = loss_of(model, pixels + step, 2) - loss_of(model, pixels - step, 2)
        if abs(slope) > 1e-9:
            assert found.signs[at] == np.sign(slope)


def test_scores_are_those_of_the_moved_image(model):
    found = fgsm(model, picture(), 1, most=40)
    for epsilon in (0, 1, 13, 40):
        want = np.clip(picture().astype(int) + epsilon * found.signs, 0, 255)
        assert np.array_equal(found.moved(epsilon), want)
        scores = model.logits(torch.from_numpy(found.moved(epsilon))[None])[0].numpy()
        assert found.logits[epsilon] == pytest.approx(scores, abs=1e-5)
    assert found.logits.shape == (41, 4)
    losses = [float(functional.cross_entropy(torch.from_numpy(row)[None], torch.tensor([1]))) for row in found.logits]
    assert losses[4] > losses[0]  # a small step against the class raises its loss


def test_the_smallest_step_that_changes_the_answer(model):
    for seed in range(6):
        image = picture(seed)
        target = int(model.logits(torch.from_numpy(image)[None]).argmax())
        found = fgsm(model, image, target)
        answers = found.logits.argmax(1)
        if found.flips_at is None:
            assert (answers == target).all()
        else:
            assert answers[found.flips_at] != target
            assert (answers[: found.flips_at] == target).all()


def test_whoever_waits_no_more_ends_it(model):
    class Gone(Exception):
        pass

    def gone():
        raise Gone

    with pytest.raises(Gone), seeded(0):
        fgsm(model, picture(), 0, check=gone)
