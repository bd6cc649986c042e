"""The film of a run, its single updates line by line, and the range test: what the training process keeps and tells."""

import logging
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import convscope
from convscope.data.batches import epoch_order
from convscope.lab.binary import unpack
from convscope.lab.live import film as film_module
from convscope.lab.live.control import Control
from convscope.lab.live.film import FILE, Filming, read_film
from convscope.lab.live.filmed import seen, shows_all
from convscope.lab.live.histograms import BINS, histogram
from convscope.lab.live.probe import Look
from convscope.lab.live.telling import follow
from convscope.lab.live.worker import events
from convscope.net.model import load_tensors
from convscope.recipe import Recipe

from ..helpers import run_cli

NET = "conv 4 5 stride=3 | batchnorm | relu | dropout 0.25 | linear"
RECIPE = Recipe(data="digits", net=NET, batch_size=100, lr=0.1, threads=1, engine="eager", epochs=2)


def trained(task, control=None, on=lambda kind, message: None):
    """What the training process tells of a task, as {kind: [(fields, body)]}; ``on`` may give orders meanwhile."""
    control, told = control or Control(), {}

    def report(kind, body=b"", **fields):
        told.setdefault(kind, []).append((fields, body))
        on(kind, fields)

    follow(events(task, control.pace, report), control, report)
    return told


