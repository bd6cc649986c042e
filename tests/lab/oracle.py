"""What PyTorch says to the questions of the lessons: room → step → (state before, state after) → the right answer."""

import torch
from torch import tensor
from torch.nn import functional


def ratio_of(loss):
    def grown(before, after):
        one, other = (loss(*(tensor(state[key]) for key in ("prediction", "target"))) for state in (before, after))
        return (other / one).item()

    return grown


def largest_growth(before, after):
    losses = {
        "mse": functional.mse_loss,
        "l2": lambda prediction, target: torch.linalg.vector_norm(prediction - target),
        "mae": functional.l1_loss,
    }
    return max(losses, key=lambda name: ratio_of(losses[name])(before, after))


def entropy(state):
    logits = tensor(state["logits"], dtype=torch.float64)
    scores = logits.softmax(0) if state["twice"] else logits
    return functional.cross_entropy(scores, tensor(state["klass"])).item()


def change_of_entropy(before, after):
    was, is_ = entropy(before), entropy(after)
    return "same" if abs(was - is_) < 1e-9 else "more" if is_ > was else "less"


RIGHT = {
    "losses": {
        "square": lambda _, after: (tensor(after["prediction"]) - tensor(after["target"])).square()[3].item(),
        "leap": largest_growth,
        "shift": change_of_entropy,
        "clueless": lambda _, after: entropy(after),
        "twice": change_of_entropy,
    },
}
