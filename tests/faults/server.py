"""Imports torch once, then forks a process for every attempt at a run, so that a hundred killings take a minute.

As a program it reads one attempt a line (JSON) and answers each with one line; :class:`Server` is its caller's side.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Server:
    """Starts the program; ``attempt`` runs or resumes the run in a folder until it ends or is killed."""

    def __init__(self):
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-m", "tests.faults.server"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def attempt(self, out, choices, fault=None, seconds=None):
        """``fault`` = (at, moment, effect), see injection; ``seconds``: killed after so long. The answer has

        ``end``: finished, error (of the project), killed, or crash; ``message``; ``seen``: kinds of operations.
        """
        job = {"out": str(out), "choices": choices, "fault": fault, "seconds": seconds}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["end"] != "crash", answer["message"]
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


def serve():
    import torch._dynamo  # noqa: F401 - torch imports it with the first optimizer: here it costs a second once

    from convscope import job
    from convscope.report.curves import draw_curves

    from ..helpers import FULL, save_pixel
    from .attempt import attempt

    with tempfile.TemporaryDirectory() as folder:
        if not FULL:
            job.save_figure = save_pixel
        job.save_figure(draw_curves([]), Path(folder) / "warm.png")  # matplotlib and its fonts

    for line in sys.stdin:
        job = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                answer = attempt(job)
            except BaseException:
                answer = {"end": "crash", "message": traceback.format_exc()}
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
        os.close(writer)
        print(json.dumps(_wait(child, reader, job["seconds"])), flush=True)


def _wait(child, reader, seconds):
    """The child's answer, or that it was killed: by itself, after ``seconds``, or because it hung for a minute."""
    deadline = time.monotonic() + (60 if seconds is None else seconds)
    ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        os.kill(child, signal.SIGKILL)
    text = b""
    while part := os.read(reader, 65536):
        text += part
    os.close(reader)
    os.waitpid(child, 0)
    if not ready and seconds is None:
        return {"end": "crash", "message": "it hung"}
    return json.loads(text) if text else {"end": "killed"}


if __name__ == "__main__":
    serve()
