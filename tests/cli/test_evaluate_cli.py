"""What comes after training, as a user types it: evaluate, predict, compare, runs."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.cli.evaluate import _print_evaluation as show_evaluation
from convscope.data.sources import open_source
from convscope.errors import DataError, UsageError
from convscope.net.model import Model, load_model, load_tensors, save_model, save_tensors
from convscope.net.own.net import CUSTOM
from convscope.training.scores import evaluate

from ..helpers import NET, run_cli, run_json, stripes


def width(path):
    with Image.open(path) as image:
        return image.width


def test_evaluate_writes_tables_and_pictures(trained, capsys):
    result = run_json(capsys, "evaluate", trained)
    assert result["accuracy"] > 0.9
    assert result["interval"][0] <= result["accuracy"] <= result["interval"][1]
    assert np.array(result["confusion"]).sum() == result["images"] == 30
    folder = Path(result["folder"])
    assert folder == Path(trained) / "evaluation"
    for name in ("confusion.png", "worst.png"):
        assert width(folder / name) > 300
    rows = list(csv.DictReader(io.StringIO((folder / "predictions.csv").read_text())))
    assert len(rows) == 30
    assert sum(row["label"] == row["prediction"] for row in rows) == round(result["accuracy"] * 30)
    code, out, _ = run_cli(capsys, "evaluate", trained)
    assert code == 0
    assert "95 % interval" in out
    assert "confusion: rows are true classes" in out


def altered(trained, change):
    path = Path(trained) / "model.safetensors"
    tensors, metadata = load_tensors(path)
    name = next(name for name in tensors if name.endswith("weight"))
    save_tensors(path, tensors | {name: change(tensors[name])}, metadata)
    return name


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("verb", [("evaluate",), ("predict", "a.png"), ("explain", "test:0")])
def test_weights_that_are_not_finite_are_refused(trained, here, capsys, verb, value):
    Image.new("L", (8, 8)).save("a.png")
    name = altered(trained, lambda weight: weight.index_fill(0, torch.tensor([0]), value))
    code, out, err = run_cli(capsys, verb[0], trained, *verb[1:])
    assert (code, out) == (3, "")
    place = Path(trained) / "model.safetensors"
    assert f"error: the weights of {place} hold numbers that are not finite: {name}\n" in err
    assert "help: the file is damaged, or the run diverged" in err


def test_weights_that_answer_otherwise_than_the_run_recorded_are_told(trained, capsys, recwarn):
    altered(trained, lambda weight: torch.full_like(weight, 3e38))
    result = run_json(capsys, "evaluate", trained)
    assert "% on these very images: the weights are not those that were tested then" in result["warning"]
    assert not [warned for warned in recwarn if "invalid value" in str(warned.message)]
    assert result["calibration_error"] is None
    assert "calibration — (the loss is not finite)" in run_cli(capsys, "evaluate", trained)[1]


def test_weights_that_were_removed_from_a_finished_run_are_said_to_be_gone(trained, capsys):
    (Path(trained) / "model.safetensors").unlink()
    code, _, err = run_cli(capsys, "evaluate", trained)
    assert code == 3
    assert f"error: {trained} is finished, but its weights are gone: it has no model.safetensors\n" in err
    assert "help: put the file back, or train again" in err


def test_no_name_of_a_run_is_not_this_folder(capsys):
    code, _, err = run_cli(capsys, "evaluate", "")
    assert (code, "error: the name of the run is empty\n" in err) == (3, True)


class Masked(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(64, 3)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    def forward(self, x):
        return self.fc(x.flatten(1))


def test_a_mask_of_somebodys_own_net_may_be_infinite(here):
    net = Masked()
    model = Model(net, f"{CUSTOM} Masked", (1, 8, 8), (0.5,), (0.5,), ("a", "b", "c"))
    save_model(here / "own.safetensors", model, net.state_dict())
    assert load_model(here / "own.safetensors", Masked()).net.mask[1] == -torch.inf
    net.fc.bias.data[0] = torch.nan
    save_model(here / "own.safetensors", model, net.state_dict())
    with pytest.raises(DataError, match=r"not finite: fc\.bias"):
        load_model(here / "own.safetensors", Masked())


def test_evaluate_says_where_it_cannot_write(trained, here, capsys):
    (here / "taken").write_text("a file")
    for folder in ("taken", "taken/below"):
        code, out, err = run_cli(capsys, "evaluate", trained, "--out", folder)
        assert (code, out) == (1, "")
        assert f"error: cannot write {folder}: a file is in the way" in err
        assert "help: choose another folder with --out" in err


def test_evaluate_leaves_unreadable_images_out_when_told_to(trained, here, capsys):
    data = stripes(30)
    for i, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        folder = here / "more" / data.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(folder / f"{i}.png")
    (folder / "torn.png").write_bytes(b"no picture")
    code, _, err = run_cli(capsys, "evaluate", trained, "more")
    assert code == 3
    assert "leave them out with --skip-bad" in err
    code, _, err = run_cli(capsys, "evaluate", trained, "more", "--skip-bad")
    assert code == 0, err
    assert err == "1 unreadable image left out\ntested on the 30 images of more\n"


def test_evaluate_on_other_data_matches_classes_by_name(trained, here, capsys):
    images = stripes(30, 9)
    swapped = (images.labels + 1) % 3
    names = np.array([images.classes[2], images.classes[0], images.classes[1]])  # the same names, in another order
    np.savez("other.npz", x_train=images.images, y_train=swapped, x_test=images.images, y_test=swapped, classes=names)
    assert run_json(capsys, "evaluate", trained, "other.npz")["accuracy"] > 0.9
    colour = images.images.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1)  # as large again, in red, green, blue
    np.savez("colour.npz", images=colour, labels=swapped, classes=names)
    result = run_json(capsys, "evaluate", trained, "colour.npz")  # no split: all of them
    assert (result["images"], result["accuracy"] > 0.9) == (30, True)
    np.savez("wrong.npz", x_train=images.images, y_train=swapped, x_test=images.images, y_test=swapped)
    code, _, err = run_cli(capsys, "evaluate", trained, "wrong.npz")
    assert code == 3
    assert "wrong.npz has classes that the net does not know: 0, 1, 2" in err


def test_predict_prints_csv_where_there_is_no_terminal(trained, here, capsys):
    images = stripes(6, 5)
    (here / "new").mkdir()
    for i, image in enumerate(images.images):
        Image.fromarray(image[0]).save(here / "new" / f"{i}.png")
    code, out, err = run_cli(capsys, "predict", trained, "new", "--no-invert")
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["file", "class", "probability", "second_class", "second_probability"]
    assert [row["file"] for row in rows] == [f"new/{i}.png" for i in range(6)]
    assert all(0 <= float(row["second_probability"]) <= float(row["probability"]) <= 1 for row in rows)
    code, out, _ = run_cli(capsys, "predict", trained, "new", "--format", "jsonl")
    assert [json.loads(line)["file"] for line in out.splitlines()] == [f"new/{i}.png" for i in range(6)]
    assert len(run_json(capsys, "predict", trained, "new/0.png")["predictions"]) == 1


def test_predict_refuses_what_is_no_image_unless_told_to_skip_it(trained, here, capsys):
    Path("broken.png").write_bytes(b"not an image")
    Image.fromarray(stripes(1).images[0, 0]).save("fine.png")
    code, _, err = run_cli(capsys, "predict", trained, "broken.png")
    assert code == 3
    assert "broken.png" in err
    code, out, err = run_cli(capsys, "predict", trained, "broken.png", "fine.png", "--skip-bad")
    assert code == 0
    assert out.count("\n") == 2
    assert "1 unreadable image left out" in err
    assert run_cli(capsys, "predict", trained, "absent.png")[0] == 3


def test_a_digit_drawn_dark_on_light_is_taken_as_ink(here, capsys):
    run = run_json(capsys, "train", "digits", "--epochs", "8", "--lr", "0.05")["run"]
    from convscope.data.readers.digits import read_digits

    test = read_digits()[1]
    for i in range(40):
        folder = Path("light") / str(test.labels[i])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - test.images[i, 0]).save(folder / f"{i:02}.png")
    right = {}
    for flag in ([], ["--no-invert"]):
        code, out, err = run_cli(capsys, "predict", run, "light", *flag)
        assert code == 0
        assert ("40 of 40 images look unlike any training image, so perhaps no class fits: " in err) == bool(flag)
        right[bool(flag)] = sum(
            Path(row["file"]).parent.name == row["class"] for row in csv.DictReader(io.StringIO(out))
        )
    assert right[False] >= 36 > right[True]
    assert run_json(capsys, "evaluate", run, "light")["accuracy"] == pytest.approx(right[False] / 40)


def test_all_classes_or_the_likeliest_few_are_named(trained, capsys):
    folder_of_stripes(Path("mine"), count=4)
    _, out, _ = run_cli(capsys, "predict", trained, "mine", "--top", "all")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["file", "rank", "class", "probability"]
    by_file = {}
    for row in rows:
        by_file.setdefault(row["file"], []).append(row)
    for ranked in by_file.values():
        assert [row["rank"] for row in ranked] == ["1", "2", "3"]
        assert {row["class"] for row in ranked} == {"low", "mid", "top"}
        sure = [float(row["probability"]) for row in ranked]
        assert sure == sorted(sure, reverse=True)
        assert sum(sure) == pytest.approx(1, abs=3e-6)
    best = [ranked[0]["class"] for ranked in by_file.values()]
    for form in (["--json"], ["--format", "jsonl"]):
        _, out, _ = run_cli(capsys, "predict", trained, "mine", "--top", "2", *form)
        found = json.loads(out)["predictions"] if "--json" in form else list(map(json.loads, out.splitlines()))
        assert [one["classes"][0]["class"] for one in found] == best
        assert {len(one["classes"]) for one in found} == {2}
        assert {one["strange"] for one in found} <= {True, False}
    _, out, _ = run_cli(capsys, "predict", trained, "mine", "--top", "99", "--format", "table")
    assert len(out.splitlines()) == 1 + 3 * len(best)
    code, _, err = run_cli(capsys, "predict", trained, "mine", "--top", "none")
    assert (code, err) == (2, "error: --top is 'none'\nhelp: give the number of classes to name, or all\n")


def test_a_class_that_is_not_sure_enough_is_none_of_these(trained, capsys):
    folder_of_stripes(Path("mine"), count=2)
    _, plain, _ = run_cli(capsys, "predict", trained, "mine")
    _, out, _ = run_cli(capsys, "predict", trained, "mine", "--min-probability", "1")
    before, after = (list(csv.DictReader(io.StringIO(text))) for text in (plain, out))
    assert [row["class"] for row in after] == ["none of these"] * len(before)
    assert [row["probability"] for row in after] == [row["probability"] for row in before]
    assert run_cli(capsys, "predict", trained, "mine", "--min-probability", "0")[1] == plain
    _, out, _ = run_cli(capsys, "predict", trained, "mine", "--min-probability", "1", "--top", "all")
    assert {row["class"] for row in csv.DictReader(io.StringIO(out))} == {"none of these"}
    assert run_cli(capsys, "predict", trained, "mine", "--min-probability", "2")[0] == 2


def test_pictures_of_another_kind_are_named(here, capsys):
    """A cat is no digit; the class that is named for it means little, and predict says so."""
    run = run_json(capsys, "train", "digits", "--epochs", "2")["run"]
    Path("odd").mkdir()
    Image.new("L", (40, 40)).save("odd/black.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)).save("odd/noise.png")
    from convscope.data.readers.digits import read_digits

    Image.fromarray(read_digits()[1].images[0, 0]).save("odd/three.png")
    code, out, err = run_cli(capsys, "predict", run, "odd")
    assert (code, out.count("\n")) == (0, 4)
    assert err == ("2 of 3 images look unlike any training image, so perhaps no class fits: black.png, noise.png\n")
    assert [one["strange"] for one in run_json(capsys, "predict", run, "odd")["predictions"]] == [True, True, False]


def test_evaluate_says_when_its_images_look_unlike_the_training_images(trained, capsys):
    folder_of_stripes(Path("mine"), count=8)
    for file in Path("mine").rglob("*.png"):
        Image.fromarray(255 - np.asarray(Image.open(file)) // 2).save(file)
    _, _, err = run_cli(capsys, "evaluate", trained, "mine")
    assert "of these images look unlike the training images: " in err


def test_held_out_images_tell_how_sure_the_net_usually_is(here, capsys):
    run = run_json(capsys, "train", "digits", "--epochs", "3", "--val-fraction", "0.2")["run"]
    model = convscope.load(run).model
    data = open_source("digits", val_fraction=0.2)
    scores = model.logits(torch.from_numpy(data.val.images)).numpy()
    assert model.look.weakest == pytest.approx(np.quantile(scores.max(1), 0.005), rel=1e-4)
    assert model.look.weak(scores).mean() < 0.01
    assert model.look.weak(np.full((1, 10), model.look.weakest - 1)).all()
    run = run_json(capsys, "train", "digits", "--epochs", "1")["run"]
    assert convscope.load(run).model.look.weakest is None  # training images are known by heart


def test_a_net_that_was_not_trained_for_ink_never_exchanges_dark_and_light(here, capsys):
    """Night and day: a net whose training pictures are mostly dark sees a bright one as it is, by every command."""
    rng = np.random.default_rng(0)
    for name, count, low, high in (("night", 30, 5, 60), ("day", 10, 150, 200)):
        (Path("sky") / name).mkdir(parents=True)
        for i in range(count):
            grey = np.clip(rng.integers(low, high) + rng.normal(0, 10, (12, 12)), 0, 255).astype(np.uint8)
            Image.fromarray(grey).save(f"sky/{name}/{i:02}.png")
    run = run_json(
        capsys, "train", "sky", "--net", "conv 4 3|relu|globalavg|linear", "--epochs", "30", "-b", "8", "--lr", "0.05"
    )["run"]
    assert run_json(capsys, "evaluate", run, "sky/../sky")["accuracy"] == 1
    code, out, err = run_cli(capsys, "predict", run, "sky/day")
    assert (code, err) == (0, "")
    assert {row["class"] for row in csv.DictReader(io.StringIO(out))} == {"day"}
    _, again, err = run_cli(capsys, "predict", run, "sky/day", "--no-invert")
    assert again == out
    assert "--no-invert is not needed" in err


def test_names_above_a_narrow_matrix_keep_both_ends_and_an_ellipsis(capsys):
    classes = [f"one_of_many_classes_{k}" for k in range(10, 20)]
    show_evaluation(evaluate(torch.eye(10), torch.arange(10), classes, "cross-entropy"), [])
    head = capsys.readouterr().out.split("predicted ones\n")[1].splitlines()[0].split()
    assert head == [f"one_o…ses_{k}" for k in range(10, 20)]


def test_compare_and_runs(trained, capsys):
    other = run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "2")["run"]
    result = run_json(capsys, "compare", trained, other, "--plot", "both.png")
    assert [entry["run"] for entry in result["runs"]] == [trained, other]
    assert width("both.png") > 600
    assert [entry["state"] for entry in run_json(capsys, "runs")["runs"]] == ["finished", "finished"]
    code, out, _ = run_cli(capsys, "runs")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert run_cli(capsys, "compare", trained)[0] == 2
    shutil.copytree(trained, "copies/" + Path(trained).name)
    _, out, _ = run_cli(capsys, "compare", trained, "copies/" + Path(trained).name)
    assert [line.split()[0] for line in out.splitlines()[1:3]] == [
        f"{n}/{Path(trained).name}" for n in ("runs", "copies")
    ]
    Path(trained, "summary.json").write_text("{")
    assert run_json(capsys, "runs")["runs"][0]["state"] == "damaged"


def folder_of_stripes(root: Path, count: int = 30, seed: int = 0, prefix: str = "") -> Path:
    images = stripes(count, seed)
    for i in range(count):
        file = root / images.classes[images.labels[i]] / f"{prefix}{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.images[i, 0]).save(file)
    return root


def test_evaluate_tests_the_old_images_and_offers_the_new_ones(here, capsys):
    folder_of_stripes(Path("mine"))
    run = run_json(capsys, "train", "mine", "--net", NET, "--epochs", "2")["run"]
    before = run_json(capsys, "evaluate", run)
    folder_of_stripes(Path("mine"), count=6, seed=9, prefix="new")
    code, out, err = run_cli(capsys, "evaluate", run)
    assert code == 0
    assert f"{100 * before['accuracy']:.2f} % of 6 images" in out
    assert "6 images came since custom-mine-1 began and are not used: low/new00.png" in err
    assert f"convscope evaluate {run} --new tests 6 new images" in err
    after = run_json(capsys, "evaluate", run)
    assert {**after, "folder": 0} == {**before, "folder": 0}
    new = run_json(capsys, "evaluate", run, "--new")
    assert (new["images"], new["folder"]) == (6, f"{run}/evaluation-new")
    assert run_json(capsys, "evaluate", run, "mine")["images"] == 6  # the run's own by another word
    code, _, err = run_cli(capsys, "explain", run, "test:0")
    assert code == 0
    assert "are not used" in err


def test_changed_data_end_with_a_sentence_everywhere(here, capsys):
    folder_of_stripes(Path("mine"))
    run = run_json(capsys, "train", "mine", "--net", NET, "--epochs", "2")["run"]
    Path("mine/low").rename("mine/lower")
    verbs = [["evaluate", run], ["explain", run, "test:0"], ["resume", run, "--epochs", "3"]]
    for verb in [*verbs, ["evaluate", run, "mine"]]:
        code, _, err = run_cli(capsys, *verb)
        assert code == 3
        assert "the data are not those that custom-mine-1 began with: 10 images went from class 'low' to 'lower'" in err
    Path("mine/lower").rename("mine/low")
    Path("mine").rename("yours")
    for verb in verbs:
        code, _, err = run_cli(capsys, *verb)
        assert code == 3
        assert "say where they are now with --data PATH" in err
        assert run_cli(capsys, *verb, "--data", "yours")[0] == 0


def test_new_and_moved_are_about_the_runs_own_data(trained, capsys):
    for option in (["--new"], ["--data", "x"]):
        code, _, err = run_cli(capsys, "evaluate", trained, "stripes.npz", *option)
        assert code == 2
        assert f"{option[0]} is about the run's own data" in err
    code, _, err = run_cli(capsys, "evaluate", trained, "--new")
    assert code == 3
    assert "no images came to the data of" in err


def test_a_model_file_alone_predicts(trained, here, capsys):
    folder_of_stripes(Path("mine"), count=3)
    Path("alone.safetensors").write_bytes(Path(trained, "model.safetensors").read_bytes())
    whole = run_json(capsys, "predict", trained, "mine")["predictions"]
    assert run_json(capsys, "predict", "alone.safetensors", "mine")["predictions"] == whole
    code, _, err = run_cli(capsys, "evaluate", "alone.safetensors")
    assert code == 3
    assert "it has no recipe.json" in err


def test_a_result_that_is_no_success_is_said_to_be_none(here, capsys):
    code, out, err = run_cli(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "3", "--lr", "5")
    assert code == 0
    words = " ".join(err.split())
    assert "no better than naming the commonest class" in words or "images is taken for class" in words
    assert "the learning rate is likely too large; try --lr 0.5" in words
    run = out.split("run     ")[-1].split()[0]
    _, _, err = run_cli(capsys, "evaluate", run)
    assert "try --lr 0.5" in " ".join(err.split())
    assert "try --lr 0.5" in run_json(capsys, "evaluate", run)["warning"]
    assert "try --lr 0.5" in json.loads(Path(run, "summary.json").read_text())["warning"]


def test_a_healthy_result_is_left_in_peace(trained, capsys):
    code, _, err = run_cli(capsys, "evaluate", trained)
    assert (code, err) == (0, "")
    assert run_json(capsys, "evaluate", trained)["warning"] is None
    assert json.loads(Path(trained, "summary.json").read_text())["warning"] is None


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_a_net_without_cross_entropy_gives_scores_and_no_probabilities(here, capsys, loss):
    run = run_json(capsys, "train", "stripes.npz", "--net", NET, "--loss", loss, "--epochs", "9", "--lr", "0.1")["run"]
    result = run_json(capsys, "evaluate", run)
    assert result["calibration_error"] is None
    table = Path(result["folder"], "predictions.csv").read_text().splitlines()
    assert table[0] == "file,label,prediction,score,label_score,loss"
    _, out, _ = run_cli(capsys, "evaluate", run)
    assert "calibration — (the net was not trained with cross entropy: it gives scores, no probabilities)" in out
    folder_of_stripes(Path("mine"), count=6)
    code, out, _ = run_cli(capsys, "predict", run, "mine")
    assert (code, out.splitlines()[0]) == (0, "file,class,score,second_class,second_score")
    (one,) = run_json(capsys, "predict", run, "mine/low/00.png")["predictions"]
    assert list(one) == ["file", "class_name", "score", "second_class", "second_score", "strange"]
    trained = convscope.load(run)
    picture = np.asarray(Image.open("mine/low/00.png"))
    raw = trained.predictor().logits(torch.from_numpy(picture[None, None].copy()))
    assert one["score"] == pytest.approx(float(raw.max()), abs=1e-5)  # the net's own output, trained to be 1
    assert trained.predict(picture).max() == one["score"]
    _, out, _ = run_cli(capsys, "predict", run, "mine", "--format", "table")
    assert "probability" not in out
    assert "%" not in out
    _, out, _ = run_cli(capsys, "explain", run, "test:0")
    assert "(score 0." in out or "(score 1." in out
    assert "probability" not in out
    assert run_json(capsys, "explain", run, "test:0")["probabilities"] is None
    assert "score" in repr(convscope.explain(trained, picture))
    with pytest.raises(UsageError, match=f"the net was trained with {loss}: it gives scores, no probabilities"):
        _ = convscope.explain(trained, picture).probabilities


def test_an_older_model_file_takes_the_loss_from_its_recipe(here, capsys):
    run = run_json(capsys, "train", "stripes.npz", "--net", NET, "--loss", "mse", "--epochs", "1")["run"]
    path = Path(run, "model.safetensors")
    tensors, metadata = load_tensors(path)
    assert metadata.pop("loss") == "mse"
    save_tensors(path, tensors, metadata)
    assert convscope.load(run).model.loss == "mse"
    save_tensors(path, tensors, metadata | {"loss": "hope"})
    with pytest.raises(DataError, match="loss 'hope' is unknown"):
        _ = convscope.load(run).model
