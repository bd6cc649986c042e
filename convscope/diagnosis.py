"""A loss or weights that are no numbers: where the first of them appeared, and the way back to the last good state."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .data.batches import Normalize
from .data.images import Dataset
from .engine.base import Engine
from .errors import NotFinite
from .recipe import Recipe


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


def not_finite(
    engine: Engine,
    recipe: Recipe,
    data: Dataset,
    where: tuple[int, int],
    good: Snapshot,
    index: Tensor,
    lrs: list[float],
    bad: int | None,
) -> NotFinite:
    """Go back to the last good weights, replay up to the bad update, and say where the first bad value appeared.

    ``where`` is the epoch under way and how many updates had been taken before these; ``bad`` is the one among these
    whose loss is not finite, None where only the weights after the last are not.
    """
    epoch, done = where
    batch_size = recipe.batch_size
    last = len(lrs) - 1 if bad is None else bad
    replayed = len(lrs) if bad is None else bad
    good.restore(engine)
    if replayed:
        engine.steps(index[: replayed * batch_size], batch_size, lrs[:replayed])
    place = _first_bad(engine.net, data, index[last * batch_size : (last + 1) * batch_size])
    good.restore(engine)  # again: the run still stands before the first of these updates
    what = "the loss is" if bad is not None else "the weights are"
    return NotFinite(
        f"{what} not finite at update {done + last + 1} (epoch {epoch}, learning rate {lrs[last]:g}); {place}",
        f"try a learning rate ten times smaller (--lr {recipe.lr / 10:g}); the weights of update {done} are kept",
    )


def _first_bad(net: nn.Sequential, data: Dataset, batch: Tensor) -> str:
    """The first layer, from the input, whose weights or output hold a value that is not finite."""
    device = next(net.parameters()).device
    x = Normalize(data.mean, data.std, device)(torch.from_numpy(data.train.images)[batch])
    with torch.no_grad():
        for name, module in net.named_children():
            for tensor_name, tensor in module.state_dict().items():
                if not bool(torch.isfinite(tensor).all()):
                    return f"the first bad value is in {name}.{tensor_name}"
            x = module(x)
            if not bool(torch.isfinite(x).all()):
                return f"the first bad value is in the output of {name}"
    return "the net's output is finite, so the loss itself overflows"
