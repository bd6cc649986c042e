"""From gradient to new parameter, for a run of parameters at once. g is the gradient, summed over threads in order.

    sgd    g ← g + λ w;   m ← μ m + g;   w ← w − η m          (nesterov: w ← w − η (g + μ m); μ = 0: w ← w − η g)
    sgdw   w ← w(1 − η λ), then as sgd without λ; muon, too: its hidden weights are moved in between (engine/muon.py)
    adam   g ← g + λ w;   m ← m + (g − m)(1 − β₁);   v ← β₂ v + (1 − β₂) g²
           w ← w − η/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + 1e-8)
    adamw  w ← w(1 − η λ), then as adam without λ

As torch.optim.SGD, Adam and AdamW; SGDW is Loshchilov and Hutter's (arXiv 1711.05101). The first momentum step, m = g,
needs no case of its own: m starts at zero.
A parameter may have a rate of its own: η times its factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...recipe import OptimizerName
from .ir.function import Function
from .ir.values import Value

EPSILON = 1e-8


@dataclass(frozen=True)
class Rule:
    """An optimizer's constants; its state is ``states`` numbers a parameter.

    ``factored``: behind the states stands each parameter's factor of the rate.
    """

    optimizer: OptimizerName
    momentum: float = 0.0
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    factored: bool = False

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the state, as Engine.state() returns them."""
        if self.adam:
            return ("exp_avg", "exp_avg_sq")
        return () if self.optimizer == "sgd" and not self.momentum else ("momentum",)

    @property
    def adam(self) -> bool:
        """Whether a step is scaled number by number."""
        return self.optimizer in ("adam", "adamw")

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is apart from the gradient."""
        return self.optimizer in ("sgdw", "adamw", "muon")

    def rates(self, lr: float, step: int) -> tuple[float, ...]:
        """What the program is given for step ``step`` (from 1): η and nothing, or Adam's corrections; and what a
        decoupled decay leaves of a weight."""
        given = lr, 0.0
        if self.adam:
            beta1, beta2 = self.betas
            given = lr / (1 - beta1**step), (1 - beta2**step) ** -0.5
        return (*given, 1 - lr * self.weight_decay) if self.decoupled else given


def factored(f: Function, rates: Sequence[Value], factor: Value) -> list[Value]:
    """Vectors of Rule.rates for parameters whose rate is η times ``factor``."""
    first, second, *kept = rates
    one = f.constant(1.0, factor.type)
    return [first * factor, second, *(one - factor * (one - left) for left in kept)]


def update(f: Function, rule: Rule, g: Value, w: Value, states: Sequence[Value], rates: Sequence[Value]) -> list[Value]:
    """[new w, *new states] for vectors of gradients, parameters and states; ``rates`` are vectors of Rule.rates."""
    if rule.weight_decay and not rule.decoupled:
        g = f.fma(w, f.constant(rule.weight_decay, w.type), g)
    if rule.weight_decay and rule.decoupled:
        w = w * rates[2]
    if rule.adam:
        m, v = states
        beta1, beta2 = rule.betas
        m = f.fma(g - m, f.constant(1 - beta1, w.type), m)
        v = f.fma(g * (1 - beta2), g, v * beta2)
        size = f.fma(f.intrinsic("sqrt", v.type, v), rates[1], f.constant(EPSILON, w.type))
        return [w - rates[0] * (m / size), m, v]
    if not states:
        return [w - rates[0] * g]
    momentum = f.constant(rule.momentum, w.type)
    m = f.fma(states[0], momentum, g)
    direction = f.fma(m, momentum, g) if rule.nesterov else m
    return [w - rates[0] * direction, m]
