"""The language of augmentations: ``flip | shift 4 | cutout 8``, read from left to right, written back as it is."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...engine.plain import one_thread
from ...errors import near
from ...net.words import SpecError, Word, Words
from .compiled import after
from .draws import Draws
from .native import there_is
from .steps import STEPS, Step

TOGETHER = 64 * 28 * 28  # pixels that a thread works on at once: what it makes of them stays in its cache
MANY = 1 << 16  # pixels: for fewer, machine code is not worth compiling
TOGETHER_ELSEWHERE = 1 << 24  # and a device: enough for all of its units, few enough for its memory
MOST_STEPS = 20


class Augment(Protocol):
    """What makes other pictures of pictures: a pure function of its arguments."""

    def __call__(self, images: Tensor, numbers: Tensor, epoch: int) -> Tensor:
        """uint8 (M, C, H, W) of the same shape for the images with these ``numbers`` int64 (M,) in ``epoch`` (from 1).

        The same image in the same epoch gives the same pixels, whatever else is asked for at once.
        """
        ...


@dataclass(frozen=True)
class Augmentation:
    """The steps of a spec, with the seed of their random numbers."""

    steps: tuple[Step, ...]
    seed: int = 0

    @classmethod
    def of(cls, text: str, seed: int = 0) -> "Augmentation":
        """Read a spec; an empty one, or ``none``, changes nothing. Raises SpecError that points at the word."""
        return cls(parse(text), seed)

    @property
    def text(self) -> str:
        """The spec that gives these steps again."""
        return " | ".join(step.text for step in self.steps) or "none"

    def __call__(self, images: Tensor, numbers: Tensor, epoch: int) -> Tensor:
        """See :class:`Augment`. ``numbers`` are on the CPU; pixels are made where ``images`` lie, the same ones."""
        elsewhere = images.device.type != "cpu"
        if not elsewhere and images.numel() >= MANY and there_is():
            return after(images, [(s, Draws(self.seed, epoch, n, numbers)) for n, s in enumerate(self.steps)])
        size = max(1, (TOGETHER_ELSEWHERE if elsewhere else TOGETHER) // (images.shape[2] * images.shape[3]))
        parts = images.split(size), numbers.split(size), itertools.repeat(epoch)
        if elsewhere:
            return torch.cat(list(map(self._some, *parts)))
        workers = min(torch.get_num_threads(), len(parts[0]))
        with one_thread(), ThreadPoolExecutor(workers) as pool:
            return torch.cat(list(pool.map(self._some, *parts)))

    def _some(self, images: Tensor, numbers: Tensor, epoch: int) -> Tensor:
        for place, step in enumerate(self.steps):
            images = step(images, Draws(self.seed, epoch, place, numbers))
        return images


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a spec. Raises SpecError (exit code 2) that points at the word that cannot be read."""
    if text.strip() in ("", "none"):
        return ()
    words = [Word(found.group(), found.start()) for found in re.finditer(r"\||[^\s|]+", text)]
    parts: list[list[Word]] = [[]]
    for word in [*words, Word("|", max(len(text) - 1, 0))]:
        if word.text != "|":
            parts[-1].append(word)
            continue
        if not parts[-1]:
            raise SpecError(text, word.position, 1, "a step is missing here", "write steps with | between them")
        parts.append([])
    if len(parts) - 1 > MOST_STEPS:
        raise SpecError(text, parts[MOST_STEPS][0].position, 1, f"an augmentation has at most {MOST_STEPS} steps")
    return tuple(_step(text, part) for part in parts[:-1])


def _step(text: str, words: list[Word]) -> Step:
    head = words[0]
    if head.text not in STEPS:
        known = near(head.text[:40], [name for name in (*STEPS, "none", "light", "auto") if name != head.text])
        raise SpecError(
            text, head.position, len(head.text), f"no step of an augmentation is called {head.text[:40]!r}", known
        )
    kind = STEPS[head.text]
    reader = Words.of(text, words, kind.usage)
    step = kind.read(reader)
    reader.finish()
    return step
