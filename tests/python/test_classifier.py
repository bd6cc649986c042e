"""The scikit-learn estimator: its contract, and what it keeps.

scikit-learn is imported by the tests that need it: two seconds that others who collect these tests need not take.
"""

import pickle
import pickletools
import warnings

import numpy as np
import pytest
import torch

import convscope
from convscope import UsageError

FAST = {"engine": "eager", "threads": 1, "random_state": 0}
# scikit-learn's own checks that do not run here, each with the reason.
SKIPPED = {"check_array_api_input": "SCIPY_ARRAY_API is not set"}
# Those that cannot pass, each with the reason.
FAILING = {
    "check_sample_weight_equivalence_on_dense_data": "it asks for a relative 1e-7, and float32 sums in another order "
    "differ by as much"
}


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


@pytest.fixture(scope="module")
def fitted(digits):
    return convscope.Classifier(epochs=5, **FAST).fit(*digits)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_scikit_learns_own_checks_pass(engine):
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke some of scikit-learn's
        found = check_estimator(
            convscope.Classifier(**{**FAST, "engine": engine}),
            on_skip=None,
            on_fail=None,
            expected_failed_checks=FAILING,
        )
    assert {one["check_name"]: str(one["exception"]) for one in found if one["status"] == "failed"} == {}
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= set(SKIPPED)
    assert {one["check_name"] for one in found if one["status"] == "xfail"} <= set(FAILING)
    assert sum(one["status"] == "passed" for one in found) > 50


def test_it_learns_digits_and_says_what_it_did(digits, fitted):
    X, y = digits
    assert fitted.score(X, y) > 0.9
    assert fitted.image_shape_ == (1, 8, 8)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 5
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (600, 10)
    np.testing.assert_allclose(probabilities.sum(1), 1)


