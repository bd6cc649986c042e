"""Modules of one's own: trained by the engine where it covers them, else by PyTorch; saved as weights alone."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope import job
from convscope.data.sources import open_source
from convscope.errors import DataError, Interrupted, UsageError
from convscope.net.model import load_tensors
from convscope.net.own.net import CUSTOM
from convscope.training.loop import Epoch

from .nets import Residual, Uncovered

FAST = {"threads": 1, "progress": False, "epochs": 1, "lr": 0.05, "batch_size": 64}


@pytest.fixture(scope="module")
def digits():
    data = open_source("digits")
    return (data.train.images[:300], data.train.labels[:300]), (data.test.images[:60], data.test.labels[:60])


def started(data, **choices):
    """The first event of a run, and the run."""
    events = []
    run = convscope.train(data, on=[events.append], **choices)
    return events[0], run


@pytest.mark.parametrize(("make", "engine", "note"), [
    (Residual, "jit", "the jit engine trains this net, traced by torch.fx"),
    (Uncovered, "eager", "not covered by the jit engine: body/0/1: Softsign is not covered"),
])  # fmt: skip
def test_a_module_is_trained_by_who_can_and_that_is_said(digits, tmp_path, make, engine, note):
    event, run = started(digits, net=make, out=tmp_path, **FAST)
    assert event.engine == engine
    assert note in event.notes
    assert run.recipe.net == CUSTOM
    assert run.history[-1].train_loss < 3


def test_both_engines_train_the_same(digits, tmp_path):
    """Nested batch norm and dropout, kept by the same draws."""
    runs = [convscope.train(digits, net=Residual, out=tmp_path, engine=engine, **FAST) for engine in ("jit", "eager")]
    one, other = (run.history[-1].train_loss for run in runs)
    assert one == pytest.approx(other, rel=2e-3)
    for name, tensor in runs[0].net.state_dict().items():
        torch.testing.assert_close(tensor.float(), runs[1].net.state_dict()[name].float(), rtol=0.05, atol=5e-3)


def test_a_module_is_trained_in_place_and_a_function_by_the_seed(digits, tmp_path):
    net = Residual()
    before = net.fc.weight.detach().clone()
    run = convscope.train(digits, net=net, out=tmp_path, **FAST)
    assert run.net is net
    assert not torch.equal(net.fc.weight, before)
    one, other = (convscope.train(digits, net=lambda: Residual(), seed=3, out=tmp_path, **FAST) for _ in range(2))
    assert torch.equal(one.net.fc.weight, other.net.fc.weight)


def test_the_file_holds_weights_under_the_modules_names_and_no_pickle(digits, tmp_path):
    run = convscope.train(digits, net=Residual, out=tmp_path, **FAST)
    tensors, metadata = load_tensors(run.path / "model.safetensors")
    assert tensors.keys() == Residual().state_dict().keys()
    assert metadata["net"] == f"{CUSTOM} {Residual.__module__}.Residual"
    assert json.loads((run.path / "recipe.json").read_text())["net"] == CUSTOM
    images = digits[1][0]
    again = convscope.load(run.path, net=Residual())
    np.testing.assert_array_equal(again.predict(images), run.predict(images))
    assert again.evaluate(data=digits).accuracy == run.accuracy
    assert convscope.explain(again, images[0]).predicted == again.predict(images[:1]).argmax()


def test_without_its_class_the_file_says_what_is_needed(digits, tmp_path):
    run = convscope.train(digits, net=Residual, out=tmp_path, **FAST)
    with pytest.raises(UsageError, match="the net of this run is a module of your own") as refused:
        convscope.load(run.path).predict(digits[1][0])
    assert "Residual" in refused.value.message
    assert "convscope.load(path, net=Net())" in refused.value.help
    with pytest.raises(UsageError, match="do not fit Uncovered"):
        convscope.load(run.path, net=Uncovered()).predict(digits[1][0])
    with pytest.raises(UsageError, match=r"fc\.\w+ is .* in the file, but .* in Residual"):
        convscope.load(run.path, net=Residual(classes=7)).predict(digits[1][0])
    with pytest.raises(UsageError, match="a module of your own"):
        convscope.resume(run.path, data=digits, epochs=2, progress=False)


@pytest.mark.parametrize("engine", ["jit", "eager"])
def test_a_resumed_module_has_the_bits_of_one_that_was_not_stopped(digits, tmp_path, engine):
    own = {**FAST, "epochs": 3, "engine": engine, "optimizer": "adam", "lr": 0.002}
    whole = convscope.train(digits, net=Residual, out=tmp_path, **own)

    def stop(event):
        if isinstance(event, Epoch) and event.epoch == 2:
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        convscope.train(digits, net=Residual, out=tmp_path, on=[stop], **own)
    folder = max(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[-1]))
    resumed = convscope.resume(folder, data=digits, net=Residual(), progress=False)
    for name, tensor in whole.net.state_dict().items():
        assert torch.equal(tensor, resumed.net.state_dict()[name]), name


def module_of(forward, **layers):
    own = type("Own", (nn.Module,), {"forward": forward})()
    for name, layer in layers.items():
        setattr(own, name, layer)
    return own


@pytest.mark.parametrize(
    ("net", "text"),
    [
        (module_of(lambda self, x, mask: x), "Own takes 2 inputs (x, mask), but a run has images alone"),
        (nn.Linear(3, 3), "Linear does not take a batch of images 1×28×28"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 7)), "Sequential gives (2, 7) for two images, expected (2, 10)"),
        (module_of(lambda self, x: (x, x)), "Own gives tuple for two images"),
        (module_of(lambda self, x: x.flatten(1)[:, :10]), "Own has no parameters to train"),
        (lambda: "net", "net makes a str, no torch.nn.Module"),
        (lambda size: Residual(), "net cannot be made"),
        (5, "--net is '5', a int"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(digits, tmp_path, net, text):
    with pytest.raises(UsageError) as refused:
        convscope.train(digits, net=net, out=tmp_path, **FAST)
    assert text in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_open_loop_takes_a_module_and_an_augmentation(digits, tmp_path):
    seen = []

    def same(pixels, index, epoch):
        seen.append(epoch)
        return pixels

    recipe = convscope.Recipe("digits", threads=1, epochs=2, lr=0.05)
    events = list(convscope.steps(recipe, digits, net=Residual, augment=same, out=tmp_path))
    assert set(seen) == {1, 2}
    assert isinstance(events[0].model.net, Residual)
    assert convscope.load(events[-1].folder.path, net=Residual()).score(digits) == events[-1].summary.test_accuracy


def head(layers, forward):
    """A module with such a forward, and a linear head on the means of what it makes."""
    return module_of(lambda self, x: self.fc(forward(self, x).mean((2, 3))), fc=nn.Linear(4, 10), **layers)


def convolution():
    torch.manual_seed(3)
    return {"conv": nn.Conv2d(1, 4, 3), "bn": nn.BatchNorm2d(4)}


def other_in_training(self, x):
    x = self.conv(x)
    return nn.functional.leaky_relu(x, 0.9) if self.training else nn.functional.relu(x)


def deep_by_chance(self, x):
    x = self.conv(x)
    return x if self.training and float(torch.rand(())) < 0.5 else torch.relu(x)


OTHERWISE = [
    (other_in_training, "it computes something else in training"),
    (deep_by_chance, "it draws random numbers of its own"),
]


@pytest.mark.parametrize(("forward", "reason"), OTHERWISE)
def test_a_module_is_trained_as_it_computes_in_training(digits, tmp_path, forward, reason):
    """Also where it comes in evaluation mode, as after ``net.eval()``."""
    weights = []
    for mode in (True, False):
        torch.manual_seed(7)
        net = head(convolution(), forward).train(mode)
        event, _ = started(digits, net=net, out=tmp_path, **FAST)
        assert any(reason in note for note in event.notes), event.notes
        weights.append(net.conv.weight.detach())
    assert torch.equal(*weights)


class Still(nn.Module):
    """A batch norm that keeps the statistics that it has."""

    def __init__(self, waved):
        super().__init__()
        self.conv, self.bn, self.fc, self.waved = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10), waved

    def train(self, mode=True):
        super().train(mode)
        self.bn.eval()
        return self

    def forward(self, x):
        x = self.bn(self.conv(x))
        return self.fc((torch.sin(x) if self.waved else torch.tanh(x)).mean((2, 3)))


@pytest.mark.parametrize("engine", ["auto", "eager"])
@pytest.mark.parametrize("waved", [False, True])
def test_what_a_module_does_when_it_is_told_to_train_is_its_own(digits, tmp_path, engine, waved):
    net = Still(waved)
    convscope.train(digits, net=net, out=tmp_path, engine=engine, **FAST)
    assert net.bn.num_batches_tracked == 0
    assert torch.equal(net.bn.running_mean, torch.zeros(4))


DRAWS = {
    "functional": lambda self, x: nn.functional.dropout(torch.sin(self.conv(x)), 0.5, self.training),
    "noise": lambda self, x: self.conv(x) + 0.1 * torch.randn_like(x[:, :, :1, :1]) if self.training else self.conv(x),
    "alpha": lambda self, x: self.alpha(self.conv(x)),
    "slopes": lambda self, x: self.rrelu(self.conv(x)),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_what_a_module_draws_follows_from_the_seed_and_the_update(digits, tmp_path, kind):
    """Whatever has been drawn before, and also after a stop; torch's own random stream stays where it was."""

    def make():
        own = {"alpha": {"alpha": nn.AlphaDropout(0.3)}, "slopes": {"rrelu": nn.RReLU()}}
        return head(convolution() | own.get(kind, {}), DRAWS[kind])

    def train(seed, on=()):
        net = make()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        try:
            convscope.train(digits, net=net, out=tmp_path, on=on, **{**FAST, "epochs": 2, "engine": "eager"})
        finally:
            assert torch.equal(torch.get_rng_state(), before)
        return net.conv.weight.detach()

    def stop(event):
        if isinstance(event, Epoch):
            raise Interrupted("stopped")

    one = train(1)
    assert torch.equal(one, train(2))
    with pytest.raises(Interrupted):
        train(3, [stop])
    folder = max(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[-1]))
    torch.manual_seed(4)
    resumed = convscope.resume(folder, data=digits, net=make(), progress=False)
    assert torch.equal(one, resumed.net.conv.weight)


