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
    "note, avx512, sgd": "de65715946a50d95",
    "note, avx512, adam": "81040a58a082419d",
    "note, avx512, predict": "b348e9f9d684dfbc",
    "note, avx512, one image": "2cd7a8d49ae7e18e",
    "note, avx2, sgd": "d814306b3543d818",
    "note, avx2, adam": "1eb2352941d72d7c",
    "note, avx2, predict": "25f2ec584197a501",
    "note, avx2, one image": "0d12185ad5760c18",
    "note, sse, sgd": "dbe2cf2c62179534",
    "note, sse, adam": "a2acf1228007282b",
    "note, sse, predict": "c68febdd6388ae06",
    "note, sse, one image": "0d12185ad5760c18",
    "lenet5, avx512, sgd": "bc378c0552f4f830",
    "lenet5, avx512, adam": "fd26de5439688aba",
    "lenet5, avx512, predict": "7c36d13fc532cc79",
    "lenet5, avx512, one image": "0325faa2f6c83355",
    "lenet5, avx2, sgd": "caa161fa1a8aebbf",
    "lenet5, avx2, adam": "528aaf6ae1f1f049",
    "lenet5, avx2, predict": "6a95daf5e724e27e",
    "lenet5, avx2, one image": "c38470eadfc95a8b",
    "lenet5, sse, sgd": "1b06bef97eb7491a",
    "lenet5, sse, adam": "de187ea66013a0a0",
    "lenet5, sse, predict": "3c03982563c239eb",
    "lenet5, sse, one image": "c38470eadfc95a8b",
    "tiny-vgg, avx512, sgd": "96f5ddea093a4a52",
    "tiny-vgg, avx512, adam": "98696009c82e463e",
    "tiny-vgg, avx512, predict": "a70b88951e4c1fc5",
    "tiny-vgg, avx512, one image": "f1f4073a23d1772d",
    "tiny-vgg, avx2, sgd": "6042372d5ca87b62",
    "tiny-vgg, avx2, adam": "ac84ea576c151bba",
    "tiny-vgg, avx2, predict": "a96dc3ec37d6fef9",
    "tiny-vgg, avx2, one image": "1729b803e25578c6",
    "tiny-vgg, sse, sgd": "8be6363026fa8760",
    "tiny-vgg, sse, adam": "b474dc507891642c",
    "tiny-vgg, sse, predict": "be44fdb9a114e423",
    "tiny-vgg, sse, one image": "1729b803e25578c6",
    "mlp, avx512, sgd": "729e4335b91fab80",
    "mlp, avx512, adam": "17f06a3f6ae217df",
    "mlp, avx512, predict": "77990eeb41435f66",
    "mlp, avx512, one image": "7e057c5ee47a24ff",
    "mlp, avx2, sgd": "921bb1347535362a",
    "mlp, avx2, adam": "119b5a48f7f5ac46",
    "mlp, avx2, predict": "a4436b24a9a965fd",
    "mlp, avx2, one image": "d05ab4b4c3bfb55d",
    "mlp, sse, sgd": "140f4dbaab10af5b",
    "mlp, sse, adam": "4780cd077fa4d276",
    "mlp, sse, predict": "b44a41f0b9787eb1",
    "mlp, sse, one image": "d05ab4b4c3bfb55d",
}


def program(net: str, isa: str, use: str) -> Program:
    """The program as any machine writes it."""
    image = ZOO[net].image
    host = Machine(isa, GENERIC[isa], "")
    found = graph(build(resolve(net), image, 10), image)
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
