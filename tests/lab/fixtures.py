"""What PyTorch and plain Python make of random cases, as JSON for the page's pure modules: see node/torch.test.mjs."""

import base64
import math
from dataclasses import asdict

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from convscope.lab.binary import pack
from convscope.lab.rooms import convolution, pooling

CONVOLUTIONS, POOLINGS, COLOURS, NUMBERS = 200, 200, 300, 300


def fixtures(seed: int) -> dict:
    """Everything, drawn from one seed."""
    rng = np.random.default_rng(seed)
    return {
        "convolutions": [convolved(rng) for _ in range(CONVOLUTIONS)],
        "poolings": [pooled(rng) for _ in range(POOLINGS)],
        "colours": [coloured(rng) for _ in range(COLOURS)],
        "numbers": [number(rng) for _ in range(NUMBERS)],
        "scales": [scaled(rng) for _ in range(100)],
        "packed": [packed(rng) for _ in range(20)],
    }


def pair(rng, low, high):
    return [int(n) for n in rng.integers(low, high + 1, 2)]


def convolved(rng):
    """A convolution: PyTorch's shape or refusal, the cells that one window reads by PyTorch, and its ledger."""
    groups = int(rng.choice([1, 1, 2, 3]))
    each, out = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    state = {
        "in_channels": groups * each,
        "out_channels": out,
        "groups": groups,
        "kernel_size": pair(rng, 1, 3),
        "stride": pair(rng, 1, 3),
        "padding": pair(rng, 0, 2),
        "dilation": pair(rng, 1, 2),
        "padding_mode": str(rng.choice(["zeros", "reflect", "replicate", "circular"])),
    }
    channels = state["in_channels"] if rng.random() > 0.1 else state["in_channels"] + 1
    x = torch.from_numpy(rng.normal(size=(channels, *pair(rng, 1, 7)))).float()
    layer = nn.Conv2d(**state, bias=bool(rng.random() > 0.5))
    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach().tolist()
    settings = {
        name: state[name] for name in ("in_channels", "stride", "padding", "padding_mode", "dilation", "groups")
    }
    question = convolution.ConvolutionRequest(input=x.tolist(), weight=weight.tolist(), bias=bias, **settings)
    shown = convolution.answer(question)
    case = {"state": state, "answer": plain(shown)}
    try:
        output = layer(x[None])[0].detach()
    except RuntimeError as error:
        return {**case, "refusal": str(error)}
    question.at = at = tuple(int(rng.integers(n)) for n in output.shape)
    padded = torch.zeros(channels, *shown.padded.shape[1:], requires_grad=True)
    plain_settings = {name: state[name] for name in ("stride", "dilation", "groups")}
    functional.conv2d(padded[None], torch.ones_like(weight), **plain_settings)[0][at].backward()
    windows = [padded.grad[c].nonzero().tolist() for c in range(channels)]
    return {
        **case,
        "shape": list(output.shape),
        "at": at,
        "windows": windows,
        "value": output[at].item(),
        "ledger": laid_out(convolution.ledger(question)),
    }


