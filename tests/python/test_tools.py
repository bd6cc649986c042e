"""The tools that help to choose how to train, from Python: they show themselves, and refuse in sentences."""

import inspect
import math

import numpy as np
import pytest

import convscope
from convscope.data.sources import open_source
from convscope.errors import DataError, UsageError

FAST = {"net": "flatten | linear", "threads": 1, "engine": "eager"}


@pytest.fixture(scope="module")
def digits():
    data = open_source("digits")
    return (data.train.images[:300], data.train.labels[:300]), (data.test.images[:100], data.test.labels[:100])


def test_a_range_test_suggests_a_tenth_of_the_largest_rate(digits):
    found = convscope.lr(digits, updates=40, **FAST)
    assert found.suggested == float(f"{found.largest / 10:.1e}")
    assert f"lr {found.suggested:g}: a tenth of" in repr(found)
    assert found._repr_html_().count("data:image/png;base64,") == 1
    assert len(found.to_pandas()) == len(found.found.rates)


def test_augmented_images_are_those_that_training_sees(digits):
    found = convscope.augment(digits, "shift 2", images=3, epochs=2, seed=4)
    assert found.images.shape == (3, 3, 1, 28, 28)
    assert (found.images[:, 0] != found.images[:, 1]).any()
    assert "augment shift 2" in repr(found)
    own = convscope.augment(digits, lambda pixels, index, epoch: 255 - pixels, images=2, epochs=1)
    np.testing.assert_array_equal(own.images[:, 1], 255 - own.images[:, 0])


def test_a_sweep_ranks_by_held_out_images_and_continues(digits, tmp_path):
    values = {"lr": [1e-6, 0.1], "seed": [0]}
    found = convscope.sweep(digits, values, epochs=2, out=tmp_path, **FAST)
    assert found.best.recipe.lr == 0.1
    assert repr(found).splitlines()[0].split() == ["lr", "seed", "val_accuracy", "train_seconds", "run"]
    again = convscope.sweep(digits, values, epochs=2, out=tmp_path, **FAST)
    assert [run.path for run in again.runs] == [run.path for run in found.runs]
    assert len(list(tmp_path.iterdir())) == 2
    (images, labels), test = digits
    with pytest.raises(DataError, match="the data are not those that"):
        convscope.sweep(((255 - images, labels), test), values, epochs=2, out=tmp_path, **FAST)


def test_seeds_and_folds_tell_their_spread(digits, tmp_path):
    found = convscope.seeds(digits, 2, epochs=1, seed=5, out=tmp_path, **FAST)
    assert [run.recipe.seed for run in found.runs] == [5, 6]
    accuracies = [run.accuracy for run in found.runs]
    assert found.spread.mean == pytest.approx(sum(accuracies) / 2)
    assert found.spread.sd == pytest.approx(abs(accuracies[0] - accuracies[1]) / math.sqrt(2))
    assert f"test accuracy {found.spread}" in repr(found)
    parts = convscope.folds(digits, 2, epochs=1, **FAST)
    assert len(parts.accuracies) == 2
    assert "accuracy on the part left out" in repr(parts)


def test_their_signatures_show_every_choice():
    for tool in (convscope.lr, convscope.sweep, convscope.seeds, convscope.folds):
        shown = inspect.signature(tool).parameters
        assert {"data", "net", "batch_size", "optimizer", "offline"} <= set(shown)
        assert "choices" not in shown


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: convscope.lr("digits", epochs=3), "--epochs has no say in a range test"),
        (lambda: convscope.lr("digits", updates=2), "updates is 2"),
        (lambda: convscope.augment("digits", "rotat"), "no step of an augmentation is called 'rotat'"),
        (lambda: convscope.augment("digits", images=0), "images is 0"),
        (lambda: convscope.sweep("digits"), "nothing is swept over"),
        (lambda: convscope.sweep("digits", {"lrr": [1]}), "'lrr' is no choice to sweep over"),
        (lambda: convscope.sweep("digits", {"lr": 0.1}), "the values of lr are 0.1"),
        (lambda: convscope.seeds("digits", 0), "count is 0"),
        (lambda: convscope.folds("digits", 1), "count is 1"),
        (lambda: convscope.evaluate("none", tta="mirror"), "--tta is 'mirror'"),
    ],
)
def test_bad_input_is_told_in_a_sentence(call, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "recipe.json").write_text(convscope.Recipe().to_json())
    with pytest.raises(UsageError) as refused:
        call()
    assert text in str(refused.value)
