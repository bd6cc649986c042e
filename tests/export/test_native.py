"""Object files: the engine's own bits on this machine, the right kind of code for every other, and a loader."""

import importlib
import io
import shutil
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from convscope.engine.jit import JitPredictor, why_not
from convscope.engine.jit.standalone import TARGETS
from convscope.errors import UsageError
from convscope.export.c.compiler import FLAGS
from convscope.export.native.objects import Loaded, compiled, here
from convscope.export.native.package import package
from convscope.export.subject import Subject
from convscope.net.model import Model
from convscope.runs.predict import scores_of
from tests.export.models import model_of, random_models
from tests.helpers import FULL

CLASSES = ('it\'s "x"', "猫\n", "back\\slash")
MACHINES = {"x86-64-avx512": 62, "x86-64-avx2": 62, "aarch64": 183, "armv7": 40}  # e_machine of ELF
NET = "conv 4 3 padding=1 | batchnorm | relu | pool 2 | [ conv 4 1 ]+ | flatten | linear"

needs_target = pytest.mark.skipif(here() is None, reason="no object file is for this processor")


def images_of(model, count=5):
    return np.random.default_rng(0).integers(0, 256, (count, *model.image), dtype=np.uint8)


def channels_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


@needs_target
def test_random_nets_give_the_engines_bits_and_pytorchs_probabilities():
    target, count = here(), 50 if FULL else 20
    covered = [model for model in random_models() if why_not(model.net) is None][:count]
    assert len(covered) == count
    for number, model in enumerate(covered):
        subject, images = Subject(model, f"net-{number}"), images_of(model)
        net = Loaded(compiled(subject, [target])[target], subject.identifier, target)
        got = net.run("predict", channels_last(images), len(model.classes))
        assert np.abs(got - scores_of(model, images)).max() <= 1e-5, model.spec
        engine = JitPredictor(model.net, model.image, model.mean, model.std, isa=TARGETS[target].isa)
        want = np.concatenate([engine.logits(torch.from_numpy(image[None])).numpy() for image in images])
        assert np.array_equal(net.run("scores", channels_last(images), len(model.classes)), want), model.spec


@pytest.fixture(scope="module")
def packed():
    """A colour net and the content of its .zip."""
    model = model_of(NET, (3, 8, 9), CLASSES)
    return model, package(Subject(model, "Odd net", {"licence": "MIT"}))


def test_every_object_file_is_for_its_processor(packed):
    with zipfile.ZipFile(io.BytesIO(packed[1])) as archive:
        assert archive.namelist() == ["odd_net.h", "odd_net.py", *(f"odd_net-{name}.o" for name in TARGETS)]
        for name in TARGETS:
            head = archive.read(f"odd_net-{name}.o")[:20]
            assert head[:4] == b"\x7fELF"
            assert struct.unpack("<H", head[18:20])[0] == MACHINES[name]
    assert package(Subject(packed[0], "Odd net", {"licence": "MIT"})) == packed[1]


MAIN = """#include <stdio.h>
#include "odd_net.h"
int main(void)
{
    static uint8_t image[ODD_NET_HEIGHT * ODD_NET_WIDTH * ODD_NET_CHANNELS];
    static float p[ODD_NET_CLASSES];
    int k;
    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        odd_net_predict(image, p);
        for (k = 0; k < ODD_NET_CLASSES; k++) printf("%.9g ", (double)p[k]);
    }
    for (k = 0; k < ODD_NET_CLASSES; k++) printf("%s|", odd_net_classes[k]);
    return 0;
}
"""
HOSTS = {"x86-64-avx512": ("gcc", ""), "x86-64-avx2": ("gcc", ""), "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
         "armv7": ("arm-linux-gnueabihf-gcc", "qemu-arm")}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_a_c_program_that_links_it_answers_as_pytorch_does(packed, tmp_path, target):
    cc, emulator = HOSTS[target]
    for tool in (cc, emulator):
        if tool and shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    if not emulator and here() not in ("x86-64-avx512", target):
        pytest.skip(f"this processor does not run {target}")
    model, content = packed
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    command = [cc, *FLAGS, "main.c", f"odd_net-{target}.o", "-o", "main"]
    subprocess.run([*command, "-static"] if emulator else command, cwd=tmp_path, check=True)
    images = images_of(model)
    run = [emulator, "./main"] if emulator else ["./main"]
    done = subprocess.run(run, cwd=tmp_path, input=channels_last(images).tobytes(), capture_output=True, check=True)
    *numbers, names = done.stdout.decode().split(" ", 15)
    assert names == "|".join(CLASSES) + "|"
    assert np.abs(np.array(numbers, float).reshape(5, 3) - scores_of(model, images)).max() <= 1e-5


@needs_target
def test_the_loader_answers_without_torch(packed, tmp_path):
    model, content = packed
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    images = images_of(model)
    np.save(tmp_path / "images.npy", channels_last(images))
    script = (
        "import sys, numpy as np; from odd_net import classes, predict; "
        "assert 'torch' not in sys.modules and 'convscope' not in sys.modules; "
        "np.save('p.npy', [predict(image) for image in np.load('images.npy')]); print(ascii(classes))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii(CLASSES)
    assert np.abs(np.load(tmp_path / "p.npy") - scores_of(model, images)).max() <= 1e-5


@needs_target
def test_the_loader_refuses_what_is_no_such_image(packed, tmp_path, monkeypatch):
    model, content = packed
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    predict = importlib.import_module("odd_net").predict
    image = channels_last(images_of(model, 1))[0]
    for bad, kind in ((image / 255, "float64"), (image.astype(int) + 256, "int64"), (None, "object"), ("x", "<U1")):
        with pytest.raises(TypeError, match=f"expected an image of uint8 from 0 to 255, not of {kind}"):
            predict(bad)
    for bad in (image.transpose(2, 0, 1), image.transpose(1, 0, 2), image[None], image.ravel()):
        with pytest.raises(ValueError, match=r"expected an image \(H, W, C\) of shape \(8, 9, 3\), not \("):
            predict(bad)
    assert np.array_equal(predict(image[:, ::-1]), predict(image[:, ::-1].copy()))


@needs_target
def test_a_net_without_probabilities_gives_its_scores():
    model = model_of("flatten | linear", (1, 4, 4))
    model = Model(model.net, model.spec, model.image, model.mean, model.std, model.classes, model.stored, "mse")
    target = here()
    net = Loaded(compiled(Subject(model, "net"), [target])[target], "net", target)
    images = images_of(model)
    assert np.abs(net.run("predict", channels_last(images), 3) - scores_of(model, images)).max() <= 1e-5


def test_a_layer_that_the_engine_does_not_cover_is_told(monkeypatch):
    monkeypatch.setattr("convscope.export.native.objects.why_not", lambda _: "conv1: it pads with 'magic'")
    with pytest.raises(UsageError, match="the CPU engine does not compute conv1: it pads with 'magic'") as told:
        compiled(Subject(model_of("conv 2 3 | relu | flatten | linear"), "net"))
    assert told.value.help == "take another format: onnx, html or c"
