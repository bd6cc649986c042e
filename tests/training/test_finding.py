"""A result that is no success is said to be none, with its likely cause; a healthy run is left in peace."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.recipe import Recipe
from convscope.training.finding import CAUSES, Facts, finding, guessing

HEALTHY = Facts(Recipe(), images=1000, classes=10, largest=0.11, accuracy=0.97, train_loss=0.1, updates=9380)
CHANCE = replace(HEALTHY, accuracy=0.1, train_loss=log(10))


def with_recipe(facts, **choices):
    return replace(facts, recipe=Recipe(**choices))


@pytest.mark.parametrize(
    ("facts", "what", "cause", "remedy"),
    [
        (with_recipe(CHANCE, lr=5.0), "10.00 % is no better", "rate too large", "try --lr 0.5"),
        (replace(with_recipe(CHANCE, lr=5.0), only="3"), "every one of the 1,000 images is taken for class '3'",
         "rate too large", "try --lr 0.5"),
        (with_recipe(CHANCE, lr=1e-5), "10.00 % is no better", "rate too small", "try --lr 0.0001"),
        (with_recipe(CHANCE, lr=0.1, optimizer="adam"), "10.00 %", "rate too large", "try --lr 0.01"),
        (with_recipe(CHANCE, lr=1e-6, optimizer="adam"), "10.00 %", "rate too small", "try --lr 1e-05"),
        (replace(CHANCE, updates=20), "10.00 %", "few updates", "try --epochs 50"),
        (CHANCE, "10.00 %", "unknown", "--optimizer adam"),
        (replace(CHANCE, train_loss=0.01), "10.00 %", "by heart", "more images"),
        (replace(HEALTHY, classes=2, largest=0.95, accuracy=0.95, train_loss=0.2), "which 95.00 % of the images have",
         "imbalance", "give the other classes more images"),
        (replace(CHANCE, train_loss=0.01, recorded=0.988),
         "10.00 % are right, but the run recorded 98.80 % on these very images", "other weights", "copy the run again"),
        (replace(HEALTHY, recorded=0.94), "97.00 % are right", "other weights", "train again"),
        (replace(CHANCE, own=False), "10.00 %", "other data", "worst.png"),
        (replace(with_recipe(CHANCE, lr=1e-5), accuracy=0.15, train_loss=2.29), "the training loss 2.29 is near 2.303",
         "rate too small", "try --lr 0.0001"),
        (with_recipe(replace(CHANCE, train_loss=0.09), loss="mse", lr=5.0), "10.00 %", "rate too large", "--lr 0.5"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_cause_and_one_thing_to_try(facts, what, cause, remedy):
    found = finding(facts)
    assert found.cause == cause
    assert what in found.what
    assert remedy in found.remedy
    assert str(found) == f"{found.what}: {found.why}; {found.remedy}"


@pytest.mark.parametrize(
    "facts",
    [
        HEALTHY,
        replace(HEALTHY, accuracy=0.9, train_loss=0.4, updates=938),  # mnist after its first epoch
        replace(HEALTHY, images=355, accuracy=0.369, train_loss=2.27, updates=23),  # digits after its first epoch
        replace(HEALTHY, classes=100, largest=0.01, accuracy=0.2, train_loss=3.5),  # hard, but learning
        replace(HEALTHY, classes=2, largest=0.5, accuracy=0.55, train_loss=0.6),
        replace(HEALTHY, classes=2, largest=0.95, accuracy=0.97, train_loss=0.1),
        replace(HEALTHY, recorded=0.96),  # another machine
        replace(HEALTHY, images=20, accuracy=0.95, recorded=0.9),  # one image
        replace(HEALTHY, accuracy=0.8, train_loss=0.0),  # learnt by heart, yet useful
        with_recipe(replace(HEALTHY, train_loss=0.02), loss="mse"),
        replace(CHANCE, images=9),  # too few to say anything
        replace(CHANCE, largest=1.0, accuracy=1.0, train_loss=0.1),  # one class alone: nothing to tell apart
        replace(CHANCE, accuracy=None, train_loss=None),
        replace(HEALTHY, own=False, train_loss=3.0),
    ],
)
def test_a_healthy_run_is_left_in_peace(facts):
    assert finding(facts) is None


@given(
    st.integers(2, 200),
    st.integers(0, 2000),
    st.floats(0, 1),
    st.floats(0, 1) | st.none(),
    st.floats(0, 1e4) | st.none(),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
    st.sampled_from(["sgd", "sgdw", "adam", "adamw", "muon"]),
    st.sampled_from(["cross-entropy", "mse", "mae"]),
    st.booleans(),
)
def test_every_situation_has_a_whole_sentence_or_none(
    classes, images, largest, accuracy, loss, updates, lr, opt, kind, own
):
    recipe = Recipe(lr=lr, optimizer=opt, loss=kind)
    found = finding(Facts(recipe, images, classes, largest, accuracy, loss, updates, own=own))
    assert found is None or (found.cause in CAUSES and "{" not in str(found) and found.what and found.remedy)
    assert not (
        accuracy is not None and accuracy > largest + 1e-6 and (loss or 0) < 0.9 * guessing(kind, classes) and found
    )


def test_facts_count_the_commonest_class():
    facts = Facts.of(Recipe(), 3, np.array([0, 1, 1, 1]), 0.75, None, 1)
    assert (facts.images, facts.largest, facts.accuracy) == (4, 0.75, 0.75)


@pytest.mark.parametrize(("loss", "value"), [("cross-entropy", log(10)), ("mse", 0.09), ("mae", 0.1)])
def test_the_loss_of_a_net_that_knows_nothing(loss, value):
    import torch

    from convscope.net.loss import loss_of

    labels = torch.arange(10)
    answer = {"cross-entropy": torch.zeros(10, 10), "mse": torch.full((10, 10), 0.1), "mae": torch.zeros(10, 10)}[loss]
    assert guessing(loss, 10) == pytest.approx(value)
    assert float(loss_of(loss, answer, labels)) == pytest.approx(value, rel=1e-6)
