"""The learning rate as a function of the step: what PyTorch's schedulers compute, without their state."""

from math import cos, pi

from ...recipe import Recipe, ScheduleName


def rate(recipe: Recipe, step: int, epoch_steps: int) -> float:
    """The learning rate of update ``step`` (from 0) of a run with ``epoch_steps`` updates an epoch.

    During ``recipe.warmup`` epochs of W updates in all it is lr · (step + 1) / W; then the schedule begins
    (torch SequentialLR of LinearLR and the schedule's own; Goyal et al. 2017, arXiv 1706.02677).
    """
    total, warm = epoch_steps * recipe.epochs, round(epoch_steps * recipe.warmup)
    if step < warm:
        return recipe.lr * (step + 1) / warm
    return learning_rate(recipe.schedule, recipe.lr, step - warm, total - warm)


def learning_rate(schedule: ScheduleName, lr: float, step: int, total: int) -> float:
    """The rate of update ``step`` (from 0) of ``total``.

    constant   lr
    cosine     lr · (1 + cos(π step / total)) / 2                      (torch CosineAnnealingLR, T_max = total)
    one-cycle  cosine from lr/25 up to lr over the first 30 %, then down to lr/250,000
               (torch OneCycleLR with its defaults; Smith and Topin, arXiv 1708.07120; momentum is left alone)
    """
    if schedule == "constant":
        return lr
    if schedule == "cosine":
        return lr * (1 + cos(pi * step / total)) / 2
    start, end = lr / 25, lr / 25 / 10_000
    peak = 0.3 * total - 1
    if step <= peak:
        return _between(start, lr, step / peak if peak > 0 else 1.0)
    last = total - 1
    return _between(lr, end, (step - peak) / (last - peak) if last > peak else 1.0)


def _between(start: float, end: float, fraction: float) -> float:
    """From ``start`` (fraction 0) to ``end`` (fraction 1) along half a cosine."""
    return end + (start - end) * (1 + cos(pi * min(fraction, 1.0))) / 2
