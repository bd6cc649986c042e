"""What an engine is: it does the arithmetic of training steps, and nothing else.

The loop decides which images make which batch and what the learning rate is; the engine takes many steps in one call.
Parameters and optimizer state are torch tensors that everybody may read between two calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from ..recipe import LossName, OptimizerName, PrecisionName

NOTHING_TRAINED = "there is nothing to train: all parameters of the net are frozen (requires_grad=False)"
UNFREEZE = "set requires_grad=True for those that training may change"


@dataclass(frozen=True)
class Problem:
    """What every engine is built from. ``images`` uint8 (N, C, H, W) and ``labels`` int64 (N,) are the training set.

    ``mse`` and ``mae`` compare the logits with one-hot targets and take the mean over batch and classes, as
    torch.nn.MSELoss and L1Loss do. ``sgd`` is torch.optim.SGD (momentum, nesterov, weight decay),
    ``adam`` torch.optim.Adam (betas, eps 1e-8, weight decay added to the gradient), ``adamw`` torch.optim.AdamW
    (weight decay apart from the gradient: Loshchilov and Hutter, arXiv 1711.05101), ``sgdw`` and ``muon`` stand in
    :mod:`.muon`.
    ``seed`` starts the random stream of dropout, ``label_smoothing`` is that of torch.nn.CrossEntropyLoss.
    ``clip_norm`` is what torch.nn.utils.clip_grad_norm_ scales the whole gradient down to (Pascanu et al. 2013).
    ``class_weights`` (one a class) are the weight of torch.nn.CrossEntropyLoss, ``sample_weights`` (N,) say how many
    times the loss of each image counts; there is one of them at most.
    ``lr_factors`` are multiples of the rate for parameters by name; the others' rate is the rate.
    ``precision`` is what the net is computed in (:mod:`.precision`). ``local_batchnorm``: where several processes share
    a batch, each normalises its own part by that part's mean and variance.
    """

    net: nn.Sequential
    images: Tensor
    labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    loss: LossName = "cross-entropy"
    optimizer: OptimizerName = "sgd"
    momentum: float = 0.5
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    seed: int = 0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    class_weights: tuple[float, ...] | None = None
    sample_weights: Tensor | None = None
    precision: PrecisionName = "auto"
    local_batchnorm: bool = False
    lr_factors: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """Trains ``net`` in place."""

    name: str
    net: nn.Sequential

    @property
    def images(self) -> Tensor:
        """The training set uint8 (N, C, H, W), where the engine keeps it."""
        ...

    @property
    def compile_seconds(self) -> float:
        """Seconds spent so far on writing machine code, or on recording steps; 0 where there is neither."""
        ...

    def steps(self, index: Tensor, batch_size: int, lrs: list[float], pixels: Tensor | None = None) -> Tensor:
        """Take ``len(lrs)`` steps over the images at ``index`` int64 (M,), ``batch_size`` at a time.

        M must lie in ((steps−1)·batch_size, steps·batch_size]: the last batch may be smaller. Step i uses learning
        rate ``lrs[i]``. ``pixels`` uint8 (M, C, H, W) are what these images look like now (None: as in the
        training set). Returns the loss of each step, float32 (steps,), the mean over its batch before the update.
        On a GPU the result may still be under way: reading it waits.
        """
        ...

    def own(self, count: int, batch_size: int) -> slice:
        """Which images of a batch of ``count`` this process computes, in steps of ``batch_size``; all, if it is alone.

        The ``pixels`` of others are not looked at.
        """
        ...

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (M, K) on the CPU for uint8 images (M, C, H, W), in evaluation mode, without gradients."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Copies of everything besides the net's own tensors that the next step depends on, by name, on their device.

        ``momentum.<parameter>`` for SGD and Muon; ``exp_avg.<parameter>``, ``exp_avg_sq.<parameter>`` and ``step``
        (int64 ()) for Adam; ``update`` (int64 ()), how many there were, where the net has dropout. The same names in
        every engine. Momentum that no step has set yet is absent. ``loss_scale`` and ``loss_scale_steps`` (float32 ())
        with fp16.
        """
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what ``state`` returned; the net's own tensors are loaded by the caller."""
        ...
