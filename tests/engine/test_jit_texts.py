"""The texts of the zoo's programs do not change unawares: what is compiled for a net, whatever CPU runs this test.

A hash may change where a way, a phase or the plan of memory is changed on purpose: then say why in the commit, and
print the new ones with ``python -m tests.engine.test_jit_texts``.
"""

import hashlib
from math import prod

import pytest

from convscope.engine.jit.kernels import Learning
from convscope.engine.jit.machine import GENERIC, Machine
from convscope.engine.jit.optimizers import Rule
from convscope.engine.jit.program import Program
from convscope.engine.jit.stages import stages
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
    "note, avx512, sgd": "829893e19fd8513e",
    "note, avx512, adam": "1c00cd51f1c774ca",
    "note, avx512, predict": "1b4893e5837a1ff6",
    "note, avx512, one image": "579768a080021684",
    "note, avx2, sgd": "43534732e0cc1b68",
    "note, avx2, adam": "b5aecc785a6334c7",
    "note, avx2, predict": "56d46876283afe3f",
    "note, avx2, one image": "1786eb7f1937e5f7",
    "note, sse, sgd": "cbe012c52051865c",
    "note, sse, adam": "760ff13a42cb74f0",
    "note, sse, predict": "b1d47cf7badec4d3",
    "note, sse, one image": "1786eb7f1937e5f7",
    "lenet5, avx512, sgd": "7ca3bd7b67365bf9",
    "lenet5, avx512, adam": "1aae0157f5e15598",
    "lenet5, avx512, predict": "2800dd728e77ea4e",
    "lenet5, avx512, one image": "91ca292d3db3c77a",
    "lenet5, avx2, sgd": "9a1fc0b2085e917f",
    "lenet5, avx2, adam": "c73f7aceed35ff53",
    "lenet5, avx2, predict": "794e2603576b90a7",
    "lenet5, avx2, one image": "2eedbbd621822342",
    "lenet5, sse, sgd": "4e85cf2e1ddf5da4",
    "lenet5, sse, adam": "8030e4bbbe525d6f",
    "lenet5, sse, predict": "464868bf407ac91a",
    "lenet5, sse, one image": "2eedbbd621822342",
    "tiny-vgg, avx512, sgd": "7b63d03864921435",
    "tiny-vgg, avx512, adam": "2675dff8d49fd231",
    "tiny-vgg, avx512, predict": "6b22c7a2da36c234",
    "tiny-vgg, avx512, one image": "fa47fe39996d4a94",
    "tiny-vgg, avx2, sgd": "b9efeb1aba01b6e0",
    "tiny-vgg, avx2, adam": "20ce74112ba8d76c",
    "tiny-vgg, avx2, predict": "5b09432c483a767a",
    "tiny-vgg, avx2, one image": "0b27cca7891f274c",
    "tiny-vgg, sse, sgd": "d6d7969b99625c91",
    "tiny-vgg, sse, adam": "a95a919a974f051f",
    "tiny-vgg, sse, predict": "5561ed247fa6dcef",
    "tiny-vgg, sse, one image": "0b27cca7891f274c",
    "mlp, avx512, sgd": "8af0e183327e47c3",
    "mlp, avx512, adam": "a43f6558c1737c42",
    "mlp, avx512, predict": "bb018f0a4a954707",
    "mlp, avx512, one image": "eba6ed7b44bbc51b",
    "mlp, avx2, sgd": "ad610d5ae36e6e25",
    "mlp, avx2, adam": "9bb4a54ec25b151a",
    "mlp, avx2, predict": "3e3fd9ea14ce0f12",
    "mlp, avx2, one image": "2b9c650e2de61af1",
    "mlp, sse, sgd": "acd59a207b00ac63",
    "mlp, sse, adam": "41f5cb43e35dbca1",
    "mlp, sse, predict": "20d73a3d3146b95a",
    "mlp, sse, one image": "2b9c650e2de61af1",
}


def text(net: str, isa: str, use: str) -> str:
    """The program's text, as any machine writes it."""
    image = ZOO[net].image
    host = Machine(isa, GENERIC[isa], "")
    found = stages(build(resolve(net), image, 10), image)
    largest = max(prod(shape) for s in found for shape in (s.input, s.output))
    lanes = host.alone() if use == "one image" else host.lanes(32, largest)
    return Program(found, lanes, [0.01] * image[0], [-0.3] * image[0], USES[use], host.pause).text


def digest(net: str, isa: str, use: str) -> str:
    return hashlib.sha256(text(net, isa, use).encode()).hexdigest()


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("use", USES)
def test_the_programs_text_is_as_it_was(net, isa, use):
    assert digest(net, isa, use)[:16] == TEXTS[f"{net}, {isa}, {use}"]


if __name__ == "__main__":
    for net in NETS:
        for isa in ISAS:
            for use in USES:
                print(f'    "{net}, {isa}, {use}": "{digest(net, isa, use)[:16]}",')
