"""The C header computes what PyTorch computes, compiles without a warning, and survives any class name."""

import re
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.export.c.compiler import Job, answers, compiler
from convscope.export.c.header import header
from convscope.export.c.text import comment, string
from convscope.export.memory import plan
from convscope.export.program import program
from convscope.export.subject import Subject
from convscope.net.zoo import ZOO
from convscope.runs.predict import scores_of
from tests.export.models import SMALL, model_of, models, random_models

needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")
CLASSES = ("0", 'it\'s "x"', "</script>", "猫", "🙂", "line\nbreak", "back\\slash", "what??/ no", "*/ /*", "%s\t0")


def compare(found):
    """Every model's header, compiled into one program, against its net on three random images."""
    jobs, wanted = [], []
    for number, model in enumerate(found):
        images = np.random.default_rng(number).integers(0, 256, (3, *model.image), dtype=np.uint8)
        subject = Subject(model, f"net-{number}", {"verified": "yes"})
        jobs.append(Job(subject.identifier, header(subject), len(model.classes), images.transpose(0, 2, 3, 1).copy()))
        wanted.append(scores_of(model, images))
    for job, got, want in zip(jobs, answers(jobs)[0], wanted, strict=True):
        assert np.abs(got - want).max() <= 1e-5, job.identifier


@needs_compiler
def test_random_nets_answer_as_pytorch_does():
    found = random_models()
    assert len(found) >= 50
    compare(found)


@needs_compiler
def test_the_zoo_answers_as_pytorch_does():
    compare([model_of(ZOO[name].spec, ZOO[name].image, CLASSES) for name in SMALL])


@given(models())
def test_what_lives_at_the_same_time_never_shares_memory(model):
    """The program is run with the plan's places in one arena: every step finds its inputs as they were written."""
    from math import prod

    from convscope.export.reference import compute

    found = program(model)
    laid = plan(found)
    arena = np.full(laid.floats, np.nan)
    image = np.random.default_rng(0).normal(size=found.image)
    arena[laid.places["image"] :][: image.size] = image.ravel()
    kept = {"image": image}
    for step in found.steps:
        inputs = []
        for name, shape in zip(step.inputs, step.shapes, strict=True):
            value = arena[laid.places[name] :][: prod(shape)].reshape(shape)
            assert np.array_equal(value, kept[name].reshape(shape)), f"{name} is gone before {step.name}"
            inputs.append(value.copy())
        kept[step.name] = made = compute(step, inputs)
        arena[laid.places[step.name] :][: made.size] = made.ravel()
    assert laid.floats <= prod(found.image) + sum(prod(step.output) for step in found.steps)


@given(st.text())
def test_any_text_is_a_c_string_and_can_be_in_a_comment(text):
    written = string(text)
    assert written.isascii()
    assert "??" not in written
    parts = re.findall(r'"((?:[^"\\]|\\[0-7]{3}|\\["\\?])*)"', written)
    assert " ".join(f'"{part}"' for part in parts) == written
    inside = comment(text)
    assert not {"*/", "/*", "??", "\n", "\\"} & {inside[i : i + n] for i in range(len(inside)) for n in (1, 2)}


@needs_compiler
@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_reads_a_picture_and_prints_every_class(tmp_path, channels):
    model = model_of("conv 2 3 | relu | flatten | linear", (channels, 8, 9), CLASSES)
    subject = Subject(model, "9 odd-Net")
    (tmp_path / "net.h").write_text(header(subject))
    build = [
        "gcc",
        "-std=c99",
        "-pedantic",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-x",
        "c",
        f"-D{subject.identifier.upper()}_MAIN",
    ]
    subprocess.run([*build, "net.h", "-lm", "-o", "net"], cwd=tmp_path, check=True)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9) if channels == 1 else (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.ppm")
    done = subprocess.run([tmp_path / "net", "a.ppm"], cwd=tmp_path, capture_output=True, check=True)
    lines = done.stdout.decode()
    want = scores_of(model, pixels[None, None] if channels == 1 else pixels.transpose(2, 0, 1)[None])[0]
    assert lines == "".join(f"{p:.6f}  {name}\n" for p, name in zip(want, CLASSES, strict=True))
    Image.fromarray(pixels[1:]).save(tmp_path / "small.ppm")
    done = subprocess.run([tmp_path / "net", "small.ppm"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 3
    assert b"of 9 x 8 pixels" in done.stderr
    assert subprocess.run([tmp_path / "net"], capture_output=True).returncode == 2
    done = subprocess.run([tmp_path / "net", "none.ppm"], capture_output=True)
    assert (done.returncode, done.stderr) == (3, b"cannot open none.ppm\n")


@needs_compiler
def test_it_can_be_included_twice_and_from_cpp(tmp_path):
    (tmp_path / "net.h").write_text(header(Subject(model_of("flatten | linear", (1, 4, 4)), "net")))
    (tmp_path / "net.c").write_text('#define NET_IMPLEMENTATION\n#include "net.h"\n')
    (tmp_path / "main.c").write_text('#include "net.h"\n#include "net.h"\nint main(void) { return NET_CLASSES - 3; }\n')
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "net.c", "main.c", "-lm", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_it_states_its_memory_sizes_and_facts():
    model = model_of("conv 4 3 | relu | pool 2 | flatten | linear", (1, 8, 8))
    text = header(Subject(model, "net", {"licence": "MIT */ int x;"}))
    for line in ("NET_HEIGHT 8", "NET_WIDTH 8", "NET_CHANNELS 1", "NET_CLASSES 3"):
        assert f"#define {line}\n" in text
    assert "#define NET_ARENA_BYTES 832 " in text  # conv 4·6·6 in place of relu, beside the image's 64: 144 + 64 floats
    assert "licence: MIT * / int x;" in text
    assert "malloc" not in text.replace("no malloc", "")
