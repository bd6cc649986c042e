"""Around the arithmetic: what is refused and in which words, threads, repeatability, interrupts, not-a-number."""

import contextlib
import copy
import signal
import threading
from queue import SimpleQueue

import pytest
import torch
from torch import nn

from convscope.engine.base import Problem
from convscope.engine.choose import choose
from convscope.engine.jit import JitEngine, JitPredictor, why_not, why_slower
from convscope.engine.jit.machine import host, slots
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.zoo import resolve


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


def problem(spec="conv 3 3 | pool 2 | relu | linear", count=50, image=(1, 9, 11), **choices) -> Problem:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *image), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 4, (count,), generator=generator)
    return Problem(build(resolve(spec), image, 4), images, labels, (0.3,) * image[0], (0.4,) * image[0], **choices)


def train(start: Problem, cache, threads=2, batch=16, **choices):
    given = Problem(copy.deepcopy(start.net), start.images, start.labels, start.mean, start.std, **choices)
    engine = JitEngine(given, threads, cache_dir=cache, batch_size=batch)
    losses = engine.steps(torch.arange(50), batch, [0.1] * -(-50 // batch))
    return losses, torch.cat([p.detach().flatten() for p in given.net.parameters()]), engine


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_start_same_bits(cache, threads):
    start = problem()
    first, second = train(start, cache, threads), train(start, cache, threads)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


class Doubled(nn.Conv2d):
    """Derived from a layer that is covered, but with arithmetic of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


def hooked(layer):
    layer.register_forward_hook(lambda module, given, result: 2 * result)
    return layer


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.AlphaDropout(0.5), "AlphaDropout is not covered"),
        (nn.InstanceNorm2d(3), "InstanceNorm2d is not covered"),
        (nn.LeakyReLU(-0.5), "its negative slope is -0.5"),
        (nn.MaxPool2d(2, dilation=2), "it has dilation or return_indices"),
        (nn.AvgPool2d(2, divisor_override=0), "its divisor is 0"),
        (nn.Flatten(2), "it flattens some dimensions only"),
        (nn.Conv2d(3, 3, 1).double(), "its parameters are torch.float64 on cpu, not float32 on the CPU"),
        (Doubled(3, 3, 1), "Doubled is not covered"),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)), "ParametrizedConv2d is not covered"),
        (hooked(nn.Conv2d(3, 3, 1)), "it has hooks"),
    ],
)
def test_the_first_layer_that_is_not_covered_is_named(layer, reason):
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(1, 3, 3))
    net.add_module("this", layer)
    assert why_not(net) == f"this: {reason}"


def test_nets_that_are_no_nets():
    assert why_not(nn.Linear(2, 2)) == "the net is a Linear, not a torch.nn.Sequential"
    assert why_not(nn.Sequential(nn.Flatten())) == "the net has no parameters"
    assert why_not(Residual(nn.Conv2d(1, 1, 1))) == "the net is a Residual, not a torch.nn.Sequential"
    layer = nn.Linear(4, 4)
    assert why_not(nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer)) == "a layer stands in it twice"
    tied = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4))
    tied[2].weight = tied[1].weight
    assert why_not(tied) == "two layers share their parameters"


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def test_an_unknown_processor_is_left_to_pytorch(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    net = problem().net
    assert why_not(net) == "no vector instructions are known for riscv64 processors"
    with pytest.raises(UsageError, match="the CPU engine knows no riscv64 processors"):
        host.machine()


def test_unusual_forms_of_covered_layers_are_covered(cache):
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.AvgPool2d(2, count_include_pad=False),
        nn.MaxPool2d([2, 1]),
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    images = problem().images[:7]
    predictor = JitPredictor(net, (1, 9, 11), (0.3,), (0.4,), cache_dir=cache)
    expected = net((images / 255 - 0.3) / 0.4)
    torch.testing.assert_close(predictor.logits(images), expected.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_number_of_images_by_every_way(cache, threads):
    """One, a few, a block, blocks: whatever way the predictor takes, the scores are the net's."""
    given = problem("conv 3 3 groups=1 | pool 2 | relu | linear", count=90)
    predictor = JitPredictor(given.net, (1, 9, 11), given.mean, given.std, threads, cache_dir=cache)
    with torch.no_grad():
        expected = given.net((given.images / 255 - 0.3) / 0.4)
    for count in (0, 1, 2, 7, 23, 24, 25, 32, 33, 64, 90, 1):
        torch.testing.assert_close(predictor.logits(given.images[:count]), expected[:count], rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        given.net[0].bias += 1.0
        expected = given.net((given.images / 255 - 0.3) / 0.4)
    predictor.refresh()
    for count in (1, 9, 90):
        torch.testing.assert_close(predictor.logits(given.images[:count]), expected[:count], rtol=1e-5, atol=1e-5)


def test_scores_are_float32_on_the_cpu_whatever_torchs_defaults_are(cache):
    given = problem()
    engine = JitEngine(given, 1, cache_dir=cache, batch_size=16)
    predictor = JitPredictor(given.net, (1, 9, 11), given.mean, given.std, cache_dir=cache)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            found = [
                engine.steps(torch.arange(16, device="cpu"), 16, [0.1]),
                engine.logits(given.images),
                predictor.logits(given.images),
                predictor.logits(given.images[:1]),
            ]
    finally:
        torch.set_default_dtype(torch.float32)
    assert {(scores.dtype, scores.device.type) for scores in found} == {(torch.float32, "cpu")}


def test_a_logit_of_minus_infinity_costs_nothing(cache):
    net = nn.Sequential(nn.Flatten(), nn.Linear(99, 4))
    with torch.no_grad():
        net[1].bias[2] = -torch.inf
    start = problem()
    labels = torch.zeros_like(start.labels)
    engine = JitEngine(Problem(net, start.images, labels, (0.3,), (0.4,)), 1, cache_dir=cache, batch_size=8)
    with torch.no_grad():
        expected = nn.functional.cross_entropy(net((start.images[:8] / 255 - 0.3) / 0.4), labels[:8])
    assert float(engine.steps(torch.arange(8), 8, [0.0])[0]) == pytest.approx(float(expected), rel=1e-5)


def test_few_large_images_at_a_time_are_left_to_pytorch():
    large = problem("conv 10 3 | relu | conv 10 3 | pool 2 | linear", count=3, image=(3, 64, 64))
    words = "batches of 1 leave its vectors idle, and the net has 4,313,880 multiply-adds"
    assert why_slower(large.net, (3, 64, 64), 1) == words
    assert why_slower(large.net, (3, 64, 64), 2) is None
    larger = problem("conv 20 3 | relu | conv 20 3 | pool 2 | linear", count=3, image=(3, 64, 64)).net
    assert str(why_slower(larger, (3, 64, 64), 4)).startswith(
        "batches of 4 leave its vectors idle, and the net has 15,"
    )
    assert why_slower(larger, (3, 64, 64), 8) is None
    assert why_slower(problem().net, (1, 9, 11), 1) is None
    engine, notes = choose("auto", large, torch.device("cpu"), 1, 1)
    assert engine.name == "eager"
    assert notes == (f"PyTorch is faster than the jit engine here: {words}",)


def test_a_net_that_is_not_covered_is_refused(cache):
    net = nn.Sequential(nn.Flatten(), nn.AlphaDropout(), nn.Linear(99, 4))
    with pytest.raises(UsageError, match=r"1: AlphaDropout is not covered\n  help: take the eager"):
        JitPredictor(net, (1, 9, 11), (0.1,), (0.3,), cache_dir=cache)


def test_every_argument_is_checked_before_the_call(cache):
    engine = JitEngine(problem(), 1, cache_dir=cache, batch_size=8)
    index = torch.arange(16)
    bad = [
        (index.int(), 8, [0.1, 0.1], "index must be int64"),
        (index, 0, [0.1, 0.1], "the batch size at least 1"),
        (index, 8, [0.1], "16 images do not make 1 batches of 8"),
        (index, 8, [0.1] * 3, "16 images do not make 3 batches of 8"),
        (index[:0], 8, [], "0 images do not make 0 batches of 8"),
        (index + 40, 8, [0.1, 0.1], r"index must lie in 0\.\.49"),
        (index - 1, 8, [0.1, 0.1], r"index must lie in 0\.\.49"),
    ]
    for chosen, batch, lrs, message in bad:
        with pytest.raises(UsageError, match=message):
            engine.steps(chosen, batch, lrs)
    for images in (torch.zeros(2, 1, 9, 11), torch.zeros(2, 3, 9, 11, dtype=torch.uint8)):
        with pytest.raises(UsageError, match=r"images must be uint8 of shape \(M, 1, 9, 11\)"):
            engine.logits(images)
    assert engine.logits(torch.zeros(0, 1, 9, 11, dtype=torch.uint8)).shape == (0, 4)


def test_bad_problems_are_refused(cache):
    good = problem()
    with pytest.raises(UsageError, match="labels run from 0 to 9, but the net has 4 outputs"):
        JitEngine(Problem(good.net, good.images, good.labels * 3, (0.1,), (0.3,)), 1, cache_dir=cache)
    with pytest.raises(UsageError, match="labels must be int64"):
        JitEngine(Problem(good.net, good.images, good.labels.int(), (0.1,), (0.3,)), 1, cache_dir=cache)
    with pytest.raises(UsageError, match="images must be uint8"):
        JitEngine(Problem(good.net, good.images.float(), good.labels, (0.1,), (0.3,)), 1, cache_dir=cache)
    with pytest.raises(UsageError, match="mean and std must have 1 number"):
        JitEngine(Problem(good.net, good.images, good.labels, (0.1, 0.2), (0.3,)), 1, cache_dir=cache)
    with pytest.raises(UsageError, match="threads must be a whole number from 1 to 1,024, not 0"):
        JitEngine(good, 0, cache_dir=cache)
    with pytest.raises(UsageError, match=r"does not fit images of 1×20×11: linear1 takes 36 values, but gets 108"):
        JitPredictor(good.net, (1, 20, 11), (0.1,), (0.3,), cache_dir=cache)
    with pytest.raises(UsageError, match="this CPU does not have 'mmx'\n  help: it has: "):
        host.machine("mmx")


def test_changed_parameters_are_seen_and_training_goes_on_from_its_state(cache):
    start = problem()
    straight, after, _ = train(start, cache, optimizer="adam")
    given = Problem(copy.deepcopy(start.net), start.images, start.labels, start.mean, start.std, optimizer="adam")
    engine = JitEngine(given, 2, cache_dir=cache, batch_size=16)
    assert engine.state() == {}
    first = engine.steps(torch.arange(32), 16, [0.1, 0.1])
    state = {name: value.clone() for name, value in engine.state().items()}
    assert set(state) == {f"{s}.{p}" for s in ("exp_avg", "exp_avg_sq") for p, _ in given.net.named_parameters()} | {
        "step"
    }
    assert int(state["step"]) == 2
    weights = copy.deepcopy(given.net.state_dict())
    engine.steps(torch.arange(32), 16, [0.3, 0.3])  # elsewhere, and back
    given.net.load_state_dict(weights)
    other = JitEngine(given, 2, cache_dir=cache, batch_size=16)
    other.load_state(state)
    second = other.steps(torch.arange(32, 50), 16, [0.1, 0.1])
    assert torch.equal(torch.cat([first, second]), straight)
    assert torch.equal(torch.cat([p.detach().flatten() for p in given.net.parameters()]), after)
    with pytest.raises(UsageError, match=r"exp_avg.conv1.weight has shape \(1,\), not \(3, 1, 3, 3\)"):
        other.load_state(state | {"exp_avg.conv1.weight": torch.zeros(1)})
    with pytest.raises(UsageError, match=r"the optimizer state 'momentum.conv1.weight' does not fit the net"):
        other.load_state({"momentum.conv1.weight": torch.zeros(3, 1, 3, 3)})
    assert torch.equal(other.steps(torch.arange(16), 16, [0.0]), other.steps(torch.arange(16), 16, [0.0]))


@pytest.mark.parametrize("loss", ["cross-entropy", "mse", "mae"])
@pytest.mark.parametrize(
    "spec",
    [
        "conv 3 3 | pool 2 | relu | linear",
        "conv 3 3 | tanh | pool 3 stride=1 | linear",
        "conv 2 3 | sigmoid | avgpool 2 | linear",
    ],
)
def test_not_a_number_reaches_the_loss(cache, spec, loss):
    given = problem(spec, loss=loss)
    with torch.no_grad():
        next(given.net.parameters())[0, 0, 1, 1] = float("nan")
    engine = JitEngine(given, 1, cache_dir=cache, batch_size=8)
    assert engine.steps(torch.arange(8), 8, [0.0]).isnan().all()


def test_an_interrupt_before_all_are_called_lets_the_helpers_go(cache):
    engine = JitEngine(problem(), 2, cache_dir=cache, batch_size=16)
    before = engine.steps(torch.arange(16), 16, [0.0])
    helpers, ready = engine._core.helpers, engine._core.program(16)

    class Interrupted(SimpleQueue):
        def put(self, given):
            if isinstance(given, tuple):
                raise KeyboardInterrupt
            queue.put(given)

    queue, helpers._queues[0] = helpers._queues[0], Interrupted()
    with pytest.raises(KeyboardInterrupt):
        engine.steps(torch.arange(16), 16, [0.1])
    helpers._queues[0] = queue
    assert ready.job.slots[slots.DONE] == 0
    assert torch.equal(engine.steps(torch.arange(16), 16, [0.1]), before)
    assert ready.job.slots[slots.DONE] == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
def test_an_interrupt_ends_the_wait_for_a_helper_that_does_not_come(cache, monkeypatch):
    monkeypatch.setattr("convscope.engine.jit.machine.runtime.GRACE", 0.1)
    engine = JitEngine(problem(), 2, cache_dir=cache, batch_size=16)
    net = copy.deepcopy(engine.net.state_dict())
    helpers = engine._core.helpers
    queue, helpers._queues[1] = helpers._queues[1], SimpleQueue()  # nobody serves it: thread 0 waits at the barrier
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            engine.steps(torch.arange(16), 16, [0.1])
    finally:
        signal.signal(signal.SIGALRM, before)
        helpers._queues[1] = queue
    with pytest.raises(UsageError, match=r"the engine's last call was broken off half way.*\n  help: build it again"):
        engine.steps(torch.arange(16), 16, [0.1])
    assert all(torch.equal(value, net[name]) for name, value in engine.net.state_dict().items())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
def test_interrupts_at_any_moment_leave_an_engine_that_works(cache):
    """A KeyboardInterrupt anywhere around the foreign call: nothing hangs, and Adam counts the steps it took."""
    engine = JitEngine(problem(optimizer="adam"), 2, cache_dir=cache, batch_size=16)
    index, taken = torch.arange(48), 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for n in range(60):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 1e-5 + n * 1e-5)
                while True:
                    engine.steps(index, 16, [1e-4] * 3)
                    taken += 3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert torch.is_grad_enabled()
    assert engine.steps(index, 16, [1e-4] * 3).isfinite().all()
    assert taken + 3 <= int(engine.state()["step"]) <= taken + 3 + 60 * 3


def test_helpers_end_with_their_engine(cache):
    before = set(threading.enumerate())
    engine = JitEngine(problem(), 3, cache_dir=cache, batch_size=16)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 3
    del engine
    for helper in helpers:
        helper.join(60)
        assert not helper.is_alive()
