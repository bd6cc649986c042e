"""Calibration bins and doubted labels against their definitions, computed another way."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.images import ImageSet
from convscope.report.document.answers import doubts, reliability
from convscope.report.document.limits import _untested_classes
from convscope.runs import evaluation
from convscope.training.scores import evaluate


def answered(logits, labels):
    classes = tuple("abcd"[: logits.shape[1]])
    images = ImageSet(np.zeros((len(labels), 1, 2, 2), np.uint8), np.array(labels, np.int64), classes)
    scores = torch.tensor(logits, dtype=torch.float32)
    result = evaluate(scores, torch.tensor(images.labels), classes)
    return evaluation.Tested(classes, "cross-entropy", images, scores, result)


@st.composite
def answers(draw):
    count = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, 3, count)
    return answered(rng.normal(0, draw(st.sampled_from([0.1, 1, 4])), (count, 3)), labels)


@given(answers())
def test_the_bins_come_to_the_calibration_error(found):
    bins = reliability(found)
    assert sum(one.images for one in bins) == len(found.images)
    gap = sum(one.images * abs(one.confidence - one.accuracy) for one in bins) / len(found.images)
    assert gap == pytest.approx(found.evaluation.calibration_error, abs=1e-12)
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in bins)


@given(answers())
def test_doubted_labels_are_those_of_confident_learning(found):
    p = torch.softmax(found.logits.double(), 1).numpy()
    labels = found.images.labels.tolist()
    thresholds = {k: np.mean([p[i][k] for i in range(len(p)) if labels[i] == k]) for k in set(labels)}
    wanted = {}
    for i, label in enumerate(labels):
        others = {k: p[i][k] for k, t in thresholds.items() if k != label and p[i][k] >= t and p[i][k] > p[i][label]}
        if others:
            wanted[i] = max(others, key=others.get)
    got = doubts(found)
    assert {one.index: one.likely for one in got} == wanted
    margins = [one.p_label - one.p_likely for one in got]
    assert margins == sorted(margins)


def test_a_net_without_probabilities_has_neither():
    found = replace(answered(np.eye(3), [0, 1, 2]), loss="mse")
    assert reliability(found) == []
    assert doubts(found) == []


def test_a_class_with_few_test_images_is_named_with_an_ellipsis_where_its_name_is_long():
    facts = SimpleNamespace(tested=answered(np.eye(2), [0, 1]), model=SimpleNamespace(classes=("on and " * 9, "b")))
    (said,) = _untested_classes(facts)
    assert said.en.endswith(": on and on and on and on and on and on a…, b.")
    assert said.zh.endswith("：on and on and on and on and on and on a…, b。")
