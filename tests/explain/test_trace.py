"""Any net is traced: its tensors are what they were when they were made, and nothing about the net changes."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import UsageError
from convscope.explain.concepts.shapes import LayerError
from convscope.explain.trained.explanation import explain, place
from convscope.explain.trained.layers import ledger
from convscope.explain.trained.trace import trace
from convscope.net.build import build, seeded
from convscope.net.model import Model
from convscope.net.zoo import ZOO, resolve
from convscope.storage.strict_json import dumps


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
        ("conv1", "image"),
        ("pooling", "conv1"),
        ("relu1", "pooling"),
        ("conv2", "relu1"),
        ("pooling#2", "conv2"),
        ("relu2", "pooling#2"),
        ("view1", "relu2"),
        ("fc", "view1"),
    ]
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
        self.act, self.norm = nn.ELU(), nn.GroupNorm(2, 4)
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
    assert rows["lstm"].shape == (30, 4)
    assert rows["transpose2"].source == "lstm"
    assert repr(found).splitlines()[1].startswith("class   ")
    assert rows["stem#2"].source == "add1"
    with pytest.raises(UsageError, match="act is a ELU, of which only the shapes are known"):
        found.ledger("act", (0, 0, 0))
    assert found.ledger("stem#2", (0, 0, 0)).reported == float(found.trace.calls["stem#2"].output[0, 0, 0])
    dumps(found.rows)


class Block(nn.Module):
    """As torchvision's ResNet has it: one ReLU for two uses, in place, and ``+=``."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.relu, self.shortcut = nn.ReLU(inplace=True), nn.Conv2d(channels, out, 1, stride)

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


