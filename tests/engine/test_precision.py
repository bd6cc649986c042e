"""Which numbers a net is computed in, by device and net; the device itself is not needed to know."""

import copy

import pytest
import torch

from convscope import job
from convscope.data.batches import Normalize
from convscope.engine.base import Problem
from convscope.engine.choose import choose
from convscope.engine.eager import EagerEngine
from convscope.engine.precision import Chip, chosen, is_wide
from convscope.errors import DataError, Interrupted, UsageError
from convscope.net.build import build
from convscope.net.model import load_tensors, save_tensors
from convscope.net.zoo import resolve
from convscope.runs import folder as runs

from ..helpers import small_data
from ..test_job import equal, finish, interrupt_at, recipe, weights

CPU = torch.device("cpu")
NOTE, WIDE = (
    build(resolve(name), shape, 10, seed=0) for name, shape in (("note", (1, 28, 28)), ("fast94", (3, 32, 32)))
)
VOLTA, AMPERE, HOPPER = (Chip("cuda", capability) for capability in ((7, 0), (8, 0), (9, 0)))


@pytest.mark.parametrize(
    ("chip", "narrow", "wide"),
    [
        (Chip("cpu"), "fp32", "fp32"),
        (Chip("mps"), "fp32", "fp32"),
        (Chip("cuda", (6, 1)), "fp32", "fp32"),
        (VOLTA, "fp32", "fp16"),
        (Chip("cuda", (7, 5)), "fp32", "fp16"),
        (AMPERE, "tf32", "bf16"),
        (HOPPER, "tf32", "bf16"),
    ],
    ids=str,
)
def test_auto_takes_fewer_bits_where_matrix_units_multiply_them(chip, narrow, wide):
    assert chosen("auto", chip, NOTE).name == narrow
    assert chosen("auto", chip, WIDE).name == wide


@pytest.mark.parametrize(
    ("name", "chip", "text"),
    [
        ("tf32", Chip("cpu"), "--precision tf32 needs a CUDA device, but the device is cpu"),
        (
            "tf32",
            VOLTA,
            "--precision tf32 needs a CUDA device of compute capability 8.0 or later, but the device is cuda",
        ),
        ("bf16", VOLTA, "but the device is cuda of compute capability 7.0"),
        ("fp16", Chip("mps"), "--precision fp16 needs the CPU or a CUDA device, but the device is mps"),
    ],
    ids=["cpu", "volta-tf32", "volta-bf16", "mps"],
)
def test_a_precision_that_a_device_lacks_is_refused(name, chip, text):
    with pytest.raises(UsageError) as caught:
        chosen(name, chip, NOTE)
    assert text in caught.value.message
    assert caught.value.help == "use --precision auto"


def test_wide_nets_have_layers_of_many_channels_on_both_sides():
    assert [is_wide(net) for net in (NOTE, WIDE)] == [False, True]
    depthwise = build(resolve("conv 256 3 groups=4 | globalavg | flatten | linear"), (64, 8, 8), 10, seed=0)
    assert not is_wide(depthwise)


def problem(**choices):
    data = small_data(shape=(1, 8, 8))
    net = build(resolve("conv 8 3 | relu | pool 2 | linear"), (1, 8, 8), 3, seed=5)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    return Problem(net, images, labels, data.mean, data.std, **choices)


@pytest.mark.parametrize(("name", "bits"), [("bf16", 8), ("fp16", 11)])
def test_16_bits_are_near_float32_and_weights_stay_float32(name, bits):
    whole, half = (EagerEngine(problem(precision=precision), CPU) for precision in ("fp32", name))
    seen = []
    handle = half.net[0].register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    losses = [engine.steps(torch.arange(60), 20, [0.1] * 3) for engine in (whole, half)]
    handle.remove()
    assert set(seen) == {{"bf16": torch.bfloat16, "fp16": torch.float16}[name]}
    assert {parameter.dtype for parameter in half.net.parameters()} == {torch.float32}
    assert not torch.equal(*losses)
    torch.testing.assert_close(losses[1], losses[0], rtol=4 * 2.0**-bits, atol=0)
    expected = half.net(Normalize(half.problem.mean, half.problem.std)(half.images[:8]))
    torch.testing.assert_close(half.logits(half.images[:8]), expected.detach())  # scores are float32


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_run_in_16_bits_resumes_to_the_same_bits(tmp_path, name, optimizer):
    chosen = recipe(precision=name, optimizer=optimizer, epochs=3)
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), step=13)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, small_data()))), weights(whole))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"engine/loss_scale": None}, "engine tensors loss_scale and loss_scale_steps do not go together"),
        ({"engine/loss_scale": torch.tensor(float("nan"))}, "engine/loss_scale cannot be nan"),
        ({"engine/loss_scale_steps": torch.tensor(-1.0)}, "engine/loss_scale_steps cannot be -1.0"),
        ({"engine/loss_scale": torch.zeros(2)}, r"engine/loss_scale is torch.float32 \(2,\)"),
    ],
    ids=["missing", "nan", "negative", "shape"],
)
def test_a_loss_scale_that_cannot_be_is_refused(tmp_path, changed, message):
    folder = finish(job.start(recipe(precision="fp16", epochs=1), small_data(), tmp_path))
    tensors, metadata = load_tensors(folder.path / "resume.safetensors")
    tensors = {name: value for name, value in (tensors | changed).items() if value is not None}
    save_tensors(folder.path / "resume.safetensors", tensors, metadata)
    with pytest.raises(DataError, match=message):
        list(job.resume(folder, small_data(), epochs=2))


def test_the_jit_engine_leaves_16_bits_to_pytorch_and_says_so():
    engine, notes = choose("auto", problem(precision="bf16"), CPU, 1, 20)
    assert (engine.name, notes) == ("eager", ("PyTorch trains this net: the jit engine has no bf16",))
    with pytest.raises(UsageError) as caught:
        choose("jit", problem(precision="bf16"), CPU, 1, 20)
    assert caught.value.message == "the jit engine computes in fp32, not in bf16"
    assert choose("auto", problem(precision="fp32"), CPU, 1, 20)[0].name == "jit"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("name", "least", "most"), [("fp32", 0, 2e-6), ("tf32", 2e-5, 2e-3), ("bf16", 2e-4, 2e-2)])
def test_convolutions_on_the_gpu_round_as_their_precision_says(name, least, most):
    """The relative error of a wide convolution's gradient, against float64."""
    torch.manual_seed(0)
    net = build(
        resolve("conv 64 3 padding=1 | conv 64 3 padding=1 | globalavg | flatten | linear"), (3, 16, 16), 10, seed=0
    )
    given = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8)
    labels = torch.arange(64) % 10
    exact = copy.deepcopy(net).double()
    x = given.double() / 255
    torch.nn.functional.cross_entropy(exact(x), labels).backward()
    p = Problem(copy.deepcopy(net), given, labels, (0.0,) * 3, (1.0,) * 3, momentum=0.0, precision=name)
    engine = EagerEngine(p, torch.device("cuda"))
    engine.steps(torch.arange(64), 64, [0.0])
    found, wanted = engine.net.conv2.weight.grad.cpu().double(), exact.conv2.weight.grad
    error = float((found - wanted).norm() / wanted.norm())
    assert least <= error <= most, error
