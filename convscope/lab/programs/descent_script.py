"""The program of room 3: torch.optim takes the same batches and arrives at the same place."""

from ...explain.concepts.descent import Regime
from ...explain.concepts.objectives import Regression, Terrain
from .scripts import leaf, literal


def descent_script(terrain: Terrain, regime: Regime, orders: tuple[tuple[int, ...], ...], momentum: float) -> str:
    """It asserts w, b and the loss at the end of ``regime``."""
    end, start = regime.points[-1].parameters, regime.points[0].parameters
    of_samples = isinstance(terrain, Regression)
    lines = ["import torch", ""]
    if isinstance(terrain, Regression):
        lines += [leaf("x", terrain.x, False), leaf("y", terrain.y, False), f"orders = {literal(orders)}", ""]
        batches = f"[batch for order in orders for batch in torch.tensor(order).split({regime.batch_size})]"
        lines += [f"batches = {batches}[:{regime.updates}]"]
    lines += [
        leaf("w", start[0], True),
        leaf("b", start[1], True),
        f"optimizer = {_optimizer(regime, momentum)}",
        "for batch in batches:" if of_samples else f"for _ in range({regime.updates}):",
        f"    loss = {'((w * x[batch] + b - y[batch]) ** 2).mean()' if of_samples else _formula(terrain)}",
        "    optimizer.zero_grad()",
        "    loss.backward()",
        "    optimizer.step()",
        f"torch.testing.assert_close((w.item(), b.item()), ({end[0]!r}, {end[1]!r}))",
        f"loss = ({'((w * x + b - y) ** 2).mean()' if of_samples else _formula(terrain)}).item()",
        f"torch.testing.assert_close(loss, {regime.loss!r})",
        f'print("{regime.name}: w, b and the loss are as shown after {regime.updates:,} updates")',
    ]
    return "\n".join(lines) + "\n"


def _optimizer(regime: Regime, momentum: float) -> str:
    if regime.optimizer == "adam":
        return f"torch.optim.Adam([w, b], lr={regime.lr!r})"
    more = {"sgd": "", "momentum": f", momentum={momentum!r}", "nesterov": f", momentum={momentum!r}, nesterov=True"}
    return f"torch.optim.SGD([w, b], lr={regime.lr!r}{more[regime.optimizer]})"


def _formula(terrain: Terrain) -> str:
    powers = [[f"{c!r}", *([f"w**{i}"] if i else []), *([f"b**{j}"] if j else [])] for i, j, c in terrain.terms]
    return " + ".join(" * ".join(parts) for parts in powers)
