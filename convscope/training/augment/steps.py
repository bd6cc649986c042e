"""The steps of an augmentation: each makes another picture of a picture that still shows the same class.

A step is read from a spec's words, written back as text, and applied to a batch uint8 (M, C, H, W) with numbers that
:class:`~.draws.Draws` gives. All arithmetic is in whole numbers. What is drawn lies on the CPU, pixels on any device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Protocol

import torch
from torch import Tensor

from ...net.words import Words, decimal_text
from .blending import beside, blended, mean_colour, rounded
from .draws import Draws
from .moves import MOST_ROWS, Axis, Move
from .sampling import Padding, inside, shifted, warped

LEAST = 1e-6


class Step(Protocol):
    """One step. ``text`` is how it is written."""

    @property
    def text(self) -> str:
        """The step's words; reading them gives the step again."""
        ...

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Other pixels uint8 of the same shape."""
        ...


@dataclass(frozen=True)
class Flip:
    """Left and right change places, in half of the cases at random, or, ``alternating``, in every second epoch.

    Alternating (K. Jordan 2024, airbench: arXiv 2404.00498) shows each image from both sides equally often.
    """

    alternating: bool = False

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return "flip alternating" if self.alternating else "flip"

    @classmethod
    def read(cls, words: Words) -> "Flip":
        """See :data:`STEPS`."""
        if not words.numbers:
            return cls()
        word = words.take("alternating")
        if word.text != "alternating":
            raise words.fail(word, f"flip may be followed by alternating, not {word.text[:40]!r}")
        return cls(True)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        return torch.where(beside(images, self._mirrored(draws))[:, None, None, None], images.flip(3), images)

    def move(self, draws: Draws, height: int, width: int) -> Move:
        """The same as places along rows and columns."""
        places = torch.arange(width)
        ways = torch.stack([places, places.flip(0)])
        columns = Axis(ways, torch.full(ways.shape, 255, dtype=torch.uint8), self._mirrored(draws).long())
        return Axis.still(height, len(draws.images)), columns

    def _mirrored(self, draws: Draws) -> Tensor:
        return draws.coin() ^ bool(draws.epoch % 2) if self.alternating else draws.below(0, 2) == 1


@dataclass(frozen=True)
class Shift:
    """Moved by up to ``most`` whole pixels down or up and right or left; ``padding`` says what comes in."""

    most: int
    padding: Padding = "reflect"

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"shift {self.most}" + padding_text(self.padding)

    @classmethod
    def read(cls, words: Words) -> "Shift":
        """See :data:`STEPS`."""
        return cls(pixels(words), read_padding(words))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        down, right = (draws.below(draw, 2 * self.most + 1) - self.most for draw in range(2))
        return shifted(images, beside(images, down), beside(images, right), self.padding)

    def move(self, draws: Draws, height: int, width: int) -> Move:
        """The same as places along rows and columns."""
        axes, count = [], 2 * self.most + 1
        for draw, size in enumerate((height, width)):
            drawn = draws.below(draw, count)
            if count > MOST_ROWS:  # then a row an image
                ways, chosen = drawn, torch.arange(len(drawn))
            else:
                ways, chosen = torch.arange(count), drawn
            places, counts = inside(torch.arange(size) + self.most - ways[:, None], size, self.padding)
            axes.append(Axis(places, counts.to(torch.uint8) * 255, chosen))
        return axes[0], axes[1]


@dataclass(frozen=True)
class Cutout:
    """A square of ``side`` pixels in the image's own mean colour, its centre anywhere in the image.

    DeVries and Taylor 2017, arXiv 1708.04552 (there the colour is the mean of all images).
    """

    side: int

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"cutout {self.side}"

    @classmethod
    def read(cls, words: Words) -> "Cutout":
        """See :data:`STEPS`."""
        return cls(pixels(words))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        height, width = images.shape[2:]
        covered = [
            beside(images, self._covered(centre[:, None], torch.arange(size)))
            for centre, size in zip(self.centres(draws, height, width), (height, width), strict=True)
        ]
        square = covered[0][:, None, :, None] & covered[1][:, None, None, :]
        return torch.where(square, mean_colour(images), images)

    def centres(self, draws: Draws, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Row and column of the squares' centres, int64 (M,) each."""
        return draws.below(0, height), draws.below(1, width)

    def _covered(self, centre: Tensor, places: Tensor) -> Tensor:
        first = centre - self.side // 2
        return (places >= first) & (places < first + self.side)


