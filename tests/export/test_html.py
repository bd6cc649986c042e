"""The page's JavaScript computes what PyTorch computes and prepares pictures as Pillow does; any name is safe in it."""

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

from convscope.data.ink import Steps
from convscope.data.preparation import Preparation
from convscope.export.batch import scores
from convscope.export.html.node import Question, ask, node
from convscope.export.html.page import in_script, page
from convscope.export.html.weights import round_to
from convscope.export.program import program
from convscope.export.subject import Subject
from convscope.net.model import Model
from convscope.net.zoo import ZOO
from convscope.runs.predict import scores_of
from tests.export.models import SMALL, model_of, models, random_models

needs_node = pytest.mark.skipif(node() is None, reason="needs Node")
CLASSES = (
    "0",
    'it\'s "x"',
    "</script><script>alert(1)</script>",
    "猫",
    "🙂",
    "line\nbreak",
    "<!--",
    "\\u003c",
    "&lt;",
    "\u2028",
)


def compare(found):
    """Every model's page, in one process, against its net on three random images."""
    questions, wanted = [], []
    for number, model in enumerate(found):
        images = np.random.default_rng(number).integers(0, 256, (3, *model.image), dtype=np.uint8)
        questions.append(Question(page(Subject(model, f"net-{number}")), images))
        wanted.append(scores_of(model, images))
    for number, (answer, want) in enumerate(zip(ask(questions), wanted, strict=True)):
        assert np.abs(np.array(answer["probabilities"]) - want).max() <= 1e-5, found[number].spec


@needs_node
def test_random_nets_answer_as_pytorch_does():
    compare(random_models())


@needs_node
def test_the_zoo_answers_as_pytorch_does():
    compare([model_of(ZOO[name].spec, ZOO[name].image, CLASSES) for name in SMALL])


@given(models())
def test_many_images_at_once_come_to_the_scores_of_torch(model):
    images = torch.randn(2, *model.image, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        want = model.net(images)
    apart = (scores(program(model), images) - want).abs().max()
    assert apart <= 1e-4 * max(1.0, float(want.abs().max()))


def as_rgba(pixels):
    """uint8 (H, W), (H, W, 3) or (H, W, 4) as a canvas has it."""
    return np.asarray(Image.fromarray(pixels).convert("RGBA"))


def prepared(preparation, pictures):
    """What the page's JavaScript makes of uint8 pictures, and what the preparation does."""
    model = model_of("flatten | linear", preparation.image)
    model = Model(model.net, model.spec, model.image, model.mean, model.std, model.classes, preparation)
    (answer,) = ask([Question(page(Subject(model, "net")), pictures=[as_rgba(picture) for picture in pictures])])
    got = [np.array(values, np.uint8).reshape(preparation.image) for values in answer["prepared"]]
    return got, [preparation.apply(Image.fromarray(picture)) for picture in pictures]


def noise(rng, *shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


@needs_node
@pytest.mark.parametrize("image", [(1, 9, 8), (3, 9, 8), (3, 24, 24), (1, 5, 40)])
def test_pictures_of_any_size_are_fitted_as_pillow_does(image):
    rng = np.random.default_rng(0)
    sizes = [
        (1, 1),
        (1, 7),
        (7, 1),
        (9, 8),
        (30, 11),
        (11, 30),
        (60, 30),
        (61, 30),
        (59, 30),
        (3, 3),
        (97, 101),
        (200, 5),
    ]
    pictures = [noise(rng, *size, 3) for size in sizes] + [noise(rng, 20, 31), noise(rng, 33, 20, 4)]
    for got, want in zip(*prepared(Preparation(image), pictures), strict=True):
        assert np.array_equal(got, want)


def sheets(count):
    """Strokes on paper as people photograph and draw them: grain, uneven light, dust, either ground, any size."""
    rng = np.random.default_rng(1)
    for number in range(count):
        height, width = (int(v) for v in rng.integers(30, 200, 2)) if number != 3 else (700, 640)
        y, x = np.mgrid[:height, :width]
        paper = 200 + (number % 3) * 20 * (x / width - 0.5) - (number % 4) * 15 * (y / height)
        sheet = paper + rng.normal(0, number % 5, (height, width))
        for _ in range(3):
            a, b = rng.uniform(0.2, 0.8, 2), rng.uniform(0.2, 0.8, 2)
            for t in np.linspace(0, 1, 80):
                at = (a + t * (b - a)) * (height, width)
                sheet[(y - at[0]) ** 2 + (x - at[1]) ** 2 < (0.03 * height + 1.5) ** 2] = 40
        sheet = np.clip(sheet, 0, 255).astype(np.uint8)
        yield 255 - sheet if number % 2 else sheet
    yield np.full((40, 40), 255, np.uint8)
    yield np.zeros((40, 50), np.uint8)
    drawn = np.full((280, 280), 255, np.uint8)  # as the page's own pad gives it
    drawn[60:220, 120:150] = 0
    yield drawn


@needs_node
@pytest.mark.parametrize(
    "steps", [Steps(), Steps(margin=True), Steps(centre=False), Steps(box=False), Steps(crop=False)]
)
def test_ink_is_prepared_as_in_training(steps):
    for got, want in zip(
        *prepared(Preparation((1, 28, 28), steps), list(sheets(14 if steps == Steps() else 3))), strict=True
    ):
        apart = np.abs(got.astype(int) - want)
        assert apart.max() <= 1  # least squares end in another last digit
        assert (apart > 0).mean() < 0.01


@needs_node
def test_images_in_form_pass_unchanged():
    from convscope.data.readers.digits import read_digits

    images = read_digits()[1].images[:40, 0]
    for got, want in zip(*prepared(Preparation((1, 28, 28), Steps(margin=True)), list(images)), strict=True):
        assert np.array_equal(got, want)
    negatives = [255 - image for image in images]
    got, want = prepared(Preparation((1, 28, 28), Steps(margin=True)), negatives)
    assert np.array_equal(np.stack(got), np.stack(want))


@given(st.text())
def test_no_name_can_end_the_script_that_holds_it(text):
    written = in_script({"classes": [text]})
    assert "<" not in written
    assert json.loads(written) == {"classes": [text]}


def test_the_page_holds_the_names_whatever_they_are_and_asks_for_nothing():
    model = model_of("flatten | linear", (1, 4, 4), CLASSES)
    text = page(Subject(model, "PAGE <b>NET</b>", {"licence": "</script>"}))
    assert len(re.findall("</script>", text)) == 4
    known = json.loads(re.search(r'id="net">(.*?)</script>', text)[1])
    assert tuple(known["classes"]) == CLASSES
    assert known["facts"]["licence"] == "</script>"
    assert "<title>PAGE &lt;b&gt;NET&lt;/b&gt;</title>" in text
    assert not re.search(r"(src|href)=(?!\"data:,\")", text)
    assert "default-src 'none'" in text


@given(arrays_of.arrays(np.float32, 5, elements=st.floats(-1e4, 1e4, width=32)), st.integers(4, 23))
def test_rounded_weights_are_the_nearest_of_their_kind(values, bits):
    apart = np.abs(round_to(values, bits).astype(np.float64) - values)
    assert (apart <= np.abs(values.astype(np.float64)) * 2.0 ** -(bits + 1) + 1e-38).all()
