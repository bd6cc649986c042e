"""A loss or weights that are not finite: where the first of them appeared, and how to return to the last good state."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..data.batches import Normalize
from ..data.images import Dataset
from ..engine.base import Engine
from ..errors import NotFinite
from ..net.graph import parts
from ..net.wiring import IMAGE
from ..recipe import Recipe


@dataclass(frozen=True)
class Snapshot:
    """Weights and optimizer state at one moment."""

    net: dict[str, Tensor]
    engine: dict[str, Tensor]

    @classmethod
    def of(cls, engine: Engine) -> "Snapshot":
        """Copies of what ``engine`` holds now."""
        net = {name: tensor.detach().clone() for name, tensor in engine.net.state_dict().items()}
        return cls(net, engine.state())

    def restore(self, engine: Engine) -> None:
        """Put ``engine`` back to that moment."""
        engine.net.load_state_dict(self.net)
        engine.load_state(self.engine)


def is_finite(engine: Engine, losses: Tensor) -> bool:
    """Whether ``losses`` and all that the net holds are numbers. The net's device is waited for once."""
    held = torch.stack([torch.isfinite(tensor).all() for tensor in engine.net.state_dict().values()])
    return bool(torch.isfinite(losses).all()) and bool(held.all())


def not_finite(
    engine: Engine,
    recipe: Recipe,
    data: Dataset,
    where: tuple[int, int],
    good: Snapshot,
    batches: Sequence[Tensor],
    lrs: list[float],
    pixels: Tensor | None = None,
) -> NotFinite:
    """Go back to ``good``, repeat the updates of ``batches``, and say where the first bad value appeared.

    ``where`` is the epoch under way and how many updates had been taken before these, ``pixels`` what the images of all
    ``batches`` looked like (None: as in the training set). The net ends as ``good`` was.
    """
    epoch, done = where
    good.restore(engine)
    seen = torch.from_numpy(data.train.images)[torch.cat(list(batches))] if pixels is None else pixels
    shown = seen.split(len(batches[0]))
    at, loss_is_bad = _first_bad_update(engine, batches, shown, lrs)
    place = _first_bad(engine.net, data, shown[at])
    good.restore(engine)
    what = "the loss is" if loss_is_bad else "the weights are"
    return NotFinite(
        f"{what} not finite at update {done + at + 1} (epoch {epoch}, learning rate {lrs[at]:g}); {place}",
        f"try a learning rate ten times smaller (--lr {recipe.lr / 10:g}); the weights of update {done} are kept",
    )


def _first_bad_update(
    engine: Engine, batches: Sequence[Tensor], shown: Sequence[Tensor], lrs: list[float]
) -> tuple[int, bool]:
    """The first update (from 0) that goes wrong, and whether its loss does, which is that of the weights before it;
    ``engine`` is left with the weights that are to blame.

    One at a time, for a loss need not show it: an infinite running variance is not used before the net is tested.
    """
    for at, (batch, pixels, lr) in enumerate(zip(batches, shown, lrs, strict=True)):
        before = Snapshot.of(engine)
        loss = engine.steps(batch, len(batches[0]), [lr], pixels).cpu()
        if not bool(torch.isfinite(loss).all()):
            before.restore(engine)
            return at, True
        if not is_finite(engine, loss):
            break
    return at, False


def _first_bad(net: nn.Sequential, data: Dataset, images: Tensor) -> str:
    """The first layer, from ``images`` uint8 (N, C, H, W) on, whose weights or output are not finite."""
    device = next(net.parameters()).device
    x = Normalize(data.mean, data.std, device)(images)
    with torch.no_grad():
        made = {IMAGE: x}
        for part in parts(net):
            for tensor_name, tensor in part.module.state_dict().items():
                if not bool(torch.isfinite(tensor).all()):
                    return f"the first bad value is in {part.name}.{tensor_name}"
            x = made[part.name] = part.module(*(made[name] for name in part.inputs))
            if not bool(torch.isfinite(x).all()):
                return f"the first bad value is in the output of {part.name}"
    return "the net's output is finite, so the loss itself overflows"
