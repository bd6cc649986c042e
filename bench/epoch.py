"""One epoch of the note's work on MNIST, three ways: the note's pipeline, plain PyTorch in memory, this project.

All train net ``note`` from the same weights at batch 64 with SGD (lr 0.01, momentum 0.5) over all 60,000 images.
"""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from convscope.data.batches import epoch_order, steps_per_epoch
from convscope.data.images import Dataset
from convscope.engine.base import Engine, Problem
from convscope.net.build import build
from convscope.net.zoo import resolve
from convscope.recipe import Recipe
from convscope.training.prepared import prepare

from .measure import trained

BATCH = 64


class OneByOne(torch.utils.data.Dataset):
    """The note's data set and transform: every image on its own through PIL, to a float tensor, normalised.

    The operations are those that torchvision's MNIST, ToTensor and Normalize do for each image, one after the other:
    array → PIL → array (copied) → channels first → float → /255; then a copy, mean and deviation made into tensors,
    the deviation checked for zeros, subtracted and divided in place.
    """

    def __init__(self, images, labels, mean, std):
        self.images, self.labels, self.mean, self.std = images[:, 0], labels, mean, std

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        picture = Image.fromarray(self.images[i].numpy())
        pixels = torch.from_numpy(np.array(picture, copy=True)).view(picture.size[1], picture.size[0], 1)
        x = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        x = x.clone()
        mean, std = torch.as_tensor(self.mean, dtype=x.dtype), torch.as_tensor(self.std, dtype=x.dtype)
        assert not (std == 0).any()
        return x.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1)), int(self.labels[i])


def problem(data: Dataset) -> Problem:
    """A fresh net ``note`` on the data."""
    net = build(resolve("note"), data.train.shape, len(data.classes))
    return Problem(net, torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels), data.mean, data.std)


def _train(net: nn.Module, batches) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.5)
    net.train()
    for inputs, target in batches:
        loss = F.cross_entropy(net(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # the note adds it to its running loss


def note_pipeline(data: Dataset) -> None:
    p = problem(data)
    dataset = OneByOne(p.images, p.labels, p.mean, p.std)
    _train(p.net, DataLoader(dataset, batch_size=BATCH, shuffle=True))


def plain_in_memory(data: Dataset) -> None:
    """What a careful PyTorch user writes: one normalised float tensor, sliced by a permutation."""
    p = problem(data)
    x = (p.images.float() / 255 - p.mean[0]) / p.std[0]
    order = torch.randperm(len(x))
    _train(p.net, ((x[batch], p.labels[batch]) for batch in order.split(BATCH)))


def engine_epoch(engine: Engine, count: int) -> None:
    steps = steps_per_epoch(count, BATCH)
    trained(engine.steps(torch.from_numpy(epoch_order(count, 0, 1)), BATCH, [0.01] * steps))


def contenders(data: Dataset, engines: tuple[str, ...]) -> dict:
    """Name → one epoch of work."""
    threads = torch.get_num_threads()
    recipe = Recipe(net="note", batch_size=BATCH, device="cpu", threads=threads)
    built = {name: prepare(replace(recipe, engine=name), data).engine for name in engines}
    result = {
        "the note's pipeline": lambda: note_pipeline(data),
        "plain PyTorch in memory": lambda: plain_in_memory(data),
    }
    for name, engine in built.items():
        result[f"convscope {name}"] = lambda engine=engine: engine_epoch(engine, len(data.train))
    return result
