"""When a run ends, as a function of its choices and of where it stands; and how that is said."""

from ..recipe import Recipe
from .records import Stop
from .state import State

SENTENCES: dict[Stop, str] = {
    "epochs": "all epochs are done",
    "target_loss": "the target loss is reached",
    "patience": "the validation loss has not fallen for --patience epochs",
    "max_seconds": "--max-seconds are over",
}


def stop(recipe: Recipe, state: State, logged: float | None = None) -> Stop | None:
    """Why a run that stands at ``state`` ends there; None where it does not.

    ``logged`` is the mean loss of the log interval that ended with the last update, None where none did. The loss and
    the seconds can end a run after any update, patience and the number of epochs between two epochs.
    """
    if state.epoch_step > 0:
        if recipe.target_loss is not None and logged is not None and logged <= recipe.target_loss:
            return "target_loss"
        if recipe.max_seconds is not None and state.seconds.train + state.seconds.test >= recipe.max_seconds:
            return "max_seconds"
        return None
    if recipe.patience is not None and state.best.since >= recipe.patience:
        return "patience"
    return "epochs" if state.epoch >= recipe.epochs else None