def residual():
    with seeded(3):
        net = nn.Sequential(Block(2, 3, 1), Block(3, 4, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        return net.eval(), torch.randn(2, 9, 9)


def test_the_way_down_goes_through_skip_connections():
    net, image = residual()
    found = explain(net, image)
    assert found.trace.calls["add1"].source == "0.bn2"
    one = found.ledger("add1", (2, 3, 4))
    assert [term.x.text for term in one.terms] == ["0.bn2[2,3,4]", "0.shortcut[2,3,4]"]
    assert one.reported == float(found.trace.calls["add1"].output[2, 3, 4])
    for index in np.ndindex(3):
        path = found.follow("4", index)
        assert {"add1", "add2"} <= {step.name for step in path}
        assert path[-1].terms[0].x.tensor == "image"
    for name, call in found.trace.calls.items():  # what a layer reads is what its source made
        if call.source != "image":
            assert np.array_equal(call.input, found.trace.calls[call.source].output), name
    leaf = image.clone().requires_grad_()
    nn.functional.cross_entropy(net(leaf[None]), torch.tensor([1])).backward()
    one = found.weight_gradient("1.conv2[3,1,0,2]", 1)
    assert one.reported == pytest.approx(float(net[1].conv2.weight.grad[3, 1, 0, 2]), abs=1e-6 * one.magnitude)


def test_grad_cam_looks_at_the_main_way_and_not_at_the_shortcut():
    net, image = residual()
    assert explain(net, image).saliency().layer == "1.conv2"


class Functions(nn.Module):
    """Parameters without layers, tensors joined behind each other, a score with company."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(2, 1, 3, 3)), nn.Parameter(torch.randn(3, 1, 3, 3))
        self.norm, self.last = nn.BatchNorm2d(5), nn.Parameter(torch.randn(4, 80))

    def forward(self, x):
        x = torch.cat([F.conv2d(x, self.a), F.conv2d(x, weight=self.b)], dim=1) + 0.5
        return {"maps": x, "scores": F.linear(self.norm(input=x).flatten(1), self.last)}


def test_functions_and_keywords_have_ledgers_and_scores_are_found_among_outputs():
    with seeded(0):
        net, image = Functions(), torch.randn(1, 6, 6)
    found = explain(net, image)
    assert [c.name for c in found.trace.calls.values()] == [
        "conv2d1",
        "conv2d2",
        "cat1",
        "add1",
        "norm",
        "flatten1",
        "linear1",
    ]
    assert found.classes == ("0", "1", "2", "3")
    assert found.trace.calls["norm"].source == "add1"
    assert found.ledger("cat1", (3, 0, 1)).terms[0].x.text == "conv2d2[1,0,1]"
    assert found.ledger("add1", (0, 0, 1)).terms[1].x.value == 0.5
    assert found.ledger("conv2d2", (2, 3, 3)).terms[0].w.text == "conv2d2.weight[2,0,0,0]"
    assert found.follow("linear1", (2,))[-1].terms[0].x.tensor == "image"
    assert found.saliency().gradient_input.shape == (6, 6)


def test_a_tensor_that_was_changed_through_a_view_is_not_taken_for_what_it_was():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            y = x * 2
            y[:, :1, 0].zero_()
            return self.last(y.flatten(1))

    found = trace(Net(), torch.ones(1, 2, 2))
    assert found.calls["flatten1"].source is None
    assert found.calls["mul1"].output.min() == 2
    assert ledger(found, "flatten1", (0,)).terms[0].x.text == "flatten1.input[0,0,0]"


def test_a_net_without_scores_has_layers_but_no_classes():
    found = explain(nn.Sequential(nn.Conv2d(1, 2, 3)), torch.rand(1, 5, 5))
    assert repr(found).splitlines()[0] == "output  (2, 3, 3)"
    assert repr(found).splitlines()[-1].split()[:4] == ["0", "Conv2d", "image", "2×3×3"]
    assert found.ledger("0", (1, 2, 2)).reported == float(found.trace.output[1, 2, 2])
    with pytest.raises(UsageError, match=r"the net makes \(2, 3, 3\), not one score a class"):
        _ = found.predicted
    with pytest.raises(UsageError, match=r"the gradients of lstm, a LSTM, have no ledger"):
        explain(Odd(), torch.rand(3, 5, 6)).weight_gradient("lstm.weight_ih_l0[0,0]", 0)


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
    assert np.array_equal(convscope.explain(model, Image.fromarray(pixels)).scores, found.scores)
    assert explain(model, pixels[:20]).given.shape == (1, 28, 28)
    with pytest.raises(UsageError, match="there are 2 images"):
        explain(model, np.stack([pixels] * 2))
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


@pytest.mark.parametrize("index", [(0, 1.5, 0), ("a", 0, 0), (True, 0, 0), 5, None])
def test_an_index_is_whole_numbers(index):
    found = explain(build(resolve("note"), (1, 28, 28), 10), torch.rand(1, 28, 28))
    asked = [partial(ask, "conv1") for ask in (found.ledger, found.follow, found.receptive_field)]
    for ask in (*asked, found.pixel_gradient):
        with pytest.raises(UsageError, match="the index is") as caught:
            ask(index)
        assert caught.value.help == "it must be whole numbers, such as (0, 5, 5)"
        assert repr(ask(np.array([0, 5, 5]))) == repr(ask([0, np.int64(5), 5])) == repr(ask((0, 5, 5)))


class Padded(nn.Module):
    """Zeros put around an image by hand, as nets that come from TensorFlow do, and a border of another kind."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 3, 3, stride=2), nn.Linear(75, 2)

    def forward(self, x):
        x = F.relu6(self.conv(F.pad(x, (0, 1, 0, 1))))
        x = F.pad(x, (1, 0, 1, 0), mode="replicate")
        return self.fc(x.flatten(1))


def test_zeros_put_around_an_image_have_ledgers_and_other_borders_are_boxes():
    with seeded(0):
        image = 9 * torch.rand(2, 8, 8)
        found = explain(Padded(), image)
    inside, zero = (found.ledger("pad1", index).terms[0].x for index in ((1, 7, 7), (1, 8, 2)))
    assert (inside.text, inside.value, inside.padding) == ("image[1,7,7]", float(image[1, 7, 7]), False)
    assert (zero.text, zero.value, zero.padding) == ("image[1,8,2]", 0.0, True)
    assert found.ledger("relu61", (0, 1, 1)).operation == "relu6"
    with pytest.raises(UsageError, match="pad2 is a pad, of which only the shapes are known"):
        found.ledger("pad2", (0, 0, 0))
