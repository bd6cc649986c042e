"""The team that torchrun has started: read from the environment, joined over gloo, and over NCCL where it has GPUs.

``torch.distributed`` does the communication; here it is only asked to. Variables as torchrun sets them: RANK,
WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT.
"""

import os
import platform
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from types import FrameType
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch import distributed as dist

from ..errors import ConvscopeError, Interrupted, TrainingError, UsageError
from .exchange import LONG, Exchange, Gloo, Nccl, Pending
from .hung import LastResort
from .pulse import STORE, Loss, Member, Pulse, place_of_processes
from .team import ALONE, SAVED, PeerLost, Team

MEETING = timedelta(minutes=5)  # for all to come
LOOK = 0.5  # seconds after which who waits for numbers looks whether the others live
NEEDED = ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_meetings = count()  # a script may train several times: every meeting has keys of its own in the store
_store: list[Any] = []  # the one that torch made for the first meeting, whose process keeps it until it ends


def placed() -> tuple[int, int, int | None] | None:
    """(rank, ranks, local rank) as torchrun says; None where it did not start this process, or it alone.

    The local rank is None where nobody says: what starts one process a machine, as Kubernetes does, may not.

    Raises UsageError where the variables make no sense.
    """
    if "RANK" not in os.environ or os.environ.get("WORLD_SIZE") == "1":
        return None
    missing = [name for name in NEEDED if name not in os.environ]
    if missing:
        raise UsageError(f"RANK is set, but {' and '.join(missing)} is not", "start it with torchrun, or unset RANK")
    try:
        rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else None
        if not (0 <= rank < ranks and (local or 0) >= 0 and int(os.environ["MASTER_PORT"]) > 0):
            raise ValueError
    except ValueError:
        found = ", ".join(f"{name}={os.environ[name][:20]}" for name in ("RANK", *NEEDED))
        raise UsageError(f"torchrun's variables make no sense: {found}", "start it with torchrun") from None
    return rank, ranks, local


class Link:
    """Numbers between processes through torch.distributed: over gloo, and over NCCL once GPUs have been joined."""

    def __init__(self, rank: int, ranks: int, store: Any) -> None:
        self.waited = 0.0
        self._rank, self._ranks = rank, ranks
        self.exchanges: dict[str, Exchange] = {"cpu": Gloo()}  # by the kind of device
        self.members: list[Member] = []
        # Where each process was started by hand, or by Slurm, rank 0 keeps the store, else torchrun itself.
        keeper = STORE if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else 0
        self.pulse = Pulse(store, rank, ranks, keeper)
        self.last_resort = LastResort(self.pulse, lambda loss: PeerLost(self.lost(loss).message, loss.rank, SAVED))

    def meet(self) -> None:
        """All say where they are; from then on they watch each other."""
        self.pulse.begin()
        team = Team(self._rank, self._ranks, line=self)
        told = team.gather_json([platform.node(), os.getpid(), place_of_processes()])
        self.members = [Member(str(host)[:60], int(process), str(place)) for host, process, place in told]
        self.pulse.watch(self.members)

    def place(self) -> int:
        """How many of the ranks before this one are on its machine, and in its list of processes: its local rank."""
        own = self.members[self._rank]
        return sum((one.host, one.place) == (own.host, own.place) for one in self.members[: self._rank])

    def carries(self, device: torch.device) -> bool:
        """See :class:`~convscope.distributed.team.Line`."""
        return device.type in self.exchanges

    def join_gpus(self, device: torch.device) -> None:
        """See :class:`~convscope.distributed.team.Line`."""
        if self.carries(device):  # a second training of the same processes
            return
        self.last_resort.begin()
        own = torch.tensor([self._rank], dtype=torch.uint8, device=device)
        rows = torch.empty(self._ranks, 1, dtype=torch.uint8, device=device)
        try:
            with self.last_resort.watched():
                exchange = Nccl.connect()
                self._wait(exchange, exchange.begin(rows, own))
        except RuntimeError as error:
            raise TrainingError(
                f"NCCL could not join the GPU of rank {self._rank} to the others: {_first_line(error)}",
                "NCCL_DEBUG=INFO shows why; --device cpu trains without GPUs",
            ) from None
        self.exchanges[device.type] = exchange

    def gather(self, own: Tensor) -> Tensor:
        """See :class:`~convscope.distributed.team.Line`."""
        rows = torch.empty(self._ranks, len(own), dtype=torch.uint8, device=own.device)
        if not len(own):
            return rows
        if self.pulse.loss is not None:  # where torchrun alone has died, the others still answer
            raise self.lost(self.pulse.loss)
        exchange = self.exchanges[own.device.type]
        exchange.ready(own)
        began = time.perf_counter()
        try:
            with self.last_resort.watched():
                self._wait(exchange, exchange.begin(rows, own))
        except RuntimeError as error:  # what torch raises where a connection breaks
            raise self.lost(self.pulse.who(), error) from None
        finally:
            self.waited += time.perf_counter() - began
        return rows

    def abort(self) -> None:
        """Give up what is under way: what waits on a GPU would keep the process groups from being taken apart."""
        for exchange in self.exchanges.values():
            exchange.abort()

    def _wait(self, exchange: Exchange, pending: Pending) -> None:
        """Wait for what is under way, and look at the others' pulse meanwhile."""
        while not pending.come(LOOK):
            if self.pulse.loss is not None:
                exchange.abort()
                raise self.lost(self.pulse.loss)

    def asked(self, number: int, _frame: FrameType | None) -> NoReturn:
        """SIGTERM, outside of training: torchrun sends it to the others when one has died, people when they want to."""
        loss = self.pulse.who()
        if loss is not None:
            raise self.lost(loss)
        raise Interrupted("stopped before training began", number=number)

    def lost(self, loss: Loss | None, error: Exception | None = None) -> PeerLost:
        """The sentence for ``loss``; without one, what ``error`` said."""
        if loss is None:
            why = _first_line(error) if error else "no answer"
            return PeerLost(f"the connection to another process broke: {why}", STORE)
        if loss.rank == STORE:
            return PeerLost("torchrun, which started this process, has ended or cannot be reached", STORE)
        who = f"rank {loss.rank}"
        if self.members:
            member = self.members[loss.rank]
            who += f" (process {member.process} on {member.host})"
        if loss.words:
            return PeerLost(f"{who} ended: {loss.words}", loss.rank)
        return PeerLost(f"{who} has died or cannot be reached", loss.rank)


