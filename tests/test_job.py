"""Run folders: what is in them, that they are read strictly, and that resuming ends with the same bits."""

import json
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from PIL import Image

import convscope
from convscope import job
from convscope.errors import DataError, Interrupted, TrainingError, UsageError
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.training.loop import Epoch, Progress, Tick
from convscope.training.scores import probabilities

from .helpers import SUMMARY, small_data

SPEC = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.2 | linear"


def recipe(**choices):
    return Recipe(
        **({"data": "stripes", "net": SPEC, "epochs": 2, "batch_size": 7, "log_interval": 4, "threads": 1} | choices)
    )


def finish(events):
    return list(events)[-1].folder


def interrupt_at(events, step):
    """Press Ctrl-C once that many updates are done."""
    for event in events:
        if isinstance(event, Tick) and event.step >= step:
            signal.raise_signal(signal.SIGINT)


def weights(folder):
    return folder.model().net.state_dict()


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_is_a_folder_with_everything_in_it(tmp_path, drawn_curves):
    events = list(job.start(recipe(), small_data(), tmp_path))
    folder = events[-1].folder
    assert folder.path == tmp_path / "custom-stripes-1"
    assert {path.name for path in folder.path.iterdir() if not path.name.startswith(".")} == {
        "recipe.json",
        "environment.json",
        "images.safetensors",
        "log.csv",
        "epochs.csv",
        "curves.png",
        "model.safetensors",
        "resume.safetensors",
        "summary.json",
    }
    assert folder.recipe() == recipe()
    assert list(vars(folder.summary())) == SUMMARY
    assert folder.summary().stopped_by == "epochs"
    assert (folder.path / "log.csv").read_text().splitlines()[0] == "epoch,step,loss"
    header = "epoch,train_loss,test_loss,test_accuracy,lr,seconds,images_per_second"
    assert (folder.path / "epochs.csv").read_text().splitlines()[0] == header
    assert folder.losses() == [event for event in events if isinstance(event, Progress)]
    assert folder.epochs() == [event for event in events if isinstance(event, Epoch)]
    assert folder.environment()["data"]["fingerprints"]["train"] == small_data().train.fingerprint
    model = folder.model()
    assert (model.image, model.classes, model.spec) == (
        (1, 8, 8),
        ("low", "mid", "top"),
        SPEC.replace("linear", "flatten | linear"),
    )
    with Image.open(folder.path / "curves.png") as curves:
        assert curves.format == "PNG"
        assert min(curves.size) > 300


def test_no_run_is_overwritten(tmp_path):
    first = finish(job.start(recipe(), small_data(), tmp_path))
    second = finish(job.start(recipe(), small_data(), tmp_path))
    assert [first.name, second.name] == ["custom-stripes-1", "custom-stripes-2"]
    assert equal(weights(first), weights(second))
    shutil.rmtree(first.path)
    assert finish(job.start(recipe(), small_data(), tmp_path)).name == "custom-stripes-3"  # a number is not used again
    assert [folder.name for folder in runs.every(tmp_path)] == ["custom-stripes-2", "custom-stripes-3"]


def test_ctrl_c_saves_and_resume_ends_with_the_same_bits(tmp_path):
    whole = finish(job.start(recipe(), small_data(), tmp_path / "whole"))
    events = job.start(recipe(), small_data(), tmp_path / "cut")
    with pytest.raises(Interrupted) as caught:
        interrupt_at(events, step=5)
    assert caught.value.exit_code == 130
    assert "the work is saved" in caught.value.message
    folder = runs.find(str(tmp_path / "cut" / "custom-stripes-1"))
    assert caught.value.help == f"resume it with: convscope resume {folder.path}"
    assert folder.summary() is None
    finish(job.resume(folder, small_data()))
    assert equal(weights(whole), weights(folder))
    assert folder.losses() == whole.losses()
    exact = [replace(epoch, seconds=0, images_per_second=0) for epoch in folder.epochs()]
    assert exact == [replace(epoch, seconds=0, images_per_second=0) for epoch in whole.epochs()]


