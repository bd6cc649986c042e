import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.data.batches import Normalize, epoch_order, steps_per_epoch
from convscope.engine.base import Problem
from convscope.engine.devices import check_same_device, resolve, survey
from convscope.engine.eager import EagerEngine
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.loss import loss_of, losses_of
from convscope.net.spec import parse

from ..helpers import small_data

CPU = torch.device("cpu")
NET = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.3 | linear"


def problem(spec=NET, shape=(1, 8, 8), **choices):
    data = small_data(shape=shape)
    net = build(parse(spec), shape, 3, seed=5)
    return Problem(
        net, torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels), data.mean, data.std, **choices
    )


@pytest.mark.parametrize("loss", ["cross-entropy", "mse", "mae"])
@pytest.mark.parametrize(
    "choices",
    [
        {"momentum": 0.0},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.5},
    ],
    ids=["sgd", "nesterov", "adam", "adamw"],
)
def test_steps_are_what_plain_torch_does(loss, choices):
    p = problem("conv 4 3 | relu | pool 2 | linear", loss=loss, **choices)
    index = torch.from_numpy(epoch_order(60, 0, 1))
    lrs = [0.01 * (i + 1) for i in range(4)]  # 4 batches: 16, 16, 16, 12

    reference = build(parse("conv 4 3 | relu | pool 2 | linear"), (1, 8, 8), 3, seed=5)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[p.optimizer]
    extra = {} if p.optimizer != "sgd" else {"momentum": p.momentum, "nesterov": p.nesterov}
    optimizer = kind(reference.parameters(), lr=1.0, weight_decay=p.weight_decay, **extra)
    x = (p.images.float() / 255 - torch.tensor(p.mean).view(1, -1, 1, 1)) / torch.tensor(p.std).view(1, -1, 1, 1)
    expected = []
    for batch, lr in zip(index.split(16), lrs, strict=True):
        value = loss_of(loss, reference(x[batch]), p.labels[batch])
        optimizer.zero_grad()
        value.backward()
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        expected.append(value.item())

    engine = EagerEngine(p, CPU)
    losses = engine.steps(index, 16, lrs)
    torch.testing.assert_close(losses, torch.tensor(expected), rtol=1e-5, atol=0)
    for ours, theirs in zip(engine.net.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(engine.logits(p.images), reference(x), rtol=1e-4, atol=1e-5)


def test_losses_are_their_formulas():
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 1, 0])
    one_hot = torch.eye(3)[labels]
    for name in ("cross-entropy", "mse", "mae"):
        torch.testing.assert_close(losses_of(name, logits, labels).mean(), loss_of(name, logits.double(), labels))
    assert loss_of("mse", logits, labels) == ((logits - one_hot) ** 2).mean()
    assert loss_of("mae", logits, labels) == (logits - one_hot).abs().mean()
    expected = -logits.softmax(1)[range(5), labels].log().mean()
    torch.testing.assert_close(loss_of("cross-entropy", logits, labels), expected)
    target = 0.8 * one_hot + 0.2 / 3
    smoothed = -(target * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss_of("cross-entropy", logits, labels, 0.2), smoothed)


def test_label_smoothing_is_that_of_torchs_cross_entropy():
    p = problem("conv 4 3 | relu | pool 2 | linear", label_smoothing=0.1)
    net = copy.deepcopy(p.net)
    x = Normalize(p.mean, p.std)(p.images[:16])
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)(net(x), p.labels[:16])
    loss.backward()
    told = EagerEngine(p, CPU).steps(torch.arange(16), 16, [1.0])
    torch.testing.assert_close(told, loss.detach()[None])
    for ours, theirs in zip(p.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs - theirs.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.01, 1e6])
