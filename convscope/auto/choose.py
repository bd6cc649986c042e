"""The rules of ``--net auto``: what is known of the data → a net, the choices that go with it, and why.

A pure function, so that every rule is a row of a table in the tests. A ``rival`` is another choice that may be better:
both are tried on training images that are held out, by :mod:`~convscope.auto.settling`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOTE = ("digits", "mnist")  # the note's own data keep the note's net
PRETRAINED = "efficientnet-lite0"
SCRATCH = "cnn-m"
SCRATCH_GREY = "cnn-s"
MOST_IMAGES = 5_000  # beyond which a net from scratch has enough to learn from
FEWEST_TO_COMPARE = 20  # images of the smallest class: with fewer a part held out says nothing
NOTE_SIDE = 16  # the smallest image that goes through the note's net
SCRATCH_SIDE = 48  # larger images are made as small for a net from scratch: its time grows with their area
ROOM_TO_COMPARE = 0.5  # minutes: who wants it faster gets the likelier choice untried
# Choices of a training by gradients. Who makes one wants a net that is trained so.
TRAINING = (
    "epochs",
    "batch_size",
    "lr",
    "momentum",
    "nesterov",
    "weight_decay",
    "optimizer",
    "schedule",
    "loss",
    "label_smoothing",
    "clip_norm",
    "augment",
    "warmup",
    "ema",
    "lookahead",
    "lr_factors",
    "class_weight",
    "target_loss",
    "patience",
    "engine",
)
FROM_SCRATCH: dict[str, Any] = {
    "optimizer": "adamw",
    "lr": 0.004,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "epochs": 40,
    "label_smoothing": 0.1,
    "augment": "auto",
}
# What brings the note's net to 99 % of MNIST in four epochs (docs/records.md); its own 0.01 of SGD takes ten for less.
GREY = {"optimizer": "adam", "lr": 0.01, "schedule": "one-cycle", "augment": "auto"}
FEW = 5_000  # training images: with more of them fewer epochs are as many updates
FEWEST_EPOCHS = 10
# After the last layer is fitted, small steps: larger ones undo what was learned before (docs/LOG.md).
FINE_TUNING = {"optimizer": "adam", "lr": 1e-4, "schedule": "cosine", "epochs": 5}
# Choices that only make sense together.
DESCENT = {"lr", "momentum", "nesterov", "weight_decay", "optimizer", "schedule", "loss", "label_smoothing"}


@dataclass(frozen=True)
class Facts:
    """What is known before a net is chosen.

    ``shape`` is (C, H, W) as the data come, ``side`` the longer side of most of their pictures before (None: the same).
    ``fewest`` counts the images of the smallest class. ``installed`` says whether the pretrained net's weights lie
    here, ``allowed`` whether they may be used, ``given`` which choices the user made; ``minutes`` bounds the whole run
    (None: it may take what it takes).
    """

    data: str
    shape: tuple[int, int, int]
    images: int
    classes: int
    fewest: int
    side: int | None = None
    installed: bool = True
    allowed: bool = True
    given: frozenset[str] = frozenset()
    device: str = "cpu"
    minutes: float | None = None


@dataclass(frozen=True)
class Choice:
    """A net, the other choices that go with it by their names in a recipe, and why; ``rival`` may be better."""

    net: str
    reason: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    rival: "Choice | None" = None


def choose(facts: Facts) -> Choice:
    """The net for these facts."""
    channels, height, width = facts.shape
    if facts.data in NOTE:
        return Choice("note", f"{facts.data} has the note's own net")
    if channels == 1:
        if min(height, width) >= NOTE_SIDE:
            return Choice("note", "for grey images", _not_given(GREY, facts.given))
        return scratch(facts, f"for grey images of {height}×{width}")
    asked = [] if "unfreeze" in facts.given else [name for name in TRAINING if name in facts.given]
    if asked:
        return scratch(facts, f"trained from scratch, since --{asked[0].replace('_', '-')} was given")
    if not facts.allowed:
        return scratch(facts, "from scratch, as --no-pretrained says")
    if facts.images > MOST_IMAGES:
        return scratch(facts, f"{facts.images:,} colour images are enough to learn from scratch")
    if not facts.installed:
        return scratch(
            facts,
            f"from scratch; for {facts.images:,} colour images a pretrained net is likely better: "
            "pip install 'convscope[photos]'",
        )
    changes = pretrained_changes(facts.side or max(facts.shape[1:]), facts.given)
    reason = f"pretrained, for {facts.images:,} colour images"
    comparable = facts.fewest >= FEWEST_TO_COMPARE and (facts.minutes is None or facts.minutes >= ROOM_TO_COMPARE)
    return Choice(PRETRAINED, reason, changes, scratch(facts, "from scratch") if comparable else None)


def scratch(facts: Facts, reason: str) -> Choice:
    """A net that begins with random weights, and a training for it. What the user chose stays."""
    side = max(facts.shape[1:])
    changes: dict[str, Any] = {"image_size": SCRATCH_SIDE} if side > SCRATCH_SIDE else {}
    changes |= FROM_SCRATCH
    if facts.images > FEW:
        changes["epochs"] = max(FEWEST_EPOCHS, FROM_SCRATCH["epochs"] * FEW // facts.images)
    net = SCRATCH_GREY if facts.shape[0] == 1 else SCRATCH
    return Choice(net, reason, _not_given(changes, facts.given))


def pretrained_changes(side: int, given: frozenset[str]) -> dict[str, Any]:
    """What goes with a pretrained net for images whose longer side is ``side``; blocks that are trained want more."""
    training = FINE_TUNING if "unfreeze" in given else {}
    return _not_given({"image_size": input_side(side), **training}, given)


def _not_given(changes: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
    """``changes`` without what the user chose; who chose a part of a gradient descent chose all of it."""
    skipped = given | (DESCENT if DESCENT & given else frozenset())
    return {name: value for name, value in changes.items() if name not in skipped}


def input_side(side: int) -> int:
    """The side of the square in which a pretrained net sees images whose longer side is ``side``.

    A multiple of 32 from 160 to 224. Below 160 small photographs lose: 74.9 % at 128, 76.1 % at 160 of those of 32×32.
    """
    return min(224, max(160, -(-side // 32) * 32))
