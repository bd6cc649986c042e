import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.recipe import Recipe
from convscope.training.update.schedule import learning_rate


def test_the_defaults_are_the_notes():
    recipe = Recipe(data="mnist")
    assert (recipe.net, recipe.epochs, recipe.batch_size, recipe.lr, recipe.momentum) == ("note", 10, 64, 0.01, 0.5)
    assert (recipe.loss, recipe.optimizer, recipe.log_interval) == ("cross-entropy", "sgd", 300)


@given(
    st.floats(1e-6, 1),
    st.integers(1, 100),
    st.sampled_from(["sgd", "sgdw", "adam", "adamw", "muon"]),
    st.none() | st.integers(1, 9),
)
def test_json_reads_back(lr, epochs, optimizer, patience):
    recipe = Recipe(lr=lr, epochs=epochs, optimizer=optimizer, patience=patience)
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"epochs": 0}, "--epochs is 0"),
        ({"batch_size": -1}, "--batch-size is -1"),
        ({"lr": math.nan}, "--lr is nan"),
        ({"momentum": 1.0}, "it must be a number with 0 ≤ momentum < 1"),
        ({"batch_size": 0}, "it must be a number with 1 ≤ batch_size ≤ 2,147,483,647"),
        ({"optimizer": "sdg"}, "did you mean 'sgd' or 'sgdw'?"),
        ({"epochs": 2.5}, "--epochs is '2.5', a float"),
        ({"epochs": True}, "--epochs is 'True', a bool"),
        ({"nesterov": True, "momentum": 0.0}, "--nesterov needs momentum"),
        (
            {"label_smoothing": 0.1, "loss": "mse"},
            "--label-smoothing goes with --loss cross-entropy, but",
        ),
        ({"class_weight": "balanced", "loss": "mse"}, "--class-weight goes with --loss cross-entropy, but"),
        ({"warmup": 1.0, "schedule": "one-cycle"}, "--warmup does not go with --schedule one-cycle"),
        ({"ema": 1.0}, "it must be a number with 0 ≤ ema < 1"),
        ({"clip_norm": 0.0}, "it must be a number with 0 < clip_norm ≤ 1e+30"),
        ({"label_smoothing": 1.5}, "it must be a number with 0 ≤ label_smoothing ≤ 1"),
        ({"target_loss": math.inf}, "--target-loss is inf"),
        ({"lr": 10**400}, "--lr is 1000"),
        ({"data": "b\udcff"}, "--data is 'b?', which is no text\n  help: rename the folder or file"),
    ],
)
def test_choices_that_make_no_sense_are_refused(choices, message):
    with pytest.raises(UsageError) as caught:
        Recipe(**choices)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the recipe is not JSON"),
        ("[1]", "must be a JSON object, but is a list"),
        ('{"epoch": 3}', "unknown choice 'epoch'"),
        ('{"lr": NaN}', "NaN is not a number of JSON"),
        ('{"lr": "fast"}', "--lr is 'fast', a str"),
        ("[" * 100_000, "the recipe is not JSON"),
    ],
)
def test_a_damaged_recipe_is_refused(text, message):
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        Recipe.from_json(text)


def test_json_is_plain():
    assert json.loads(Recipe().to_json())["batch_size"] == 64


@pytest.mark.parametrize("total", [2, 10, 137, 1000])
def test_schedules_are_torchs(total):
    parameter = torch.nn.Parameter(torch.zeros(1))

    def rates(make):
        optimizer = torch.optim.SGD([parameter], lr=0.3)
        scheduler = make(optimizer)
        result = []
        for _ in range(total):
            result.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return result

    cosine = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=total))
    assert [learning_rate("cosine", 0.3, i, total) for i in range(total)] == pytest.approx(cosine, rel=1e-9, abs=1e-12)
    assert learning_rate("constant", 0.3, 5, total) == 0.3
    if total > 4:  # torch divides by zero where the first 30 % are less than one step
        one_cycle = rates(
            lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.3, total_steps=total, cycle_momentum=False)
        )
        ours = [learning_rate("one-cycle", 0.3, i, total) for i in range(total)]
        assert ours == pytest.approx(one_cycle, rel=1e-9, abs=1e-12)
