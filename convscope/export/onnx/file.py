"""The whole ONNX file of a model: picture in, scores and probabilities out, and what the net is as metadata."""

import json

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper

from ... import __version__
from ...net.model import Model
from ...net.wiring import IMAGE
from ...training.scores import confidence_of
from ..program import program
from .graph import IR_VERSION, OPSET, Graph
from .layers import write
from .picture import picture


def onnx_model(model: Model, facts: dict[str, str] | None = None) -> ModelProto:
    """``image`` uint8 (N, H, W, 1 or 3) of any size → ``probabilities`` and ``scores`` float32 (N, K).

    ``facts`` go into the metadata beside classes, net and preparation. Where the net was trained with mse or mae,
    ``probabilities`` are its scores: no softmax makes probabilities of them.
    """
    g = Graph()
    pixels = picture(g, IMAGE, model.image)
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
    image = helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, ["N", "H", "W", "C"])
    graph = helper.make_graph(g.nodes, "convscope", [image], outputs, g.constants)
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
