"""What would take long is refused before it is begun, or ends when nobody waits for it any more."""

import asyncio
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.responses import Response

from convscope.lab.patience import GONE, while_waited_for

from .conftest import run

ONES = np.ones((1, 256, 256)).tolist()
PADDED = {"input": ONES, "in_channels": 1, "weight": np.ones((1, 1, 256, 256)).tolist(), "padding": [372, 372]}


@pytest.mark.parametrize("path", ["/api/convolution", "/api/convolution/ledger"])
def test_a_convolution_that_would_hold_a_core_is_refused_before_it_is_computed(lab, path):
    answer = lab.post(path, PADDED)
    assert answer.status_code == 400
    assert answer.json()["error"] == "that takes 36,374,118,400 products"
    assert answer.json()["help"] == "the lab computes at most 100,000,000 at a time"


def test_a_ledger_of_very_many_terms_is_refused(lab):
    large = {"input": ONES, "in_channels": 1, "weight": np.ones((1, 1, 128, 128)).tolist(), "stride": [64, 64]}
    answer = lab.post("/api/convolution/ledger", large)
    assert answer.json()["error"] == "a window covers 16,384 numbers"


def test_pooling_windows_are_bounded(lab):
    large = {"input": ONES, "kernel_size": [128, 128], "padding": [64, 64], "stride": [1, 1], "kind": "avg"}
    for path in ("/api/pooling", "/api/pooling/ledger"):
        assert lab.post(path, large).json()["error"] == "a window covers 16,384 cells"


def asked(receive, ending=None):
    state = SimpleNamespace(ending=ending or threading.Event())
    return SimpleNamespace(app=SimpleNamespace(state=state), receive=receive)


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


def test_an_answer_that_is_waited_for_comes():
    answer = run(while_waited_for(asked(stays), lambda check: check() or Response("done")))
    assert answer.body == b"done"


@pytest.mark.parametrize("how", ["left", "ending"])
def test_an_answer_that_nobody_waits_for_ends(how):
    ended = []

    def endless(check):
        try:
            while True:
                check()
        finally:
            ended.append(True)

    ending = threading.Event()
    if how == "ending":
        ending.set()
    answer = run(while_waited_for(asked(leaves if how == "left" else stays, ending), endless))
    assert answer.status_code == GONE
    assert ended == [True]


def test_an_error_of_the_answer_is_its_own():
    def fails(check):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run(while_waited_for(asked(stays), fails))
