"""Numbers on GPUs: when NCCL carries them, that they stay where they are, and who is named while a collective hangs.

No GPU is needed: what a torch device of another kind holds cannot be copied to main memory, and stand-ins hang.
"""

import pytest
import torch
from torch import distributed as dist

from convscope.distributed import cards, exchange
from convscope.distributed.cards import Card, obstacle
from convscope.distributed.crew import Crew
from convscope.distributed.exchange import Nccl, NcclPending
from convscope.distributed.hung import GRACE, LastResort
from convscope.distributed.join import LOOK, Link
from convscope.distributed.pulse import Loss, Member
from convscope.distributed.team import SAVED, PeerLost, Team
from convscope.errors import TrainingError

from .table import each
from .test_pulse import Kept


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([Card("cuda", "a", True), Card("cuda", "b", True)], None),
        ([Card("cuda", "a", True), Card("cpu")], "rank 1 computes on the CPU"),
        ([Card("mps"), Card("cuda", "b", True)], "rank 0 computes on the MPS"),
        ([Card("cuda", "a", True), Card("cuda", "b")], "the torch of rank 1 has no NCCL"),
        ([Card("cuda", "a", True), Card("cuda", "b", True), Card("cuda", "a", True)], "ranks 0 and 2 share a GPU"),
    ],
)
def test_nccl_joins_gpus_of_which_each_rank_has_its_own(told, reason):
    assert obstacle(told) == reason


def ranks_on(monkeypatch, told):
    """What :func:`cards.meet` says on each rank, and which ranks have joined their GPUs."""
    joined = []

    def meet(team):
        monkeypatch.setattr(type(team.line), "join_gpus", lambda _, device: joined.append(device), raising=False)
        return cards.meet(team, torch.device("cuda", team.rank))

    def card_of(device):
        return told[device.index]

    monkeypatch.setattr(Card, "of", card_of)
    return each(len(told), meet), joined


def test_where_nccl_can_all_ranks_join_their_gpus_and_say_so(monkeypatch):
    found, joined = ranks_on(monkeypatch, [Card("cuda", "a", True), Card("cuda", "b", True)])
    assert found == [("gradients travel from GPU to GPU, over NCCL",)] * 2
    assert {str(device) for device in joined} == {"cuda:0", "cuda:1"}


def test_where_nccl_cannot_all_ranks_say_why_and_none_joins(monkeypatch):
    found, joined = ranks_on(monkeypatch, [Card("cuda", "a", True), Card("cuda", "a", True)])
    told = "numbers of GPUs travel through main memory, over gloo: ranks 0 and 1 share a GPU"
    assert (found, joined) == ([(told,)] * 2, [])
    assert ranks_on(monkeypatch, [Card("cpu"), Card("cpu")]) == ([(), ()], [])
    assert cards.meet(Team(), torch.device("cpu")) == ()


class Echo:
    """A line whose other rank gives what this one does, and which carries tensors of one kind of device."""

    def __init__(self, kind):
        self.kind, self.waited, self.given = kind, 0.0, []

    def carries(self, device):
        return device.type == self.kind

    def gather(self, own):
        self.given.append(own.device.type)
        return torch.stack([own, own])


def test_tensors_stay_on_a_device_that_the_line_carries():
    line = Echo("meta")  # of which nothing can be copied
    team = Team(0, 2, line=line, slices=2)
    (found, other) = Crew(team).gather([torch.zeros(3, 5, device="meta")])
    assert (found.device.type, found.shape, other.shape) == ("meta", (3, 5), (3, 5))
    assert team.gather(torch.zeros(4, device="meta")).device.type == "meta"
    assert line.given == ["meta", "meta"]


def test_tensors_that_the_line_does_not_carry_go_by_way_of_main_memory():
    team = Team(0, 2, line=Echo("cpu"))
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        team.gather(torch.zeros(4, device="meta"))


class Hanging:
    """An exchange whose numbers never come; the others are lost after ``looks`` looks."""

    def __init__(self, line=None, looks=0):
        self.line, self.looks, self.aborted = line, looks, 0

    def ready(self, own):
        pass

    def begin(self, rows, own):
        return self

    def come(self, seconds):
        assert seconds == LOOK
        if self.looks == 0:
            self.line.pulse.loss = Loss(1)
        self.looks -= 1
        return False

    def abort(self):
        self.aborted += 1


def link():
    line = Link(0, 2, Kept())
    line.members = [Member("right", 10, ""), Member("left", 11, "")]
    return line


def test_a_rank_that_dies_is_named_while_the_collective_hangs_and_the_gpu_is_freed():
    line = link()
    line.exchanges["cpu"] = hanging = Hanging(line, looks=2)
    with pytest.raises(PeerLost) as found:
        line.gather(torch.zeros(1, dtype=torch.uint8))
    assert found.value.message == "rank 1 (process 11 on left) has died or cannot be reached"
    assert hanging.aborted == 1


