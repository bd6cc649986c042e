"""The engine for other people's modules: equal to PyTorch, or left to PyTorch with the reason."""

import tomllib
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import UsageError
from convscope.net.own.functions import UntraceableError
from convscope.net.own.tracing import traced
from convscope.python.compiled import backend

from ..helpers import FULL
from .nets import Random, Residual, Uncovered


def difference(one, other):
    assert one.shape == other.shape
    return float((one - other).abs().max()) / max(1.0, float(other.abs().max()))


def seeded(seed, make):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


@pytest.mark.slow
@pytest.mark.parametrize("group", range(4))
def test_random_nets_equal_pytorch(group):
    """Twenty of them, and a hundred among the long tests."""
    for seed in range(group, 100 if FULL else 20, 4):
        net, batch = seeded(seed, lambda seed=seed: (Random(seed), torch.randn(17, 3, 20, 20)))
        batch = batch[:, :1].expand(17, net.image[0], 20, 20)[:, :, : net.image[1], : net.image[2]].contiguous()
        compiled = convscope.compile(net, threads=1)
        assert compiled.reason == "", seed
        net.eval()
        with torch.no_grad():
            for count in (1, 17):
                assert difference(compiled(batch[:count]), net(batch[:count])) <= 1e-5, seed
        assert all(program is not None for program in compiled._ready._programs.values())


def test_a_residual_net_keeps_its_own_layers_and_says_who_computes():
    net = Residual()
    graph = traced(net)
    assert graph.get_submodule("blocks/0/conv1") is net.blocks[0].conv1
    assert {id(p) for p in graph.parameters()} == {id(p) for p in net.parameters()}
    assert "computed by convscope's engine" in repr(convscope.compile(net))


def test_the_mode_of_the_module_does_not_matter_and_stays():
    net, batch = seeded(0, lambda: (Residual(), torch.randn(4, 1, 28, 28)))
    compiled = convscope.compile(net.train(), threads=1)
    found = compiled(batch)
    assert net.training
    assert net.drop.training
    with torch.no_grad():
        assert difference(found, net.eval()(batch)) <= 1e-5


def test_weights_that_change_are_noticed():
    net, batch = seeded(0, lambda: (Residual().eval(), torch.randn(4, 1, 28, 28)))
    compiled = convscope.compile(net, threads=1)
    compiled(batch)
    other = seeded(1, Residual)
    net.load_state_dict(other.state_dict())
    with torch.no_grad():
        assert difference(compiled(batch), net(batch)) <= 1e-5
        net.fc.bias.data.fill_(3)  # behind the back of PyTorch's counters
        compiled.refresh()
        assert difference(compiled(batch), net(batch)) <= 1e-5


def test_other_shapes_types_and_empty_batches_work():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    compiled = convscope.compile(net, threads=1)
    with torch.no_grad():
        for shape in [(2, 1, 8, 8), (5, 1, 11, 9), (0, 1, 8, 8)]:
            batch = torch.ones(shape)
            assert compiled(batch).shape == net(batch).shape
            assert compiled(batch.transpose(2, 3)).shape == net(batch).shape
        assert difference(compiled(torch.ones(2, 1, 8, 8).double().float()), net(torch.ones(2, 1, 8, 8))) <= 1e-5
    image = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1)).eval()
    batch = torch.ones(2, 1, 8, 8)
    with torch.no_grad():
        assert convscope.compile(image, threads=1)(batch).shape == image(batch).shape == (2, 3, 1, 1)


def test_gradients_are_refused_in_a_sentence():
    compiled = convscope.compile(Residual(), threads=1)
    with pytest.raises(UsageError, match="a compiled net gives no gradients") as refused:
        compiled(torch.zeros(1, 1, 28, 28, requires_grad=True))
    assert "images.detach()" in refused.value.help
    assert not compiled(torch.zeros(1, 1, 28, 28)).requires_grad


def test_what_is_not_covered_is_computed_by_pytorch_and_said():
    net, batch = seeded(0, lambda: (Uncovered().eval(), torch.randn(3, 1, 28, 28)))
    with pytest.warns(UserWarning, match="PyTorch computes this module: body/0/1: Softsign is not covered"):
        compiled = convscope.compile(net)
    with torch.no_grad():
        assert torch.equal(compiled(batch), net(batch))
    assert "PyTorch: body/0/1" in repr(compiled)


