"""Whether numbers on GPUs travel from GPU to GPU (NCCL), or through main memory (gloo): all ranks decide it alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import distributed as dist

from .team import Team


@dataclass(frozen=True)
class Card:
    """What computes on a rank: the ``kind`` of device, and for a GPU its ``uuid``, which no other has.

    ``nccl``: this build of torch has NCCL.
    """

    kind: str
    uuid: str = ""
    nccl: bool = False

    @classmethod
    def of(cls, device: torch.device) -> "Card":
        """That of a torch device."""
        if device.type != "cuda":
            return cls(device.type)
        return cls("cuda", str(torch.cuda.get_device_properties(device).uuid), dist.is_nccl_available())


def obstacle(cards: Sequence[Card]) -> str | None:
    """Why NCCL cannot join the ``cards``, one of each rank; None where it can."""
    for rank, card in enumerate(cards):
        if card.kind != "cuda":
            return f"rank {rank} computes on the {card.kind.upper()}"
        if not card.nccl:
            return f"the torch of rank {rank} has no NCCL"
        sharer = next(other for other, one in enumerate(cards) if one.uuid == card.uuid)
        if sharer != rank:
            return f"ranks {sharer} and {rank} share a GPU"
    return None


def meet(team: Team, device: torch.device) -> tuple[str, ...]:
    """Join the GPUs of ``team`` where it has some; a sentence on how their numbers travel. All ranks call it at once.

    Raises TrainingError where NCCL cannot reach the others.
    """
    if team.line is None:
        return ()
    cards = [Card(**told) for told in team.gather_json(asdict(Card.of(device)))]
    if all(card.kind != "cuda" for card in cards):
        return ()
    reason = obstacle(cards)
    if reason is not None:
        return (f"numbers of GPUs travel through main memory, over gloo: {reason}",)
    team.line.join_gpus(device)
    return ("gradients travel from GPU to GPU, over NCCL",)
