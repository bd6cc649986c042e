"""SGD whose weight decay is apart from the gradient, and Muon, which makes the steps of weights orthogonal.

    m ← μ m + g;   d = m   (nesterov: d = g + μ m)
    sgdw   w ← w (1 − η λ) − η d
    muon   hidden weights: w ← w (1 − η λ) − η √max(1, rows/columns) NS(d);   all other parameters: as sgdw

d of a weight (O, …) is a matrix of O rows. NS moves it towards the nearest matrix with orthonormal rows, five times

    X ← a X + (b A + c A²) X,   A = X Xᵀ,   from X = d / (‖d‖ + 1e-7),   a, b, c = 3.4445, −4.7750, 2.0315

(as its transpose where rows > columns), which brings the singular values near 1. All in float32, in the space of the
rows: what is in brackets is a polynomial P of A, so the next A is P A P, and d is multiplied once, by the product of
all P; ‖d‖² is the trace of d dᵀ. For 256×2,304 that is 2.6 times faster than by the letter; it is within 1e-3 of
float64 (by the letter: 1e-4).

SGDW: I. Loshchilov, F. Hutter, Decoupled weight decay regularization (arXiv 1711.05101). Muon: K. Jordan et al., Muon:
an optimizer for hidden layers in neural networks (2024, kellerjordan.github.io/posts/muon).
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..net.model import evaluation
from ..net.own.net import OwnNet
from .plain import one_thread

ITERATIONS, A, B, C = 5, 3.4445, -4.7750, 2.0315
TINY = 1e-7
LARGE = 100_000  # numbers, which take milliseconds: less is not worth a thread


def hidden(net: nn.Module, image: Sequence[int]) -> list[str]:
    """The names of the parameters that Muon steps orthogonally: trained weights of convolutions and linear layers, all
    but the net's last, which makes the scores of images (C, H, W)."""
    weights = {name: parameter for name, parameter in net.named_parameters() if parameter.ndim > 1}
    last = _last(net, image) if isinstance(net, OwnNet) else next(reversed(weights), None)
    return [name for name, parameter in weights.items() if parameter.requires_grad and name != last]


def _last(net: nn.Module, image: Sequence[int]) -> str | None:
    """The weight that a backward pass from the scores comes to first, wherever its author has put it."""
    given = {name: parameter.detach().requires_grad_() for name, parameter in net.named_parameters()}
    names = {id(parameter): name for name, parameter in given.items() if parameter.ndim > 1}
    batch = torch.zeros(2, *image, device=next(net.parameters()).device, dtype=torch.float32)
    with evaluation(net), torch.enable_grad():
        nodes = [torch.func.functional_call(net, given, (batch,)).grad_fn]
    seen = set()
    for node in nodes:  # which grows: the nearest first
        if node is None or node in seen:
            continue
        seen.add(node)
        name = names.get(id(getattr(node, "variable", None)))
        if name is not None:
            return name
        nodes += [below for below, _ in node.next_functions]
    return None


class Product(Protocol):
    """a @ b of float32 matrices; ``symmetric``: the result is known to be; ``out``: where to write it."""

    def __call__(self, a: Tensor, b: Tensor, symmetric: bool = False, out: Tensor | None = None) -> Tensor:
        """The product."""
        ...


def plain(a: Tensor, b: Tensor, symmetric: bool = False, out: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """torch's own product, which makes nothing of a symmetric one."""
    return torch.mm(a, b, out=out)


def orthogonal(d: Tensor, product: Product = plain, out: Tensor | None = None) -> Tensor:
    """√max(1, rows/columns) NS(d) for d (O, …), contiguous, of the same shape; ``out``: where to write it."""
    matrix, result = d.flatten(1), None if out is None else out.flatten(1)
    rows, columns = matrix.shape
    wide = matrix if rows <= columns else matrix.T
    square = product(wide, wide.T, symmetric=True)
    scale = 1 / (square.trace().sqrt() + TINY)  # X = d · scale
    square.mul_(scale * scale)
    together = polynomial = _polynomial(square, product)
    for _ in range(ITERATIONS - 1):
        square = product(product(polynomial, square, symmetric=True), polynomial, symmetric=True)
        polynomial = _polynomial(square, product)
        together = product(polynomial, together, symmetric=True)
    together.mul_(scale * max(1.0, rows / columns) ** 0.5)
    factors = (together, matrix) if rows <= columns else (matrix, together)  # which is symmetric
    return product(*factors, out=result).view(d.shape)


def _polynomial(square: Tensor, product: Product) -> Tensor:
    """a I + b A + c A²."""
    result = product(square, square, symmetric=True).mul_(C).add_(square, alpha=B)
    result.diagonal().add_(A)
    return result


class DecoupledSGD(torch.optim.Optimizer):
    """``sgdw``; ``muon`` for the groups of ``parameters`` that are ``orthogonal``."""

    def __init__(
        self, parameters: Iterable[dict[str, Any]], momentum: float, nesterov: bool, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": 0.0, "orthogonal": False})
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """Move every parameter that has a gradient."""
        with one_thread():  # the bits of a matrix product may depend on the number of threads
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._move(parameter, parameter.grad, group["lr"], group["orthogonal"])

    def _move(self, w: Tensor, g: Tensor, lr: float | Tensor, orthogonally: bool) -> None:
        state = self.state[w]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(w)
        m = state["momentum_buffer"].mul_(self.momentum).add_(g)
        d = g + self.momentum * m if self.nesterov else m
        w.mul_(1 - lr * self.weight_decay).sub_(lr * (orthogonal(d) if orthogonally else d))


class BetweenCalls:
    """Muon's steps of hidden weights where an engine has already summed up their momentum.

    ``places``: weight, momentum and the factor of the rate of each, which share the engine's memory. Up to ``threads``
    of them are moved at once where they are large.
    """

    def __init__(
        self,
        places: list[tuple[Tensor, Tensor, float]],
        threads: int,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        product: Product = plain,
    ) -> None:
        self._places, self._product = places, product
        self._threads = threads if sum(w.numel() for w, _, _ in places) > LARGE else 1
        self._momentum, self._nesterov, self._decay = momentum, nesterov, weight_decay
        # Kept from step to step: memory that is given back is asked for again page by page.
        self._steps = [torch.empty_like(w) for w, _, _ in places]
        self._before = [torch.empty_like(w) for w, _, _ in places] if nesterov else []

    def begin(self) -> None:
        """Before the engine's step: Nesterov's direction needs the gradient, which is what the momentum gains."""
        if self._nesterov:
            with one_thread():  # torch's other threads would look for more work for a while, on the engine's cores
                for before, (_, m, _) in zip(self._before, self._places, strict=True):
                    before.copy_(m)

    def step(self, lr: float) -> None:
        """After it: move the weights."""
        with one_thread():
            if self._threads == 1:
                for n in range(len(self._places)):
                    self._find(n)
            else:
                with ThreadPoolExecutor(self._threads) as pool:
                    list(pool.map(self._find, range(len(self._places))))
            for (w, _, factor), step in zip(self._places, self._steps, strict=True):  # all or, interrupted above, none
                rate = lr * factor
                if self._decay:
                    w.mul_(1 - rate * self._decay)
                w.sub_(step, alpha=rate)

    def _find(self, n: int) -> None:
        """The step of number n."""
        _, d, _ = self._places[n]
        if self._nesterov:
            d = self._before[n].lerp_(d, 1 + self._momentum)  # (1 + μ) m − μ before
        orthogonal(d, self._product, out=self._steps[n])
