"""A recipe and its data → the net, the model and the engine, ready for the first update. No file is touched."""

from dataclasses import dataclass
from math import prod

import torch

from ..data.batches import Batches
from ..data.images import Dataset
from ..data.look import Look
from ..engine.base import Engine, Problem
from ..engine.choose import choose
from ..engine.cores import cores
from ..engine.devices import resolve
from ..errors import UsageError
from ..net.build import build
from ..net.model import Model
from ..net.pretrained.catalogue import PRETRAINED
from ..net.shapes import Row, table
from ..net.tree import text as spec_text
from ..net.zoo import resolve as resolve_net
from ..recipe import Recipe
from ..storage.memory import require_room, told
from . import pretrained
from .augment import check as check_augment
from .lonely import JOINED, batches_of, lonely
from .update.weights import class_weights


@dataclass(frozen=True)
class Prepared:
    """What :func:`~convscope.training.loop.train` works on. ``rows`` are the net's layers with their shapes.

    ``model`` holds the very net that ``engine`` trains; ``notes`` say what the user should know of the engine.
    """

    rows: list[Row]
    model: Model
    engine: Engine
    threads: int
    batches: Batches
    notes: tuple[str, ...]

    @property
    def device(self) -> str:
        """The device of the net's parameters, such as cpu or cuda:0."""
        return str(next(self.engine.net.parameters()).device)


def weights_bytes(count: int, recipe: Recipe) -> int:
    """At least so much is needed for weights, gradients and optimizer state, and for the loop's copy of them."""
    states = 2 if recipe.optimizer != "sgd" else int(recipe.momentum > 0)
    return 4 * count * (2 * (1 + states) + 1)


def kept_bytes(rows: list[Row], batch_size: int) -> int:
    """At least so much of a batch does autograd keep: the inputs of layers with weights; and the largest output."""
    kept = sum(prod(row.input) for row in rows if row.parameters)
    return 4 * batch_size * (kept + max(prod(row.output) for row in rows))


@told("this net and its engine")
def prepare(recipe: Recipe, data: Dataset) -> Prepared:
    """Build the net of ``recipe`` for ``data`` with its first weights, and choose the engine.

    Raises UsageError where the net does not fit the images, or a choice does not go with the data or the machine.
    """
    if recipe.patience is not None and data.val is None:
        raise UsageError(
            "--patience needs a validation split, and there is none",
            "add --val-fraction 0.1, or bring folders for all three: train/, val/ and test/",
        )
    pretrained.check(recipe)
    check_augment(recipe)
    entry = PRETRAINED.get(recipe.net.strip())
    layers = resolve_net(recipe.net)
    rows = table(layers, data.train.shape, len(data.classes))
    size = len(data.train) if pretrained.fits_head(recipe) else recipe.batch_size
    batches = batches_of(rows, len(data.train), size)
    count = sum(row.parameters for row in rows)
    require_room(weights_bytes(count, recipe), f"training the net's {count:,} weights")
    net = build(layers, data.train.shape, len(data.classes), recipe.seed)
    channels = data.train.shape[0]
    mean, std = (entry.mean[:channels], entry.std[:channels]) if entry else (data.mean, data.std)
    model = Model(
        net=net,
        spec=spec_text(layers),
        image=data.train.shape,
        mean=mean,
        std=std,
        classes=data.classes,
        stored=data.prepared,
        stored_loss=recipe.loss,
        look=Look.of(data.train.images, data.side),
    )
    device = resolve(recipe.device)
    threads = recipe.threads or cores()
    problem = Problem(
        net,
        torch.from_numpy(data.train.images),
        torch.from_numpy(data.train.labels),
        mean,
        std,
        loss=recipe.loss,
        label_smoothing=recipe.label_smoothing,
        clip_norm=recipe.clip_norm,
        optimizer=recipe.optimizer,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        class_weights=class_weights(recipe.class_weight, data.train.labels, len(data.classes)),
    )
    if entry:
        engine: Engine = pretrained.start(recipe, problem, data, device, threads)
        notes: tuple[str, ...] = ()
    else:
        engine, notes = choose(recipe.engine, problem, device, threads, recipe.batch_size)
        if engine.name == "eager" and device.type == "cpu":
            most = min(batches.size, len(data.train))
            require_room(kept_bytes(rows, most), f"training this net on batches of {most:,}")
    if batches.joined:
        notes += (JOINED.format(lonely(rows)),)
    return Prepared(rows, model, engine, threads, batches, notes)
