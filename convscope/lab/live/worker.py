"""The process that trains for the page: ``python -m convscope.lab.live.worker``. It talks to the server over two pipes.

In, as :mod:`.messages`: first the task (a run, or the range test of one), then {"do": "pause" | "go" | "step" | "stop"}
and {"probe": n}. Out: what ``RunStatus.take`` takes. When its standard input ends, the server is gone, whatever killed
it: the worker then saves and ends, so that no process trains unseen and the run can be resumed. Ctrl-C in the terminal
reaches it only so.
"""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ... import job
from ...auto import settle
from ...errors import ConvscopeError, Interrupted
from ...recipe import Recipe
from ...runs import folder as runs
from ...runs.own_data import own_data
from ...training.pace import Pace
from ...training.range_test import range_test
from .control import Control, Reporter
from .messages import read
from .telling import follow

LEAST_RATE, MOST_RATE, UPDATES = 1e-5, 10.0, 120  # of the range test, as those of ``convscope lr``


def main() -> None:
    """Train what the first line says and report until the end."""
    report = Reporter(os.dup(1))
    os.dup2(2, 1)  # whatever prints must not come between the messages
    control = Control()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also before the job listens to it
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a reader without a lock, to the very end
    try:
        report("stage", stage="ready")  # Python and PyTorch are loaded: it may have been started before it was needed
        task, _ = next(read(orders), ({}, b""))
        if not task:
            return
        threading.Thread(target=control.listen, args=(orders,), daemon=True).start()
        if "rates" in task:
            find_rates(task, report)
        else:
            follow(events(task, control.pace, report), control, report)
    except (Interrupted, KeyboardInterrupt) as error:
        report("stopped", message=str(getattr(error, "message", "stopped before training began")))
    except ConvscopeError as error:
        report("failed", message=error.message, help=error.help)
    except MemoryError:
        report("failed", message="there is not enough memory to train this", help="use a smaller net or --batch-size")


def events(task: dict[str, Any], pace: Pace, report: Reporter) -> Iterator[job.Event]:
    """The events of a new run ({"recipe", "out"}) or of one that is resumed ({"resume", "epochs"}, perhaps "data").

    Both say "offline"; "data" is where the run's data are now, None where they are where they were.
    """
    report("stage", stage="data")
    if "resume" in task:
        folder = runs.RunFolder(Path(task["resume"]))
        own = own_data(folder, task.get("data"), offline=task["offline"])
        report("stage", stage="net")
        yield from job.resume(folder, own, task["epochs"], pace)
    else:
        settled = settle(Recipe(**task["recipe"]), offline=task["offline"])
        report("stage", stage="net")
        yield from job.start(settled.recipe, settled.data, Path(task["out"]), pace)


def find_rates(task: dict[str, Any], report: Reporter) -> None:
    """Answer {"rates": recipe, "offline"} with the learning-rate range test of that recipe."""
    settled = settle(Recipe(**task["rates"]), offline=task["offline"])
    found = range_test(settled.recipe, settled.data, LEAST_RATE, MOST_RATE, UPDATES)
    report("rates", found=found)


if __name__ == "__main__":
    main()