def test_gradients_are_clipped_to_a_norm_over_all_parameters(clip_norm):
    p = problem("conv 4 3 | relu | pool 2 | linear", clip_norm=clip_norm, momentum=0.0)
    net = copy.deepcopy(p.net)
    loss_of("cross-entropy", net(Normalize(p.mean, p.std)(p.images[:16])), p.labels[:16]).backward()
    norm = torch.cat([parameter.grad.flatten() for parameter in net.parameters()]).norm()
    assert 0.01 < norm < 1e6
    EagerEngine(p, CPU).steps(torch.arange(16), 16, [1.0])
    for ours, before in zip(p.net.parameters(), net.parameters(), strict=True):
        wanted = before - before.grad * min(1.0, clip_norm / float(norm))
        torch.testing.assert_close(ours.contiguous(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("choices", [{"momentum": 0.5}, {"optimizer": "adam"}], ids=["sgd", "adam"])
def test_state_goes_on_to_the_same_bits_with_dropout_and_batchnorm(choices):
    index, lrs = torch.from_numpy(epoch_order(60, 0, 1)), [0.01] * 6
    whole = EagerEngine(problem(**choices), CPU)
    whole.steps(index, 10, lrs)

    first = EagerEngine(problem(**choices), CPU)
    first.steps(index[:30], 10, lrs[:3])
    weights = {name: value.clone() for name, value in first.net.state_dict().items()}
    state = first.state()
    second = EagerEngine(problem(**choices), CPU)
    second.net.load_state_dict(weights)
    second.load_state(state)
    torch.manual_seed(99)  # the surrounding random state must not matter
    before = torch.get_rng_state()
    second.steps(index[30:], 10, lrs[3:])
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[name]), name
    for name, value in whole.state().items():
        assert torch.equal(value, second.state()[name]), name


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
def test_a_run_of_version_0_1_goes_on_to_drop_what_torch_draws_from_no_global_generator(kind):
    def engine():
        given = problem("conv 4 3 | relu | dropout 0.4 | pool 2 | linear", seed=3)
        given.net.dropout1 = kind(0.4)
        return EagerEngine(given, CPU)

    reference, own = engine(), engine()
    own.load_state({"rng.cpu": torch.Generator().manual_seed(3).get_state()})
    index, before = torch.arange(32), torch.get_rng_state()
    losses = own.steps(index, 16, [0.1, 0.1])
    assert torch.equal(torch.get_rng_state(), before)
    reference.random = False  # torch's own dropout, from its global generator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        assert torch.equal(losses, reference.steps(index, 16, [0.1, 0.1]))
        assert torch.equal(torch.get_rng_state(), own.state()["rng.cpu"])


def test_a_state_of_another_net_is_refused():
    engine = EagerEngine(problem(), CPU)
    with pytest.raises(UsageError, match=r"state 'momentum\.conv9\.weight' of shape \(2,\) does not fit"):
        engine.load_state({"momentum.conv9.weight": torch.zeros(2)})


def test_the_order_is_a_function_of_seed_and_epoch():
    assert sorted(epoch_order(100, 3, 1)) == list(range(100))
    assert np.array_equal(epoch_order(100, 3, 1), epoch_order(100, 3, 1))
    assert not np.array_equal(epoch_order(100, 3, 1), epoch_order(100, 3, 2))
    assert not np.array_equal(epoch_order(100, 3, 1), epoch_order(100, 4, 1))
    assert steps_per_epoch(60_000, 64) == 938


def test_normalise_is_the_notes_formula():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = (images.double() / 255 - 0.1307) / 0.3081
    torch.testing.assert_close(Normalize((0.1307,), (0.3081,))(images).double(), expected, rtol=1e-6, atol=1e-6)


def test_devices():
    assert resolve("cpu") == CPU
    with pytest.raises(UsageError) as caught:
        resolve("cuda:99")
    assert "--device 'cuda:99' is not on this machine" in caught.value.message
    assert "here there is: cpu" in caught.value.help
    with pytest.raises(UsageError, match="--device 'gpu'"):
        resolve("gpu")
    net = nn.Linear(2, 2)
    check_same_device(net, torch.zeros(1, 2))
    with pytest.raises(UsageError) as caught:
        check_same_device(net, torch.zeros(1, 2, device="meta"))
    assert caught.value.message == "the net's weight is on cpu, but the batch is on meta"
    assert "net.to('meta')" in caught.value.help
    found = survey()
    assert found.cores >= 1
    assert found.vectors != "unknown"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_takes_the_same_steps():
    index, lrs = torch.from_numpy(epoch_order(60, 0, 1)), [0.01] * 4
    spec = "conv 4 3 | relu | pool 2 | linear"
    cpu, gpu = EagerEngine(problem(spec), CPU), EagerEngine(problem(spec), torch.device("cuda"))
    torch.testing.assert_close(cpu.steps(index, 16, lrs), gpu.steps(index, 16, lrs).cpu(), rtol=1e-4, atol=1e-5)


def test_the_loss_of_probabilities_is_not_cross_entropy():
    """Guards loss_of against a softmax slipped in before F.cross_entropy."""
    logits = torch.tensor([[8.0, 0.0, 0.0]])
    assert (
        loss_of("cross-entropy", logits, torch.tensor([0]))
        < 0.001
        < F.cross_entropy(logits.softmax(1), torch.tensor([0]))
    )


def test_dropout_is_looked_for_however_deep_it_is_nested():
    for layer in (nn.Dropout(0.5), nn.Dropout2d(0.5)):
        net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 8, 3), nn.Sequential(layer)), nn.Flatten(), nn.Linear(288, 3))
        start = copy.deepcopy(net.state_dict())
        ends = []
        for seed in (1, 1, 2):
            net.load_state_dict(start)
            engine = EagerEngine(replace(problem(seed=seed), net=net), CPU)
            torch.manual_seed(seed + 10)  # the caller's own stream has no say
            engine.steps(torch.arange(16), 16, [0.1])
            ends.append(net[2].weight.detach().clone())
        assert torch.equal(ends[0], ends[1])
        assert not torch.equal(ends[0], ends[2])
