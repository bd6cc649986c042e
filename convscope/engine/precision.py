"""In which numbers a net is computed: IEEE float32, or fewer bits where the device multiplies them faster.

Weights, optimizer state, batch norm's statistics, loss and update are float32 in every case. ``tf32`` rounds the
factors of convolutions to 10 bits; ``bf16`` and ``fp16`` compute what torch.autocast lists as safe in 16 bits
(Micikevicius et al. 2018, arXiv 1710.03740), fp16 with a loss scale that follows the gradients (torch.amp.GradScaler).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import UsageError
from ..recipe import PrecisionName

# Channels that go into and come out of a layer from which 16 bits pay for the conversions around it (docs/LOG.md).
WIDE = 64
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Chip:
    """What computes: the kind of a torch device, and the compute capability of one that is called cuda."""

    kind: str
    capability: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, device: torch.device) -> "Chip":
        """The chip of a device that is there."""
        return cls(device.type, torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0))

    def __str__(self) -> str:
        if self.kind != "cuda":
            return self.kind
        return f"cuda of compute capability {self.capability[0]}.{self.capability[1]}"


@dataclass(frozen=True)
class Precision:
    """A precision that was chosen for a chip."""

    name: PrecisionName
    kind: str

    @property
    def scales_loss(self) -> bool:
        """Whether gradients could vanish in the numbers that they are computed in."""
        return self.name == "fp16"

    @contextmanager
    def around(self) -> Iterator[None]:
        """Inside the block forward passes compute in these numbers."""
        half = HALVES.get(self.name)
        # No cache: a step uses each weight once, and a recorded step must convert it every time.
        with torch.autocast(self.kind, half, enabled=half is not None, cache_enabled=False):
            yield


def chosen(name: PrecisionName, chip: Chip, net: nn.Module) -> Precision:
    """The precision called ``name`` on ``chip``. Raises UsageError where the chip does not have it.

    ``auto`` is fp32 but on CUDA devices: there tf32 for narrow nets, 16 bits for wide ones, as far as the chip
    multiplies them in its matrix units (tf32 and bf16: Ampere and later; fp16: Volta and later).
    """
    if name == "auto":
        name = _usual(chip, net)
    lacking = _lacking(name, chip)
    if lacking:
        raise UsageError(f"--precision {name} needs {lacking}, but the device is {chip}", "use --precision auto")
    return Precision(name, chip.kind)


def _usual(chip: Chip, net: nn.Module) -> PrecisionName:
    if chip.kind != "cuda" or chip.capability < (7, 0):
        return "fp32"
    modern = chip.capability >= (8, 0)
    if is_wide(net):
        return "bf16" if modern else "fp16"
    return "tf32" if modern else "fp32"


def _lacking(name: PrecisionName, chip: Chip) -> str:
    """What a chip would have to be for this precision; "" where it has it."""
    if name in HALVES and chip.kind not in ("cpu", "cuda"):
        return "the CPU or a CUDA device"
    if name == "tf32" and chip.kind != "cuda":
        return "a CUDA device"
    if name in ("tf32", "bf16") and chip.kind == "cuda" and chip.capability < (8, 0):
        return "a CUDA device of compute capability 8.0 or later"
    return ""


def is_wide(net: nn.Module) -> bool:
    """Whether a convolution or linear layer has at least WIDE channels on both sides (of each group)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            sides = module.in_channels // module.groups, module.out_channels // module.groups
        elif isinstance(module, nn.Linear):
            sides = module.in_features, module.out_features
        else:
            continue
        if min(sides) >= WIDE:
            return True
    return False
