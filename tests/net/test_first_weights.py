"""First weights other than PyTorch's own: partial identities, and filters that whiten the training images' patches."""

import pytest
import torch
import torch.nn.functional as F

from convscope import job
from convscope.data.batches import Normalize
from convscope.errors import Interrupted, UsageError
from convscope.net.build import build
from convscope.net.first.weights import initialise
from convscope.net.first.whitening import EPSILON, whitening
from convscope.net.spec import parse
from convscope.runs import folder as runs
from convscope.training.prepared import prepare

from ..helpers import small_data
from ..test_job import equal, finish, interrupt_at, recipe, weights

NET = "conv 8 2 | relu | conv 12 3 padding=1 | relu | conv 6 3 | linear"


@pytest.fixture(scope="module")
def images():
    """Smooth grey and colour pictures, so that neighbouring pixels are alike, as in photographs."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(300, 3, 5, 5, generator=generator)
    return F.interpolate(coarse, size=12, mode="bilinear") + 0.02 * torch.randn(300, 3, 12, 12, generator=generator)


def made(net: str, name: str, shape=(3, 12, 12)):
    """The net with the first weights that PyTorch gives it, and with those of ``name``."""
    pixels = torch.randint(0, 256, (40, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    usual, other = (build(parse(net), shape, 3, seed=2) for _ in range(2))
    initialise(other, name, pixels, Normalize((0.5,) * shape[0], (0.25,) * shape[0]))
    return usual, other


@pytest.mark.parametrize(("kernel", "dilation"), [((2, 2), (1, 1)), ((3, 2), (1, 2))])
def test_answers_of_whitening_filters_are_uncorrelated_and_of_the_stated_size(images, kernel, dilation):
    size = 3 * kernel[0] * kernel[1]
    filters = whitening(images, kernel, dilation, size * 2)
    assert filters.shape == (2 * size, 3, *kernel)
    answers = F.conv2d(images.double(), filters[:size].double(), dilation=dilation).transpose(0, 1).flatten(1)
    moment = answers @ answers.T / answers.shape[1]
    patches = F.unfold(images.double(), kernel, dilation).transpose(0, 1).flatten(1)
    values = torch.linalg.eigvalsh(patches @ patches.T / patches.shape[1]).flip(0)
    torch.testing.assert_close(moment, torch.diag(values / (values + EPSILON)), rtol=1e-4, atol=1e-4)


def test_the_second_half_of_the_filters_are_the_negatives_of_the_first(images):
    few, many = (whitening(images, (2, 2), (1, 1), count) for count in (7, 24))
    assert torch.equal(many[12:], -many[:12])
    assert torch.equal(few, torch.cat([many[:4], -many[:3]])), "the largest eigenvalues come first"


def test_the_first_channels_of_an_identity_are_the_input_and_the_others_stay_random():
    usual, other = made(NET, "dirac")
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(3))
    assert torch.equal(other.conv2(x)[:, :8], x)
    assert torch.equal(other.conv2.weight[8:], usual.conv2.weight[8:])
    assert torch.equal(other.conv3(x.repeat(1, 2, 1, 1)[:, :12]), x[:, :6, 1:-1, 1:-1]), "fewer outputs than inputs"
    assert not any(layer.bias.any() for layer in (other.conv1, other.conv2, other.conv3))
    assert torch.equal(other.linear1.weight, usual.linear1.weight)
    assert torch.equal(other.linear1.bias, usual.linear1.bias)


def test_by_default_the_weights_are_pytorchs():
    usual, other = made(NET, "default")
    assert all(torch.equal(a, b) for a, b in zip(usual.parameters(), other.parameters(), strict=True))


def test_convolutions_in_groups_keep_pytorchs_weights():
    usual, other = made("conv 4 3 | depthwise 3 | linear", "dirac")
    assert torch.equal(usual.depthwise1.weight, other.depthwise1.weight)
    assert torch.equal(usual.depthwise1.bias, other.depthwise1.bias)


@pytest.mark.parametrize("net", ["flatten | linear", "depthwise 3 | linear"])
@pytest.mark.parametrize("name", ["dirac", "whitened"])
def test_what_would_have_no_effect_is_refused(net, name):
    with pytest.raises(UsageError, match=f"--init {name} has no effect: the net has no convolution without groups"):
        made(net, name)


@pytest.mark.parametrize(
    ("net", "told", "advice"),
    [
        ("pool 2 | conv 4 3 | linear", "needs a net that begins with a convolution", "--init dirac"),
        ("depthwise 3 | conv 4 3 | linear", "needs a net that begins with a convolution", "--init dirac"),
        (
            "conv 25 2 | linear",
            "makes at most 24 filters of 2×2 in 3 channels, but the first convolution has 25",
            "give it 24 output channels or fewer, or a larger kernel",
        ),
        (
            "conv 4 13 padding=1 | linear",
            "takes patches from images of 12×12, which are smaller than the first convolution's kernel of 13×13",
            "take a smaller kernel, or --init dirac",
        ),
    ],
)
def test_a_net_that_cannot_be_whitened_is_refused(net, told, advice):
    with pytest.raises(UsageError, match=f"--init whitened {told}") as caught:
        made(net, "whitened")
    assert advice in caught.value.help


def test_weights_that_exist_already_are_left_alone(tmp_path):
    with pytest.raises(UsageError, match="--init dirac is for nets of convscope's own: yours has weights"):
        prepare(recipe(init="dirac"), small_data(), own=torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    with pytest.raises(UsageError, match="--init dirac does not go with a net that has learned already"):
        prepare(recipe(init="dirac", net="efficientnet-lite0"), small_data())


@pytest.mark.parametrize("engine", ["eager", "jit"])
def test_a_whitened_layer_keeps_its_filters_and_its_bias_learns(engine):
    ready = prepare(recipe(net="conv 6 2 | relu | conv 8 3 | linear", init="whitened", engine=engine), small_data())
    net = ready.engine.net
    before = {name: value.clone() for name, value in net.state_dict().items()}
    ready.engine.steps(torch.arange(16), 8, [0.1, 0.1])
    assert torch.equal(net.conv1.weight, before["conv1.weight"])
    for name in before.keys() - {"conv1.weight"}:
        assert not torch.equal(net.state_dict()[name], before[name]), name


def test_both_engines_begin_and_train_alike():
    nets = []
    for engine in ("eager", "jit"):
        chosen = recipe(net="conv 6 2 | relu | conv 8 3 | linear", init="whitened", engine=engine)
        ready = prepare(chosen, small_data())
        ready.engine.steps(torch.arange(16), 8, [0.1, 0.1])
        nets.append(ready.engine.net.state_dict())
    for name, value in nets[0].items():
        torch.testing.assert_close(nets[1][name], value, rtol=2e-4, atol=2e-6)


def test_a_run_that_was_interrupted_continues_with_the_same_filters(tmp_path):
    chosen = recipe(net="conv 6 2 | relu | linear", init="whitened")
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), 5)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, small_data()))), weights(whole))
