"""The whole ONNX file of a model: picture in, scores and probabilities out, and what the net is as metadata."""

import json

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from ... import __version__
from ...data.preparation import Preparation
from ...net.model import Model
from ...net.wiring import IMAGE
from ...runs.exported import PREPARED
from ...training.scores import confidence_of
from ..program import program
from .graph import IR_VERSION, OPSET, Graph
from .ink import all_written
from .layers import write
from .picture import fitted, three_channels


def onnx_model(model: Model, facts: dict[str, str] | None = None) -> ModelProto:
    """``image`` uint8 (N, H, W, 1 or 3) of any size → ``probabilities`` and ``scores`` float32 (N, K).

    Of a net for ink on paper, the ink is looked for, unless the input ``prepared`` is true, which may be left out.
    ``facts`` go into the metadata beside classes, net and preparation. Where the net was trained with mse or mae,
    ``probabilities`` are its scores: no softmax makes probabilities of them.
    """
    g = Graph()
    pixels = picture(g, IMAGE, model.preparation)
    mean, std = (np.reshape(values, (1, -1, 1, 1)) for values in (model.mean, model.std))
    unit = g.node("Div", [pixels, g.constant(255, np.float32)])
    centred = g.node("Sub", [unit, g.constant(mean, np.float32)])
    made = {IMAGE: g.node("Div", [centred, g.constant(std, np.float32)])}
    found = program(model)
    for step in found.steps:
        made[step.name] = write(step.op, step, [made[name] for name in step.inputs], g)
    g.node("Identity", [made[found.result]], "scores")
    sure = confidence_of(model.loss) == "probability"
    if sure:
        g.node("Softmax", [made[found.result]], "probabilities", axis=1)
    else:
        g.node("Identity", [made[found.result]], "probabilities")
    classes = len(model.classes)
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", classes]) for name in ("probabilities", "scores")
    ]
    inputs = [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, ["N", "H", "W", "C"])]
    if model.preparation.ink:  # an input that need not be given: a constant that may be replaced
        g.constants.append(numpy_helper.from_array(np.array(False), PREPARED))
        inputs.append(helper.make_tensor_value_info(PREPARED, TensorProto.BOOL, []))
    graph = helper.make_graph(g.nodes, "convscope", inputs, outputs, g.constants)
    result = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="convscope",
        producer_version=__version__,
    )
    helper.set_model_props(result, metadata(model) | (facts or {}))
    checker.check_model(result, full_check=True)
    return result


def picture(g: Graph, image: str, preparation: Preparation) -> str:
    """float32 (N, C, H, W) with values 0..255 from uint8 (N, any H, any W, 1 or 3), prepared as in training."""
    wide, ink = three_channels(g, image), preparation.ink
    if ink is None:
        found = fitted(g, wide, preparation.image)
    else:
        found = g.either(
            PREPARED,
            TensorProto.DOUBLE,
            lambda part: fitted(part, wide, preparation.image),
            lambda part: all_written(part, wide, ink, preparation.image),
        )
    return g.cast(found, TensorProto.FLOAT)


def metadata(model: Model) -> dict[str, str]:
    """What the file says of the net: enough to use it without anything else."""
    told = {
        "classes": json.dumps(model.classes, ensure_ascii=False),
        "net": model.spec,
        "input": json.dumps(model.image),
        "preparation": model.preparation.to_json(),
        "confidence": confidence_of(model.loss),
        "loss": model.loss,
        "version": __version__,
    }
    return told if model.look is None else told | {"look": model.look.to_json()}
