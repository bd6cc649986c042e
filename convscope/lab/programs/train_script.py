"""Room 7 "as PyTorch": the loop that the page watches, in twenty lines that need only torch."""

from ...recipe import Recipe

LOSSES = {
    "cross-entropy": "F.cross_entropy(net(x[batch]), y[batch]{smoothing})",
    "mse": "F.mse_loss(net(x[batch]), F.one_hot(y[batch], CLASSES).float())",
    "mae": "F.l1_loss(net(x[batch]), F.one_hot(y[batch], CLASSES).float())",
}

# Muon (K. Jordan et al. 2024), for weights of convolutions and linear layers, all but the last.
MUON = """
hidden = [p for p in net.parameters() if p.ndim > 1][:-1]
momenta = [torch.zeros_like(p) for p in hidden]


def orthogonal(d):
    x = d.flatten(1)
    rows, columns = x.shape
    x = (x if rows <= columns else x.T) / (x.norm() + 1e-7)
    for _ in range(5):  # Newton-Schulz: brings the singular values near 1
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x if rows <= columns else x.T).reshape(d.shape) * max(1, rows / columns) ** 0.5

"""
TURN = """        with torch.no_grad():
            for p, m in zip(hidden, momenta):
                m.mul_({momentum!r}).add_(p.grad)
                p.sub_({lr!r} * orthogonal({direction}))
                p.grad = None  # nothing is left for the optimizer
"""
DECAY = """        with torch.no_grad():
            for p in net.parameters():
                p.mul_({kept!r})  # weight decay, apart from the gradient
"""


def script(net: str, parameters: int, image: tuple[int, ...], classes: int, chosen: Recipe) -> str:
    """A program that trains ``net`` (its listing) on stand-ins: noise that is the brighter, the higher the class."""
    apart = chosen.optimizer in ("sgdw", "muon")
    decay = f", weight_decay={chosen.weight_decay!r}" if chosen.weight_decay and not apart else ""
    smoothing = f", label_smoothing={chosen.label_smoothing!r}" if chosen.label_smoothing else ""
    nesterov = ", nesterov=True" if chosen.nesterov else ""
    optimizer = f"torch.optim.SGD(net.parameters(), lr={chosen.lr!r}, momentum={chosen.momentum!r}{nesterov}{decay})"
    if chosen.optimizer in ("adam", "adamw"):
        kind = "AdamW" if chosen.optimizer == "adamw" else "Adam"
        optimizer = f"torch.optim.{kind}(net.parameters(), lr={chosen.lr!r}{decay})"
    clip = f"        nn.utils.clip_grad_norm_(net.parameters(), {chosen.clip_norm!r})\n" if chosen.clip_norm else ""
    before = DECAY.format(kept=1 - chosen.lr * chosen.weight_decay) if apart and chosen.weight_decay else ""
    if chosen.optimizer == "muon":
        direction = f"p.grad + {chosen.momentum!r} * m" if chosen.nesterov else "m"
        before += TURN.format(momentum=chosen.momentum, lr=chosen.lr, direction=direction)
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
{MUON if chosen.optimizer == "muon" else ""}
optimizer = {optimizer}
for epoch in range({chosen.epochs}):
    for batch in torch.randperm(len(x)).split({chosen.batch_size}):  # a new order every epoch
        loss = {LOSSES[chosen.loss].format(smoothing=smoothing)}
        optimizer.zero_grad()
        loss.backward()  # the chain rule, from the loss back to every weight
{clip}{before}        optimizer.step()
    print(epoch + 1, loss.item())
"""
