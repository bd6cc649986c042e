"""A choice of a run is declared once, in the recipe: everything that offers it is made from there."""

import inspect
import json
import math
from pathlib import Path
from typing import get_args

import pytest
import typer
from hypothesis import given, settings
from pydantic import ValidationError

import convscope
from convscope.cli import application
from convscope.errors import UsageError
from convscope.lab.rooms.training import OFFERED, Choices, _offer
from convscope.recipe import CHOICES, Recipe, flag

from .strategies import recipes

TEXTS = Path(convscope.__file__).parent / "lab" / "static" / "text"
NUMBERS = {name: known for name, known in CHOICES.items() if {int, float} & {known.kind, *get_args(known.kind)}}


@settings(max_examples=200)
@given(recipes())
def test_any_recipe_is_read_back_from_its_json(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beyond_the_bounds_are_refused_everywhere(name):
    choice = CHOICES[name].choice
    low, high = choice.ge if choice.gt is None else choice.gt, choice.le if choice.lt is None else choice.lt
    assert low is not None, "every number has bounds"
    assert high is not None, "every number has bounds"
    kind = int if int in {CHOICES[name].kind, *get_args(CHOICES[name].kind)} else float
    wrong = [low - 1, high + 1 if high < 2**52 else high * 2, math.nan]
    wrong += [low] * (choice.gt is not None) + [high] * (choice.lt is not None)
    for value in wrong:
        if kind is int and value != value:
            continue
        with pytest.raises(UsageError, match=f"{flag(name)} is "):
            Recipe(**{name: kind(value)})
        if name in OFFERED and value == value:
            with pytest.raises(ValidationError):
                Choices(**{name: kind(value)})


def test_every_choice_is_an_option_of_the_command_line():
    command = typer.main.get_command(application()).commands["train"]
    options = {parameter.name: parameter for parameter in command.params}
    for name, known in CHOICES.items():
        assert known.choice.help.rstrip(".") in (options[name].help or "")
        default = [known.default] if name == "data" else known.default  # several places are several arguments
        assert options[name].default == (None if known.choice.usual else default)
        assert name == "data" or flag(name) in options[name].opts


def test_every_choice_is_a_keyword_of_train():
    keywords = inspect.signature(convscope.train).parameters
    assert {*CHOICES, "offline", "out", "on", "progress"} == set(keywords)
    assert next(iter(keywords)) == "data"
    assert all(p.kind is p.KEYWORD_ONLY for name, p in keywords.items() if name != "data")
    assert keywords["lr"].annotation is float
    with pytest.raises(TypeError, match="unexpected keyword argument 'lrr'"):
        convscope.train(lrr=0.1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_choice_of_the_page_has_a_label(lang):
    labels = json.loads((TEXTS / lang / "train.json").read_text())
    assert [name for name in OFFERED if not labels.get(name)] == []


def test_the_page_is_told_what_may_be_entered():
    told = {offer.name: offer for offer in map(_offer, OFFERED.values())}
    assert (told["lr"].kind, told["lr"].least, told["lr"].most, told["lr"].below) == ("real", 0, 1e6, False)
    assert (told["momentum"].most, told["momentum"].below) == (1, True)
    assert (told["epochs"].kind, told["epochs"].default) == ("whole", None)
    assert told["optimizer"].options == ("sgd", "sgdw", "adam", "adamw", "muon")
    assert Choices().recipe() == Recipe(epochs=60)


def test_epochs_are_as_many_as_usual_for_the_data():
    assert Recipe.of({}).epochs == Recipe.of({"epochs": None}).epochs == 60
    assert Recipe.of({"data": "mnist"}).epochs == 10
    assert Recipe.of({"data": "mnist", "epochs": 3}).epochs == 3
