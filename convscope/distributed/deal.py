"""The test of a net, dealt to the processes: each image is counted once."""

from collections.abc import Callable

import torch
from torch import Tensor

from .team import Team


def logits_of(logits: Callable[[Tensor], Tensor], images: Tensor, together: int, team: Team) -> Tensor:
    """The scores (M, K) of ``images``, each computed by one rank, in order.

    ``together`` images go to one rank: so each has the same neighbours, on which the bits of its scores may depend.
    """
    if team.ranks == 1:
        return logits(images)
    groups = -(-len(images) // together)
    parts = [
        (
            min(groups * rank // team.ranks * together, len(images)),
            min(groups * (rank + 1) // team.ranks * together, len(images)),
        )
        for rank in range(team.ranks)
    ]
    start, stop = parts[team.rank]
    # A rank without images computes one: it does not know how many scores there are.
    found = logits(images[start:stop] if stop > start else images[:1])
    most = max(stop - start for start, stop in parts)
    own = torch.zeros(most, found.shape[1])
    own[: stop - start] = found[: stop - start]
    rows = team.gather(own)
    return torch.cat([rows[rank, : stop - start] for rank, (start, stop) in enumerate(parts)])
