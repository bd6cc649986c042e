"""Room 1: four losses beside each other, their derivatives, and two famous traps."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response
from torch.nn import functional

from ...errors import UsageError
from ...explain.concepts.losses import Loss, loss, value
from ..programs.scripts import literal
from ..reply import Reply

router = APIRouter(prefix="/api/losses", tags=["losses"])

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Numbers = Annotated[list[Number], Field(min_length=1, max_length=12)]
REGRESSION = ("mse", "l2", "mae")
POINTS = 61


class LossesRequest(BaseModel):
    """Predictions and targets (N,), as (N, 1) against (N,) with ``column``; logits (K,) and the index of their class.

    ``at`` is the prediction along which the losses are drawn.
    """

    prediction: Numbers
    target: Numbers
    column: bool = False
    at: int = Field(0, ge=0, le=11)
    logits: Numbers
    klass: int = Field(ge=0, le=11)


@dataclass(frozen=True)
class Twice:
    """Cross entropy fed with probabilities, as after a softmax that should not be there.

    ``gradient`` (K,) is autograd's derivative for the logits below that softmax.
    """

    loss: Loss
    gradient: tuple[float, ...]


@dataclass(frozen=True)
class LossesReply:
    """The regression losses by name; cross entropy right and with the mistake; each loss along one prediction."""

    regression: dict[str, Loss]
    cross_entropy: Loss
    twice: Twice
    along: tuple[float, ...]
    curves: dict[str, tuple[float, ...]]
    script: str


def answer(question: LossesRequest) -> LossesReply:
    """What room 1 shows. Raises UsageError."""
    prediction, target = np.array(question.prediction), np.array(question.target)
    if question.at >= len(prediction):
        raise UsageError(f"there is no prediction {question.at}", f"there are {len(prediction)}, counted from 0")
    shaped = prediction[:, None] if question.column else prediction
    logits, klass = np.array(question.logits), np.array(question.klass, float)
    regression = {name: loss(name, shaped, target) for name in REGRESSION}
    around = [*prediction[[question.at]], *target[[min(question.at, len(target) - 1)]]]
    along = np.linspace(min(around) - 3, max(around) + 3, POINTS)
    curves = {name: tuple(_at(name, shaped, target, question.at, x) for x in along) for name in REGRESSION}
    return LossesReply(
        regression,
        loss("cross-entropy", logits, klass),
        twice(question),
        tuple(along),
        curves,
        script(question, regression),
    )


def _at(name: str, prediction: np.ndarray, target: np.ndarray, index: int, x: float) -> float:
    moved = prediction.copy()
    moved[index] = x
    return value(name, moved, target)


def twice(question: LossesRequest) -> Twice:
    """Softmax, and then the loss that has a softmax inside."""
    logits = torch.tensor(question.logits, dtype=torch.float64, requires_grad=True)
    probabilities = logits.softmax(0)
    found = loss("cross-entropy", probabilities.detach().numpy(), np.array(question.klass, float))
    functional.cross_entropy(probabilities, torch.tensor(question.klass)).backward()
    assert logits.grad is not None
    return Twice(found, tuple(logits.grad.tolist()))


def script(question: LossesRequest, regression: dict[str, Loss]) -> str:
    """A program that asserts the four values and their derivatives."""
    shape = ".unsqueeze(1)  # the trap: (N, 1) against (N,)" if question.column else ""
    entropy = loss("cross-entropy", np.array(question.logits), np.array(question.klass, float))
    shown = {**regression, "cross-entropy": entropy}
    calls = {
        "mse": "functional.mse_loss(prediction, target)",
        "l2": "torch.linalg.vector_norm(prediction - target)",
        "mae": "functional.l1_loss(prediction, target)",
        "cross-entropy": "functional.cross_entropy(logits, torch.tensor(klass))",
    }
    lines = [
        "import warnings",
        "",
        "import torch",
        "from torch.nn import functional",
        "",
        'warnings.simplefilter("ignore")  # PyTorch only warns of shapes that broadcast',
        "torch.set_printoptions(precision=6)",
        f"prediction = torch.tensor({literal(question.prediction)}, dtype=torch.float64){shape}",
        f"target = torch.tensor({literal(question.target)}, dtype=torch.float64)",
        f"logits = torch.tensor({literal(question.logits)}, dtype=torch.float64)",
        f"klass = {question.klass}",
        "prediction.requires_grad_()",
        "logits.requires_grad_()",
    ]
    for name, call in calls.items():
        leaf = "logits" if name == "cross-entropy" else "prediction"
        lines += [
            "",
            f"loss = {call}",
            f"(gradient,) = torch.autograd.grad(loss, {leaf})",
            f"torch.testing.assert_close(loss.item(), {shown[name].value!r})",
            f"shown = torch.tensor({literal(shown[name].derivative)}, dtype=torch.float64)",
            "torch.testing.assert_close(gradient, shown)",
            f'print("{name}", loss.item(), gradient.flatten())',
        ]
    return "\n".join(lines) + "\n"


@router.post("")
def ask(question: LossesRequest) -> Response:
    """All four losses with their terms and derivatives, the two traps, and the curves along one prediction."""
    return Reply(answer(question))
