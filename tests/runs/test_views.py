"""Test-time views (``--tta``): their mean, and that every figure of a run that has them states both accuracies."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope import job, load
from convscope.data.sources import open_recipe
from convscope.errors import UsageError
from convscope.report.curves import draw_curves
from convscope.runs import evaluation
from convscope.runs.listing import told_apart
from convscope.runs.views import TEXTS, figure, views_of
from convscope.training.augment.sampling import shifted
from convscope.training.augment.views import seen

from ..helpers import NET, run_cli, run_json, small_data, stripes
from ..test_job import finish, recipe


def test_views_are_averaged():
    images = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def logits(pixels):
        return pixels.float().flatten(1) @ torch.linspace(-1, 1, 64 * 3).view(64, 3)

    one = torch.ones(6, dtype=torch.int64)
    moved = [shifted(images, by * one, by * one, "reflect") for by in (-1, 1)]
    still, mirrored = logits(images), logits(images.flip(3))
    torch.testing.assert_close(seen(logits, images, "none"), still)
    torch.testing.assert_close(seen(logits, images, "flip"), (still + mirrored) / 2)
    torch.testing.assert_close(seen(logits, images, "shift"), still / 2 + (logits(moved[0]) + logits(moved[1])) / 4)
    both = seen(logits, images, "flip+shift")
    whole = seen(logits, images.flip(3), "shift")  # a mirrored image shifted is not a shifted one mirrored
    assert both.shape == whole.shape
    with pytest.raises(UsageError, match="--tta is 'flop'"):
        views_of("flop")


def test_views_are_stated_where_a_run_is_tested(capsys, tmp_path):
    folder = finish(job.start(recipe(net=NET, data="digits", epochs=1), small_data(), tmp_path))
    np.savez(tmp_path / "d.npz", x=small_data().test.images, y=small_data().test.labels, classes=("low", "mid", "top"))
    code, out, err = run_cli(capsys, "evaluate", folder.path, tmp_path / "d.npz", "--tta", "flip+shift")
    assert code == 0, err
    assert out.startswith("tta         flip+shift: mean of each image and two shifted by a pixel, and of their mirror")
    plain = run_json(capsys, "evaluate", folder.path, tmp_path / "d.npz")
    assert plain["tta"] == "none"
    assert plain["accuracies"] == {"none": plain["accuracy"]}
    assert f"\n            {100 * plain['accuracy']:.2f} % without --tta\n" in out
    assert folder.summary().tta_accuracy is None


@pytest.fixture(scope="module")
def digits_npz(tmp_path_factory):
    """Stripes in a file, with a test set."""
    path = tmp_path_factory.mktemp("views") / "stripes.npz"
    data = small_data(60, 60)
    arrays = {"x": data.train.images, "y": data.train.labels, "x_test": data.test.images, "y_test": data.test.labels}
    np.savez(path, classes=np.array(data.classes), **arrays)
    return path


@pytest.fixture(scope="module")
def seen_run(digits_npz, tmp_path_factory):
    """A run whose recipe has views."""
    return convscope.train(
        str(digits_npz), net=NET, epochs=2, tta="flip", out=tmp_path_factory.mktemp("seen"), progress=False
    )


def test_a_run_with_views_says_both_accuracies_and_evaluate_agrees(capsys, tmp_path, digits_npz):
    words = ("train", digits_npz, "--net", NET, "--epochs", "2", "--tta", "shift", "--out", tmp_path / "runs")
    code, out, err = run_cli(capsys, *words)
    assert code == 0, err
    (path,) = (tmp_path / "runs").iterdir()
    run = load(path)
    stated = f"{figure(run.summary['tta_accuracy'], 'shift')}: {TEXTS['shift']}\n"
    assert f"\n        {stated}" in out
    assert f"\n            {stated}" in run_cli(capsys, "evaluate", path)[1]
    both = {"none": run.summary["test_accuracy"], "shift": run.summary["tta_accuracy"]}
    told = run_json(capsys, "evaluate", path, "--tta", "shift")
    assert (told["tta"], told["accuracy"], told["accuracies"]) == ("shift", both["shift"], both)


def test_several_seeds_and_folds_say_both_accuracies_and_their_means(capsys, tmp_path, digits_npz):
    words = ("train", digits_npz, "--net", NET, "--epochs", "1", "--out", tmp_path, "--tta", "flip", "--ema", "0.9")
    for option, what in (("--seeds", "test accuracy"), ("--folds", "accuracy on the part left out")):
        code, out, err = run_cli(capsys, *words, option, "2")
        assert code == 0, err
        assert out.count("% with --tta flip") == 2
        assert re.search(rf"\n{what} [\d.]+ % ± [\d.]+ \(sd, n = 2\)\nwith --tta flip: [\d.]+ % ± ", out)
        told = run_json(capsys, *words, option, "2")
        seen = told["tta_folds"] if option == "--folds" else [run["tta_accuracy"] for run in told["runs"]]
        assert (told["tta"], told["tta_mean"], told["tta_sd"]) == ("flip", sum(seen) / 2, pytest.approx(_sd(seen)))
    told = run_json(capsys, *words[:-4], "--folds", "2")
    assert (told["tta"], told["tta_folds"], told["tta_mean"]) == ("none", None, None)


def _sd(pair):
    return abs(pair[0] - pair[1]) / math.sqrt(2)


def test_folds_with_views_are_those_without_where_an_image_is_its_own_mirror(digits_npz):
    images, labels = stripes(40).images, stripes(40).labels
    same = np.maximum(images, images[..., ::-1])
    choices = {"net": NET, "epochs": 1, "tta": "flip", "ema": 0.9, "batch_size": 8, "progress": False}
    found = convscope.folds((same, labels), 2, **choices)
    assert found.tta_accuracies == found.accuracies
    assert found.tta == "flip"
    assert "tta_accuracy" in repr(found)
    assert f"with --tta flip: {found.spread}" in repr(found)


def test_a_sweep_says_both_accuracies_on_the_images_held_out(capsys, tmp_path, digits_npz):
    words = ("sweep", digits_npz, "--net", f"{NET},flatten | linear", "--epochs", "1", "--val-fraction", "0.3")
    words += ("--out", tmp_path / "sweep", "--plot", tmp_path / "a.png")
    told = run_json(capsys, *words, "--tta", "flip")
    for row in told["runs"]:
        run = load(row["run"])
        val = open_recipe(run.recipe).val
        assert row["tta"] == "flip"
        assert row["tta_val_accuracy"] == evaluation.test_model(run.model, val, "flip").evaluation.accuracy
        assert row["val_accuracy"] == evaluation.test_model(run.model, val).evaluation.accuracy
    code, out, err = run_cli(capsys, *words, "--tta", "flip")
    assert code == 0, err
    assert out.split("\n")[0].split() == ["net", "val_accuracy", "tta_val_accuracy", "tta", "train_seconds", "run"]
    out = run_cli(capsys, *words)[1]
    assert "tta" not in out.split("\n")[0]
    code, _, err = run_cli(capsys, *words, "--tta", "mirror")
    assert code == 2
    assert "--tta is 'mirror'" in err


def test_tables_of_runs_say_both_accuracies_where_a_run_has_them(capsys, tmp_path, seen_run, digits_npz):
    plain = convscope.train(str(digits_npz), net=NET, epochs=1, out=tmp_path / "runs", progress=False)
    accuracy, seen = seen_run.accuracy, seen_run.summary["tta_accuracy"]
    words = ("compare", seen_run.path, plain.path, "--plot", tmp_path / "a.png")
    code, out, err = run_cli(capsys, *words)
    assert code == 0, err
    head, first, second = (re.split("  +", line) for line in out.splitlines()[:3])
    at = head.index("test acc %")
    assert head[at : at + 3] == ["test acc %", "tta acc %", "tta"]
    assert first[at : at + 3] == [f"{100 * accuracy:.2f}", f"{100 * seen:.2f}", "flip"]
    assert second[at + 1 : at + 3] == ["—", "none"]
    assert [row["tta"] for row in run_json(capsys, *words)["runs"]] == ["flip", "none"]
    assert "tta" not in run_cli(capsys, "compare", plain.path, plain.path, "--plot", tmp_path / "b.png")[1]
    assert "tta_accuracy" in repr(convscope.compare(seen_run, plain))
    assert figure(seen, "flip") in repr(seen_run)
    legend = draw_curves([seen_run.folder, plain.folder]).legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    called, other = told_apart([seen_run.path, plain.path])
    assert names[:2] == [f"{called}\n{figure(seen, 'flip')}", other]
    assert figure(seen, "flip") in seen_run.plot().get_suptitle()


def test_reports_and_cards_say_both_accuracies(seen_run, tmp_path, capsys):
    stated = f"{figure(seen_run.summary['tta_accuracy'], 'flip')}: {TEXTS['flip']}"
    for option, times in ((("--compare", seen_run.path), 3), (("--card",), 1)):
        told = run_json(capsys, "report", seen_run.path, *option, "--output", tmp_path / option[0])
        assert (told["tta"], told["tta_accuracy"]) == ("flip", seen_run.summary["tta_accuracy"])
        assert Path(told["path"]).read_text(encoding="utf-8").count(stated) == times


def test_views_are_refused_where_images_are_tested_as_they_are(capsys, digits_npz):
    code, _, err = run_cli(capsys, "train", digits_npz, "--tta", "flip", "--curve")
    assert code == 2
    assert "--curve and --tta do not go together" in err
    code, _, err = run_cli(capsys, "train", digits_npz, "--tta", "mirror")
    assert code == 2
    assert "--tta is 'mirror'\nhelp: known: none, flip, shift, flip+shift" in err


def test_predictions_are_the_mean_over_views_and_say_so(capsys, tmp_path):
    run = load(finish(job.start(recipe(net=NET, data="digits", epochs=1), small_data(), tmp_path)).path)
    images = small_data().test.images[:3]
    mirrored = np.ascontiguousarray(images[..., ::-1])
    logits = [np.log(run.predict(pixels)) for pixels in (images, mirrored)]
    mean = np.exp((logits[0] + logits[1]) / 2)
    np.testing.assert_allclose(run.predict(images, tta="flip"), mean / mean.sum(1, keepdims=True), rtol=1e-4)
    picture = tmp_path / "a.png"
    Image.fromarray(images[0, 0]).save(picture)
    code, out, err = run_cli(capsys, "predict", run.path, picture, "--tta", "flip")
    assert code == 0, err
    assert f"--tta flip: {TEXTS['flip']}" in err
    assert float(out.splitlines()[1].split(",")[2]) == pytest.approx(
        run.predict(images[:1], tta="flip").max(), abs=1e-5
    )
    assert run_json(capsys, "predict", run.path, picture)["tta"] == "none"