@contextmanager
def joined() -> Iterator[Team]:
    """The team that this process belongs to, ALONE where torchrun did not start it; the others are told how it ends."""
    place = placed()
    if place is None:
        yield ALONE
        return
    rank, ranks, local = place
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("several processes train from their main threads alone", "call it outside of threads")
    line = _connected(rank, ranks)
    failure: str | None = "an error that is a fault of convscope"
    before = signal.signal(signal.SIGTERM, line.asked)
    try:
        line.meet()
        yield Team(rank, ranks, line.place() if local is None else local, line, slices=ranks)
        failure = None
    except ConvscopeError as error:
        failure = f"{error.message}; {error.help}" if error.help else error.message
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        line.pulse.end(failure)
        with line.last_resort.watched(), suppress(RuntimeError):
            if failure is not None:
                line.abort()
            dist.destroy_process_group()
        line.last_resort.stop()


def _connected(rank: int, ranks: int) -> Link:
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    interface = _interface(host, port)
    if interface:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    try:
        meeting = f"convscope/{next(_meetings)}"
        own = dist.PrefixStore(meeting, _store[0]) if _store else None  # type: ignore[attr-defined]
        dist.init_process_group("gloo", rank=rank, world_size=ranks, timeout=MEETING, store=own)
        if not _store:
            _store.append(dist.distributed_c10d._get_default_store())
        store = dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=5))  # type: ignore[attr-defined]
        link = Link(rank, ranks, dist.PrefixStore(meeting, store))  # type: ignore[attr-defined]
        dist.barrier()  # every pulse has begun
        dist.distributed_c10d._set_pg_timeout(LONG, dist.distributed_c10d._get_default_group())
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"rank {rank} of {ranks} could not join the others at {host}:{port}: {_first_line(error)}",
            "start torchrun with the same --rdzv-endpoint or --master-addr on every machine; is a firewall in between?",
        ) from None
    return link


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _interface(host: str, port: int) -> str | None:
    """The network interface over which ``host`` is reached: gloo would take the one that this machine's own name
    stands for, which on many laptops is 127.0.1.1, where no other machine can come. None where nobody knows."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))  # nothing is sent
        address = socket.inet_aton(probe.getsockname()[0])
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                asked = struct.pack("256s", name[:15].encode())
                if fcntl.ioctl(probe.fileno(), 0x8915, asked)[20:24] == address:  # SIOCGIFADDR
                    return name
    return None
