"""All steps of an augmentation by machine code."""

from collections.abc import Sequence

from torch import Tensor

from .colours import brighter, contrasted, covered
from .draws import Draws
from .moves import Move, joined, moved
from .steps import Brightness, Contrast, Cutout, Flip, Rotate, Shift, Step, Zoom
from .warps import warped


def after(images: Tensor, steps: Sequence[tuple[Step, Draws]]) -> Tensor:
    """uint8 (M, C, H, W) on the CPU: the bytes that the steps make one after the other."""
    waiting: list[Move] = []
    for step, draws in steps:
        if isinstance(step, Flip | Shift):
            waiting.append(step.move(draws, *images.shape[2:]))
        else:
            images = _changed(_all_moved(images, waiting), step, draws)
            waiting = []
    return _all_moved(images, waiting)


def _all_moved(images: Tensor, moves: Sequence[Move]) -> Tensor:
    for move in joined(moves):
        images = moved(images, move)
    return images


def _changed(images: Tensor, step: Step, draws: Draws) -> Tensor:
    match step:
        case Rotate() | Zoom():
            return warped(images, step.matrices(draws), step.padding)
        case Cutout():
            return covered(images, step.centres(draws, *images.shape[2:]), step.side)
        case Brightness():
            return brighter(images, step.factors(draws))
        case Contrast():
            return contrasted(images, step.factors(draws))
        case _:
            return step(images, draws)
