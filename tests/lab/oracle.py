"""What PyTorch says to the questions of the lessons: room → step → (state before, state after) → the right answer."""

import ast

import numpy as np
import torch
from torch import nn, tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from convscope.data.batches import epoch_order
from convscope.data.sources import open_source
from convscope.explain.concepts.objectives import START, regression
from convscope.lab.rooms.given import ImageRequest, see
from convscope.lab.shelf import BUNDLED, Shelf

# Room 1


def ratio_of(loss):
    def grown(before, after):
        one, other = (loss(*(tensor(state[key]) for key in ("prediction", "target"))) for state in (before, after))
        return (other / one).item()

    return grown


def largest_growth(before, after):
    losses = {
        "mse": functional.mse_loss,
        "l2": lambda prediction, target: torch.linalg.vector_norm(prediction - target),
        "mae": functional.l1_loss,
    }
    return max(losses, key=lambda name: ratio_of(losses[name])(before, after))


def entropy(state):
    logits = tensor(state["logits"], dtype=torch.float64)
    scores = logits.softmax(0) if state["twice"] else logits
    return functional.cross_entropy(scores, tensor(state["klass"])).item()


def change_of_entropy(before, after):
    was, is_ = entropy(before), entropy(after)
    return "same" if abs(was - is_) < 1e-9 else "more" if is_ > was else "less"


# Room 2


def gradient(name):
    """∂/∂name of the room's expression, after as many backward passes as it asks for."""

    def found(_, after):
        pairs = (text.split("=") for text in after["values"].split())
        leaves = {key: torch.tensor(float(ast.literal_eval(text)), requires_grad=True) for key, text in pairs}
        value = eval(after["expression"], {"relu": torch.relu, "sigmoid": torch.sigmoid}, leaves)
        for _ in range(after["passes"]):
            value.backward(retain_graph=True)
        return leaves[name].grad.item()

    return found


def sign(_, after):
    slope = gradient("w")(_, after)
    return "plus" if slope > 0 else "minus" if slope < 0 else "zero"


# Room 3


def updates(_, after):
    samples = range(int(after["count_samples"]))
    return len(DataLoader(samples, after["count_batch_size"], drop_last=after["drop_last"]))


def descended(state, batch_size):
    """The losses of all samples at the start and at the end of torch.optim.SGD."""
    data = regression(state["samples"], state["seed"])
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    place = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([place], state["lr"])
    loss = lambda index: functional.mse_loss(place[0] * x[index] + place[1], y[index])  # noqa: E731
    everything = torch.arange(len(x))
    first = loss(everything).item()
    for epoch in range(1, state["epochs"] + 1):
        for batch in torch.from_numpy(epoch_order(len(x), state["seed"], epoch)).split(batch_size):
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
    return first, loss(everything).item()


def lowest(_, after):
    sizes = {"stochastic": 1, "mini": after["batch_size"], "full": after["samples"]}
    return min(sizes, key=lambda name: descended(after, sizes[name])[1])


def steep(before, after):
    (_, slow), (start, fast) = (descended(state, state["samples"]) for state in (before, after))
    return "away" if fast > start else "faster" if fast < slow else "slower"


def hollow(_, after):
    """Where torch.optim.SGD ends on the surface with two minima, with the slope by autograd."""
    place = torch.tensor(after["start"] or (1.6, 1.2), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([place], after["lr"])
    for _ in range(after["epochs"]):
        w, b = place
        optimizer.zero_grad()
        ((w**2 - 1) ** 2 + 0.4 * w + b**2).backward()
        optimizer.step()
    return place.tolist()


# Rooms 4 and 5


def layer_of(state):
    weight = tensor(state["weight"], dtype=torch.float32)
    conv = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], state["stride"], state["padding"], bias=False)
    conv.weight.data = weight
    return conv


def convolved(state):
    return layer_of(state)(tensor(state["input"], dtype=torch.float32))


def last_window(_, after):
    """Row and column where the window begins that the last number of the output reads, by its gradient."""
    image = tensor(after["input"], dtype=torch.float32, requires_grad=True)
    conv = layer_of(after)
    conv.weight.data = torch.ones_like(conv.weight)
    conv(image)[0, -1, -1].backward()
    return image.grad[0].nonzero().amin(0).tolist()


def pooled(state, image):
    settings = [state["kernel_size"], state["stride"], state["padding"]]
    return (
        functional.max_pool2d(image, *settings) if state["kind"] == "max" else functional.avg_pool2d(image, *settings)
    )


def pooled_of(state):
    return pooled(state, tensor(state["input"], dtype=torch.float32))


def gradient_of_pooling(state):
    image = tensor(state["input"], dtype=torch.float32, requires_grad=True)
    pooled(state, image).sum().backward()
    return image.grad


# Room 6


