"""Inference of net ``note`` by every runtime that is installed: ``pip install 'convscope[bench]'`` brings them.

All contenders run in one process, in turn, on the same threads, through their own Python call. convscope also
normalises the uint8 pixels; the others get normalised floats, so that their time is the net's. Before anything is
timed, all scores are compared with PyTorch's.
"""

import io
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from convscope.engine.jit import JitPredictor
from convscope.net.build import build
from convscope.net.zoo import resolve

from .measure import Timing, columns, interleaved

IMAGE, MEAN, STD = (1, 28, 28), (0.5,), (0.3,)
ROUNDS = {1: 2000, 64: 200, 1024: 20, 8192: 3}  # by number of images: so many calls make one repeat

Call = Callable[[], object]


def _torch(net: nn.Sequential, x: Tensor, threads: int) -> Call:  # noqa: ARG001 - torch's are set for the process
    def call() -> Tensor:
        with torch.inference_mode():
            return net(x)

    return call


def _onnx(net: nn.Sequential) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs onnxscript
        torch.onnx.export(
            net, (torch.zeros(2, *IMAGE),), file, input_names=["x"], dynamo=False, dynamic_axes={"x": {0: "n"}}
        )
    return file.getvalue()


def _onnxruntime(net: nn.Sequential, x: Tensor, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(_onnx(net), options, providers=["CPUExecutionProvider"])
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)[0]


def _openvino(net: nn.Sequential, x: Tensor, threads: int) -> Call:
    import openvino

    core = openvino.Core()
    model = core.read_model(_onnx(net))
    model.reshape(list(x.shape))
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",  # all threads share a batch
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request, array = core.compile_model(model, "CPU", settings).create_infer_request(), x.numpy()
    return lambda: request.infer([array], share_inputs=True, share_outputs=True)[0]


def _litert(net: nn.Sequential, x: Tensor, threads: int) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    from .litert import tflite

    interpreter = Interpreter(model_content=tflite(net, IMAGE, len(x)), num_threads=threads)
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    array = np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())

    def call() -> object:
        interpreter.set_tensor(given, array)
        interpreter.invoke()
        return interpreter.get_tensor(made)

    return call


RUNTIMES = {"torch": _torch, "onnxruntime": _onnxruntime, "OpenVINO": _openvino, "LiteRT": _litert}


def calls(count: int, threads: int) -> tuple[dict[str, Call], dict[str, str]]:
    """A call of every runtime with ``count`` random images; and why there is none, of those that cannot be used."""
    net = build(resolve("note"), IMAGE, 10).eval()
    images = torch.randint(0, 256, (count, *IMAGE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = ((images.float() / 255 - MEAN[0]) / STD[0]).contiguous()
    made: dict[str, Call] = {}
    missing: dict[str, str] = {}
    for name, make in RUNTIMES.items():
        try:
            made[name] = make(net, x, threads)
        except ImportError as error:
            missing[name] = str(error)
    predictor = JitPredictor(net, IMAGE, MEAN, STD, threads)
    made["convscope"] = lambda: predictor.logits(images)
    wanted = np.asarray(made["torch"]())
    for name, call in made.items():
        np.testing.assert_allclose(np.asarray(call()), wanted, atol=1e-4, err_msg=name)
    return made, missing


def _many(call: Call, rounds: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(rounds):
            call()

    return run


def told(timing: Timing, count: int, rounds: int) -> str:
    """Time of one image or images a second: the median, and the best repeat."""
    median, least = timing.median / rounds, min(timing.seconds) / rounds
    if count == 1:
        return f"{median * 1e6:.1f} ({least * 1e6:.1f}) µs"
    return f"{count / median:,.0f} ({count / least:,.0f}) /s"


def inference(repeats: int, threads: int, rounds: dict[int, int] = ROUNDS) -> str:
    """The table: a row for each number of images, a column for each runtime."""
    rows: list[list[str]] = []
    for count, times in rounds.items():
        made, missing = calls(count, threads)
        timings = interleaved({name: _many(call, times) for name, call in made.items()}, repeats)
        rows.append([f"{count:,}", *(told(timing, count, times) for timing in timings)])
    title = f"Inference, net note, {threads} threads; medians of n = {repeats}, interleaved (the best in brackets)"
    absent = "".join(f"\n{name} is left out: {reason}" for name, reason in missing.items())
    return f"\n{title}\n\n{columns(['images', *made], rows)}{absent}"