@pytest.mark.parametrize(("name", "value"), [("seed", 7), ("net", "mlp")])
def test_a_recipe_that_was_altered_is_named(tmp_path, name, value):
    folder = list(job.start(recipe(epochs=1), small_data(), tmp_path))[-1].folder
    path = folder.path / "recipe.json"
    then = getattr(folder.recipe(), name)
    path.write_text(replace(folder.recipe(), **{name: value}).to_json())
    with pytest.raises(DataError) as caught:
        list(job.resume(folder, small_data(), epochs=2))
    assert caught.value.message == (f"{path} was altered: {name} is '{value}', but the run was trained with '{then}'")
    assert caught.value.help == "put that back, or train again"
    assert folder.summary() is not None


def test_a_finished_run_can_be_extended(tmp_path):
    long = finish(job.start(recipe(epochs=4), small_data(), tmp_path / "long"))
    short = finish(job.start(recipe(epochs=2), small_data(), tmp_path / "short"))
    with pytest.raises(UsageError, match="has already done its 2 epochs") as caught:
        list(job.resume(short, small_data()))
    assert "--epochs 4" in caught.value.help
    finish(job.resume(short, small_data(), epochs=4))
    assert equal(weights(long), weights(short))
    assert short.recipe().epochs == 4


def test_other_data_are_refused_on_resume(tmp_path):
    folder = finish(job.start(recipe(), small_data(), tmp_path))
    with pytest.raises(DataError, match="not those that custom-stripes-1 began with: 3 test images gone or altered"):
        list(job.resume(folder, small_data(test=27), epochs=5))


def test_a_loss_that_is_not_finite_leaves_good_weights_on_disk(tmp_path):
    plain = "conv 4 3 | relu | pool 2 | linear"
    with pytest.raises(TrainingError, match="the loss is not finite"):
        list(job.start(recipe(net=plain, lr=1e6, epochs=9), small_data(), tmp_path))
    folder = next(runs.every(tmp_path))
    assert all(bool(torch.isfinite(value).all()) for value in weights(folder).values())


def test_the_best_weights_by_validation_are_kept(tmp_path):
    data = small_data(val=30)
    data = replace(data, val=replace(data.val, labels=(data.val.labels + 1) % 3))  # the first epoch will be the best
    folder = finish(job.start(recipe(epochs=5, lr=0.1), data, tmp_path))
    epochs = folder.epochs()
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    assert best is not epochs[-1]
    assert folder.summary().test_accuracy == best.test_accuracy
    assert equal(weights(folder), folder.resume_point().state.best.weights)
    assert (folder.path / "epochs.csv").read_text().splitlines()[0].endswith(",val_loss,val_accuracy")


