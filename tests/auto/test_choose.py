"""Every rule of ``--net auto`` is a row."""

from dataclasses import replace

import pytest

from convscope.auto.choose import FROM_SCRATCH, GREY, PRETRAINED, SCRATCH, Facts, choose, input_side
from convscope.recipe import CHOICES, Recipe

PHOTOS = Facts("photos", (3, 32, 32), 1600, 10, 160)
SMALL = {**FROM_SCRATCH, "image_size": 48}


@pytest.mark.parametrize(
    ("facts", "net", "reason", "changes", "rival"),
    [
        (replace(PHOTOS, data="mnist", shape=(1, 28, 28)), "note", "mnist has the note's own net", {}, None),
        (replace(PHOTOS, data="digits", shape=(1, 28, 28)), "note", "digits has the note's own net", {}, None),
        (replace(PHOTOS, shape=(1, 28, 28)), "note", "for grey images", GREY, None),
        (replace(PHOTOS, shape=(1, 28, 28), given=frozenset({"lr"})), "note", "for grey images", {"augment": "auto"},
         None),
        (replace(PHOTOS, shape=(1, 12, 12)), "cnn-s", "for grey images of 12×12", FROM_SCRATCH, None),
        (PHOTOS, PRETRAINED, "pretrained, for 1,600 colour images", {"image_size": 160}, SCRATCH),
        (replace(PHOTOS, fewest=19), PRETRAINED, "pretrained, for 1,600 colour images", {"image_size": 160}, None),
        (replace(PHOTOS, minutes=0.2), PRETRAINED, "pretrained, for 1,600 colour images", {"image_size": 160}, None),
        (replace(PHOTOS, minutes=2), PRETRAINED, "pretrained, for 1,600 colour images", {"image_size": 160}, SCRATCH),
        (replace(PHOTOS, given=frozenset({"image_size"})), PRETRAINED, "pretrained, for 1,600 colour images", {},
         SCRATCH),
        (replace(PHOTOS, images=5001), SCRATCH, "5,001 colour images are enough to learn from scratch",
         FROM_SCRATCH | {"epochs": 39},
         None),
        (replace(PHOTOS, allowed=False, shape=(3, 200, 300)), SCRATCH, "from scratch, as --no-pretrained says", SMALL,
         None),
        (replace(PHOTOS, installed=False), SCRATCH,
         "from scratch; for 1,600 colour images a pretrained net is likely better: pip install 'convscope[photos]'",
         FROM_SCRATCH, None),
        (replace(PHOTOS, given=frozenset({"epochs"})), SCRATCH, "trained from scratch, since --epochs was given",
         {name: value for name, value in FROM_SCRATCH.items() if name != "epochs"}, None),
        (replace(PHOTOS, given=frozenset({"lr"})), SCRATCH, "trained from scratch, since --lr was given",
         {"epochs": 40, "augment": "auto"}, None),
        (replace(PHOTOS, given=frozenset({"batch_size", "image_size"}), shape=(3, 64, 64)), SCRATCH,
         "trained from scratch, since --batch-size was given", FROM_SCRATCH, None),
        (replace(PHOTOS, given=frozenset({"unfreeze", "epochs"})), PRETRAINED, "pretrained, for 1,600 colour images",
         {"image_size": 160, "optimizer": "adam", "lr": 1e-4, "schedule": "cosine"}, SCRATCH),
        (replace(PHOTOS, given=frozenset({"unfreeze", "lr"})), PRETRAINED, "pretrained, for 1,600 colour images",
         {"image_size": 160, "epochs": 5}, SCRATCH),
    ],
)  # fmt: skip
def test_the_rules(facts, net, reason, changes, rival):
    choice = choose(facts)
    assert (choice.net, choice.reason, dict(choice.changes)) == (net, reason, changes)
    assert (choice.rival.net if choice.rival else None) == rival
    Recipe(net=choice.net, **choice.changes)
    assert {*changes} <= {*CHOICES}


@pytest.mark.parametrize(("side", "seen"), [(32, 160), (160, 160), (161, 192), (200, 224), (4000, 224)])
def test_the_size_in_which_a_pretrained_net_sees_images(side, seen):
    assert input_side(side) == seen
    assert choose(replace(PHOTOS, shape=(3, 64, 64), side=side)).changes == {"image_size": seen}
