"""Near duplicates, pictures that show little, labels that are doubtful, classes that look alike."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from convscope.audit.check import check, examined
from convscope.audit.features import patch_responses
from convscope.audit.labels import Alike, Judgement, Suspect, judge
from convscope.data.near import pairs as near
from convscope.data.near import trimmed
from convscope.data.quality import blurred, nearly_empty
from convscope.data.sources import open_source
from convscope.report.suspects import draw_suspects

from ..helpers import run_cli, run_json


@pytest.fixture(autouse=True)
def no_pretrained(monkeypatch, tmp_path_factory):
    monkeypatch.setattr("convscope.audit.features.available", lambda name: False)
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))


def scenes(count, side=32, channels=3, seed=0):
    """Smooth random pictures, no two alike: uint8 (N, C, side, side)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 6, 6, channels), dtype=np.uint8)
    fine = [np.asarray(Image.fromarray(c.squeeze()).resize((side, side), Image.Resampling.BICUBIC)) for c in coarse]
    noisy = np.clip(
        np.stack(fine).reshape(count, side, side, channels) + rng.integers(-9, 10, (count, side, side, 1)), 0, 255
    )
    return noisy.astype(np.uint8).transpose(0, 3, 1, 2)


def changed(image, how):
    """One picture uint8 (C, H, W), changed a little."""
    picture = Image.fromarray(image.transpose(1, 2, 0).squeeze())
    if how == "saved":
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=75)
        picture = Image.open(file)
    elif how == "brighter":
        picture = picture.point(lambda value: min(255, int(1.1 * value + 5)))
    elif how == "smaller":
        picture = picture.resize((48, 48), Image.Resampling.BICUBIC).resize(picture.size, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


@pytest.mark.parametrize("how", ["saved", "brighter", "smaller"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_was_changed_a_little_is_found_and_nothing_else(how, channels):
    images = scenes(100, 64, channels)
    again = np.stack([changed(image, how) for image in images[:20]])
    pairs = near.near_pairs(near.Traces.of(np.concatenate([images, again])))
    wanted = {(i, 100 + i) for i in range(20)}
    assert set(pairs) <= wanted
    assert len(pairs) >= 19


@pytest.mark.parametrize(("hundredths", "least"), [(1, 40), (3, 38), (5, 36)])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_was_trimmed_at_any_edge_is_found_and_nothing_else(hundredths, least, channels):
    """Forty of 100 pictures, each edge cut off by up to so much, one by all of it, and scaled to the old size."""
    rng = np.random.default_rng(hundredths)
    images = scenes(100, 64, channels)
    cuts = rng.uniform(0, hundredths / 100, (40, 4))
    cuts[np.arange(40), rng.integers(0, 4, 40)] = hundredths / 100
    again = np.stack([trimmed_picture(image, cut) for image, cut in zip(images, cuts, strict=False)])
    pairs = set(near.near_pairs(near.Traces.of(np.concatenate([images, again]))))
    assert pairs <= {(i, 100 + i) for i in range(40)}
    assert len(pairs) >= least


def trimmed_picture(image, cut):
    """One picture uint8 (C, H, W) without shares ``cut`` of its left, top, right and bottom, at its old size."""
    picture = Image.fromarray(image.transpose(1, 2, 0).squeeze())
    width, height = picture.size
    box = (cut[0] * width, cut[1] * height, (1 - cut[2]) * width, (1 - cut[3]) * height)
    pixels = np.asarray(picture.resize(picture.size, Image.Resampling.BICUBIC, box=box))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def test_drawings_are_near_only_as_they_are():
    """A stroke beside its neighbour's place is another drawing, not one that was trimmed."""
    drawings = np.zeros((8, 1, 28, 28), np.uint8)
    for number in range(8):
        drawings[number, 0, 6:22, 8 + number : 11 + number] = 255
    assert near.near_pairs(near.Traces.of(np.concatenate([drawings, drawings[:1]]))) == [(0, 8)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 40))
def test_no_pair_of_like_waves_is_passed_over(seed, first, second):
    """Against the comparison of every image with every other, in blocks that are smaller than the images are many."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(first + second, 3)).astype(np.float32)
    one, both = np.arange(first), rng.permutation(first + second)
    both = np.concatenate([one, both[both >= first]])
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("ROWS", 7), ("COLUMNS", 14), ("PAIRS", 5)):
            patch.setattr(near, name, size)
        found = [tuple(pair) for pairs in near._maybe(waves, one, both, 0.5) for pair in pairs.tolist()]
    wanted = {
        (i, int(j)) for at, i in enumerate(one.tolist()) for j in both[at + 1 :] if float(waves[i] @ waves[j]) >= 0.5
    }
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_of_pictures_that_are_all_alike_the_most_alike_are_looked_at(monkeypatch):
    monkeypatch.setattr(near, "SAMPLE", 50)
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(500, 3)).astype(np.float32) * 0.1 + 1
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    least = near.least_likeness(waves, 0.75, 2_000)
    pairs = sum(len(pairs) for pairs in near._maybe(waves, np.arange(500), np.arange(500), least))
    assert 1_000 < pairs < 4_000, "of 124,750, nearly all of which are above 0.75"
    assert near.least_likeness(waves, 0.75, 200_000) == near.least_likeness(waves[:1], 0.75, 1) == 0.75
    assert near.least_likeness(waves[:0], 0.75, 1) == 0.75


@pytest.mark.parametrize("box", [(0.0, 0.95, 0.05, 1.0), (0.02, 0.99, 0.0, 0.96), (0.0, 1.0, 0.0, 1.0)])
def test_edges_that_were_cut_off_are_measured(box):
    whole = trimmed._smooth(np.float32(scenes(20, 16)) / 255)
    boxes = np.repeat(np.float32([box]), 20, axis=0)
    part = trimmed._trim(whole, boxes)
    found = np.broadcast_to(np.float32([0, 1, 0, 1]), boxes.shape)
    seen = whole
    for _ in range(trimmed.STEPS):
        found = trimmed._nearer(found, seen, 0.8 * part + 0.1)
        seen = trimmed._trim(whole, found)
    np.testing.assert_allclose(np.median(found, axis=0), box, atol=0.004)
    np.testing.assert_allclose(trimmed.correlations(seen, part), 1, atol=0.002)


def test_even_pictures_are_near_to_none():
    flat = np.full((5, 1, 16, 16), 7, np.uint8)
    flat[:, 0, 0, :2] = np.arange(5)[:, None] + 6
    assert near.near_pairs(near.Traces.of(flat)) == []


def test_blurred_and_nearly_empty_pictures_are_found():
    images = scenes(60)
    images[7] = np.stack([np.asarray(Image.fromarray(c).filter(ImageFilter.GaussianBlur(3))) for c in images[7]])
    images[9] = 200
    images[9, :, 3, 3] = 20
    images[11] = 200
    assert np.flatnonzero(blurred(images)).tolist() == [7]
    assert np.flatnonzero(nearly_empty(images)).tolist() == [9], "one of one colour all over is another matter"
    assert not blurred(images[:10]).any(), "of few nobody knows how sharp they usually are"
    assert len(nearly_empty(images[:0])) == len(blurred(images[:0])) == 0


def test_the_answer_of_each_image_is_one_of_a_fit_without_it(monkeypatch):
    """With labels that are chance, whoever had seen the image would do better than chance."""
    monkeypatch.setattr("convscope.audit.labels.MOST_FITTED", 60)
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.normal(size=(400, 50)).astype(np.float32))
    found = judge(features, np.arange(400) % 2, 2)
    assert found.probabilities.shape == (400, 2)
    assert np.allclose(found.probabilities.sum(1), 1)
    assert 0.35 < found.accuracy < 0.6
    assert judge(features, np.array([0] * 396 + [1] * 4), 2) is None


def test_suspects_are_ranked_and_classes_that_are_confused_are_named():
    p = np.array([[0.9, 0.1, 0], [0.05, 0.95, 0], [0.01, 0.99, 0], [0.5, 0.5, 0], [0.3, 0.7, 0], [0, 0.2, 0.8]] * 2)
    found = Judgement(p, np.array([0, 0, 0, 1, 1, 2] * 2))
    assert found.suspects() == [Suspect(2, 1, 0.01, 0.99), Suspect(8, 1, 0.01, 0.99), Suspect(1, 1, 0.05, 0.95),
                                Suspect(7, 1, 0.05, 0.95)]  # fmt: skip
    assert found.alike() == [Alike(0, 1, 0.6)]
    assert found.accuracy == 0.5


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 9, 40), (1, 28, 28), (3, 64, 48)])
def test_responses_are_numbers_whatever_the_size(shape):
    images = np.random.default_rng(0).integers(0, 256, (7, *shape), dtype=np.uint8)
    images[3] = 0
    rows = patch_responses(images)
    assert rows.shape == (7, 576)
    assert np.isfinite(rows.numpy()).all()
    assert np.array_equal(rows, patch_responses(images))


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory):
    """The digits of scikit-learn with twelve wrong labels, and which: three of them in the test set."""
    data = open_source("digits")
    rng = np.random.default_rng(0)
    train, test = data.train.labels[:600].copy(), data.test.labels[:100].copy()
    wrong = [
        *(("train", int(i)) for i in rng.choice(600, 9, False)),
        *(("test", int(i)) for i in rng.choice(100, 3, False)),
    ]
    for part, index in wrong:
        labels = train if part == "train" else test
        labels[index] = (labels[index] + 3) % 10
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, x_train=data.train.images[:600], y_train=train, x_test=data.test.images[:100], y_test=test)
    return path, set(wrong)


def test_wrong_labels_come_first(mislabelled):
    path, wrong = mislabelled
    report, sets = examined(path)
    ranked = [(suspect.place.part, suspect.index) for suspect in report.suspects]
    assert wrong <= set(ranked)
    assert len(wrong & set(ranked[:12])) >= 10
    for suspect in report.suspects:
        images = sets[suspect.place.part]
        assert images.classes[images.labels[suspect.index]] == suspect.place.label != suspect.likelier
        assert suspect.own < 0.1 < 0.6 < suspect.other
    figure = draw_suspects(report, sets)
    assert figure.get_suptitle() == f"digits: {len(ranked)} doubtful labels"
    first = report.suspects[0]
    assert figure.axes[0].get_title() == f"{first.place.label}\n{first.likelier}? {100 * first.other:.0f} %"


def test_the_command_tells_and_draws(mislabelled, tmp_path, capsys):
    path, wrong = mislabelled
    code, out, err = run_cli(capsys, "check", path, "--plot", tmp_path / "sheet.png")
    assert code == 0, err
    assert " labels are doubtful, by responses to random patches: 9" in out
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    told = run_json(capsys, "check", path)
    assert len(told["suspects"]) >= len(wrong)
    assert {"place", "index", "likelier", "own", "other"} == told["suspects"][0].keys()


def test_where_the_classifier_knows_little_no_label_is_doubted(tmp_path):
    images, labels = scenes(80, 12, 1), np.arange(80) % 4
    np.savez(tmp_path / "noise.npz", images=images, labels=labels)
    report = check(tmp_path / "noise.npz")
    assert report.suspects == ()
    assert report.judged_by.endswith("% of 80 labels are the likeliest class, too few to doubt the others")
    assert report.alike, "what cannot be told apart looks alike"


def test_near_duplicates_are_told_within_parts_and_across(tmp_path, capsys):
    images = scenes(24)
    saved = np.stack([changed(image, "saved") for image in images[:4]])
    train = np.concatenate([images, saved[:1]])
    test = np.concatenate([scenes(6, seed=5), saved[1:2], images[2:3]])
    np.savez(tmp_path / "d.npz", x_train=train, y_train=np.arange(25) % 2, x_test=test, y_test=np.arange(8) % 2)
    report = check(tmp_path / "d.npz")
    assert [[place.name for place in group] for group in report.near] == [["0", "24"]]
    assert [[(place.part, place.name) for place in group] for group in report.near_leaks] == [
        [("train", "1"), ("test", "6")]
    ]
    assert [[place.name for place in group] for group in report.leaks] == [["2", "7"]], "the very same are told apart"
    code, out, _ = run_cli(capsys, "check", tmp_path / "d.npz")
    assert "near        1 pair of nearly the same image within a part" in out
    assert "near leaks  1 pair of nearly the same image across parts" in out
    assert code == 0
