"""The ONNX file answers as the net does: every kind of layer, and pictures of any size, grey or colour."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

from convscope.data.ink import Steps
from convscope.data.preparation import Preparation
from convscope.data.readers.digits import read_digits
from convscope.export.onnx.file import onnx_model, picture
from convscope.export.onnx.graph import IR_VERSION, OPSET, Graph
from convscope.export.onnx.ink import without_dust
from convscope.export.onnx.paper import quantile, threshold
from convscope.export.onnx.values import Value
from convscope.net.zoo import ZOO
from convscope.runs.exported import PREPARED
from convscope.training.scores import confidences
from tests.export.models import model_of, models
from tests.export.test_html import sheets
from tests.helpers import examples

onnxruntime = pytest.importorskip("onnxruntime")
CLASSES = ("0", "it's", "</script>", "猫", "🙂", "line\nbreak", '"', "a,b", "", "z")


def answers(model, images):
    """(probabilities, scores) of uint8 (N, H, W, C) by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_model(model).SerializeToString(), options)
    return session.run(["probabilities", "scores"], {"image": images})


def wanted(model, images):
    """The same by the model itself, its preparation included."""
    prepared = np.stack([model.preparation.apply(image.transpose(2, 0, 1)) for image in images])
    logits = model.logits(torch.from_numpy(prepared))
    return confidences(logits, model.loss).numpy(), logits.numpy()


def pictures(count, size, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, channels), dtype=np.uint8)


def compare(model, images):
    p, scores = answers(model, images)
    want_p, want_scores = wanted(model, images)
    assert np.abs(p - want_p).max() <= 1e-5
    assert np.abs(scores - want_scores).max() <= 1e-5 * max(1.0, float(np.abs(want_scores).max()))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@examples(30, 50)
@given(models(), st.integers(0, 9))
def test_random_nets_answer_as_pytorch_does(model, seed):
    with torch.inference_mode():
        largest = max(
            float(value.abs().max())
            for value in [model.net(torch.randn(1, *model.image, generator=torch.Generator().manual_seed(seed)))]
        )
    assume(largest < 1e4)  # beyond, one step of float32 is more than a probability can bear
    compare(model, pictures(2, model.image[1:], model.image[0], seed))


@pytest.mark.parametrize("name", [name for name in ZOO if not name.startswith("efficientnet")])
def test_the_zoo_answers_as_pytorch_does(name):
    entry = ZOO[name]
    compare(model_of(entry.spec, entry.image, CLASSES), pictures(3, entry.image[1:], entry.image[0]))


SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))


@cache
def preparing(preparation):
    """A session of the part of the graph that prepares pictures."""
    from onnx import TensorProto, helper, numpy_helper

    graph, shape = Graph(), preparation.image
    if preparation.ink:
        graph.constants.append(numpy_helper.from_array(np.array(False), PREPARED))
    made = picture(graph, "image", preparation)
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", "C"])
    result = helper.make_tensor_value_info(made, TensorProto.FLOAT, ["N", *shape])
    body = helper.make_graph(graph.nodes, "picture", [given], [result], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def fitted(preparation, images):
    """What that part makes of uint8 (N, H, W, C)."""
    return preparing(preparation).run(None, {"image": images})[0]


@examples(40, 80)
@given(SIZES, st.sampled_from([1, 3]), st.sampled_from([1, 3]), SIZES.map(lambda s: (s[0] % 12 + 3, s[1] % 12 + 3)))
def test_pictures_of_any_size_are_fitted_as_in_training(size, channels, wanted_channels, side):
    shape = (wanted_channels, *side)
    images = pictures(2, size, channels, sum(size))
    want = np.stack([Preparation(shape).apply(image.transpose(2, 0, 1)) for image in images])
    assert np.array_equal(fitted(Preparation(shape), images), want)


@pytest.mark.parametrize(
    "steps", [Steps(), Steps(margin=True), Steps(centre=False), Steps(box=False), Steps(crop=False)]
)
def test_ink_is_found_as_in_training(steps):
    preparation = Preparation((1, 28, 28), steps)
    for sheet in sheets(14 if steps == Steps() else 3):
        if sheet.size > 100_000 and steps != Steps():
            continue  # a large one is enough
        apart = np.abs(fitted(preparation, sheet[None, :, :, None])[0] - preparation.apply(Image.fromarray(sheet)))
        assert apart.max() <= 1  # least squares end in another last digit
        assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 24)])