def test_a_gelu_of_either_form_is_read_as_a_layer(digits, tmp_path):
    for form in ("none", "tanh"):
        net = head(
            {"conv": nn.Conv2d(1, 4, 3)}, lambda self, x, form=form: nn.functional.gelu(self.conv(x), approximate=form)
        )
        event, _ = started(digits, net=net, out=tmp_path, **FAST)
        assert event.engine == "jit", event.notes


def test_a_fault_of_the_authors_own_constructor_is_theirs_to_see(digits, tmp_path):
    def make():
        return nn.Conv2d(1, 4, 3) + 1

    with pytest.raises(TypeError, match="unsupported operand"):
        convscope.train(digits, net=make, out=tmp_path, **FAST)


def test_a_module_fits_whatever_the_default_dtype_is(digits, tmp_path):
    net = Residual()
    torch.set_default_dtype(torch.float64)
    try:
        convscope.train(digits, net=net, out=tmp_path, **FAST)
    finally:
        torch.set_default_dtype(torch.float32)
    assert net.fc.weight.dtype == torch.float32


def test_who_insists_on_the_engine_is_told_why_not(digits, tmp_path):
    with pytest.raises(UsageError, match="the jit engine does not cover this run: body/0/1: Softsign"):
        convscope.train(digits, net=Uncovered, engine="jit", out=tmp_path, **FAST)
    choice = module_of(lambda self, x: self.fc(x.flatten(1)) if x.sum() > -1e9 else x, fc=nn.Linear(784, 10))
    with pytest.raises(UsageError, match=r"does not cover this net: torch\.fx cannot trace it"):
        convscope.train(digits, net=choice, engine="jit", out=tmp_path, **FAST)
    event, _ = started(digits, net=choice, out=tmp_path, **FAST)
    assert event.engine == "eager"
    assert any("PyTorch trains this net: torch.fx cannot trace it" in note for note in event.notes)


def test_a_named_net_stays_what_it_was(digits, tmp_path):
    event, run = started(digits, net="flatten | linear", out=tmp_path, **FAST)
    assert isinstance(event, job.Started)
    assert [row.name for row in event.rows] == ["flatten1", "linear1"]
    with pytest.raises(DataError):
        convscope.load(tmp_path / "nothing", net=Residual())
    assert run.predictor().logits(torch.from_numpy(digits[1][0][:2])).shape == (2, 10)