def note(channels, features):
    convolutions = [
        nn.Conv2d(channels, 10, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(10, 20, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
    ]
    names = ("conv1", "pool1", "relu1", "conv2", "pool2", "relu2", "flatten1", "linear1")
    net = nn.Sequential()
    for name, layer in zip(names, [*convolutions, nn.Flatten(), nn.Linear(features, 10)], strict=True):
        net.add_module(name, layer)
    return net


def features(_, after):
    return note(after["image"][0], 1)[:-1](torch.zeros(1, *after["image"])).shape[1]


def numbers(layer):
    return sum(parameter.numel() for parameter in layer.parameters())


def heaviest(_, after):
    return max(note(after["image"][0], features(_, after)).named_children(), key=lambda one: numbers(one[1]))[0]


def refuses(_, after):
    values = torch.zeros(tuple(int(n) for n in after["feed"].split(",")))
    for name, layer in note(after["image"][0], features(_, after)).named_children():
        try:
            values = layer(values)
        except RuntimeError:
            return name
    return "none"


# The front page and room 8


def bundled():
    opened = Shelf().open(BUNDLED.path.name)
    net = note(1, 320)
    with opened.alone() as model:
        net.load_state_dict(model.net.state_dict())
    return opened, net.eval()


def strokes(ink):
    points = lambda text: [[int(text[i : i + 2], 36), int(text[i + 2 : i + 4], 36)] for i in range(0, len(text), 4)]  # noqa: E731
    return [points(text) for text in ink.split(".") if text]


@torch.no_grad()
def shares(state):
    opened, net = bundled()
    drawn = ImageRequest(run="", strokes=strokes(state["ink"]), pen=state["pen"], invert=state.get("invert", False))
    return 100 * net(see(opened, drawn).tensor[None]).double().softmax(1)[0]


def read_as(_, after):
    return str(shares(after).argmax().item())


def change_of_answer(before, after):
    was, is_ = shares(before), shares(after)
    if was.argmax() != is_.argmax():
        return "other"
    return "same" if is_.max() > was.max() - 0.05 else "unsure"


def seen(_, after):
    """Rows and columns of the image that the number depends on, with ones for weights and means for maxima."""
    layers = [nn.AvgPool2d(2) if isinstance(layer, nn.MaxPool2d) else layer for layer in note(1, 320)]
    name, *index = after["path"][-1]
    image = torch.ones(1, 1, 28, 28, requires_grad=True)
    values = image
    for layer, (called, _) in zip(layers, note(1, 320).named_children(), strict=True):
        for parameter in layer.parameters():
            parameter.data.fill_(1)
        values = layer(values)
        if called == name:
            break
    values[0][tuple(index)].backward()
    return [int((image.grad[0, 0].sum(axis) > 0).sum()) for axis in (1, 0)]


# Room 9


def held_out(*pictures):
    """The labels of the test images of so many pictures of each class."""
    labels = np.repeat(np.arange(len(pictures)), pictures)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8), dtype=np.uint8)
    return open_source((images, labels)).test.labels


def proven(n):
    """The least share, in percent, of which n of n right are no surprise: Wilson's interval at 95 %."""
    z = torch.distributions.Normal(0.0, 1.0).icdf(tensor(0.975)).item()
    return 100 * n / (n + z * z)


@torch.no_grad()
def dealt():
    _, net = bundled()
    return 100 * net(torch.ones(1, 1, 28, 28)).double().softmax(1).sum().item()


RIGHT = {
    "glass": {
        "loop": read_as,
        "moved": change_of_answer,
        "thin": lambda _, after: shares(after)[7].item(),
        "empty": lambda _, after: shares(after).max().item(),
    },
    "losses": {
        "square": lambda _, after: (tensor(after["prediction"]) - tensor(after["target"])).square()[3].item(),
        "leap": largest_growth,
        "shift": change_of_entropy,
        "clueless": lambda _, after: entropy(after),
        "twice": change_of_entropy,
    },
    "backprop": {"chain": gradient("w"), "shared": gradient("x"), "dead": sign, "again": gradient("x")},
    "descent": {"updates": updates, "rest": updates, "ahead": lowest, "steep": steep, "hollow": hollow},
    "convolution": {
        "size": lambda _, after: list(convolved(after).shape[1:]),
        "stride": last_window,
        "depth": lambda _, after: layer_of(after).weight[0].numel(),
        "kernels": lambda _, after: layer_of(after).weight.numel(),
        "flat": lambda _, after: convolved(after)[0, 1, 1].item(),
    },
    "pooling": {
        "left": lambda _, after: list(pooled_of(after).shape[1:]),
        "mean": lambda _, after: pooled_of(after)[0, 0, 0].item(),
        "winners": lambda _, after: int(gradient_of_pooling(after).count_nonzero()),
        "popular": lambda _, after: gradient_of_pooling(after)[0, 4, 4].item(),
    },
    "shapes": {
        "features": features,
        "colour": lambda _, after: numbers(note(after["image"][0], 1).conv1),
        "heaviest": heaviest,
        "refuses": refuses,
    },
    "inside": {
        "terms": lambda _, after: bundled()[1].get_submodule(after["path"][-1][0]).weight[0].numel(),
        "sight": seen,
        "bar": lambda _, after: shares(after)[7].item(),
        "negative": change_of_answer,
    },
    "classes": {
        "held": lambda *_: len(held_out(30, 30)),
        "sure": lambda *_: proven(len(held_out(30, 30))),
        "always": lambda *_: 100 * (held_out(40, 10) == 0).mean().item(),
        "third": lambda *_: round(dealt(), 6),
    },
}