def test_nothing_is_written_where_the_net_or_the_choices_do_not_fit(tmp_path):
    with pytest.raises(UsageError, match="does not fit"):
        list(job.start(recipe(net="conv 4 9 | linear"), small_data(), tmp_path / "out"))
    with pytest.raises(UsageError, match="--patience needs a validation split"):
        list(job.start(recipe(patience=2), small_data(), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_api(tmp_path):
    data = small_data()
    run = convscope.train(
        (data.train.images, data.train.labels),
        net="conv 4 3 | relu | pool 2 | linear",
        epochs=3,
        batch_size=8,
        out=tmp_path,
        threads=1,
    )
    assert run.path == tmp_path / "custom-arrays-1"
    assert run.accuracy == run.history[-1].test_accuracy == run.summary["test_accuracy"]
    assert len(run.history) == 3
    p = run.predict(data.test.images[:5])
    assert p.shape == (5, 3)
    assert p.sum(1) == pytest.approx(1)
    assert run.predict([[[1, 2], [3, 4]]]).shape == (1, 3)
    assert isinstance(run.net, torch.nn.Module)
    logits = run.predictor().logits(torch.from_numpy(data.test.images[:5]))
    assert probabilities(logits).numpy() == pytest.approx(p, abs=1e-5)
    assert len(run.plot().axes) == 2
    again = convscope.load(run.path)
    assert equal(again.net.state_dict(), run.net.state_dict())
    with pytest.raises(UsageError, match="images of shape \\(8,\\) cannot be used"):
        run.predict(data.test.images[0, 0, 0])
    with pytest.raises(DataError, match="there is no run 'nowhere'"):
        convscope.load("nowhere")
    assert convscope.train is convscope.train  # the module of the loop must not take the function's place
    assert set(convscope.__all__) <= set(dir(convscope))
    with pytest.raises(DataError, match="arrays that were given in Python are not kept") as caught:
        convscope.resume(run.path, epochs=4)
    assert caught.value.help == "give them again: resume(run, data=…)"
    longer = convscope.resume(run.path, data=(data.train.images, data.train.labels), epochs=4)
    assert len(longer.history) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recipe.json", "{", "recipe.json is damaged"),
        ("summary.json", "[]", "must hold a JSON object"),
        ("epochs.csv", "a,b\n1,2\n", "its header must be epoch,train_loss"),
        ("log.csv", "epoch,step,loss\n1,2,three\n", "damaged in line 2"),
        ("model.safetensors", "x", "cannot be read"),
        ("resume.safetensors", "x", "cannot be read"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    folder = finish(job.start(recipe(epochs=1), small_data(), tmp_path))
    (folder.path / name).write_text(content)
    readers = {
        "recipe.json": folder.recipe,
        "summary.json": folder.summary,
        "epochs.csv": folder.epochs,
        "log.csv": folder.losses,
        "model.safetensors": folder.model,
        "resume.safetensors": folder.resume_point,
    }
    with pytest.raises(DataError) as caught:
        readers[name]()
    assert message in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("net", "conv 4 3 | relu | pool 2 | linear", "weights"),
        ("net", "linear 1000000 | linear 1000000 | linear", "absurdly large"),
        ("input", "[1, 12, 12]", "but the net takes"),
        ("preparation", '{"version": 2}', "written by another version"),
        ("preparation", '{"version": 1, "image": [1, 8, 8], "steps": "guess"}', "expected fit or ink"),
        ("preparation", '{"version": 1, "image": [1, 8, 8], "steps": "ink"}', "must be true or false"),
        ("preparation", '{"version": 1, "image": [1, 8, 8], "steps": "fit", "deep": [9, 9]}', "expected two values"),
        ("preparation", '{"version": 1, "image": [1, 8], "steps": "fit"}', "should hold 3 whole numbers"),
        ("preparation", '{"version": 1, "image": [2, 8, 8], "steps": "fit"}', "is no image size"),
        ("preparation", "[]", "written by another version"),
        ("input", "[7, 8, 8]", "is no image size"),
        ("classes", '["a", 3]', "classes must be a list of names"),
        ("mean", "[NaN]", "NaN is not a number of JSON"),
        ("mean", "[1e40]", "mean holds a number that is far too large"),
        ("std", "[1, 2]", "std must be a list of 1 number"),
        ("format", "other", "holds no convscope model"),
    ],
)
def test_model_metadata_are_validated(tmp_path, key, value, message):
    from safetensors.torch import save_file

    folder = finish(job.start(recipe(epochs=1), small_data(), tmp_path))
    path = folder.path / "model.safetensors"
    from convscope.net.model import load_tensors

    tensors, metadata = load_tensors(path)
    save_file(tensors, path, metadata | {key: value})
    with pytest.raises(DataError) as caught:
        folder.model()
    assert message in caught.value.message


def test_a_run_that_is_none_is_refused_with_near_misses(tmp_path):
    finish(job.start(recipe(epochs=1), small_data(), tmp_path))
    with pytest.raises(DataError, match="there is no run 'custom-stripe-1'") as caught:
        runs.find("custom-stripe-1", tmp_path)
    assert "did you mean 'custom-stripes-1'?" in caught.value.help
    with pytest.raises(DataError, match=r"it has no recipe\.json"):
        runs.find(str(tmp_path))
    with pytest.raises(DataError, match=r"a… cannot be read: File name too long"):
        runs.find("a" * 5000)


def test_the_summary_is_strict_json(tmp_path):
    folder = finish(job.start(recipe(epochs=1), small_data(), tmp_path))
    text = (folder.path / "summary.json").read_text()
    assert 0 <= json.loads(text, parse_constant=pytest.fail)["test_accuracy"] <= 1


def test_a_residual_net_trains_is_saved_and_goes_on(tmp_path):
    chosen = recipe(net="resnet8", epochs=3, lr=0.05, momentum=0.9, engine="eager")
    data = small_data(42, 12, shape=(3, 32, 32))
    whole = finish(job.start(chosen, data, tmp_path / "whole"))
    assert whole.epochs()[-1].train_loss < 0.5 * whole.epochs()[0].train_loss
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, data, tmp_path / "cut"), 9)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, data))), weights(whole))