def test_images_in_form_and_their_negatives_pass(shape):
    images = read_digits()[1].images[:12]
    preparation = Preparation(shape, Steps(margin=True))
    for light in (images, 255 - images):
        want = np.stack([preparation.apply(image) for image in light])
        assert np.array_equal(fitted(preparation, light.transpose(0, 2, 3, 1)), want)


SHEETS = arrays_of.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 255))


@examples(20, 30)
@given(SHEETS)
def test_no_sheet_is_too_odd(sheet):
    preparation = Preparation((1, 28, 28), Steps())
    assert fitted(preparation, sheet[None, :, :, None]).shape == (1, 1, 28, 28)


def test_strokes_that_touch_are_one_and_dust_is_none():
    from scipy.ndimage import label

    from convscope.data.ink import SPECK

    rng = np.random.default_rng(0)
    for density in (0.02, 0.3, 0.45, 0.6):
        ink = (rng.random((37, 41)) < density).astype(np.float64)
        spots, _ = label(ink, np.ones((3, 3)))
        area = np.bincount(spots.ravel())
        area[0] = 0
        graph = Graph()
        kept = without_dust(Value(graph, "ink"))
        assert np.array_equal(computed(graph, kept.name, {"ink": ink}), (area >= SPECK * area.max())[spots] * ink)


def test_quantiles_and_thresholds_are_those_of_numpy():
    from convscope.data.ink import _threshold

    rng = np.random.default_rng(1)
    for values in (rng.normal(0, 9, 400), rng.integers(0, 4, 50) * 1.0, np.full(7, 3.0), np.array([2.0])):
        graph = Graph()
        given = Value(graph, "values")
        for q in (0.1, 0.5, 0.9, 0.95):
            got = computed(graph, quantile(given, q).name, {"values": values})
            assert got == pytest.approx(np.quantile(values, q), abs=1e-12)
        assert computed(graph, threshold(given).name, {"values": values}) == _threshold(values)
    assert computed(graph, quantile(given, 0.5).name, {"values": np.zeros(0)}) == 0


def computed(graph, name, inputs):
    """The value ``name`` of a graph, whose inputs are double."""
    from onnx import TensorProto, helper

    given = [helper.make_tensor_value_info(key, TensorProto.DOUBLE, [None] * v.ndim) for key, v in inputs.items()]
    result = helper.make_tensor_value_info(name, TensorProto.DOUBLE, None)
    body = helper.make_graph(graph.nodes, "part", given, [result], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString()).run([name], inputs)[0]


def test_the_file_says_what_the_net_is():
    model = model_of("conv 2 3 | relu | linear", (1, 8, 8), CLASSES)
    told = {entry.key: entry.value for entry in onnx_model(model, {"license": "MIT"}).metadata_props}
    assert json.loads(told["classes"]) == list(CLASSES)
    assert (told["net"], told["input"], told["license"]) == (model.spec, "[1, 8, 8]", "MIT")
    assert json.loads(told["preparation"])["steps"] == "fit"
    assert told["confidence"] == "probability"


def test_a_net_trained_with_mse_gives_scores_and_says_so():
    from dataclasses import replace

    model = replace(model_of("flatten | linear", (1, 4, 4)), stored_loss="mse")
    p, scores = answers(model, pictures(2, (4, 4), 1))
    assert np.array_equal(p, scores)
    assert {e.key: e.value for e in onnx_model(model).metadata_props}["confidence"] == "score"
