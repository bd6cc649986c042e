"""The texts of the zoo's programs do not change unawares: what is compiled for a net, whatever CPU runs this test.

A hash may change where a way, a phase or the plan of memory is changed on purpose: then say why in the commit, and
print the new ones with ``python -m tests.engine.test_jit_texts``.
"""

import hashlib
from itertools import combinations
from math import prod

import pytest

from convscope.engine.jit.block import Learning
from convscope.engine.jit.graph import graph
from convscope.engine.jit.ir.kernel import Kernel
from convscope.engine.jit.machine.host import GENERIC, Machine
from convscope.engine.jit.optimizers import Rule
from convscope.engine.jit.program import Program
from convscope.net.build import build
from convscope.net.zoo import ZOO, resolve

NETS = ("note", "lenet5", "tiny-vgg", "mlp")
ISAS = ("avx512", "avx2", "sse")
USES = {
    "sgd": Learning("cross-entropy", Rule("sgd", 0.5)),
    "adam": Learning("mse", Rule("adam", weight_decay=0.01)),
    "predict": None,
    "one image": None,
}
TEXTS = {
    "note, avx512, sgd": "23953e6c28892693",
    "note, avx512, adam": "80dc5d63fdabf23a",
    "note, avx512, predict": "319225dfe4bfde38",
    "note, avx512, one image": "0e6456ee690bb344",
    "note, avx2, sgd": "8740f238a64a50a4",
    "note, avx2, adam": "e58e53fb1dcfca2b",
    "note, avx2, predict": "04c01cdc555ba058",
    "note, avx2, one image": "7393fe7cd071898e",
    "note, sse, sgd": "c3305be08d004dbd",
    "note, sse, adam": "6bd5c7ddcaef3079",
    "note, sse, predict": "273f2f0c62ba8a10",
    "note, sse, one image": "7393fe7cd071898e",
    "lenet5, avx512, sgd": "66a7b5470a309c7a",
    "lenet5, avx512, adam": "fa10d9e579c28339",
    "lenet5, avx512, predict": "66599bfeb318b93c",
    "lenet5, avx512, one image": "aa5d40f6cf179f53",
    "lenet5, avx2, sgd": "6ff142826e23920b",
    "lenet5, avx2, adam": "1ada5eb47a84e59b",
    "lenet5, avx2, predict": "f07f73e6945bc5f5",
    "lenet5, avx2, one image": "a7923fb3b2641cf4",
    "lenet5, sse, sgd": "9ab646b6288166cd",
    "lenet5, sse, adam": "a112612c0805e699",
    "lenet5, sse, predict": "9b5a08817fa91f6d",
    "lenet5, sse, one image": "a7923fb3b2641cf4",
    "tiny-vgg, avx512, sgd": "97f7d27ad7e7d2c2",
    "tiny-vgg, avx512, adam": "154e35f8b7ee0d95",
    "tiny-vgg, avx512, predict": "6de3db458bd4dfa4",
    "tiny-vgg, avx512, one image": "3b7a18e2b07d2217",
    "tiny-vgg, avx2, sgd": "09f5b9f7fce6c2c4",
    "tiny-vgg, avx2, adam": "b6aee039daefd371",
    "tiny-vgg, avx2, predict": "1f9e7dfb0fedb9c9",
    "tiny-vgg, avx2, one image": "3477c87cc2cbb02f",
    "tiny-vgg, sse, sgd": "0890d4dbb3e2e737",
    "tiny-vgg, sse, adam": "b57e57f537a37dc2",
    "tiny-vgg, sse, predict": "c3ffb02a8a08b295",
    "tiny-vgg, sse, one image": "3477c87cc2cbb02f",
    "mlp, avx512, sgd": "12189d876a241f08",
    "mlp, avx512, adam": "6724c83c46871a2b",
    "mlp, avx512, predict": "76be49b45584fe60",
    "mlp, avx512, one image": "43cb5ad929601917",
    "mlp, avx2, sgd": "33675f2c33d9163f",
    "mlp, avx2, adam": "b89b63ba3130a79f",
    "mlp, avx2, predict": "899e874865372f65",
    "mlp, avx2, one image": "dfc7c91652a4d3cf",
    "mlp, sse, sgd": "81aa3d73b8e4b30c",
    "mlp, sse, adam": "6e712aec670d139e",
    "mlp, sse, predict": "308cb6a150ecceb0",
    "mlp, sse, one image": "dfc7c91652a4d3cf",
}


def program(net: str, isa: str, use: str) -> Program:
    """The program as any machine writes it."""
    image = ZOO[net].image
    host = Machine(isa, GENERIC[isa], "")
    found = graph(build(resolve(net), image, 10), image, USES[use] is not None)
    largest = max(prod(shape) for node in found for shape in (*node.shapes, node.output))
    lanes = host.alone() if use == "one image" else host.lanes(32, largest)
    return Program(found, lanes, [0.01] * image[0], [-0.3] * image[0], USES[use], host.pause)


def digest(net: str, isa: str, use: str) -> str:
    return hashlib.sha256(program(net, isa, use).text.encode()).hexdigest()


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("use", USES)
def test_the_programs_text_is_as_it_was(net, isa, use):
    assert digest(net, isa, use)[:16] == TEXTS[f"{net}, {isa}, {use}"]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("use", USES)
def test_a_block_takes_hardly_more_memory_than_what_is_alive_at_once(net, use):
    """No plan takes less than the most that is needed at one time; kernels touch an array from first to last use."""
    made = program(net, "avx2", use)
    kernels = [f for f in made.module.functions if isinstance(f, Kernel)]
    once = {number for f in kernels if f.word in ("weights", "finish") for number in f.rooms}
    shared = {n: r.size for f in kernels for n, r in f.rooms.items() if n in once or r.zeros or r.keep}
    times: dict[int, list[int]] = {}
    block = [f for f in kernels if f.word not in ("weights", "finish")]
    for time, kernel in enumerate(block):
        for number in kernel.rooms.keys() - shared.keys():
            times.setdefault(number, []).append(time)
    rooms = made.module.rooms
    alive = [sum(rooms[n].size for n, uses in times.items() if min(uses) <= t <= max(uses)) for t in range(len(block))]
    assert made.plan.size <= 1.03 * (made.header.size + sum(shared.values()) + max(alive))


def test_no_two_arrays_that_are_needed_at_once_overlap():
    made = program("lenet5", "avx2", "sgd")
    block = [f for f in made.module.functions if isinstance(f, Kernel) and f.word not in ("weights", "finish")]
    spans: dict[int, list[int]] = {}
    for time, kernel in enumerate(block):
        for number in kernel.rooms:
            spans.setdefault(number, []).append(time)
    rooms = made.module.rooms
    for (a, mine), (b, theirs) in combinations(spans.items(), 2):
        together = min(mine) <= max(theirs) and min(theirs) <= max(mine)
        apart = rooms[a].offset + rooms[a].size <= rooms[b].offset or rooms[b].offset + rooms[b].size <= rooms[a].offset
        assert apart or not together


if __name__ == "__main__":
    for net in NETS:
        for isa in ISAS:
            for use in USES:
                print(f'    "{net}, {isa}, {use}": "{digest(net, isa, use)[:16]}",')
