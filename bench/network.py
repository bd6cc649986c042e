"""Two "machines" with a bad line between them: network namespaces whose packets a program carries, late or not at all.

Each namespace has a TUN device; what one sends is read here, kept for ``delay`` seconds, and written to the other, or
lost. So TCP meets what it meets on a real line, without netem in the kernel. Needs root, /dev/net/tun and iproute2::

    python -m bench.network            # digits by two processes, on lines of several kinds
"""

import fcntl
import heapq
import os
import random
import re
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

TUN, TUN_WITHOUT_HEADER = 0x400454CA, 0x0001 | 0x1000  # TUNSETIFF; IFF_TUN | IFF_NO_PI
LARGEST = 65_536  # bytes of a packet
NAMES = ("convscope-a", "convscope-b")
LINES = ((0.0, 0.0), (0.001, 0.0), (0.01, 0.0), (0.01, 0.01), (0.05, 0.01))  # seconds one way, share that is lost
TRAIN = ("train", "digits", "--epochs", "2", "--threads", "1", "--engine", "jit", "--out")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def machine(number: int) -> Iterator[int]:
    """A namespace with the address 10.77.0.1 or .2; the descriptor that its packets come and go through."""
    name, device = NAMES[number], f"cs-tun{number}"
    end = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(end, TUN, struct.pack("16sH22x", device.encode(), TUN_WITHOUT_HEADER))
        ip("netns", "add", name)
        ip("link", "set", device, "netns", name)
        for words in (["addr", "add", f"10.77.0.{number + 1}/24", "dev", device], ["link", "set", device, "up"]):
            ip("-netns", name, *words)
        ip("-netns", name, "link", "set", "lo", "up")
        yield end
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
        os.close(end)


@contextmanager
def line(ends: tuple[int, int], delay: float, loss: float) -> Iterator[None]:
    """Carry packets between two machines inside the block."""
    over = threading.Event()
    carrier = threading.Thread(target=_carry, args=(ends, delay, loss, over), daemon=True)
    carrier.start()
    try:
        yield
    finally:
        over.set()
        carrier.join()


def _carry(ends: tuple[int, int], delay: float, loss: float, over: threading.Event) -> None:
    draw, number = random.Random(0), 0
    other = dict(zip(ends, reversed(ends), strict=True))
    under_way: list[tuple[float, int, int, bytes]] = []  # when it arrives, its number, where, and what
    while not over.is_set():
        wait = min(0.1, max(0.0, under_way[0][0] - time.monotonic())) if under_way else 0.1
        for end in select.select(ends, [], [], wait)[0]:
            packet = os.read(end, LARGEST)
            number += 1
            if draw.random() >= loss:
                heapq.heappush(under_way, (time.monotonic() + delay, number, other[end], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(under_way)
            os.write(end, packet)


def trained(folder: str) -> str:
    """What rank 0 printed of a run by two processes, one a machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    command += ["--master-addr", "10.77.0.1", "--master-port", "29517"]
    parts = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *command, "--node-rank", str(rank), "-m", "convscope", *TRAIN, folder],
            env=os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if rank else None,
            text=True,
        )
        for rank, name in enumerate(NAMES)
    ]
    texts = [part.communicate(timeout=300)[0] for part in parts]
    if any(part.returncode for part in parts):
        raise RuntimeError(f"exit codes {[part.returncode for part in parts]}")
    return texts[0]


def row(delay: float, loss: float, text: str) -> str:
    """What a run over such a line has told. Raises RuntimeError where it has not."""
    told = re.search(r"test accuracy (.*) after (.*) updates in (.*) s of training", text)
    waited = re.search(r"(\d+) % of the time was spent waiting", text)
    if told is None or waited is None:
        raise RuntimeError(f"the run has not told how it went: {text[-400:]}")
    return f"{1000 * delay:>4g} ms, {100 * loss:g} % lost: {told[3]} s, {waited[1]} % waiting, {told[1]}"


def main() -> None:
    with ExitStack() as stack:
        ends = (stack.enter_context(machine(0)), stack.enter_context(machine(1)))
        for delay, loss in LINES:
            with line(ends, delay, loss), tempfile.TemporaryDirectory() as folder:
                print(row(delay, loss, trained(folder)), flush=True)


if __name__ == "__main__":
    main()
