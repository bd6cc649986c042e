"""``convscope.compile(net)`` beside the net itself: inference of net ``note`` on one thread.

The times are CPU seconds of the process, so that other work on the machine counts little.
"""

import time
import warnings

import torch

import convscope
from convscope.net.build import build
from convscope.net.zoo import resolve

from .measure import Timing, interleaved, ratio

CALLS = {1: 400, 1024: 8}  # by batch size: so many make one repeat


def timings(repeats: int) -> list[Timing]:
    """PyTorch and convscope in turn, for each batch size."""
    net = build(resolve("note"), (1, 28, 28), 10).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a net that PyTorch computes after all is not to be timed
        fast = convscope.compile(net, threads=1)
    found = []
    for batch, calls in CALLS.items():
        images = torch.randn(batch, 1, 28, 28)

        def many(call, images=images, calls=calls):
            with torch.no_grad():
                for _ in range(calls):
                    call(images)

        contenders = {f"PyTorch {batch}": lambda: many(net), f"convscope {batch}": lambda: many(fast)}
        found += interleaved(contenders, repeats, time.process_time)
    return found


def show(found: list[Timing]) -> None:
    """A line for each batch size."""
    for batch, calls in CALLS.items():
        slow, fast = (next(one for one in found if one.name == f"{who} {batch}") for who in ("PyTorch", "convscope"))
        median, least, most = ratio(slow, fast)
        each = [f"{1e6 * one.median / calls:,.1f} µs" for one in (slow, fast)]
        print(f"batch {batch:>5,}  {' → '.join(each)}  {median:.1f} times ({least:.1f}–{most:.1f})")
