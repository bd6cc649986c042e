"""The torch modules where branches of a net meet. Shapes: (N, C, H, W) or (N, F)."""

import torch
from torch import Tensor, nn


class Add(nn.Module):
    """The sum of all inputs, which have one shape; ``constant`` is added where a net adds a number."""

    def __init__(self, constant: float | None = None) -> None:
        super().__init__()
        self.constant = constant

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """First + second + …, from left to right."""
        for other in others:
            first = first + other
        return first if self.constant is None else first + self.constant


class Concat(nn.Module):
    """The inputs behind each other along ``dim``, counted with the batch axis."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Tensor) -> Tensor:
        """The channels of the first, then those of the second, …."""
        return torch.cat(inputs, self.dim)
