"""summary.json: what a run came to, written once and read strictly."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

from ..recipe import fits
from ..storage.strict_json import dumps
from ..training.records import Stop


@dataclass(frozen=True)
class Summary:
    """The fields are the keys of summary.json and of ``convscope train --json``, in their order.

    A loss or accuracy is None where it was not finite. Seconds are wall-clock; ``images_per_second`` counts training
    steps alone. ``warning`` says why the result is no success, None where nothing speaks against it.
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

    def to_json(self) -> str:
        """All fields, one a line."""
        return dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Summary":
        """The fields read back, strictly. Raises ValueError, naming the key, where one is missing or of another type.

        A run of an older version lacks a warning; keys that are unknown here come from a newer one.
        """
        kinds = get_type_hints(cls)
        for field in fields(cls):
            if field.name not in values and field.name != "warning":
                raise ValueError(f"it lacks {field.name}")
            if field.name in values and not fits(values[field.name], kinds[field.name]):
                raise ValueError(f"its {field.name} is {str(values[field.name])[:60]!r}")
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})