@dataclass(frozen=True)
class Rotate:
    """Turned about its centre by up to ``degrees`` one way or the other, bilinearly."""

    degrees: float
    padding: Padding = "reflect"

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"rotate {decimal_text(self.degrees)}" + padding_text(self.padding)

    @classmethod
    def read(cls, words: Words) -> "Rotate":
        """See :data:`STEPS`."""
        return cls(real(words, "angle in degrees", 180), read_padding(words))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        return warped(images, self.matrices(draws), self.padding)

    def matrices(self, draws: Draws) -> Tensor:
        """What :func:`~.sampling.warped` is given."""
        angle = draws.between(0, -self.degrees, self.degrees) * (pi / 180)
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)


@dataclass(frozen=True)
class Zoom:
    """Larger or smaller by a factor between 1 − ``most`` and 1 + ``most``, about its centre, bilinearly."""

    most: float
    padding: Padding = "reflect"

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"zoom {decimal_text(self.most)}" + padding_text(self.padding)

    @classmethod
    def read(cls, words: Words) -> "Zoom":
        """See :data:`STEPS`."""
        return cls(real(words, "share", 0.9), read_padding(words))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        return warped(images, self.matrices(draws), self.padding)

    def matrices(self, draws: Draws) -> Tensor:
        """What :func:`~.sampling.warped` is given."""
        factor = 1 / draws.between(0, 1 - self.most, 1 + self.most)
        return factor[:, None, None] * torch.eye(2, dtype=torch.float64)


@dataclass(frozen=True)
class Brightness:
    """Every value times a factor between 1 − ``most`` and 1 + ``most``, as torchvision's ColorJitter has it."""

    most: float

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"brightness {decimal_text(self.most)}"

    @classmethod
    def read(cls, words: Words) -> "Brightness":
        """See :data:`STEPS`."""
        return cls(real(words, "share", 1))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        return blended(images, images.new_zeros(()), self.factors(draws))

    def factors(self, draws: Draws) -> Tensor:
        """int32 (M,), in units of 1/4096."""
        return rounded(draws.between(0, 1 - self.most, 1 + self.most))


@dataclass(frozen=True)
class Contrast:
    """Every value's distance from the image's mean times a factor between 1 − ``most`` and 1 + ``most``."""

    most: float

    @property
    def text(self) -> str:
        """See :class:`Step`."""
        return f"contrast {decimal_text(self.most)}"

    @classmethod
    def read(cls, words: Words) -> "Contrast":
        """See :data:`STEPS`."""
        return cls(real(words, "share", 1))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """See :class:`Step`."""
        middle = mean_colour(images).int().sum(1, keepdim=True) // images.shape[1]
        return blended(images, middle, self.factors(draws))

    def factors(self, draws: Draws) -> Tensor:
        """int32 (M,), in units of 1/4096."""
        return rounded(draws.between(0, 1 - self.most, 1 + self.most))


def pixels(words: Words) -> int:
    """The next number, some pixels."""
    word = words.take("a number of pixels")
    return words.number(word, word.text, "the number of pixels", 1)


def real(words: Words, what: str, most: float) -> float:
    """The next number, ``what``, 0 < x ≤ ``most``."""
    word = words.take(f"a {what}")
    try:
        value = float(word.text)
    except ValueError:
        value = -1.0
    if not LEAST <= value <= most:
        raise words.fail(word, f"the {what} must be a number with 0 < x ≤ {most:g}, not {word.text[:40]!r}")
    return value


def read_padding(words: Words) -> Padding:
    """The option padding=."""
    return "zeros" if words.option_choice("padding", ("reflect", "zeros")) == "zeros" else "reflect"


def padding_text(padding: Padding) -> str:
    """The option, nothing where it is the default."""
    return "" if padding == "reflect" else f" padding={padding}"


@dataclass(frozen=True)
class Kind:
    """A word of the language: how the step is written, how it is read, and what it does."""

    usage: str
    read: Callable[[Words], Step]


STEPS = {
    "flip": Kind("flip, or flip alternating", Flip.read),
    "shift": Kind("shift PIXELS [padding=reflect|zeros], such as shift 4", Shift.read),
    "cutout": Kind("cutout PIXELS, such as cutout 8", Cutout.read),
    "rotate": Kind("rotate DEGREES [padding=reflect|zeros], such as rotate 10", Rotate.read),
    "zoom": Kind("zoom SHARE [padding=reflect|zeros], such as zoom 0.1", Zoom.read),
    "brightness": Kind("brightness SHARE, such as brightness 0.2", Brightness.read),
    "contrast": Kind("contrast SHARE, such as contrast 0.2", Contrast.read),
}
