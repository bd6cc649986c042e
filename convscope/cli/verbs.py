"""Which file holds which verb, so that a command loads its own verb alone: to build all of them takes 0.06 s."""

from importlib import import_module

import typer

VERBS = {  # file: its verbs, in the order of --help
    "train": ("train", "resume"),
    "evaluate": ("evaluate",),
    "predict": ("predict",),
    "leaving.export": ("export",),
    "leaving.report": ("report",),
    "leaving.bundle": ("bundle",),
    "runs": ("runs", "compare", "recipe"),
    "check": ("check",),
    "tuning.augment": ("augment",),
    "tuning.lr": ("lr",),
    "tuning.sweep": ("sweep",),
    "concepts.shapes": ("nets", "shapes"),
    "explain": ("explain",),
    "concepts.losses": ("loss",),
    "concepts.convolution": ("conv",),
    "concepts.pooling": ("pool",),
    "concepts.backprop": ("backprop",),
    "concepts.descent": ("batches", "descent"),
    "lab": ("lab",),
    "devices": ("devices", "cache"),
}


def register(app: typer.Typer, wanted: str | None = None) -> None:
    """Add the verb ``wanted`` to ``app``, with those of its file; all verbs where there is no such verb."""
    files = [file for file, verbs in VERBS.items() if wanted in verbs] or list(VERBS)
    for file in files:
        import_module(f"{__package__}.{file}").register(app)