def new(folder, recipe=RECIPE):
    return {"recipe": asdict(recipe), "out": str(folder), "offline": True}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A short run with its film: what it told, and its folder."""
    told = trained(new(tmp_path_factory.mktemp("whole")))
    return told, next(iter(told["finished"]))[0]["summary"]


@pytest.fixture(scope="module")
def folder(whole, tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    return next(base.glob(f"whole*/{whole[0]['started'][0][0]['run']}"))


def test_the_film_begins_before_the_first_update_and_ends_with_the_last(whole, folder):
    told, summary = whole
    film = read_film(folder)
    steps = [frame.step for frame in film.frames]
    assert steps == sorted(set(steps)) == told["film"][-1][0]["steps"]
    assert (steps[0], steps[-1]) == (0, summary.steps)
    assert steps[1] <= 2  # a net changes most in the beginning
    assert film.head["classes"] == [str(n) for n in range(10)]
    assert film.at(steps[1] + 0).step == steps[1]
    assert film.at(10**9).step == steps[-1]


def test_a_frame_holds_the_net_as_it_was(whole, folder):
    """The whole state dict, from which PyTorch makes the maps and the confidences again."""
    film = read_film(folder)
    frame = film.frames[-1]
    arrays = frame.arrays()
    assert frame.head["whole"]
    stored, _ = load_tensors(folder / "model.safetensors")
    run = convscope.load(folder)
    state = {name[6:]: torch.from_numpy(values) for name, values in arrays.items() if name.startswith("state.")}
    assert set(state) == set(run.net.state_dict())
    for name, values in state.items():
        torch.testing.assert_close(values, stored[name].float(), rtol=2**-11, atol=2**-24)
    chosen = frame.head["chosen"]
    image = torch.from_numpy(arrays["image"])
    first = run.net[0]((image / 255 - run.model.mean[0])[None] / run.model.std[0])[0].detach()
    assert arrays["map.conv1"] == pytest.approx(first.numpy(), abs=2**-10 * float(first.abs().max()))
    assert arrays["confidences"].shape == (10, 10)
    assert frame.head["labels"][chosen] == film.head["labels"][chosen]
    early = film.frames[0].arrays()
    assert not np.array_equal(early["state.conv1.weight"], arrays["state.conv1.weight"])


def test_every_other_image_is_looked_at_again_with_the_weights_of_the_frame(folder):
    """Maps as PyTorch makes them of the probe image, layer by layer; all else stays as the frame has it."""
    film, run = read_film(folder), convscope.load(folder)
    frame = film.frames[len(film.frames) // 2]
    assert shows_all(film, frame)
    arrays = frame.arrays()
    run.net.load_state_dict({name[6:]: torch.from_numpy(arrays[name]) for name in arrays if name.startswith("state.")})
    for index in range(len(film.thumbnails)):
        head, found = seen(film, frame, index)
        pixels = torch.from_numpy(film.thumbnails[index].copy())
        values = ((pixels.float() / 255 - run.model.mean[0]) / run.model.std[0])[None]
        assert (head["chosen"], head["step"]) == (index, frame.step)
        assert np.array_equal(found["image"], pixels.numpy())
        with torch.no_grad():
            for name, layer in run.net.eval().named_children():
                values = layer(values)
                if f"map.{name}" in found:
                    np.testing.assert_allclose(found[f"map.{name}"], values[0].numpy(), rtol=1e-4, atol=1e-5)
        assert np.array_equal(found["confidences"], arrays["confidences"])
    assert {"map.conv1", "map.batchnorm1", "map.relu1"} <= set(found)


def test_where_weights_or_images_are_not_whole_only_the_chosen_image_is_shown(folder):
    film = read_film(folder)
    frame = film.frames[0]
    assert not shows_all(film, replace(frame, head={**frame.head, "whole": False}))
    assert not shows_all(replace(film, thumbnails=film.thumbnails[:, :, ::2, ::2]), frame)
    older = {key: value for key, value in film.head.items() if key not in ("net", "mean", "std")}
    assert not shows_all(replace(film, head=older), frame)


ARGUMENTS = ["train", "digits", "--net", NET, "--lr", "0.1", "--epochs", "2", "--threads", "1", "--engine", "eager"]


def test_the_command_line_keeps_a_film_of_the_same_run(tmp_path, capsys):
    """The weights are bit for bit those without one, and a resumed run continues it."""
    assert run_cli(capsys, *ARGUMENTS, "--out", tmp_path / "plain", "--quiet")[0] == 0
    assert run_cli(capsys, *ARGUMENTS, "--out", tmp_path / "filmed", "--film", "--quiet")[0] == 0
    plain, filmed = (next((tmp_path / name).iterdir()) for name in ("plain", "filmed"))
    assert read_film(plain) is None
    for name, values in load_tensors(plain / "model.safetensors")[0].items():
        assert torch.equal(values, load_tensors(filmed / "model.safetensors")[0][name]), name
    summary = convscope.load(filmed).summary
    steps = [frame.step for frame in read_film(filmed).frames]
    assert (steps[0], steps[-1]) == (0, summary["steps"])
    assert len(steps) >= 4
    assert run_cli(capsys, "resume", filmed, "--epochs", "3", "--film", "--quiet")[0] == 0
    longer = [frame.step for frame in read_film(filmed).frames]
    assert longer[: len(steps)] == steps
    assert longer[-1] == convscope.load(filmed).summary["steps"] > steps[-1]


@pytest.mark.parametrize("other", ["--seeds", "--folds"])
def test_a_film_is_of_one_run(tmp_path, capsys, other):
    code, _, error = run_cli(capsys, *ARGUMENTS, "--out", tmp_path, "--film", other, "2")
    assert code == 2
    assert f"{other} and --film do not go together" in error
    assert not any(tmp_path.iterdir())


def test_the_histograms_of_a_look_are_those_of_weights_and_outputs(whole, folder):
    run = convscope.load(folder)
    frame = read_film(folder).frames[-1]
    weights = {row["name"]: row for row in frame.head["weights"]}
    assert list(weights) == ["conv1", "batchnorm1", "linear1"]
    values = run.net[0].weight.detach().numpy().ravel()
    assert (weights["conv1"]["low"], weights["conv1"]["high"]) == pytest.approx((values.min(), values.max()))
    counted, _ = np.histogram(values, BINS, (values.min(), values.max()))
    assert np.abs(np.cumsum(weights["conv1"]["counts"]) - np.cumsum(counted)).max() <= 1  # at an edge of two bins
    outputs = {row["name"]: row for row in frame.head["outputs"]}
    assert sum(outputs["linear1"]["counts"]) == 100  # ten images, ten classes
    assert (outputs["relu1"]["channels"], outputs["relu1"]["low"]) == (4, 0)


def test_a_histogram_of_anything_counts_what_is_finite():
    assert histogram("a", torch.full((7,), 2.0)).counts[0] == 7
    found = histogram("b", torch.tensor([0.0, 1.0, float("nan"), float("inf")]))
    assert (found.low, found.high, sum(found.counts)) == (0, 1, 2)
    assert sum(histogram("c", torch.rand(10**6)).counts) <= 2**17


def look(step, size=1000):
    head = {"step": step, "chosen": 0, "confidences": None, "labels": [0]}
    return Look(head, {}, {"state.w": np.full(size, step % 7, dtype=np.float32)}, whole=True)


HEAD = {"run": "r", "classes": ["a"], "labels": [0], "index": [3], "image": [1, 2, 2]}
PROBES = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2)


def test_however_long_a_run_is_its_film_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(film_module, "MOST_BYTES", 60_000)
    film = Filming(tmp_path, HEAD, PROBES)
    for step in [0, 1, 2, 4, 8, 16, 32, 64, *range(200, 100_000, 50)]:
        if film.wants(step, due=True):
            film.keep(look(step))
        assert (tmp_path / FILE).stat().st_size <= 60_000
    steps = [frame.step for frame in read_film(tmp_path).frames]
    assert steps == film.steps
    assert steps[:8] == [0, 1, 2, 4, 8, 16, 32, 64]
    gaps = np.diff([step for step in steps if step >= 200])
    assert gaps.max() <= 3 * gaps.min()  # evenly, to a halving
    assert len(steps) > 15
    assert steps[-1] > 90_000


def test_many_single_steps_at_the_beginning_are_thinned_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(film_module, "MOST_BYTES", 30_000)
    film = Filming(tmp_path, HEAD, PROBES)
    for step in range(100):
        film.keep(look(step), always=True)
    assert (tmp_path / FILE).stat().st_size <= 30_000
    assert film.steps[0] == 0
    assert film.steps[-1] == 99


def test_large_probe_images_are_thinned_out_to_thumbnails(tmp_path):
    Filming(tmp_path, HEAD, np.zeros((10, 3, 500, 400), dtype=np.uint8))
    shape = read_film(tmp_path).thumbnails.shape
    assert shape[:2] == (10, 3)
    assert np.prod(shape) <= film_module.THUMBNAILS


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A film of three frames as bytes, and where each of them ends."""
    place = tmp_path_factory.mktemp("short")
    film, ends = Filming(place, HEAD, PROBES), []
    for step in (0, 5, 9):
        film.keep(look(step, 10))
        ends.append((place / FILE).stat().st_size)
    return place, (place / FILE).read_bytes(), ends


