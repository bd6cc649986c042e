"""A recipe and its data → the net, the model and the engine, ready for the first update. No file is touched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from ..data.batches import Batches, Normalize
from ..data.images import Dataset
from ..data.look import Look
from ..data.mapped.memory import window_for
from ..distributed import cards
from ..distributed.agree import manned, one_engine
from ..distributed.team import ALONE, Team
from ..engine.base import Engine, Problem
from ..engine.choose import choose
from ..engine.devices import resolve
from ..errors import UsageError
from ..net.build import build
from ..net.first.weights import initialise
from ..net.model import Model
from ..net.own.net import CUSTOM, WITHOUT, check, described, own_net
from ..net.pretrained.catalogue import PRETRAINED
from ..net.shapes import Row, table
from ..net.tree import text as spec_text
from ..net.zoo import resolve as resolve_net
from ..recipe import Recipe
from ..shown import Shown
from ..storage.cores import cores
from ..storage.memory import require_room, told
from . import pretrained
from .augment import check as check_augment
from .lonely import JOINED, batches_for, lonely
from .update.factors import lr_factors
from .update.lookahead import trained
from .update.weights import class_weights


@dataclass(frozen=True, repr=False)
class Prepared(Shown):
    """What :func:`~convscope.training.loop.train` works on. ``rows`` are the net's layers with their shapes.

    ``model`` holds the very net that ``engine`` trains; ``notes`` say what the user should know of the engine.
    """

    rows: list[Row]
    model: Model
    engine: Engine
    threads: int
    batches: Batches
    notes: tuple[str, ...]
    team: Team = ALONE

    def told(self) -> Iterator[str]:
        """The net, who would train it, and what to know of that."""
        weights = sum(parameter.numel() for parameter in self.model.net.parameters())
        yield f"net     {self.model.spec}\n        {weights:,} parameters, images {self.model.image}"
        yield f"engine  {self.engine.name} on {self.device}, threads {self.threads}"
        yield f"updates {self.batches.steps:,} an epoch"
        yield from (f"note    {note}" for note in self.notes)

    @property
    def device(self) -> str:
        """The device of the net's parameters, such as cpu or cuda:0."""
        return str(next(self.engine.net.parameters()).device)


def windowed(recipe: Recipe, data: Dataset, team: Team) -> Recipe:
    """``recipe`` with the window in which images are shuffled that do not fit into the memory of rank 0."""
    if recipe.window is not None:
        return recipe
    (window,) = team.first(window_for(data.train.images))
    return replace(recipe, window=int(window)) if window else recipe


def weights_bytes(count: int, recipe: Recipe) -> int:
    """At least so much is needed for weights, gradients and optimizer state, and for the loop's copy of them."""
    states = {"sgd": int(recipe.momentum > 0), "sgdw": 1, "muon": 1}.get(recipe.optimizer, 2)
    return 4 * count * (2 * (1 + states) + 1)


def kept_bytes(rows: list[Row], batch_size: int) -> int:
    """At least so much of a batch does autograd keep: the inputs of layers with weights; and the largest output."""
    kept = sum(prod(row.input) for row in rows if row.parameters)
    return 4 * batch_size * (kept + max(prod(row.output) for row in rows))


@told("this net and its engine")
def prepare(
    recipe: Recipe,
    data: Dataset,
    own: nn.Module | None = None,
    team: Team = ALONE,
    sample_weights: Tensor | None = None,
) -> Prepared:
    """Build the net of ``recipe`` for ``data`` with its first weights, or take ``own``, and choose the engine.

    All of ``team`` call it at once. They have one engine, and rank 0's first weights. ``sample_weights`` (N,) say how
    many times the loss of each training image counts.

    Raises UsageError where the net does not fit the images, or a choice does not go with the data or the machine.
    """
    _check(recipe, data)
    net, spec, rows, alone, reason = _net(recipe, data, own)
    size = len(data.train) if pretrained.fits_head(recipe) else recipe.batch_size
    batches = batches_for(alone, len(data.train), size)
    model = _model(recipe, data, net if own is None else own, spec)
    device = resolve(recipe.device, team)
    threads = recipe.threads or cores()
    team = manned(team, threads)
    travel = cards.meet(team, device)
    problem = _problem(recipe, data, net, model, sample_weights)
    if recipe.net.strip() in PRETRAINED:
        engine: Engine = pretrained.start(recipe, problem, data, device, threads, team)
        notes: tuple[str, ...] = ()
    elif own is not None:
        engine, notes = _for_own(recipe, problem, model, device, threads, reason, team)
    else:
        engine, notes = choose(recipe.engine, problem, device, threads, recipe.batch_size, team)
        if engine.name == "eager" and device.type == "cpu":
            most = min(batches.size, len(data.train))
            require_room(kept_bytes(rows, most), f"training this net on batches of {most:,}")
    if batches.joined:
        notes += (JOINED.format(alone),)
    one_engine(team, engine.name)
    engine.net.load_state_dict(team.share(engine.net.state_dict()))
    return Prepared(rows, model, engine, threads, batches, notes + travel, team)


