"""bench/runtimes.py: what it times gives the scores of PyTorch, and what cannot be imported is told."""

import pytest
import torch
from torch import nn

from bench import litert, runtimes


def gone(*_):
    raise ImportError("No module named 'nowhere'")


def test_every_runtime_gives_the_scores_of_pytorch_and_has_a_column(monkeypatch):
    monkeypatch.setitem(runtimes.RUNTIMES, "elsewhere", gone)
    told = runtimes.inference(1, 1, {1: 2, 3: 1})  # compares the scores before it times anything
    title, header, one, three, *absent = [line for line in told.splitlines() if line]
    assert title.startswith("Inference, net note, 1 threads; medians of n = 1")
    present = [name for name in (*runtimes.RUNTIMES, "convscope") if not any(line.startswith(name) for line in absent)]
    assert header.split() == ["images", *present]
    assert {"torch", "convscope"} <= set(present)
    assert one.count(") µs") == three.count(") /s") == len(present)
    assert "elsewhere is left out: No module named 'nowhere'" in absent


def test_a_net_as_tflite_is_the_net():
    why = "needs LiteRT: pip install 'convscope[bench]'"
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason=why)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d((2, 2)), nn.Flatten(), nn.Linear(27, 7), nn.ReLU(),
        nn.Linear(7, 4, bias=False),
    )  # fmt: skip
    x = torch.randn(5, 2, 8, 9)[..., :8]
    made = interpreter.Interpreter(model_content=litert.tflite(net, (2, 8, 8), 5))
    made.allocate_tensors()
    made.set_tensor(made.get_input_details()[0]["index"], x.permute(0, 2, 3, 1).contiguous().numpy())
    made.invoke()
    found = torch.from_numpy(made.get_tensor(made.get_output_details()[0]["index"]))
    torch.testing.assert_close(found, net(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="Tanh\\(\\) is not written"):
        litert.tflite(nn.Sequential(nn.Tanh()), (1, 8, 8), 1)
