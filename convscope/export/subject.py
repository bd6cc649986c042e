"""What a format's writer is given, and what it gives back when its file is run again."""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..net.model import Model
from ..training.scores import Confidence, confidence_of
from .program import Program, program
from .steps import Conv, Linear

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """A net that leaves, under ``name``. ``facts`` go into its file as they are, and ``samples`` uint8 (N, C, H, W),
    prepared images of its training set, may be looked at to choose how it is stored; there may be none.
    """

    model: Model
    name: str
    facts: dict[str, str] = field(default_factory=dict)
    samples: Pixels | None = None

    @property
    def own(self) -> bool:
        """Whether the net is a module of somebody's own, which has no text and so no program."""
        return not isinstance(self.model.net, nn.Sequential)

    @cached_property
    def program(self) -> Program:
        """Its steps, with float32 weights."""
        return program(self.model)

    @property
    def sure(self) -> Confidence:
        """Whether it gives probabilities (softmax of its scores) or scores as they are."""
        return confidence_of(self.model.loss)

    @property
    def identifier(self) -> str:
        """The name as a word of C and its kin: small ASCII letters, digits and underscores."""
        word = re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_") or "net"
        return word if word[0].isalpha() else f"net_{word}"

    @property
    def about(self) -> str:
        """What the net is, in one line of printable ASCII."""
        text = f"{self.name}: {self.model.spec}"
        return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)

    @property
    def stated(self) -> str:
        """The facts as one line of ASCII JSON."""
        return json.dumps(self.facts, sort_keys=True)


@dataclass(frozen=True)
class Replay:
    """The answers of a file, run again: ``probabilities`` float64 (N, K), seconds an image, and what ran it."""

    probabilities: NDArray[np.float64]
    seconds: float
    runtime: str


def multiply_adds(found: Program) -> int:
    """Of one image, in convolutions and linear layers."""
    total = 0
    for step in found.steps:
        if isinstance(step.op, Conv):
            total += prod(step.output) * prod(step.op.weight.shape[1:])
        elif isinstance(step.op, Linear):
            total += step.op.weight.size
    return total
