"""The ONNX file answers as the net does: every kind of layer, and pictures of any size, grey or colour."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convscope.data.preparation import Preparation
from convscope.export.onnx.file import onnx_model
from convscope.export.onnx.graph import IR_VERSION, OPSET, Graph
from convscope.export.onnx.picture import picture
from convscope.net.zoo import ZOO
from convscope.training.scores import confidences
from tests.export.models import model_of, models

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
@settings(max_examples=50)
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


def fitted(shape, images):
    """What the part of the graph that prepares pictures makes of uint8 (N, H, W, C)."""
    from onnx import TensorProto, helper

    graph = Graph()
    made = picture(graph, "image", shape)
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", "C"])
    result = helper.make_tensor_value_info(made, TensorProto.FLOAT, ["N", *shape])
    body = helper.make_graph(graph.nodes, "picture", [given], [result], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": images})[0]


@settings(max_examples=80)
@given(SIZES, st.sampled_from([1, 3]), st.sampled_from([1, 3]), SIZES.map(lambda s: (s[0] % 12 + 3, s[1] % 12 + 3)))
def test_pictures_of_any_size_are_fitted_as_in_training(size, channels, wanted_channels, side):
    shape = (wanted_channels, *side)
    images = pictures(2, size, channels, sum(size))
    want = np.stack([Preparation(shape).apply(image.transpose(2, 0, 1)) for image in images])
    apart = np.abs(fitted(shape, images) - want)
    # Pillow scales pictures that are twice as high as wide or more down before across: other roundings between.
    assert apart.max() <= (1 if size[0] >= 2 * size[1] else 0)


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
