"""Pixels between pixels, in whole numbers: the bytes are the same on every machine and for any number of threads."""

from typing import Literal

import torch
from torch import Tensor

Padding = Literal["reflect", "zeros"]

BITS = 8  # of the fraction of a pixel's place, and so of the weights of its four neighbours
FINE = 14  # of the fraction of a matrix' entries
MASK = 255


def inside(places: Tensor, size: int, padding: Padding) -> tuple[Tensor, Tensor]:
    """Places int64 as places in 0..size−1, and which of them lay there (all of them count where they are reflected).

    Reflected without repeating the edge, as torch's padding_mode="reflect" does.
    """
    if padding == "zeros":
        return places.clamp(0, size - 1), (places >= 0) & (places < size)
    period = max(2 * (size - 1), 1)
    folded = places.remainder(period)
    return torch.minimum(folded, period - folded), torch.ones_like(places, dtype=torch.bool)


def shifted(images: Tensor, down: Tensor, right: Tensor, padding: Padding) -> Tensor:
    """uint8 (M, C, H, W), each image moved by whole pixels: ``down``, ``right`` int64 (M,)."""
    count, channels, height, width = images.shape
    rows, row_inside = inside(torch.arange(height, device=images.device) - down[:, None], height, padding)  # (M, H)
    columns, column_inside = inside(
        torch.arange(width, device=images.device) - right[:, None], width, padding
    )  # (M, W)
    places = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1)
    moved = images.reshape(count, channels, -1).gather(2, places.expand(-1, channels, -1)).view(images.shape)
    if padding == "reflect":
        return moved
    return moved * (row_inside[:, :, None] & column_inside[:, None, :])[:, None]


def warped(images: Tensor, matrices: Tensor, padding: Padding) -> Tensor:
    """uint8 (M, C, H, W): the pixel at offset p from the centre shows what was at ``matrix`` · p, bilinearly.

    ``matrices`` float64 (M, 2, 2), on the CPU, map (right, down) to (right, down). Places and weights are rounded to
    1/256 pixel.
    """
    count, channels, height, width = images.shape
    m = whole_numbers(matrices)
    first_last = corners(m, width, height)
    x, y = (torch.arange(1 - size, size, 2, dtype=torch.int32, device=images.device) for size in (width, height))
    column, row = _places(m.to(images.device, non_blocking=True), x, y, width, height)
    left, top = column >> BITS, row >> BITS  # (M, H, W)
    quads, first_row, first_column = _quads(images, first_last[1], first_last[0], padding)
    places = ((top - first_row) * quads.shape[3] + left - first_column).view(count, 1, -1).long()
    quad = quads.view(count, channels, -1).gather(2, places.expand(-1, channels, -1))
    part_x, part_y = (column & MASK).view(count, 1, -1), (row & MASK).view(count, 1, -1)
    whole = 1 << BITS
    upper = (quad & MASK) * (whole - part_x) + (quad >> 8 & MASK) * part_x
    lower = (quad >> 16 & MASK) * (whole - part_x) + (quad >> 24 & MASK) * part_x
    total = upper * (whole - part_y) + lower * part_y
    return (total + (1 << (2 * BITS - 1)) >> 2 * BITS).to(torch.uint8).view(images.shape)


def whole_numbers(matrices: Tensor) -> Tensor:
    """float64 (M, 2, 2) as int32, in units of 1/2¹⁴."""
    return (matrices * (1 << FINE)).round().to(torch.int32)


def corners(m: Tensor, width: int, height: int) -> list[Tensor]:
    """Columns and rows of the pixels that the corners show: the least and largest of all, found without waiting."""
    ends = [torch.tensor([1 - size, size - 1], dtype=torch.int32) for size in (width, height)]  # twice the offsets
    return [place >> BITS for place in _places(m, ends[0], ends[1], width, height)]


def _places(m: Tensor, x: Tensor, y: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Column and row, in units of 1/256 pixel, that the pixels at twice the offsets x, y show: int32 (M, H, W) each."""
    half = FINE + 1 - BITS
    column, row = (
        (
            m[:, n, 0, None, None] * x.view(1, 1, -1) + m[:, n, 1, None, None] * y.view(1, -1, 1) + (1 << (half - 1))
            >> half
        )
        + ((size - 1) << (BITS - 1))
        for n, size in enumerate((width, height))
    )
    return column, row


def _quads(images: Tensor, top: Tensor, left: Tensor, padding: Padding) -> tuple[Tensor, int, int]:
    """Each pixel with its neighbours right, below and right below in one int32 (one look-up instead of four).

    They reach from the least to the largest ``top`` and ``left``, on the CPU; returns these least places, too.
    """
    (first_row, last_row), (first_column, last_column) = (
        (int(places.min()), int(places.max()) + 2) for places in (top, left)
    )
    device = images.device
    rows, row_inside = inside(torch.arange(first_row, last_row, device=device), images.shape[2], padding)
    columns, column_inside = inside(torch.arange(first_column, last_column, device=device), images.shape[3], padding)
    padded = images[:, :, rows][:, :, :, columns].int()
    if padding == "zeros":
        padded *= row_inside[:, None] & column_inside
    upper = padded[..., :-1] | padded[..., 1:] << 8
    return upper[:, :, :-1] | upper[:, :, 1:] << 16, first_row, first_column