def pooled(rng):
    """A pooling; which cell belongs to which window is asked of PyTorch with images of a single one."""
    kind = str(rng.choice(["max", "avg"]))
    state = {
        "kind": kind,
        "kernel_size": pair(rng, 1, 3),
        "stride": pair(rng, 1, 3),
        "padding": pair(rng, 0, 1),
        "dilation": pair(rng, 1, 2),
        "ceil_mode": bool(rng.random() > 0.5),
    }
    state["padding"] = [
        min(p, k // 2) if rng.random() > 0.2 else p for p, k in zip(state["padding"], state["kernel_size"], strict=True)
    ]
    x = torch.from_numpy(rng.normal(size=(2, *pair(rng, 1, 7)))).float()
    s = {name: tuple(state[name]) for name in ("kernel_size", "stride", "padding")}
    layer = (
        nn.MaxPool2d(**s, dilation=tuple(state["dilation"]), ceil_mode=state["ceil_mode"])
        if kind == "max"
        else nn.AvgPool2d(**s, ceil_mode=state["ceil_mode"])
    )
    question = pooling.PoolingRequest(input=x.tolist(), **state)
    try:
        output = layer(x[None])[0]
    except RuntimeError as error:
        return {"state": state, "refusal": str(error), "answer": plain(pooling.answer(question))}
    if output.isinf().any():  # a window of nothing but padding: the lab refuses it
        return pooled(rng)
    shown = pooling.answer(question)
    height, width = x.shape[1:]
    reads = layer(torch.eye(height * width).view(-1, 1, height, width))[:, 0] > 0  # (cell, window row, window column)
    question.at = at = tuple(int(rng.integers(n)) for n in output.shape)
    cell = int(rng.integers(height * width))
    window = [[int(i) // width, int(i) % width] for i in reads[:, at[1], at[2]].nonzero()]
    return {
        "state": state,
        "answer": plain(shown),
        "shape": list(output.shape),
        "at": at,
        "window": window,
        "image": [height, width],
        "cell": [cell // width, cell % width],
        "readers": reads[cell].nonzero().tolist(),
        "value": output[at].item(),
        "ledger": laid_out(pooling.ledger(question)),
    }


def plain(shown):
    """What the page gets of an answer, as far as these tests look at it."""
    refused = None if shown.refused is None else shown.refused.message
    output = None if shown.output is None else shown.output.tolist()
    sides = None if shown.rows is None else [asdict(shown.rows), asdict(shown.columns)]
    return {"refused": refused, "output": output, "sides": sides}


def laid_out(found):
    """A ledger and its lines in the order in which people expect them: headings are ["channel", c, sum]."""
    whole = asdict(found)
    products = [term.product for term in found.terms]
    channels = sorted({term.channel for term in found.terms})
    by_channel = []
    for channel in channels:
        mine = [i for i, term in enumerate(found.terms) if term.channel == channel]
        if len(channels) > 1:
            by_channel.append(["channel", channel, math.fsum(products[i] for i in mine)])
        by_channel += mine
    size = float if found.operation == "max" else abs
    by_size = sorted(range(len(products)), key=lambda i: -size(products[i]))  # equal ones stay in order
    return {"data": whole, "by_channel": by_channel, "by_size": by_size}


def coloured(rng):
    """A value's colour by the formula that core/colour.js documents, before it is rounded."""
    dark, limit = bool(rng.random() > 0.5), float(10.0 ** rng.uniform(-6, 6))
    value = float(rng.uniform(-1.5, 1.5) * limit)
    zero, minus, plus = (
        ([30, 33, 39], [94, 160, 230], [245, 158, 66]) if dark else ([250, 249, 246], [33, 102, 172], [202, 90, 10])
    )
    share = min(1.0, abs(value) / limit) ** 0.85
    rgb = np.add(zero, np.subtract(minus if value < 0 else plus, zero) * share)
    low, high = sorted(rng.normal(size=2).tolist())
    shade = float(rng.uniform(low - 1, high + 1))
    grey = float(np.interp(shade, [low, high], [0, 255]))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.round(rgb) / 255]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return {
        "value": value,
        "limit": limit,
        "dark": dark,
        "rgb": rgb.tolist(),
        "shade": [shade, low, high],
        "grey": grey,
        "black": (luminance + 0.05) / 0.05,
        "white": 1.05 / (luminance + 0.05),
    }


def number(rng):
    """A number of any size, and what it is to four and to seven digits."""
    value = float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-9, 12))
    return {"value": value, "four": float(f"{value:.3e}"), "seven": float(f"{value:.6e}")}


def scaled(rng):
    """Values, where numpy puts them between two pixels, and the same for their logarithms."""
    values = rng.uniform(1e-3, 10.0 ** rng.uniform(-2, 6), int(rng.integers(2, 30)))
    start, end = rng.uniform(0, 700, 2).tolist()
    logs = np.log10(values)
    along = [np.interp(part, [part.min(), part.max()], [start, end]).tolist() for part in (values, logs)]
    return {"values": values.tolist(), "pixels": [start, end], "linear": along[0], "log": along[1]}


def packed(rng):
    """Tensors as the server sends them, and as they are."""
    sizes = [rng.integers(1, 5, int(rng.integers(1, 5))).tolist() for _ in range(int(rng.integers(1, 5)))]
    arrays = {f"x{i}": rng.normal(size=size).astype(np.float32) for i, size in enumerate(sizes)}
    body = pack({"text": "卷积 " * int(rng.integers(1, 5))}, arrays)
    return {
        "bytes": base64.b64encode(body).decode(),
        "arrays": {k: [a.shape, a.ravel().tolist()] for k, a in arrays.items()},
    }
