"""Starts the processes of a team as torchrun does, with less around them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SECONDS = 120


def environment(rank, ranks, port):
    place = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return (
        os.environ
        | {name: str(value) for name, value in place.items()}
        | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def begin(tasks, folder, ranks=2):
    """The processes of a team that does ``tasks``, their files in ``folder``."""
    path, port = folder / "tasks.json", free_port()
    path.write_text(json.dumps(tasks))
    command = [sys.executable, "-m", "tests.distributed.member", str(path)]
    return [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(rank, ranks, port),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(ranks)
    ]


def ended(processes):
    """(exit code, stderr) of each process, once all have ended."""
    found = []
    try:
        for process in processes:
            _, errors = process.communicate(timeout=SECONDS)
            found.append((process.returncode, errors))
    finally:
        for process in processes:
            process.kill()
    return found
