"""What room 8's play things answer, against PyTorch, and what they refuse."""

import io
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import convscope
from convscope.lab.binary import unpack


def asked(lab, what, **question):
    answer = lab.post(f"/api/inside/{what}", question)
    assert answer.status_code == 200, answer.text
    return unpack(answer.content)


def refused(lab, what, **question):
    answer = lab.post(f"/api/inside/{what}", question)
    assert answer.status_code == 400, answer.text
    return " / ".join([answer.json()["error"], answer.json()["help"]])


def model_and_input(lab, run, pixels):
    """The run's net with gradients, and uint8 pixels (C, H, W) as it takes them, float (1, C, H, W)."""
    model = convscope.load(lab.runs / run).model
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (model.mean, model.std))
    return model.net.eval().requires_grad_(True), ((torch.from_numpy(pixels.copy()) / 255 - mean) / std)[None]


def pixels_of(lab, run, **given):
    return unpack(lab.post("/api/inside/look", {"run": run, **given}).content)[1]["image"]


@pytest.mark.parametrize(
    ("layer", "bias", "index"),
    [
        ("conv1", False, [3, 0, 2, 4]),
        ("conv2", False, [7, 3, 0, 1]),
        ("conv2", True, [5]),
        ("linear1", False, [4, 100]),
    ],
)
def test_backward_is_autograds(lab, digits_run, layer, bias, index):
    head, arrays = asked(lab, "backward", run=digits_run, test=5, layer=layer, bias=bias, index=index, target=2)
    net, x = model_and_input(lab, digits_run, pixels_of(lab, digits_run, test=5))
    loss = functional.cross_entropy(net(x), torch.tensor([2]))
    loss.backward()
    parameter = net.get_parameter(f"{layer}.{'bias' if bias else 'weight'}")
    want = float(parameter.grad[tuple(index)])
    assert head["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    scale = float(np.abs(arrays["products"]).sum())
    assert head["ledger"]["total"] == pytest.approx(want, abs=1e-5 * scale)
    assert arrays["products"].sum() == pytest.approx(want, abs=1e-5 * scale)
    assert arrays["on_image"].sum() == pytest.approx(want, abs=1e-5 * scale)
    kernel = net.get_parameter(f"{layer}.weight")
    assert arrays["weight"] == pytest.approx(kernel[index[0]].detach().numpy())
    assert arrays["gradient"] == pytest.approx(kernel.grad[index[0]].numpy(), abs=1e-6)
    assert [one["name"] for one in head["layers"]] == ["conv1", "conv2", "linear1"]


def test_backward_chooses_the_true_class_and_the_weight_with_the_largest_gradient(lab, digits_run):
    head, arrays = asked(lab, "backward", run=digits_run, test=9)
    labels = lab.client.get(f"/api/runs/{digits_run}/images").json()["labels"]
    assert (head["layer"], head["target"]) == ("conv1", labels[9])
    assert abs(arrays["gradient"][tuple(head["index"][1:])]) == np.abs(arrays["gradient"]).max()
    question = {"run": digits_run, "test": 9, "layer": "conv1", "index": [0, 0, 0]}
    assert lab.post("/api/inside/pixel", question).is_success  # a ledger of the same net, which is frozen again


def test_backward_of_every_kind_of_net(lab, colour_run, branched_run):
    for run in (colour_run, branched_run):
        head, _ = asked(lab, "backward", run=run, test=0)
        for one in head["layers"]:
            index = [0] * len(one["shape"])
            head, arrays = asked(lab, "backward", run=run, test=0, layer=one["name"], index=index)
            scale = float(np.abs(arrays["products"]).sum()) or 1.0
            assert arrays["products"].sum() == pytest.approx(head["ledger"]["reported"], abs=1e-5 * scale)


def test_backward_refuses(lab, digits_run):
    ask = {"run": digits_run, "test": 1}
    assert "'relu1' has no weights whose gradient can be taken apart" in refused(lab, "backward", **ask, layer="relu1")
    assert "outside its shape" in refused(lab, "backward", **ask, layer="conv1", index=[99, 0, 0, 0])
    assert "there is no class 10" in refused(lab, "backward", **ask, target=10)


def test_the_attack_moves_every_pixel_by_the_sign_of_autograds_gradient(lab, digits_run, colour_run):
    for run, target in ((digits_run, 3), (colour_run, 2)):
        head, arrays = asked(lab, "attack", run=run, test=6, target=target)
        assert head["target"] == target
        net, x = model_and_input(lab, run, arrays["image"])
        x.requires_grad_()
        functional.cross_entropy(net(x), torch.tensor([target])).backward()
        assert np.array_equal(arrays["signs"], np.sign(x.grad[0].numpy()))
        moved = np.clip(arrays["image"] + 9 * arrays["signs"], 0, 255)
        net, x = model_and_input(lab, run, moved)
        assert arrays["scores"][9] == pytest.approx(net(x)[0].detach().numpy(), abs=1e-4)
        assert arrays["confidences"][9] == pytest.approx(net(x)[0].softmax(0).detach().numpy(), abs=1e-4)
    assert "there is no class 3" in refused(lab, "attack", run=colour_run, test=0, target=3)


def test_what_is_blank_is_no_ink_or_the_mean_pixel(lab, digits_run, colour_run):
    assert unpack(lab.post("/api/inside/look", {"run": digits_run, "test": 0}).content)[0]["blank"] == [0]
    mean = convscope.load(lab.runs / colour_run).model.mean
    blank = unpack(lab.post("/api/inside/look", {"run": colour_run, "test": 0}).content)[0]["blank"]
    assert blank == [round(255 * m) for m in mean]


def test_the_nine_best_images_are_pytorchs(lab, digits_run):
    head, arrays = asked(lab, "channel", run=digits_run, layer="conv2", channel=5)
    images = pixels_of_all(lab, digits_run)
    net, _ = model_and_input(lab, digits_run, images[0])
    largest = []
    for image in images:
        _, x = model_and_input(lab, digits_run, image)
        with torch.no_grad():
            largest.append(float(net.conv2(net.pool1(net.relu1(net.conv1(x))))[0, 5].max()))
    order = np.argsort(-np.array(largest), kind="stable")[:9]
    assert [one["image"] for one in head["best"]] == order.tolist()
    assert [one["value"] for one in head["best"]] == pytest.approx(np.array(largest)[order].tolist(), abs=1e-4)
    assert all((one["rows"], one["columns"]) == (14, 14) for one in head["best"])
    assert head["of"] == head["all"] == len(images)
    made = model_and_input(lab, digits_run, arrays["made"])[1]
    with torch.no_grad():
        mean = float(net.conv2(net.pool1(net.relu1(net.conv1(made))))[0, 5].mean())
    assert arrays["means"][-1] == pytest.approx(mean, abs=1e-3)
    assert "has no channel 99" in refused(lab, "channel", run=digits_run, layer="conv2", channel=99)
    assert "no layer 'conv9'" in refused(lab, "channel", run=digits_run, layer="conv9")


def pixels_of_all(lab, run):
    from convscope.lab.shelf import Shelf

    return Shelf(lab.runs).open(run).images.images


def test_a_channel_whose_test_images_are_gone_still_has_its_picture(lab, digits_run, monkeypatch):
    from convscope.errors import DataError
    from convscope.lab.rooms.play import channels

    class Gone:
        image = (1, 28, 28)

        @property
        def images(self):
            raise DataError("the data are gone", "bring them back")

    pixels, why = channels._test_images(Gone())
    assert (len(pixels), why) == (0, "the data are gone")


def test_the_map_and_where_a_picture_lands(lab, digits_run):
    head, arrays = asked(lab, "atlas", run=digits_run, test=7)
    assert len(head["which"]) == len(arrays["places"]) == head["all"]
    assert arrays["mine"] == pytest.approx(arrays["places"][7], abs=1e-2)
    assert head["near"][0] == 7
    verdict = lab.client.get(f"/api/runs/{digits_run}/verdict").json()["evaluation"]["accuracy"]
    right = np.array(head["labels"]) == np.array(head["predicted"])
    assert right.mean() == pytest.approx(verdict)
    sheet = Image.open(io.BytesIO(lab.client.get(f"/api/inside/atlas/{digits_run}.png").content))
    assert sheet.size == (32 * 28, -(-head["all"] // 32) * 28)
    first = np.asarray(sheet)[28:56, 28:56]  # the second of the second row
    assert np.array_equal(first, pixels_of_all(lab, digits_run)[33, 0])


def test_t_sne_comes_from_a_process_of_its_own(lab, colour_run):
    question = {"run": colour_run, "test": 2, "neighbours": True}
    head, arrays = asked(lab, "atlas", **question)
    assert head["rounds"] == 4
    deadline = time.monotonic() + 60
    while head["done"] < 4 and not head["failed"] and time.monotonic() < deadline:
        time.sleep(0.2)
        head, arrays = asked(lab, "atlas", **question)
    assert (head["done"], head["failed"]) == (4, "")
    near = [head["which"].index(n) for n in head["near"]]
    assert arrays["mine"] == pytest.approx(arrays["places"][near].mean(0), rel=1e-4, abs=1e-4)


def test_two_runs_on_one_image(lab, digits_run, branched_run, colour_run):
    body = {"run": digits_run, "other": branched_run, "test": 4}
    answer = lab.ask("/api/inside/beside", body)
    pixels = pixels_of(lab, digits_run, test=4)
    for side, run in zip(answer["runs"], (digits_run, branched_run), strict=True):
        net, x = model_and_input(lab, run, pixels)
        assert side["run"] == run
        assert side["scores"] == pytest.approx(net(x)[0].detach().tolist(), abs=1e-4)
    drawn = lab.ask("/api/inside/beside", {"run": digits_run, "other": branched_run, "strokes": [[[30, 30], [80, 80]]]})
    assert drawn["runs"][0]["scores"] != answer["runs"][0]["scores"]
    wrong = refused(lab, "beside", run=digits_run, other=colour_run, test=0)
    assert "knows other classes" in wrong