def test_a_process_that_no_exception_can_reach_is_ended_with_the_sentence(capsys):
    line, codes = link(), []
    line.last_resort._end = codes.append
    line.pulse.loss = Loss(1)
    line.last_resort.look(0.0)
    line.last_resort.look(100.0)
    assert codes == []  # it hangs nowhere
    with line.last_resort.watched():
        line.last_resort.look(200.0)
        line.last_resort.look(200.0 + 0.9 * GRACE)
        assert codes == []
        line.last_resort.look(200.0 + GRACE)
    assert codes == [1]
    told = "rank 1 (process 11 on left) has died or cannot be reached"
    assert capsys.readouterr().err == f"error: {told}\n  help: {SAVED}\n"


def test_a_call_that_ends_by_itself_is_let_alone():
    line, codes = link(), []
    resort = LastResort(line.pulse, line.lost, codes.append)
    with resort.watched():
        line.pulse.loss = Loss(1)
        resort.look(0.0)
    resort.look(100.0)
    with resort.watched():
        resort.look(200.0)
        resort.look(200.0 + GRACE / 2)
    assert codes == []


class Work:
    """What torch.distributed gives for a collective that has been begun."""

    def __init__(self, questions, error=None):
        self.questions, self.error, self.waits = questions, error, 0

    def is_completed(self):
        self.questions -= 1
        return self.questions < 0

    def wait(self):
        self.waits += 1
        if self.error:
            raise self.error


def test_numbers_of_a_gpu_are_asked_for_and_waited_for_once_they_are_there():
    work = Work(5)
    assert NcclPending(work).come(60)
    assert work.waits == 1
    never = Work(10**9)
    assert not NcclPending(never).come(0.01)
    assert never.waits == 0  # a wait with a limit of time would break the communicator
    with pytest.raises(RuntimeError, match="remote process exited"):
        NcclPending(Work(0, RuntimeError("remote process exited"))).come(60)


def test_gpus_are_joined_once_and_what_nccl_says_becomes_a_sentence(monkeypatch):
    class Refusing(Hanging):
        def begin(self, rows, own):
            raise RuntimeError("unhandled system error\nnccl 2.27")

    class Answering(Hanging):
        def come(self, seconds):
            return True

    made = []
    monkeypatch.setattr(Nccl, "connect", lambda: made.append(offered) or offered)
    offered, line, cpu = Refusing(), link(), torch.device("cpu")
    line.exchanges = {}
    with pytest.raises(TrainingError) as found:
        line.join_gpus(cpu)
    assert str(found.value) == (
        "NCCL could not join the GPU of rank 0 to the others: unhandled system error\n"
        "  help: NCCL_DEBUG=INFO shows why; --device cpu trains without GPUs"
    )
    assert not line.carries(cpu)
    line.last_resort.stop()
    offered, line = Answering(), link()
    line.exchanges = {}
    line.join_gpus(cpu)
    line.join_gpus(cpu)
    line.last_resort.stop()
    assert line.carries(cpu)
    assert len(made) == 2  # one for each of the two links


def test_nccl_is_asked_for_as_pytorch_wants_it(monkeypatch):
    """Up to the call: PyTorch's own watch is off, tensors are given as they are, an abort is of that group alone."""
    monkeypatch.delenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", raising=False)
    asked, aborted = [], []
    monkeypatch.setattr(exchange.dist, "new_group", lambda **given: asked.append(given) or "the group")
    monkeypatch.setattr(exchange.dist.distributed_c10d, "_abort_process_group", aborted.append)
    monkeypatch.setattr(exchange.dist, "all_gather", lambda *given, **how: asked.append((given, how)) or Work(0))
    nccl = Nccl.connect()
    assert asked.pop() == {"backend": "nccl", "timeout": exchange.LONG}
    assert exchange.os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] == "0"
    own, rows = torch.zeros(3, dtype=torch.uint8), torch.zeros(2, 3, dtype=torch.uint8)
    assert nccl.begin(rows, own).come(60)
    (into, given, group), how = asked.pop()
    assert [row.data_ptr() for row in into] == [rows[0].data_ptr(), rows[1].data_ptr()]
    assert (given is own, group) == (True, "the group")
    assert how == {"async_op": True}
    line = link()
    line.exchanges["cuda"] = nccl
    nccl.abort()
    line.abort()  # as at the end of a process that has failed
    assert aborted == ["the group"]  # PyTorch refuses to do it twice


NEEDS = pytest.mark.skipif(
    not (torch.cuda.is_available() and dist.is_nccl_available()), reason="needs a CUDA device and NCCL"
)


@pytest.mark.parametrize(
    ("backend", "device"), [("gloo", "cpu"), pytest.param("nccl", "cuda", marks=[pytest.mark.gpu, NEEDS])]
)
def test_an_exchange_is_begun_comes_and_is_given_up(backend, device, monkeypatch):
    """By one rank, for there is one card at most: each call of PyTorch is made as two ranks would make it."""
    monkeypatch.delenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", raising=False)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        nccl = Nccl.connect() if backend == "nccl" else Nccl(dist.new_group(backend=backend))
        own = torch.arange(5, dtype=torch.uint8, device=device)
        rows = torch.zeros(1, 5, dtype=torch.uint8, device=device)
        if device == "cuda":
            nccl.ready(own)
            assert Card.of(own.device).uuid
        assert nccl.begin(rows, own).come(60)
        assert rows.tolist() == [own.tolist()]
        nccl.abort()
    finally:
        dist.destroy_process_group()
