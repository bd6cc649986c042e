"""Room 7 "as PyTorch": the loop that the page watches, in twenty lines that need only torch."""

from ...recipe import Recipe

LOSSES = {
    "cross-entropy": "F.cross_entropy(net(x[batch]), y[batch]{smoothing})",
    "mse": "F.mse_loss(net(x[batch]), F.one_hot(y[batch], CLASSES).float())",
    "mae": "F.l1_loss(net(x[batch]), F.one_hot(y[batch], CLASSES).float())",
}


def script(net: str, parameters: int, image: tuple[int, ...], classes: int, chosen: Recipe) -> str:
    """A program that trains ``net`` (its listing) on stand-ins: noise that is the brighter, the higher the class."""
    decay = f", weight_decay={chosen.weight_decay!r}" if chosen.weight_decay else ""
    smoothing = f", label_smoothing={chosen.label_smoothing!r}" if chosen.label_smoothing else ""
    optimizer = f"torch.optim.SGD(net.parameters(), lr={chosen.lr!r}, momentum={chosen.momentum!r}{decay})"
    if chosen.optimizer != "sgd":
        kind = "AdamW" if chosen.optimizer == "adamw" else "Adam"
        optimizer = f"torch.optim.{kind}(net.parameters(), lr={chosen.lr!r}{decay})"
    clip = f"        nn.utils.clip_grad_norm_(net.parameters(), {chosen.clip_norm!r})\n" if chosen.clip_norm else ""
    return f"""from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = {classes}
torch.manual_seed({chosen.seed})
{net}
assert sum(p.numel() for p in net.parameters()) == {parameters}

# Put your images here: float32 (N, C, H, W), normalised, and their classes int64 (N,).
y = torch.arange(640) % CLASSES
x = torch.randn(640, {", ".join(map(str, image))}) + y.view(-1, 1, 1, 1) / CLASSES

optimizer = {optimizer}
for epoch in range({chosen.epochs}):
    for batch in torch.randperm(len(x)).split({chosen.batch_size}):  # a new order every epoch
        loss = {LOSSES[chosen.loss].format(smoothing=smoothing)}
        optimizer.zero_grad()
        loss.backward()  # the chain rule, from the loss back to every weight
{clip}        optimizer.step()
    print(epoch + 1, loss.item())
"""