def _check(recipe: Recipe, data: Dataset) -> None:
    """Refuse what does not go with the data, whatever the net. Raises UsageError."""
    if recipe.patience is not None and data.val is None:
        raise UsageError(
            "--patience needs a validation split, and there is none",
            "add --val-fraction 0.1, or bring folders for all three: train/, val/ and test/",
        )
    pretrained.check(recipe)
    check_augment(recipe)


def _model(recipe: Recipe, data: Dataset, net: nn.Module, spec: str) -> Model:
    """The net with what it is told of an image; one that is pretrained knows its own mean and deviation."""
    entry = PRETRAINED.get(recipe.net.strip())
    channels = data.train.shape[0]
    mean, std = (entry.mean[:channels], entry.std[:channels]) if entry else (data.mean, data.std)
    return Model(
        net=net,
        spec=spec,
        image=data.train.shape,
        mean=mean,
        std=std,
        classes=data.classes,
        stored=data.prepared,
        stored_loss=recipe.loss,
        look=Look.of(data.train.images, data.side),
    )


def _problem(recipe: Recipe, data: Dataset, net: nn.Sequential, model: Model, sample_weights: Tensor | None) -> Problem:
    """What the engine is to solve, from the first weights that ``recipe`` asks for, which ``net`` gets here."""
    images = torch.from_numpy(data.train.images)
    initialise(net, recipe.init, images, Normalize(model.mean, model.std))
    return Problem(
        net,
        images,
        torch.from_numpy(data.train.labels),
        model.mean,
        model.std,
        loss=recipe.loss,
        label_smoothing=recipe.label_smoothing,
        clip_norm=recipe.clip_norm,
        optimizer=recipe.optimizer,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        precision=recipe.precision,
        lr_factors=lr_factors(recipe.lr_factors, trained(net)),
        class_weights=class_weights(recipe.class_weight, data.train.labels, len(data.classes)),
        sample_weights=sample_weights,
        local_batchnorm=recipe.local_batchnorm,
    )


def _net(recipe: Recipe, data: Dataset, own: nn.Module | None) -> tuple[nn.Sequential, str, list[Row], str | None, str]:
    """The net, its spec, its layers as far as they are known, the one that cannot take a batch of one, and, for a
    module of somebody's own, why it could not be traced."""
    shape, classes = data.train.shape, len(data.classes)
    if own is not None:
        if recipe.init != "default":
            raise UsageError(f"--init {recipe.init} is for nets of convscope's own: yours has weights", "leave it out")
        check(own, shape, classes)
        count = sum(p.numel() for p in own.parameters())
        require_room(weights_bytes(count, recipe), f"training the net's {count:,} weights")
        alone = next((name for name, part in own.named_modules() if isinstance(part, nn.BatchNorm1d)), None)
        net, reason = own_net(own)
        return net, described(own), [], alone, reason
    if recipe.net.strip() == CUSTOM:
        raise UsageError(WITHOUT[0].format(what="it is not given"), WITHOUT[1])
    layers = resolve_net(recipe.net)
    rows = table(layers, shape, classes)
    count = sum(row.parameters for row in rows)
    require_room(weights_bytes(count, recipe), f"training the net's {count:,} weights")
    return build(layers, shape, classes, recipe.seed), spec_text(layers), rows, lonely(rows), ""


def _for_own(
    recipe: Recipe, problem: Problem, model: Model, device: torch.device, threads: int, reason: str, team: Team
) -> tuple[Engine, tuple[str, ...]]:
    """The engine for a module of somebody's own, after it has answered as the module does.

    Raises UsageError where the user insists on the jit engine, and it does not cover the module.
    """
    if reason and recipe.engine == "jit":
        raise UsageError(f"the jit engine does not cover this net: {reason}", "use --engine auto")
    engine, notes = choose("eager" if reason else recipe.engine, problem, device, threads, recipe.batch_size, team)
    if reason:
        return engine, (f"PyTorch trains this net: {reason}",)
    if engine.name == "eager":
        return engine, notes
    few = problem.images[:8]
    wanted, found = model.logits(few), engine.logits(few)
    if torch.allclose(wanted, found, rtol=1e-4, atol=1e-5 * max(1.0, float(wanted.abs().max()))):
        return engine, ("the jit engine trains this net, traced by torch.fx", *notes)
    if recipe.engine == "jit":
        raise UsageError("the jit engine does not compute what this net does", "use --engine auto")
    engine, _ = choose("eager", problem, device, threads, recipe.batch_size, team)
    return engine, ("PyTorch trains this net: the engine computes something else than its forward",)
