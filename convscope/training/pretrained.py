"""A run that begins with a pretrained net: its last layer is fitted at once, and then its last blocks are trained on.

Kornblith et al. 2019, "Do better ImageNet models transfer better?", compare both. A last layer that is fitted first
keeps the large gradients of random weights away from what was learned before (Kumar et al. 2022, LP-FT).
"""

from dataclasses import replace

import torch
from torch import nn

from ..data.images import Dataset, sets_of
from ..distributed.team import Team
from ..engine.base import Engine, Problem
from ..engine.choose import eager
from ..engine.head import HeadEngine
from ..errors import UsageError
from ..net.graph import Wired, parts
from ..net.pretrained.catalogue import PRETRAINED, digest
from ..net.pretrained.weights import load
from ..recipe import Recipe


def is_pretrained(recipe: Recipe) -> bool:
    """Whether the run begins with weights that were learned elsewhere."""
    return recipe.net.strip() in PRETRAINED


def fits_head(recipe: Recipe) -> bool:
    """Whether the run is one step: the last layer of a pretrained net is fitted, and nothing else is trained."""
    return is_pretrained(recipe) and recipe.unfreeze == 0


def one_step(recipe: Recipe) -> Recipe:
    """``recipe`` as it will be carried out: a last layer is fitted in one update of one epoch."""
    return replace(recipe, epochs=1) if fits_head(recipe) else recipe


def check(recipe: Recipe) -> None:
    """Refuse choices that a pretrained net leaves no room for. Raises UsageError."""
    if not is_pretrained(recipe):
        if recipe.unfreeze:
            raise UsageError(
                f"--unfreeze {recipe.unfreeze} is for a pretrained net: {recipe.net[:40]!r} begins with random weights",
                f"leave it out, or take --net {next(iter(PRETRAINED))}",
            )
        return
    if recipe.no_pretrained:
        raise UsageError(f"{recipe.net} is a pretrained net, and --no-pretrained was given", "leave one of them out")
    if recipe.init != "default":
        raise UsageError(f"--init {recipe.init} does not go with a net that has learned already", "leave it out")
    if recipe.augment.strip() not in ("", "none") and not recipe.unfreeze:
        raise UsageError(
            "--augment has no effect on a pretrained net of which only the last layer is fitted",
            "leave it out, or add --unfreeze 2",
        )
    if recipe.precision not in ("auto", "fp32") and not recipe.unfreeze:
        raise UsageError(
            f"--precision {recipe.precision} has no effect where only a pretrained net's last layer is fitted",
            "leave it out, or add --unfreeze 2",
        )
    if recipe.loss != "cross-entropy":
        raise UsageError(f"--loss {recipe.loss} does not go with a pretrained net", "leave it out: cross-entropy")
    if recipe.engine == "jit":
        raise UsageError("the jit engine does not train a pretrained net", "use --engine auto")


def start(recipe: Recipe, problem: Problem, data: Dataset, device: torch.device, threads: int, team: Team) -> Engine:
    """The engine for a pretrained net whose weights ``problem.net`` does not have yet.

    The features of all images are computed here, where Ctrl-C may break in: they are kept, and nothing else is begun.
    """
    name = recipe.net.strip()
    if team.ranks > 1 and recipe.unfreeze == 0:
        raise UsageError(
            f"the last layer of {name} is fitted in one step, which several processes would not speed up",
            "train it without torchrun, or train its last blocks, too: --unfreeze 2",
        )
    problem.net.load_state_dict(load(name, problem.images.shape[1]), strict=False)
    engine = HeadEngine(problem, digest(name), device, threads)
    if recipe.unfreeze == 0:
        for which, images in sets_of(data).items():
            engine.features(torch.from_numpy(images.images), f"the {which} images")
        return engine
    everything = torch.arange(len(problem.images))
    engine.features(problem.images, "the training images")
    engine.steps(everything, len(everything), [0.0])
    _freeze(problem.net, recipe.unfreeze)
    return eager(problem, device, team)


def _freeze(net: nn.Sequential, last: int) -> None:
    """Leave gradients to the last layer and the ``last`` blocks before it alone."""
    groups = blocks(net)
    if last > len(groups):
        raise UsageError(f"--unfreeze {last} is too many: the net has {len(groups)} blocks", "take a smaller number")
    trained = {part.name for group in groups[len(groups) - last :] for part in group} | {parts(net)[-1].name}
    for part in parts(net):
        part.module.requires_grad_(part.name in trained)


def blocks(net: nn.Sequential) -> list[list[Wired]]:
    """The convolutions of a net, block by block: a block ends with one that no activation follows, or with the net."""
    followed = {part.inputs[0] for part in parts(net) if isinstance(part.module, nn.ReLU6)}
    groups: list[list[Wired]] = [[]]
    for part in parts(net):
        if isinstance(part.module, nn.Conv2d):
            groups[-1].append(part)
            if part.name not in followed:
                groups.append([])
    return [group for group in groups if group]
