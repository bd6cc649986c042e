"""Any net is traced: its tensors are what they were when they were made, and nothing about the net changes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import UsageError
from convscope.explain.explanation import explain, place
from convscope.explain.layers import ledger
from convscope.explain.shapes import LayerError
from convscope.explain.trace import trace
from convscope.net.build import build, seeded
from convscope.net.zoo import ZOO, resolve
from convscope.strict_json import dumps
from convscope.weights import Model


class Shared(nn.Module):
    """As the note writes its net: one pooling for two uses, ReLU and view between the modules."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 5), nn.Conv2d(4, 6, 5)
        self.pooling, self.fc = nn.MaxPool2d(2), nn.Linear(96, 10)

    def forward(self, x):
        x = F.relu(self.pooling(self.conv1(x)), inplace=True)
        x = F.relu(self.pooling(self.conv2(x)))
        return self.fc(x.view(x.size(0), -1))


def test_operations_between_modules_have_names_and_ledgers():
    with seeded(0):
        found = trace(Shared(), torch.rand(1, 28, 28))
    assert [(c.name, c.source) for c in found.calls.values()] == [
        ("conv1", "image"), ("pooling", "conv1"), ("relu1", "pooling"), ("conv2", "relu1"), ("pooling#2", "conv2"),
        ("relu2", "pooling#2"), ("view1", "relu2"), ("fc", "view1"),
    ]  # fmt: skip
    assert ledger(found, "relu1", (1, 2, 3)).operation == "relu"
    assert ledger(found, "view1", (95,)).terms[0].x.index == (5, 3, 3)
    assert ledger(found, "pooling#2", (0, 0, 0)).winner is not None
    assert np.array_equal(found.output, found.calls["fc"].output)


def test_in_place_operations_do_not_corrupt_what_is_shown():
    with seeded(0):
        conv = nn.Conv2d(1, 3, 3)
        net = nn.Sequential(conv, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(48, 2))
        image = torch.randn(1, 6, 6)
    found = trace(net, image, 0)
    assert np.array_equal(found.calls["0"].output, conv(image[None])[0].detach().numpy())
    assert found.calls["0"].output.min() < 0
    assert found.calls["1"].output.min() == 0
    separate = nn.Sequential(conv, nn.ReLU(), *net[2:])
    again = trace(separate, image, 0)
    for name in found.gradients:
        assert np.array_equal(found.gradients[name], again.gradients[name]), name
    first = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(36, 2))
    assert np.array_equal(trace(first, image, 1).image, image.numpy())


class Odd(nn.Module):
    """Everything that is not a chain of known layers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.act, self.norm = nn.GELU(), nn.GroupNorm(2, 4)
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = x + self.act(self.stem(x)).mean(1, keepdim=True)
        x = self.norm(self.stem(x))
        rows = x.flatten(2).transpose(1, 2)
        rows, _ = self.lstm(rows)
        rows, _ = self.attention(rows, rows, rows)
        return {"scores": self.head(rows.mean(1))}


def test_unknown_modules_are_boxes():
    with seeded(0):
        found = explain(Odd(), torch.rand(3, 5, 6))
    rows = {row.name: row for row in found.rows}
    assert not rows["act"].has_ledger
    assert rows["lstm"].shape == ()
    assert rows["stem#2"].source == "add1"
    with pytest.raises(UsageError, match="act is a GELU, of which only the shapes are known"):
        found.ledger("act", (0, 0, 0))
    assert found.ledger("stem#2", (0, 0, 0)).reported == float(found.trace.calls["stem#2"].output[0, 0, 0])
    dumps(found.rows)


def test_the_net_is_left_as_it_was():
    net = build(resolve("lenet5"), (1, 28, 28), 10).train()
    net.conv2.eval()
    before = {name: p.clone() for name, p in net.state_dict().items()}
    trace(net, torch.rand(1, 28, 28), 3)
    assert (net.training, net.conv1.training, net.conv2.training) == (True, True, False)
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    with pytest.raises(LayerError, match="made for 400 features, but 576 come"):
        trace(net, torch.rand(1, 32, 32))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_explain_takes_runs_models_and_modules():
    net = build(resolve("note"), (1, 28, 28), 10)
    model = Model(net, ZOO["note"].spec, (1, 28, 28), (0.1307,), (0.3081,), tuple("abcdefghij"))
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    found = convscope.explain(model, pixels)
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.classes[found.predicted] in "abcdefghij"
    assert found.trace.image[0, 0, 0] == pytest.approx((pixels[0, 0] / 255 - 0.1307) / 0.3081, abs=1e-6)
    again = convscope.explain(net, found.given[None])
    assert np.array_equal(again.scores, found.scores)
    assert again.classes[-1] == "9"
    with pytest.raises(UsageError, match="the net takes uint8 of"):
        explain(model, pixels[:20])
    with pytest.raises(UsageError, match="expected"):
        explain(net, torch.rand(2, 1, 28, 28))
    with pytest.raises(UsageError, match="neither a run nor"):
        explain("note", pixels)


def test_places():
    assert place("conv1[3,0,2,2]") == ("conv1", (3, 0, 2, 2))
    assert place("layer1.0.conv1.weight[3, 0]") == ("layer1.0.conv1.weight", (3, 0))
    for bad in ("conv1", "conv1[]", "conv1[-1]", "conv1[1", "[1]", "conv1[1][2]"):
        with pytest.raises(UsageError, match="is no place in a tensor"):
            place(bad)


def test_what_is_not_there():
    net = build(resolve("note"), (1, 28, 28), 10)
    found = explain(net, torch.rand(1, 28, 28))
    with pytest.raises(UsageError, match="did you mean 'conv2' or 'conv1'"):
        found.ledger("conv3", (0, 0, 0))
    with pytest.raises(UsageError, match=r"conv1\[10,0,0\] lies outside its shape \(10, 24, 24\)"):
        found.ledger("conv1", (10, 0, 0))
    with pytest.raises(UsageError, match=r"the net has no trainable weight 'conv9.weight'"):
        found.weight_gradient("conv9[0,0,0,0]")
    with pytest.raises(UsageError, match=r"conv1.weight\[0,0,5,0\] lies outside its shape"):
        found.weight_gradient("conv1[0,0,5,0]")
    with pytest.raises(UsageError, match="pixel 0,28,0 lies outside the image"):
        found.pixel_gradient((0, 28, 0))
    with pytest.raises(UsageError, match="class 10 is none of the net's"):
        found.pixel_gradient((0, 0, 0), target=10)