def test_nothing_is_written(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    convscope.Classifier(epochs=1, **FAST).fit(*digits)
    assert list(tmp_path.iterdir()) == []


def test_labels_may_be_texts_and_numbers_that_look_like_them(digits):
    X, y = digits
    words = np.array(["even", "odd"])[y % 2]
    found = convscope.Classifier(epochs=3, **FAST).fit(X, words)
    assert set(found.predict(X)) <= {"even", "odd"}
    assert list(found.classes_) == ["even", "odd"]
    with pytest.raises(ValueError, match="classes that fit did not see"):
        found.partial_fit(X, np.array(["third"] * len(X)))


def test_images_may_have_any_usual_layout(digits):
    X, y = digits
    rows = convscope.Classifier(epochs=1, **FAST).fit(X, y)
    for images in (X.reshape(-1, 8, 8), X.reshape(-1, 1, 8, 8), X.reshape(-1, 8, 8, 1)):
        other = convscope.Classifier(epochs=1, **FAST).fit(images, y)
        assert other.n_features_in_ == 64
        np.testing.assert_array_equal(other.predict(X), rows.predict(images))
        np.testing.assert_array_equal(other.predict_proba(images), rows.predict_proba(X))
    colour = np.repeat(X.reshape(-1, 8, 8, 1), 3, axis=3)
    last = convscope.Classifier(epochs=1, **FAST).fit(colour, y)
    pixels = colour.transpose(0, 3, 1, 2).reshape(len(X), -1)
    first = convscope.Classifier(epochs=1, image_shape=(3, 8, 8), **FAST).fit(pixels, y)
    assert last.image_shape_ == first.image_shape_ == (3, 8, 8)
    np.testing.assert_array_equal(last.predict(colour), last.predict(colour.transpose(0, 3, 1, 2)))


def test_bytes_stay_as_they_are_and_numbers_from_0_to_1_are_shares_of_255():
    images = np.random.default_rng(0).integers(0, 256, (20, 64), dtype=np.uint8)
    y = np.arange(20) % 2
    as_bytes = convscope.Classifier(epochs=1, **FAST).fit(images, y)
    as_shares = convscope.Classifier(epochs=1, **FAST).fit(images / 255, y)
    np.testing.assert_array_equal(as_bytes._pixels(images).ravel(), images.ravel())
    np.testing.assert_array_equal(as_shares._pixels(images / 255).ravel(), images.ravel())
    np.testing.assert_array_equal(as_bytes.predict_proba(images), as_shares.predict_proba(images / 255))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_partial_fit_takes_the_very_steps_of_fit(digits, optimizer):
    X, y = digits
    own = {"optimizer": optimizer, "net": "conv 4 3 | relu | flatten | dropout 0.2 | linear", **FAST}
    whole = convscope.Classifier(epochs=3, **own).fit(X, y)
    parts = convscope.Classifier(**own)
    for _ in range(3):
        parts.partial_fit(X, y)
        parts = pickle.loads(pickle.dumps(parts))  # the optimizer's state goes along
    for one, other in zip(whole.model_.net.parameters(), parts.model_.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert parts.loss_curve_ == whole.loss_curve_


def test_partial_fit_knows_classes_that_come_later(digits):
    X, y = digits
    found = convscope.Classifier(**FAST).partial_fit(X[:50], np.minimum(y[:50], 1), classes=np.arange(10))
    found.partial_fit(X, y)
    assert found.predict_proba(X).shape[1] == 10


def test_a_pickle_holds_weights_as_safetensors_and_no_code_of_torch(digits, fitted):
    X, _ = digits
    data = pickle.dumps(fitted)
    names = [str(argument) for code, argument, _ in pickletools.genops(data) if isinstance(argument, str)]
    assert not [name for name in names if name.startswith("torch")]
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.get_params() == fitted.get_params()


def test_the_same_random_state_gives_the_same_net(digits):
    X, y = digits
    one, other = (convscope.Classifier(epochs=1, **FAST).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    third = convscope.Classifier(epochs=1, **{**FAST, "random_state": np.random.RandomState(5)}).fit(X, y)
    assert not np.array_equal(third.predict_proba(X), one.predict_proba(X))


def test_clone_forgets_what_was_fitted(digits, fitted):
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(digits[0])


def test_a_weight_counts_as_so_many_copies_of_an_image():
    """On one batch of all images; in the mean and deviation of the pixels, too."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), rng.integers(0, 3, 60)
    X[:30] //= 2
    own = {"optimizer": "sgd", "lr": 0.1, "batch_size": 1000, "epochs": 5, "net": "conv 4 3 | relu | flatten | linear"}
    counts = np.repeat([3, 1], 30)
    weighted = convscope.Classifier(**own, **FAST).fit(X, y, sample_weight=2.5 * counts)
    copies = convscope.Classifier(**own, **FAST).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    plain = convscope.Classifier(**own, **FAST).fit(X, y)
    np.testing.assert_allclose(weighted.predict_proba(X), copies.predict_proba(X), atol=1e-5)
    assert np.abs(weighted.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3
    np.testing.assert_allclose(weighted.loss_curve_, copies.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(weighted.model_.mean + weighted.model_.std, copies.model_.mean + copies.model_.std)
    assert weighted.model_.mean[0] < plain.model_.mean[0] - 0.01


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_weights_go_with_every_loss(digits, loss):
    X, y = digits
    found = convscope.Classifier(loss=loss, epochs=1, **FAST).fit(X, y, sample_weight=1.0 + y % 2)
    assert np.isfinite(found.loss_curve_).all()


def test_a_weight_of_0_leaves_an_image_out_and_equal_weights_change_nothing(digits):
    X, y = digits
    own = {"epochs": 1, **FAST}
    left_out = convscope.Classifier(**own).fit(X, y, sample_weight=(y != 9).astype(float))
    without = convscope.Classifier(**own).fit(X[y != 9], y[y != 9])
    np.testing.assert_array_equal(left_out.predict_proba(X), without.predict_proba(X))
    assert list(left_out.classes_) == list(range(9))
    equal = convscope.Classifier(epochs=1, threads=1, random_state=0).fit(X, y, sample_weight=np.full(len(y), 7))
    np.testing.assert_array_equal(
        equal.predict_proba(X), convscope.Classifier(epochs=1, threads=1, random_state=0).fit(X, y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        convscope.Classifier(**own).fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(UsageError, match="does not cover this run: weights of samples"):
        convscope.Classifier(epochs=1, engine="jit").fit(X, y, sample_weight=1.0 + y)


@pytest.mark.slow
def test_grid_search_in_two_processes_and_cross_validation(digits):
    from sklearn.model_selection import GridSearchCV, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    X, y = digits
    pipeline = make_pipeline(FunctionTransformer(), convscope.Classifier(epochs=2, **FAST))
    search = GridSearchCV(pipeline, {"classifier__lr": [1e-5, 0.01]}, cv=2, n_jobs=2).fit(X[:200], y[:200])
    assert search.best_params_ == {"classifier__lr": 0.01}
    predicted = cross_val_predict(convscope.Classifier(epochs=3, **FAST), X, y, cv=2)
    assert (predicted == y).mean() > 0.7


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"lr": -1}, UsageError, "--lr is -1"),
        ({"net": "cnov 3"}, UsageError, "cnov"),
        ({"net": "auto"}, UsageError, "Classifier trains from scratch"),
        ({"optimizer": "adma"}, UsageError, "adma"),
        ({"image_shape": (1, 7, 7)}, ValueError, "is not (C, H, W) of X's 64 features"),
    ],
)
def test_wrong_parameters_are_told_in_a_sentence(digits, parameters, error, text):
    with pytest.raises(error) as refused:
        convscope.Classifier(**{**FAST, **parameters}).fit(*digits)
    assert text in str(refused.value)


def test_what_it_cannot_do_is_refused(digits):
    X, y = digits
    with pytest.raises(UsageError, match="partial_fit goes with schedule='constant'"):
        convscope.Classifier(schedule="cosine", **FAST).partial_fit(X, y)
    scores = convscope.Classifier(loss="mse", epochs=1, **FAST).fit(X, y)
    assert scores.predict(X).shape == y.shape
    with pytest.raises(UsageError, match="gives no probabilities"):
        scores.predict_proba(X)
    with pytest.raises(ValueError, match="fitted on"):
        scores.predict(np.zeros((2, 8, 8, 3)))
