"""Signals: which of them save a run, with which exit code, and which stay ignored."""

import os
import signal
import threading

import pytest

from convscope import job
from convscope.errors import Interrupted
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.storage.interruption import ASKING, interruption
from convscope.training.loop import Epoch

from .helpers import NET, small_data

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def events(tmp_path):
    return job.start(Recipe(net=NET, epochs=4, batch_size=16, threads=1, data="stripes"), small_data(), tmp_path)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def number(request):
    return request.param


def test_a_signal_saves_and_the_exit_code_is_the_shells(tmp_path, number):
    before = {asking: signal.getsignal(asking) for asking in ASKING}
    with pytest.raises(Interrupted, match="the work is saved") as caught:  # noqa: PT012 - the loop is what is stopped
        for event in events(tmp_path):
            if isinstance(event, Epoch) and event.epoch == 2:
                signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
    assert next(runs.every(tmp_path)).resume_point().state.epoch == 2
    assert {asking: signal.getsignal(asking) for asking in ASKING} == before


def test_an_ignored_signal_stays_ignored(tmp_path, number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        for event in events(tmp_path):
            if isinstance(event, Epoch):
                signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert next(runs.every(tmp_path)).summary() is not None


def test_the_second_ctrl_c_kills_but_a_second_hang_up_does_not():
    """A shell that ends sends SIGHUP, too, when the kernel already has."""
    with interruption() as came:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert came.number == signal.SIGHUP
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL


def test_beside_the_main_thread_nothing_is_heard():
    found = []

    def beside():
        with interruption() as came:
            found.append(bool(came))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    assert found == [False]
    assert signal.getsignal(signal.SIGTERM) is before