def module_of(forward, **layers):
    """A module with ``layers`` and that ``forward``."""
    own = type("Own", (nn.Module,), {"forward": forward})()
    for name, layer in layers.items():
        setattr(own, name, layer)
    return own


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (module_of(lambda self, x, y: x + y), "it has 2 inputs"),
        (module_of(lambda self, x: x if x.sum() > 0 else -x), "torch.fx cannot trace it"),
        (module_of(lambda self, x: self.a(self.a(x)), a=nn.Conv2d(1, 1, 3, padding=1)), "a is called twice"),
        (module_of(lambda self, x: self.a(x) * 2, a=nn.Conv2d(1, 1, 3)), "mul is not a layer that is known"),
        (module_of(lambda self, x: (self.a(x), x), a=nn.ReLU()), "it returns something else than one tensor"),
        (module_of(lambda self, x: nn.functional.dropout(self.a(x)), a=nn.ReLU()), "it would never end"),
        (module_of(lambda self, x: self.a(x).view(2, 3, -1), a=nn.ReLU()), "only x.view(x.size(0), -1)"),
        (module_of(lambda self, x: torch.add(self.a(x), x, alpha=2), a=nn.ReLU()), "a sum with alpha"),
        (module_of(lambda self, x: self.a(x).mean(1), a=nn.ReLU()), "only the mean over height and width"),
    ],
)
def test_what_cannot_be_traced_says_why(module, reason):
    with pytest.raises(UntraceableError) as refused:
        traced(module)
    assert reason in str(refused.value)
    with pytest.warns(UserWarning, match="PyTorch computes this module"):
        assert reason in convscope.compile(module).reason


def test_an_activation_in_place_of_what_is_read_again_is_left_to_pytorch():
    net = module_of(
        lambda self, x: self.fc(torch.flatten(self.relu(self.conv(x)) + self.conv2(x), 1)),
        conv=nn.Conv2d(1, 2, 3), conv2=nn.Conv2d(1, 2, 3), relu=nn.ReLU(inplace=True), fc=nn.Linear(72, 3),
    ).eval()  # fmt: skip
    batch = seeded(0, lambda: torch.randn(2, 1, 8, 8))
    with torch.no_grad():
        assert difference(convscope.compile(net, threads=1)(batch), net(batch)) <= 1e-5
    twice = module_of(
        lambda self, x: self.fc(torch.flatten(self._both(self.conv(x)), 1)),
        conv=nn.Conv2d(1, 2, 3), relu=nn.ReLU(inplace=True), fc=nn.Linear(72, 3),
    ).eval()  # fmt: skip
    type(twice)._both = lambda self, y: y + self.relu(y)
    with warnings.catch_warnings(record=True), torch.no_grad():
        warnings.simplefilter("always")
        assert difference(convscope.compile(twice, threads=1)(batch), twice(batch)) <= 1e-5


def test_what_is_no_module_is_refused():
    with pytest.raises(UsageError, match=r"a str is no torch\.nn\.Module"):
        convscope.compile("note")
    with pytest.raises(UsageError, match="a ndarray is no tensor"):
        convscope.compile(nn.Conv2d(1, 1, 1))(torch.zeros(1, 1, 2, 2).numpy())


@pytest.fixture
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("fresh_dynamo")
def test_torch_compile_takes_the_backend():
    net, batch = seeded(0, lambda: (Residual().eval(), torch.randn(6, 1, 28, 28)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        compiled = torch.compile(net, backend=backend)
        with torch.no_grad():
            for count in (6, 3, 2):
                assert difference(compiled(batch[:count]), net(batch[:count])) <= 1e-5
            net.fc.bias.add_(1)
            assert difference(compiled(batch), net(batch)) <= 1e-5
    assert not [warning for warning in told if "PyTorch computes" in str(warning.message)]


@pytest.mark.usefixtures("fresh_dynamo")
def test_torch_compile_leaves_gradients_to_pytorch():
    net, batch = seeded(0, lambda: (Residual().eval(), torch.randn(2, 1, 28, 28)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.compile(net, backend=backend)(batch).sum().backward()
    assert net.fc.weight.grad is not None
    assert any("gradients are wanted" in str(warning.message) for warning in told)


def test_the_backend_is_registered_by_its_name():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["torch_dynamo_backends"] == {
        "convscope": f"{backend.__module__}:{backend.__name__}"
    }
