"""Training processes that are there at once: forked from one that has loaded PyTorch, where the lab starts Python.

Half of the processor time of a small run is the start of its process and the picture at its end. Tests of what the
page does with runs ask for ``quick_workers``; test_training.py is about the process itself, and starts the real one.
"""

import multiprocessing
import os
import subprocess
from multiprocessing.reduction import DupFd
from types import SimpleNamespace

import pytest

from convscope import job
from convscope.lab.live import live, worker

from ..helpers import save_pixel

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__])


def work(orders, said):
    """What ``python -m convscope.lab.live.worker`` does, with pipes as its standard input and output."""
    os.setsid()
    os.dup2(orders.detach(), 0)
    os.dup2(said.detach(), 1)
    job.draw_curves, job.save_figure = (lambda *_: None), save_pixel
    worker.main()


class Forked:
    """As much of subprocess.Popen as the lab uses."""

    def __init__(self, *_, **__):
        theirs, mine = os.pipe()
        heard, say = os.pipe()
        self.process = FORKED.Process(target=work, args=(DupFd(theirs), DupFd(say)), daemon=True)
        self.process.start()
        os.close(theirs)
        os.close(say)
        self.stdin, self.stdout = os.fdopen(mine, "wb"), os.fdopen(heard, "rb")  # the lab closes them
        self.pid, self.kill = self.process.pid, self.process.kill

    def wait(self, timeout=None):
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("worker", timeout)
        return self.process.exitcode


@pytest.fixture(scope="module")
def quick_workers():
    """The lab's training processes are forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": Forked}))
        yield
