"""A run that begins with a pretrained net is a usual run: trained, predicted with, evaluated, explained, resumed."""

import json

import numpy as np
import pytest
import torch

import convscope
from convscope.auto import settle
from convscope.data.images import ImageSet
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.zoo import resolve
from convscope.recipe import CHOICES, Recipe
from convscope.training.pretrained import blocks
from tests.helpers import original_weights

NET = "efficientnet-lite0"


def scenes(count, seed=0):
    """Colour images of 40×40 whose class is what stands in them: stripes, a checkerboard or rings."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :40]
    images = []
    for number in range(count):
        period, shift = random.integers(5, 9), random.integers(0, 9, 2)
        row, column = y + shift[0], x + shift[1]
        pattern = (
            row // period % 2,
            (row // period + column // period) % 2,
            (np.hypot(y - 20, x - 20) + shift[0]) // period % 2,
        )[number % 3]
        colours = random.integers(0, 256, (2, 3))
        image = colours[pattern.astype(int)] + random.integers(-20, 21, (40, 40, 3))
        images.append(image.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
    labels = np.arange(count, dtype=np.int64) % 3
    return ImageSet(np.stack(images), labels, ("stripes", "checks", "rings"))


@pytest.fixture(scope="module")
def data():
    original_weights()
    return scenes(60), scenes(30, seed=1)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return convscope.train(data, net=NET, image_size=96, threads=1, out=tmp_path_factory.mktemp("runs"))


def test_its_last_layer_is_fitted_in_one_step(run, data):
    assert run.accuracy > 0.6
    assert (run.summary["engine"], run.summary["steps"], len(run.history)) == ("head", 1, 1)
    assert (run.recipe.net, run.recipe.epochs, run.recipe.image_size) == (NET, 1, 96)
    assert run.model.mean == pytest.approx([127 / 255] * 3)
    p = run.predict(data[1].images)
    assert float((p.argmax(1) == data[1].labels).mean()) == pytest.approx(run.accuracy)
    assert run.evaluate(data=data).accuracy == pytest.approx(run.accuracy)


def test_it_is_finished_and_says_so(run, data):
    for epochs in (None, 3):
        with pytest.raises(UsageError, match="its last layer is fitted in one step") as caught:
            convscope.resume(run.path, data=data, epochs=epochs)
        assert "--unfreeze 2" in caught.value.help


def test_it_is_explained_down_to_a_pixel(run, data):
    found = convscope.explain(run.net, run.prepare(data[1].images[:1])[0].astype(np.float32) / 128 - 127 / 128)
    path = found.follow("linear1", (1,))
    assert [ledger.name for ledger in path[:2]] == ["linear1", "flatten1"]
    assert len(path) > 8  # down to a pixel, or to a zero at the border
    assert path[-1].terms[0].x.tensor == "image" or path[-1].terms[0].x.padding


def test_the_same_data_give_the_same_bits(run, data, tmp_path):
    again = convscope.train(data, net=NET, image_size=96, threads=2, seed=3, out=tmp_path)
    assert torch.equal(again.net.linear1.weight, run.net.linear1.weight)


def test_its_last_blocks_are_trained_on_from_there(run, data, tmp_path):
    more = convscope.train(data, net=NET, image_size=96, unfreeze=1, epochs=2, lr=0.001, threads=1, out=tmp_path)
    assert more.summary["engine"] == "eager"
    changed = {
        name.partition(".")[0]
        for name, weight in more.net.state_dict().items()
        if not torch.equal(weight, run.net.state_dict()[name])
    }
    assert changed == {"conv33", "linear1"}
    assert more.history[0].train_loss < 1.0  # it begins where the fit ended, not with random weights
    longer = convscope.resume(more.path, data=data, epochs=3)
    assert longer.summary["epochs"] == 3


def test_blocks_end_where_no_activation_follows():
    groups = [[part.name for part in group] for group in blocks(build(resolve(NET), (3, 64, 64), 3))]
    assert groups[-2:] == [["conv31", "depthwise16", "conv32"], ["conv33"]]
    assert len(groups) == 17


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"net": "note", "unfreeze": 1}, "--unfreeze 1 is for a pretrained net: 'note' begins with random weights"),
        ({"net": NET, "unfreeze": 40}, "--unfreeze 40 is too many: the net has 17 blocks"),
        (
            {"net": NET, "lr": 0.1, "epochs": 3},
            f"--epochs, --lr changes nothing where only the last layer of {NET} is fitted",
        ),
        ({"net": NET, "loss": "mse"}, "--loss mse does not go with a pretrained net"),
        ({"net": NET, "engine": "jit"}, "the jit engine does not train a pretrained net"),
        ({"net": NET, "no_pretrained": True}, f"{NET} is a pretrained net, and --no-pretrained was given"),
    ],
)
def test_choices_that_do_not_go_with_it_are_refused(data, tmp_path, choices, message):
    with pytest.raises(UsageError) as caught:
        convscope.train(data, image_size=96, out=tmp_path, **choices)
    assert caught.value.message == message
    assert not list(tmp_path.iterdir())


def test_its_own_recipe_repeats_it(data, run):
    settled = settle(run.recipe, CHOICES, data=data)  # as by `train --recipe RUN`: every choice is given
    assert settled.recipe == run.recipe


def test_auto_compares_it_with_a_net_from_scratch_and_says_by_how_much(data):
    settled = settle(Recipe.of({"data": "arrays", "threads": 1}), (), data=data)
    assert settled.recipe.net == NET
    assert settled.data.train.shape == (3, 160, 160)
    assert settled.chosen == settled.recipe.remark
    start, _, rest = settled.chosen.partition("; of 12 training images held out to compare: ")
    assert start == f"{NET}: pretrained, for 60 colour images"
    assert rest.startswith(f"{NET} ")
    assert " %, cnn-m " in rest
    assert "epochs" in rest


def test_auto_takes_the_net_from_scratch_where_that_is_better(data, monkeypatch):
    monkeypatch.setattr("convscope.auto.settling._right", lambda settled, rest, held: settled.recipe.net == "cnn-m")
    settled = settle(Recipe.of({"data": "arrays", "remark": "mine"}), (), data=data)
    assert (settled.recipe.net, settled.recipe.optimizer, settled.recipe.epochs) == ("cnn-m", "adamw", 40)
    assert settled.data.train.shape == (3, 40, 40)
    assert settled.recipe.remark == f"mine; {settled.chosen}"
    assert settled.chosen.startswith("cnn-m: from scratch; of 12 training images held out to compare")


def test_blocks_are_trained_in_small_steps_unless_others_are_chosen(data):
    trained = {"data": "arrays", "net": NET, "image_size": 96, "unfreeze": 1}
    chosen = settle(Recipe.of(trained), trained, data=data).recipe
    assert (chosen.optimizer, chosen.lr, chosen.schedule, chosen.epochs) == ("adam", 1e-4, "cosine", 5)
    trained |= {"lr": 0.01, "epochs": 2}
    chosen = settle(Recipe.of(trained), trained, data=data).recipe
    assert (chosen.optimizer, chosen.lr, chosen.schedule, chosen.epochs) == ("sgd", 0.01, "constant", 2)


def test_auto_with_blocks_to_train_compares_without_them(data):
    choices = {"data": "arrays", "unfreeze": 1, "threads": 1}
    settled = settle(Recipe.of(choices), choices, data=data)
    assert settled.recipe.net == NET
    assert settled.recipe.unfreeze == 1
    assert "held out to compare" in settled.chosen


def test_the_notes_data_and_a_named_net_are_left_as_they_are():
    for choices, net in (({"data": "digits"}, "note"), ({"data": "digits", "net": "mlp"}, "mlp")):
        settled = settle(Recipe.of(choices))
        assert (settled.recipe, settled.chosen) == (Recipe(data="digits", net=net, epochs=60), "")
    assert json.loads(Recipe().to_json())["remark"] is None
