"""A small net on one sample → a tape for back-propagation: layers and their parameters are the nodes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...errors import UsageError
from ...language.counts import number_of
from ...net.build import build
from ...net.loss import loss_of
from ...net.ops import Conv, Flatten, Linear
from ...net.shapes import Row, table
from ...net.tree import Net, layers
from ...net.wiring import IMAGE
from ...net.zoo import resolve
from .autograd import Check, finite_differences, judge
from .expression import read_value
from .layer_operators import REFUSED, operator
from .loss_operators import CROSS_ENTROPY, MAE, MSE
from .operators import Operator
from .passes import Item, Tape, backprop
from .values import Array
from .walk import Walk

LOSSES = {"mse": MSE, "mae": MAE, "cross-entropy": CROSS_ENTROPY}
MAX_ELEMENTS = 5_000  # of the net's parameters and of one layer's output


Changes = Mapping[tuple[str, tuple[int, ...]], float]


@dataclass(frozen=True)
class SmallNet:
    """A net, one sample and its target, as a tape and as the torch module that judges it."""

    tape: Tape
    module: nn.Sequential
    sample: Array  # (C, H, W)
    target: Array  # (K,), or () for a class index
    loss: str


def explain_net(
    net: str, sample: str, target: str, loss: str = "mse", seed: int = 0, passes: int = 1
) -> tuple[Walk, Check]:
    """Back-propagation through ``net`` (a spec or a named net) with PyTorch's initial weights drawn from ``seed``.

    ``sample`` is "1,2" (features) or "[[1,2],[3,4]]" (an image of one channel), ``target`` "0.5" or "0,1", or a class
    index for cross-entropy. Raises UsageError.
    """
    return explain_small(small_net(net, sample, target, loss, seed), passes)


def explain_small(small: SmallNet, passes: int = 1) -> tuple[Walk, Check]:
    """:func:`explain_net` for a net that has been read. Raises UsageError."""
    walk = backprop(small.tape, passes)
    autograd = {i: passes * gradient for i, gradient in torch_gradients(small).items()}
    return walk, judge(walk, autograd, finite_differences(small.tape), passes)


def small_net(
    net: str, sample: str, target: str, loss: str = "mse", seed: int = 0, changes: Changes | None = None
) -> SmallNet:
    """Read everything and lay out the tape; ``changes`` are numbers of parameters, input or target that are others:
    ("linear1.weight", (0, 1)) → 0.5. Raises UsageError.
    """
    written = resolve(net)
    if loss not in LOSSES:
        raise UsageError(f"there is no loss {loss[:40]!r}", f"known: {', '.join(LOSSES)}")
    image = _sample(sample)
    wanted = read_value(_listed(target))
    classes = _outputs(written, wanted, loss)
    rows = table(written, (image.shape[0], image.shape[1], image.shape[2]), classes)
    _small_enough(rows)
    if loss == "cross-entropy":
        if wanted.ndim or not 0 <= wanted < classes or wanted != np.floor(wanted):
            raise UsageError(
                f"--target is {target[:40]!r}, "
                f"expected the index of one of the {number_of(classes, 'class', 'classes')}",
                f"write a whole number from 0 to {classes - 1}",
            )
    elif wanted.size != classes or wanted.ndim > 1:
        raise UsageError(
            f"--target has {number_of(wanted.size, 'number')}, but the net has {number_of(classes, 'output')}",
            "give one number for each output, such as --target 0,1",
        )
    module = build(written, (image.shape[0], image.shape[1], image.shape[2]), classes, seed).double()
    target_ = wanted if loss == "cross-entropy" else wanted.reshape(classes)
    flat = image.reshape(-1) if image.shape[:2] == (1, 1) else image
    data = {"input": flat} | ({} if loss == "cross-entropy" else {"target": target_})
    change(module, data, changes or {})
    return SmallNet(_tape(net, rows, module, image, target_, loss), module, image, target_, loss)


def change(module: nn.Sequential, data: Mapping[str, Array], changes: Changes) -> None:
    """Put other numbers into parameters and data, in place. Raises UsageError where there is no such number."""
    parameters = {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}
    for (name, place), value in changes.items():
        array = data.get(name, parameters.get(name))
        if (
            array is None
            or len(place) != array.ndim
            or any(not 0 <= i < n for i, n in zip(place, array.shape, strict=True))
        ):
            raise UsageError(f"the net has no number {name[:40]}{list(place)}", "take one that is shown")
        array[place] = value


def _tape(source: str, rows: list[Row], module: nn.Sequential, image: Array, target: Array, loss: str) -> Tape:
    flat = isinstance(rows[0].op, Flatten) and image.shape[:2] == (1, 1)  # features need no flatten
    items = [Item("input", "the sample", "data", value=image.reshape(-1) if flat else image)]
    made = {IMAGE: 0, rows[0].name: 0} if flat else {IMAGE: 0}
    for row in rows[1:] if flat else rows:
        inputs = [made[name] for name in row.inputs]
        for name, parameter in module.get_submodule(row.name).named_parameters():
            value = parameter.detach().numpy().copy()
            items.append(Item(f"{row.name}.{name}", f"{name} of {row.name}", "parameter", value=value))
            inputs.append(len(items) - 1)
        items.append(Item(row.name, row.text, "operation", tuple(inputs), _operator(row)))
        made[row.name] = len(items) - 1
    last = len(items) - 1
    items.append(Item("target", "the target", "data", value=target))
    items.append(Item("loss", loss, "operation", (last, len(items) - 1), LOSSES[loss]))
    return Tape(source, tuple(items))


def _operator(row: Row) -> Operator:
    for kind, why in REFUSED.items():
        if isinstance(row.op, kind):
            raise UsageError(f"{row.name} {why}: it cannot be explained on one sample", "leave it out of the net")
    return operator(row.op, row.shapes)


def torch_gradients(small: SmallNet) -> dict[int, Array]:
    """The parameters' gradients by item, from torch's own module and loss."""
    target = torch.tensor(small.target)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using padding='same'")  # a copy of a few numbers
        output = small.module(torch.tensor(small.sample)[None])
    if small.loss == "cross-entropy":
        loss = loss_of("cross-entropy", output, target.long()[None])
    else:
        loss = (nn.functional.mse_loss if small.loss == "mse" else nn.functional.l1_loss)(output, target[None])
    small.module.zero_grad()
    loss.backward()
    gradients = {n: p.grad.numpy() for n, p in small.module.named_parameters() if p.grad is not None}
    return {i: gradients[item.label] for i, item in enumerate(small.tape.items) if item.kind == "parameter"}


def _listed(text: str) -> str:
    """ "1,2" → "[1,2]"."""
    return f"[{text}]" if "," in text and "[" not in text else text


def _sample(text: str) -> Array:
    value = read_value(_listed(text))
    return value.reshape(1, *value.shape) if value.ndim == 2 else value.reshape(1, 1, -1)


def _outputs(net: Net, target: Array, loss: str) -> int:
    """How many outputs the net has: as its last layer says, otherwise as many as the target."""
    last = net[-1]
    if isinstance(last, Linear) and last.out is not None:
        return last.out
    if loss != "cross-entropy":
        return target.size
    convs = [op for _, op in layers(net) if isinstance(op, Conv)]
    if isinstance(last, Linear) or not convs:
        raise UsageError("the number of classes is not known", "give the last linear its outputs, such as 'linear 3'")
    return convs[-1].out


def _small_enough(rows: list[Row]) -> None:
    parameters = sum(row.parameters for row in rows)
    largest = max(int(np.prod(row.output)) for row in rows)
    if max(parameters, largest) > MAX_ELEMENTS:
        raise UsageError(
            f"the net has {parameters:,} parameters and up to {largest:,} values in a layer; "
            f"at most {MAX_ELEMENTS:,} can be shown",
            "take fewer channels or a smaller sample",
        )
