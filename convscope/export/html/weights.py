"""Weights as text: rounded as far as it changes nothing, their bytes sorted, compressed, in base64."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.batches import Normalize
from ...training.scores import confidences
from ..batch import scores
from ..program import Program
from ..steps import Conv, Linear, Scale
from ..subject import Subject
from ..verify import TOLERANCE, apart

Floats = NDArray[np.float32]
MANTISSA = 23  # bits of float32 behind the point
FEWER = (10, 12, 14, 16, 18, 20)  # 10: those of half precision
SHARE = 4  # rounding may take a quarter of what the proof allows, for it is seen on other images


def arrays(found: Program) -> list[Floats]:
    """The weights in the order of the steps: weight and bias, or scale and shift."""
    result = []
    for step in found.steps:
        if isinstance(step.op, Conv | Linear):
            result += [step.op.weight, step.op.bias]
        elif isinstance(step.op, Scale):
            result += [step.op.scale, step.op.shift]
    return result


def fewest_bits(subject: Subject) -> int:
    """Bits of the mantissa that suffice: no class of the samples changes, and no probability by more than 2.5e-6.

    23, all of them, where there are no samples.
    """
    if subject.samples is None or not len(subject.samples):
        return MANTISSA
    model = subject.model
    images = Normalize(model.mean, model.std, torch.device("cpu"))(torch.from_numpy(subject.samples.copy()))

    def answers(found: Program) -> NDArray[np.float64]:
        return confidences(scores(found, images), model.loss).numpy()

    wanted = answers(subject.program)
    for bits in FEWER:
        got = answers(rounded(subject.program, bits))
        if np.array_equal(got.argmax(1), wanted.argmax(1)) and apart(wanted, got) <= TOLERANCE / SHARE:
            return bits
    return MANTISSA


def rounded(found: Program, bits: int) -> Program:
    """The same program with weights of so many bits behind the point."""
    steps = []
    for step in found.steps:
        op = step.op
        if isinstance(op, Conv | Linear):
            op = replace(op, weight=round_to(op.weight, bits), bias=round_to(op.bias, bits))
        elif isinstance(op, Scale):
            op = replace(op, scale=round_to(op.scale, bits), shift=round_to(op.shift, bits))
        steps.append(replace(step, op=op))
    return replace(found, steps=tuple(steps))


def round_to(values: Floats, bits: int) -> Floats:
    """float32 to the nearest number with ``bits`` bits behind the point, halves away from zero."""
    drop = MANTISSA - bits
    if not drop:
        return values
    whole = values.view(np.uint32).astype(np.uint64) + (1 << (drop - 1))
    return (whole >> drop << drop).astype(np.uint32).view(np.float32).reshape(values.shape)


def packed(values: Sequence[Floats]) -> str:
    """All first bytes, all second ones and so on, for these are alike, compressed by zlib, in base64."""
    flat = np.concatenate([np.ravel(array) for array in values]) if values else np.zeros(0, np.float32)
    planes = flat.astype("<f4").view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, 9)).decode()
