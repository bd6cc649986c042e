"""Augmentation: pixels that are a pure function of (seed, epoch, image), and a language whose errors point."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import convscope
from convscope import job
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine
from convscope.errors import Interrupted, UsageError
from convscope.net.build import build
from convscope.net.spec import parse as parse_net
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.training.augment import spec as spec_module
from convscope.training.augment.chosen import named
from convscope.training.augment.draws import Draws
from convscope.training.augment.moves import joined
from convscope.training.augment.sampling import shifted, warped
from convscope.training.augment.spec import Augmentation, SpecError, parse
from convscope.training.augment.steps import Brightness, Contrast, Cutout, Flip
from convscope.training.augment.usual import usual
from convscope.training.loop import _Call, _shown

from ..helpers import small_data
from ..test_job import equal, finish, interrupt_at, recipe, weights

ALL = "flip | shift 2 | cutout 3 | rotate 20 | zoom 0.2 padding=zeros | brightness 0.3 | contrast 0.3"


def pictures(count=9, shape=(3, 10, 8), seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))


step = st.one_of(
    st.sampled_from(["flip", "flip alternating"]),
    st.builds("shift {}{}".format, st.integers(1, 20), st.sampled_from(["", " padding=zeros"])),
    st.builds("cutout {}".format, st.integers(1, 20)),
    st.builds("rotate {:.4f}{}".format, st.floats(0.01, 180), st.sampled_from(["", " padding=zeros"])),
    st.builds("zoom {:.4f}".format, st.floats(0.001, 0.9)),
    st.builds("{} {:.4f}".format, st.sampled_from(["brightness", "contrast"]), st.floats(0.001, 1)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(step, min_size=1, max_size=4), st.integers(0, 2**40), st.integers(1, 99), st.permutations(range(9)))
def test_pixels_depend_on_nothing_but_seed_epoch_and_image(steps, seed, epoch, order):
    augment = Augmentation.of(" | ".join(steps), seed)
    assert Augmentation.of(augment.text) == replace(augment, seed=0)
    images, numbers = pictures(), torch.arange(100, 109)
    all_at_once = augment(images, numbers, epoch)
    assert all_at_once.dtype == torch.uint8
    assert all_at_once.shape == images.shape
    index = torch.tensor(order)
    assert torch.equal(augment(images[index], numbers[index], epoch), all_at_once[index])
    assert torch.equal(augment(images[:1], numbers[:1], epoch), all_at_once[:1])


@settings(max_examples=40, deadline=None)
@given(st.lists(step, min_size=1, max_size=4), st.sampled_from([(3, 10, 8), (1, 1, 5), (2, 7, 1)]), st.integers(1, 99))
def test_machine_code_makes_the_bytes_that_torch_makes(steps, shape, epoch):
    augment, images, numbers = Augmentation.of(" | ".join(steps), 3), pictures(11, shape), torch.arange(50, 61)
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec_module, "there_is", lambda: False)
        wanted = augment(images, numbers, epoch)
        patch.undo()
        patch.setattr(spec_module, "MANY", 0)
        try:
            for threads in (1, 3):
                torch.set_num_threads(threads)
                assert torch.equal(augment(images, numbers, epoch), wanted)
        finally:
            torch.set_num_threads(before)
    assert torch.equal(images, pictures(11, shape))


def test_many_moves_are_one_as_long_as_their_table_is_short():
    moves = [step.move(Draws(1, 1, n, torch.arange(4)), 20, 20) for n, step in enumerate(parse("shift 9 | flip") * 4)]
    # Rows: a shift has 19, a flip none of its own. Columns: 19 · 2 for each pair, and 38³ is too long.
    assert [(len(rows.places), len(columns.places)) for rows, columns in joined(moves)] == [(361, 1444), (361, 1444)]


def test_a_table_has_no_more_rows_than_there_are_images_where_ways_are_many():
    images = pictures(6)
    augment = Augmentation.of("shift 100000 padding=reflect | shift 100000 padding=zeros", 3)
    for step in augment.steps:
        assert [len(axis.places) for axis in step.move(Draws(3, 1, 0, torch.arange(6)), 10, 8)] == [6, 6]
    wanted = augment(images, torch.arange(6), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec_module, "MANY", 0)
        assert torch.equal(augment(images, torch.arange(6), 2), wanted)


def test_what_is_drawn_stays_the_same_from_version_to_version():
    found = Augmentation.of(ALL, seed=7)(pictures(), torch.arange(9), 3)
    assert found.sum().item() == 259293
    assert found[0, 0, 0].tolist() == [149, 159, 159, 165, 255, 181, 255, 250]


def test_threads_change_no_pixel():
    images, numbers = pictures(300, (1, 28, 28)), torch.arange(300)
    before = torch.get_num_threads()
    try:
        made = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            made.append(Augmentation.of(ALL)(images, numbers, 2))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*made)


def test_draws_are_spread_evenly():
    draws = Draws(3, 1, 0, torch.arange(100_000))
    counts = torch.bincount(draws.below(0, 9), minlength=9)
    assert (counts - 100_000 / 9).abs().max() < 5 * math.sqrt(100_000 / 9)
    reals = draws.between(1, -2, 2)
    assert float(reals.min()) >= -2
    assert float(reals.max()) < 2
    assert abs(float(reals.mean())) < 5 * (4 / math.sqrt(12)) / math.sqrt(100_000)
    one, other = draws.between(0, 0, 1), draws.between(1, 0, 1)
    assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 0.02


def test_alternating_flips_show_both_sides_in_two_epochs():
    images, numbers, flip = pictures(), torch.arange(9), Augmentation((Flip(alternating=True),), 5)
    first, second = flip(images, numbers, 1), flip(images, numbers, 2)
    assert torch.equal(first, second.flip(3))
    assert torch.equal(flip(images, numbers, 3), first)
    assert 0 < sum(torch.equal(a, b) for a, b in zip(first, images, strict=True)) < 9


@pytest.mark.parametrize(("padding", "mode"), [("reflect", "reflect"), ("zeros", "constant")])
def test_shifts_are_torchs_pads(padding, mode):
    images = pictures()
    for down, right in ((0, 0), (3, -2), (-4, 4)):
        moved = shifted(images, torch.full((9,), down), torch.full((9,), right), padding)
        padded = F.pad(images.float(), (4, 4, 4, 4), mode=mode)
        assert torch.equal(moved.float(), padded[:, :, 4 - down : 14 - down, 4 - right : 12 - right])


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize("degrees", [-33.0, 0.0, 90.0, 12.5])
@pytest.mark.parametrize("factor", [1.0, 0.7, 1.6])
def test_turning_and_zooming_are_torchs_grid_sample(padding, degrees, factor):
    images = pictures(4, (3, 21, 17))
    angle = math.radians(degrees)
    matrix = factor * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    y, x = torch.meshgrid(torch.arange(21) - 10.0, torch.arange(17) - 8.0, indexing="ij")
    places = torch.stack([x, y], -1).double() @ matrix.T / torch.tensor([8.0, 10.0])
    mode = "reflection" if padding == "reflect" else "zeros"
    expected = F.grid_sample(
        images.double(), places.expand(4, -1, -1, -1), mode="bilinear", padding_mode=mode, align_corners=True
    )
    found = warped(images, matrix.expand(4, 2, 2), padding).double()
    # A place is off by at most 1/512 + the matrix' rounding, in both directions, times a slope of up to 255.
    assert float((found - expected).abs().max()) <= 0.5 + 2 * 255 * (1 / 512 + 1 / 512 + 10 / 2**14)


def test_nothing_turned_is_nothing_changed():
    images = pictures()
    assert torch.equal(warped(images, torch.eye(2, dtype=torch.float64).expand(9, 2, 2), "reflect"), images)


def test_brightness_and_contrast_are_what_they_say():
    images, draws = pictures(), Draws(1, 1, 0, torch.arange(9))
    factor = draws.between(0, 0.7, 1.3)[:, None, None, None]
    brighter = (images.double() * factor).round().clamp(0, 255)
    assert float((Brightness(0.3)(images, draws).double() - brighter).abs().max()) <= 1
    grey = images.double().mean((1, 2, 3), keepdim=True)
    stronger = (images.double() * factor + grey * (1 - factor)).round().clamp(0, 255)
    assert float((Contrast(0.3)(images, draws).double() - stronger).abs().max()) <= 2


def test_cutout_covers_a_square_with_the_mean_colour():
    images = pictures()
    found = Cutout(3)(images, Draws(0, 1, 0, torch.arange(9)))
    for before, after in zip(images, found, strict=True):
        rows, columns = np.nonzero((before != after).any(0).numpy())
        assert rows.max() - rows.min() < 3
        assert columns.max() - columns.min() < 3
        colour = before.long().sum((1, 2)) // 80
        assert torch.equal(after[:, rows[0], columns[0]].long(), colour)


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        ("flop", "no step of an augmentation is called 'flop'\n  flop\n  ^^^^", "did you mean 'flip'?"),
        ("flip | shift", "'shift' needs a number of pixels\n  flip | shift\n         ^^^^^", "shift PIXELS"),
        ("auto | flip", "no step of an augmentation is called 'auto'", "did you mean 'cutout'?"),
        ("shift 0", "the number of pixels must be a whole number from 1", "such as shift 4"),
        (
            "shift 4 padding=no",
            "padding must be one of reflect, zeros, not 'no'\n  shift 4 padding=no\n          ^^^^^^^^^^",
            "shift",
        ),
        ("flip | | flip", "a step is missing here\n  flip | | flip\n         ^", "write steps with | between them"),
        ("flip |", "a step is missing here", "write steps with |"),
        ("rotate 999", "the angle in degrees must be a number with 0 < x ≤ 180, not '999'", "such as rotate 10"),
        ("zoom nan", "the share must be a number with 0 < x ≤ 0.9, not 'nan'", "such as zoom 0.1"),
        ("flip often", "flip may be followed by alternating, not 'often'", "flip alternating"),
        ("cutout 8 8", "'cutout' does not take '8' here", "cutout PIXELS"),
        ("|".join(["flip"] * 21), "an augmentation has at most 20 steps", ""),
    ],
)
def test_errors_point_at_the_word(text, message, help_):
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert message in caught.value.message
    assert help_ in caught.value.help


@pytest.mark.parametrize(
    ("text", "data", "classes", "shape", "spec"),
    [
        ("auto", "mnist", "0123456789", (1, 28, 28), "shift 2 padding=zeros | rotate 10 padding=zeros"),
        ("light", "mnist", "0123456789", (1, 28, 28), "shift 1 padding=zeros"),
        ("auto", "mine", ("a", "b"), (1, 28, 28), "shift 2 padding=zeros | rotate 10 padding=zeros"),
        ("auto", "mine", ("One", "two"), (3, 28, 28), "shift 2 padding=zeros | rotate 10 padding=zeros"),
        ("auto", "kmnist", ("o", "ki"), (1, 28, 28), "shift 2 padding=zeros | rotate 10 padding=zeros"),
        ("auto", "photos", ("cat", "dog"), (3, 32, 32), "flip | shift 4"),
        ("light", "photos", ("cat", "dog"), (3, 32, 32), "flip | shift 2"),
        ("auto", "signs", ("arrow_left", "stop"), (3, 32, 32), "shift 4"),
        ("auto", "tiny", ("cat", "dog"), (3, 5, 5), "flip | shift 1"),
        (" none ", "photos", ("cat", "dog"), (3, 32, 32), "none"),
        ("rotate 5", "photos", ("cat", "dog"), (3, 32, 32), "rotate 5"),
    ],
)
def test_what_is_usual_for_the_data(text, data, classes, shape, spec):
    assert usual(text, data, tuple(classes), shape) == spec
    parse(spec)


@pytest.mark.parametrize("name", ["left", "arrow_left", "arrowLeft", "LEFT", "turn right ahead", "Right-hand", "left2"])
def test_classes_called_after_a_side_are_not_mirrored(name):
    assert usual("auto", "signs", (name, "stop"), (3, 32, 32)) == "shift 4"


@pytest.mark.parametrize("name", ["bright", "cleft", "lefty", "upright", "brightLight", "copyright_sign", "leftover"])
def test_a_word_that_holds_a_side_is_none(name):
    assert usual("auto", "photos", (name, "stop"), (3, 32, 32)) == "flip | shift 4"


def test_both_engines_see_the_same_pixels():
    """Each trains on the augmented pixels as on a set that has just these."""
    images, labels, index = pictures(30, (1, 8, 8)), torch.arange(30) % 3, torch.randperm(30)[:24]
    changed = Augmentation.of(ALL)(images[index], index, 4)
    alone = images.clone()
    alone[index] = changed
    net = parse_net("conv 4 3 | relu | pool 2 | dropout 0.3 | linear")
    for make in (lambda p: EagerEngine(p, torch.device("cpu")), lambda p: JitEngine(p, 1, batch_size=12)):
        seen, given = (
            make(Problem(build(net, (1, 8, 8), 3, 0), set_, labels, (0.5,), (0.25,))) for set_ in (images, alone)
        )
        assert torch.equal(seen.steps(index, 12, [0.1, 0.1], changed), given.steps(index, 12, [0.1, 0.1]))
        assert equal(seen.net.state_dict(), given.net.state_dict())


@pytest.mark.parametrize("function", [lambda images: images, lambda images, numbers: images, lambda: None])
def test_a_function_that_takes_something_else_is_refused_before_it_is_called(function):
    with pytest.raises(UsageError, match="augment cannot be called with images, numbers and epoch") as told:
        named(function)
    assert told.value.help == "write def augment(images, numbers, epoch): …, which returns uint8 of the images' shape"


def test_the_jit_engine_refuses_pixels_that_do_not_fit():
    problem = Problem(build(parse_net("linear"), (1, 8, 8), 3, 0), pictures(6, (1, 8, 8)), torch.arange(6) % 3, (0.5,),
                      (0.5,))  # fmt: skip
    with pytest.raises(UsageError, match=r"pixels must be uint8 \(6, C, H, W\), but are torch.uint8 \(6, 1, 8, 7\)"):
        JitEngine(problem, 1).steps(torch.arange(6), 6, [0.1], pictures(6, (1, 8, 7)))


@pytest.mark.parametrize("engine", ["eager", "jit"])
def test_a_run_with_augmentation_goes_on_to_the_same_bits(tmp_path, engine):
    chosen = recipe(net="conv 4 3 | relu | pool 2 | linear", augment=ALL, engine=engine)
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    plain = finish(job.start(replace(chosen, augment="none"), small_data(), tmp_path / "plain"))
    assert not equal(weights(whole), weights(plain))
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), step=13)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, small_data()))), weights(whole))


def test_a_recipe_keeps_the_steps_that_auto_stands_for(tmp_path):
    folder = finish(job.start(recipe(augment="auto", epochs=1), small_data(), tmp_path))
    assert folder.recipe().augment == "flip | shift 1"
    with pytest.raises(SpecError, match="'flop'"):
        list(job.start(recipe(augment="flop"), small_data(), tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_function_of_ones_own_is_wanted_again_on_resume(tmp_path):
    data = small_data()
    pair = (data.train.images, data.train.labels)
    seen = []

    def darker(images, numbers, epoch):
        seen.append((len(images), len(numbers), epoch))
        return images // 2

    run = convscope.train(pair, net="linear", epochs=2, augment=darker, out=tmp_path, threads=1, engine="eager")
    assert run.recipe.augment == "own darker"
    assert {epoch for _, _, epoch in seen} == {1, 2}
    with pytest.raises(UsageError, match="the function 'darker', which was given in Python") as caught:
        convscope.resume(run.path, data=pair, epochs=3)
    assert caught.value.help == "give it again: convscope.resume(run, augment=…)"
    assert len(convscope.resume(run.path, data=pair, epochs=3, augment=darker).history) == 3


def test_a_choice_left_open_is_none_where_the_net_is_named():
    assert Recipe.of({}).augment == Recipe.of({"augment": None}).augment == "none"
    assert Recipe.of({"augment": "flip"}).augment == "flip"


def test_pixels_are_made_where_the_engine_keeps_the_images_but_by_a_function_of_ones_own_on_the_cpu():
    data = small_data(shape=(1, 8, 8))

    class Kept:
        images = pictures(len(data.train), (1, 8, 8), seed=7)  # not the data's, to tell whose they are

        def own(self, count, batch_size):
            return slice(0, count)

    index, spec = torch.arange(20), Augmentation.of("flip")
    call = _Call(index, 8, [0.1] * 3, logs=False)
    assert torch.equal(_shown(Kept(), data, 2, call, spec), spec(Kept.images[index], index, 2))
    own = _shown(Kept(), data, 2, call, lambda images, numbers, epoch: images)
    assert torch.equal(own, torch.from_numpy(data.train.images)[index])
    assert _shown(Kept(), data, 2, call, None) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("spec", [*ALL.split(" | "), ALL, "rotate 180 | zoom 0.9"])
def test_the_gpu_makes_the_bytes_of_the_cpu(spec):
    images, numbers = pictures(3000, (3, 32, 32)), torch.arange(3000)
    made = Augmentation.of(spec, 5)(images.cuda(), numbers, 3)
    assert torch.equal(made.cpu(), Augmentation.of(spec, 5)(images, numbers, 3))
