"""What more images would bring: against fits that really do without them."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from convscope.data.images import Dataset, statistics
from convscope.engine.head import worth as module
from convscope.engine.head.worth import worth
from convscope.recipe import Recipe
from convscope.report.growth import draw_growth
from convscope.training.growth import ClassWorth, Point, class_worths, lacking, learning_curve
from tests.helpers import original_weights, run_cli, run_json, stripes, write_npz


def clouds(counts, seed=0, spread=1.0):
    """Features of classes around points of their own."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    centres = 1.2 * torch.randn(len(counts), 12, generator=random)
    return centres[labels] + spread * torch.randn(len(labels), 12, generator=random), labels


def test_a_fit_without_some_images_is_the_one_that_never_saw_them():
    x, labels = clouds([14, 12, 10])
    x = x.double() - x.double().mean(0)
    here, held = torch.arange(36) % 5 != 0, torch.arange(36) % 5 == 0
    here, held = here.nonzero().flatten(), held.nonzero().flatten()
    found = module._Fit(x, labels, here, held, 3, 2.5, 3.0)
    without = torch.tensor([1, 4, 7])
    left = torch.tensor([i for i in range(len(here)) if i not in (1, 4, 7)])
    constant = x.square().sum() / len(x)
    rows = torch.cat([x, constant.sqrt().expand(len(x), 1)], 1)  # the intercept as a feature
    kept = rows[here[left]]
    targets = F.one_hot(labels[here[left]], 3).double()
    weights = torch.linalg.solve(kept.T @ kept + 2.5 * torch.eye(13, dtype=torch.float64), kept.T @ targets)
    p = (3.0 * (rows[held] @ weights)).softmax(1)
    expected = p.gather(1, labels[held][:, None]).mean()
    assert found.right(without) == pytest.approx(float(expected), abs=1e-9)
    assert found.right() != pytest.approx(float(expected), abs=1e-6)


def test_a_class_with_few_images_lacks_them_most():
    x, labels = clouds([120, 120, 12], seed=3)
    found = worth(x, labels, 3)
    assert found[0].label == 2
    assert found[0].left_out in (4, 5)  # half of what is left of it
    assert found[0].gain > 3 * found[0].error
    assert worth(x, labels, 3) == found


def test_a_class_of_three_images_is_passed_over():
    x, labels = clouds([30, 30, 3])
    assert {one.label for one in worth(x, labels, 3)} == {0, 1}


@pytest.mark.parametrize(
    ("gains", "sentence"),
    [
        (
            [(3.0, 0.2), (1.0, 0.2), (0.5, 0.2)],
            "20 more images of 'a' would help most: leaving so many out costs "
            "3.00 ± 0.20 points of expected accuracy, and more bring less",
        ),
        (
            [(3.0, 0.5), (2.9, 0.5), (0.5, 0.2), (0.4, 0.1)],
            "20 more images of 'a' or 'b' would help most: leaving so "
            "many out costs 3.00 ± 0.50 points of expected accuracy, and more bring less",
        ),
        ([(3.0, 0.5), (2.9, 0.5), (2.8, 0.5)], "no class stands out: more images of any would help about as much"),
        ([(0.1, 0.2), (-0.1, 0.2)], "more images of no single class would help measurably"),
    ],
)
def test_what_is_lacking_is_said_as_far_as_it_is_known(gains, sentence):
    found = [ClassWorth("abcd"[i], 20, gain / 100, error / 100) for i, (gain, error) in enumerate(gains)]
    assert lacking(found) == sentence


def dataset():
    train, test = stripes(60), stripes(30, seed=1)
    return Dataset("stripes", train, test, *statistics(train.images))


def test_a_curve_trains_a_quarter_a_half_and_takes_the_runs_own_result():
    recipe = Recipe(net="conv 4 3 | relu | globalavg | linear", epochs=2, threads=1, engine="eager")
    points = list(learning_curve(recipe, dataset(), 0.9))
    assert [(point.share, point.images, point.draws) for point in points] == [(0.25, 15, 1), (0.5, 30, 1), (1.0, 60, 1)]
    assert points[-1].accuracy == 0.9
    assert all(low <= point.accuracy <= high for point in points for low, high in [point.interval])
    assert points == list(learning_curve(recipe, dataset(), 0.9))
    assert class_worths(recipe, dataset()) == []


def test_features_tell_what_each_class_is_worth(monkeypatch, tmp_path):
    original_weights()
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path))
    found = class_worths(Recipe(net="efficientnet-lite0", threads=1), _large())
    assert {one.class_name for one in found} == {"low", "mid", "top"}
    assert all(one.images == 4 for one in found)


def _large():
    train, test = stripes(30, shape=(3, 64, 64)), stripes(6, seed=1, shape=(3, 64, 64))
    return Dataset("stripes", train, test, *statistics(train.images))


def test_the_picture_shows_every_point_with_its_interval():
    points = [Point(0.5, 30, 0.5, (0.4, 0.6)), Point(1.0, 60, 0.7, (0.6, 0.8))]
    (axes,) = draw_growth(points, "photos").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["30", "60"]
    assert list(axes.lines[0].get_ydata()) == pytest.approx([50, 70])


def test_the_command_line_prints_and_keeps_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "stripes.npz")
    choices = ("--net", "conv 4 3 | relu | globalavg | linear", "--epochs", "1", "--threads", "1", "--curve")
    code, out, _ = run_cli(capsys, "train", "stripes.npz", *choices)
    assert code == 0
    assert "test images are few" in out
    assert "has 20 training images: --curve tells what more would bring" in out
    assert "training images  share  test accuracy" in out
    (folder,) = Path("runs").iterdir()
    told = json.loads((folder / "growth.json").read_text())
    assert [point["share"] for point in told["curve"]] == [0.25, 0.5, 1.0]
    assert (folder / "growth.png").stat().st_size > 1000
    assert run_json(capsys, "train", "stripes.npz", *choices)["growth"] == told