@given(share=st.floats(0, 1))
def test_wherever_a_film_is_torn_its_whole_frames_are_read(short, share):
    place, data, ends = short
    cut = round(share * len(data))
    (place / FILE).write_bytes(data[:cut])
    head = len(data) - 3 * (ends[1] - ends[0])  # of the first message: all frames are as long
    if cut < head:
        with pytest.raises(convscope.ConvscopeError, match="is damaged"):
            read_film(place)
        return
    whole = [step for step, end in zip((0, 5, 9), ends, strict=True) if end <= cut]
    assert [frame.step for frame in read_film(place).frames] == whole


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"\x80\x04K\x01.", b'{"kind": "film", "version": 2}\n', b"[]\n"]
)
def test_what_is_no_film_is_refused_and_a_new_one_takes_its_place(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(convscope.ConvscopeError, match=r"film\.bin is damaged, or of a later version"):
        read_film(tmp_path)
    Filming(tmp_path, HEAD, PROBES).keep(look(0))
    assert [frame.step for frame in read_film(tmp_path).frames] == [0]


def test_a_frame_whose_arrays_are_not_there_is_refused(tmp_path):
    film = Filming(tmp_path, HEAD, PROBES)
    film.keep(look(0))
    data = (tmp_path / FILE).read_bytes()
    for wrong in (b'"shape": [9999]', b'"shape": [-100]', b'"shape": ["a"]'):
        (tmp_path / FILE).write_bytes(data.replace(b'"shape": [1000]', wrong))
        with pytest.raises(convscope.ConvscopeError, match=r"film\.bin is damaged in the frame of update 0"):
            read_film(tmp_path).at(0).arrays()


def test_a_film_that_is_a_link_or_too_large_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(convscope.ConvscopeError, match="is a link or no plain file"):
        read_film(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).write_bytes(b"x" * 30)
    monkeypatch.setattr(film_module, "MOST_BYTES", 10)
    with pytest.raises(convscope.ConvscopeError, match="so convscope did not write it"):
        read_film(tmp_path)


def test_a_film_that_cannot_be_written_ends_and_the_run_does_not(tmp_path, caplog):
    film = Filming(tmp_path, HEAD, PROBES)
    film.keep(look(0))
    (tmp_path / FILE).unlink()
    with caplog.at_level(logging.WARNING, "convscope.lab"):
        film.keep(look(1))
    assert film.ended
    assert "the film of the run ends here" in caplog.text
    film.keep(look(2))
    assert not (tmp_path / FILE).exists()


def test_a_resumed_run_resumes_its_film_where_it_was_saved(tmp_path):
    """Frames of updates that were taken after the last save go: they are taken again."""

    def kill(kind, fields):
        if kind == "epoch" and fields["epoch"].epoch == 2:  # told before it is saved
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # what was saved is the first epoch
        trained(new(tmp_path), on=kill)
    (path,) = tmp_path.iterdir()
    before = [frame.step for frame in read_film(path).frames]
    told = trained({"resume": str(path), "epochs": None, "offline": True})
    saved = told["started"][0][0]["resumed_at"]
    assert saved == 15
    steps = [frame.step for frame in read_film(path).frames]
    kept = [step for step in before if step < saved]
    assert len(kept) >= 3
    assert steps[: len(kept) + 1] == [*kept, saved]
    assert steps == sorted(set(steps))
    assert steps[-1] == told["finished"][0][0]["summary"].steps


def test_a_single_update_line_by_line_is_what_pytorch_makes_of_it(tmp_path):
    """Batch, loss, gradients and step, with batch norm, dropout and augmentation as the run has them."""
    recipe = replace(RECIPE, epochs=1, augment="shift 1", batch_size=64, momentum=0.0)
    control, taken = Control(), [0]
    control.obey({"do": "pause"})

    def stepper(kind, fields):
        if kind == "probe" and taken[0] < 3:
            taken[0] += 1
            control.obey({"do": "step"})
        elif kind == "probe":
            control.obey({"do": "go"})

    told = trained(new(tmp_path, recipe), control, stepper)
    assert len(told["lines"]) >= 2
    ticks = dict(point for fields, _ in told["ticks"] for point in fields["points"])
    order = epoch_order(told["started"][0][0]["training_images"], recipe.seed, 1)
    for fields, body in told["lines"][:2]:
        head, arrays = unpack(body)
        step = head["step"]
        assert fields["step"] == step
        assert head["loss"] == ticks[step]
        assert head["index"] == order[(step - 1) * 64 :][:16].tolist()
        assert (head["images"], len(head["labels"]), arrays["images"].shape) == (64, 16, (16, 1, 28, 28))
        assert head["lr"] == recipe.lr
        for row in head["largest"]:
            assert row["after"] == pytest.approx(row["before"] - recipe.lr * row["gradient"], rel=1e-3, abs=1e-6)
        sizes = [abs(row["gradient"]) for row in head["largest"]]
        assert sizes == sorted(sizes, reverse=True)
        assert head["kernel"]["name"] == "conv1.weight"
        expected = arrays["before"] - recipe.lr * arrays["gradient"]
        np.testing.assert_allclose(arrays["after"], expected, rtol=1e-3, atol=1e-6)
