"""summary.json: what a run came to, written once and read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from ..recipe import Recipe, fits
from ..storage.strict_json import dumps
from ..training.finding import Facts, finding
from ..training.records import Stop

if TYPE_CHECKING:  # who reads summaries needs no PyTorch
    from ..data.images import Dataset
    from ..engine.base import Engine
    from ..training.state import State


@dataclass(frozen=True)
class Summary:
    """The fields are the keys of summary.json and of ``convscope train --json``, in their order.

    A loss or accuracy is None where it was not finite; those by the mean over views, of the test images
    (``tta_accuracy``) and of the validation images (``tta_val_accuracy``), also where the recipe has no ``tta``, or the
    run no such images. Seconds are wall-clock; ``images_per_second`` counts training steps alone. ``warning`` says why
    the result is no success, None where nothing speaks against it.
    """

    run: str
    data: str
    net: str
    engine: str
    device: str
    threads: int
    seed: int
    epochs: int
    steps: int
    train_loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    train_seconds: float
    test_seconds: float
    compile_seconds: float
    images_per_second: float
    stopped_by: Stop
    warning: str | None = None
    tta_accuracy: float | None = None
    tta_val_accuracy: float | None = None

    def to_json(self) -> str:
        """All fields, one a line."""
        return dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Summary:
        """The fields read back, strictly. Raises ValueError, naming the key, where one is missing or of another type.

        A run of an older version lacks those with a default; keys that are unknown here come from a newer one.
        """
        kinds = get_type_hints(cls)
        for field in fields(cls):
            if field.name not in values and field.default is MISSING:
                raise ValueError(f"it lacks {field.name}")
            if field.name in values and not fits(values[field.name], kinds[field.name]):
                raise ValueError(f"its {field.name} is {str(values[field.name])[:60]!r}")
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


def summary_of(
    recipe: Recipe, data: Dataset, path: Path, engine: Engine, device: str, threads: int, state: State
) -> Summary:
    """The summary of the run in ``path``."""
    seconds = state.seconds
    assert state.stopped_by is not None, "a run has ended by then"
    found = finding(_facts(recipe, data, engine, state))
    return Summary(
        run=str(path),
        data=recipe.data,
        net=recipe.net,
        engine=engine.name,
        device=device,
        threads=threads,
        seed=recipe.seed,
        epochs=state.epoch,
        steps=state.step,
        train_loss=state.last.train_loss,
        test_loss=state.last.test_loss,
        test_accuracy=state.last.test_accuracy,
        train_seconds=seconds.train,
        test_seconds=seconds.test,
        compile_seconds=engine.compile_seconds,
        images_per_second=state.images / max(seconds.train, 1e-9),
        stopped_by=state.stopped_by,
        warning=str(found) if found else None,
    )


def _facts(recipe: Recipe, data: Dataset, engine: Engine, state: State) -> Facts:
    """What the test says of the run. Which classes the net names is looked at only where its accuracy is low."""
    test, last = data.test, state.last
    facts = Facts.of(recipe, len(test.classes), test.labels, last.test_accuracy, last.train_loss, state.step)
    if not facts.no_better_than_one_class:
        return facts
    import torch

    named = engine.logits(torch.from_numpy(test.images)).argmax(1).unique()
    return replace(facts, only=test.classes[int(named[0])] if len(named) == 1 else None)
