"""Parameters with a rate of their own, in both engines."""

import pytest
import torch

from convscope.data.batches import Normalize
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.spec import parse
from convscope.training.prepared import prepare
from convscope.training.update.factors import lr_factors

from ..helpers import small_data
from ..test_job import recipe

CPU = torch.device("cpu")
NAMES = ["conv1.weight", "conv1.bias", "linear.weight", "linear.bias"]
CHOSEN = "conv1.* = 0.1, *.bias = 2"
OPTIMIZERS = {
    "sgd": (lambda groups: torch.optim.SGD(groups, momentum=0.9, weight_decay=0.01), {"momentum": 0.9}),
    "plain sgd": (lambda groups: torch.optim.SGD(groups), {"momentum": 0.0}),
    "adam": (lambda groups: torch.optim.Adam(groups, weight_decay=0.01), {"optimizer": "adam"}),
    "adamw": (lambda groups: torch.optim.AdamW(groups, weight_decay=0.01), {"optimizer": "adamw"}),
}


def test_the_last_pattern_that_fits_counts():
    assert lr_factors(CHOSEN, NAMES) == {"conv1.weight": 0.1, "conv1.bias": 2.0, "linear.bias": 2.0}
    assert lr_factors("", NAMES) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("conv1", r"--lr-factors has 'conv1', which is no PATTERN = FACTOR with 0 ≤ factor ≤ 1,000,000"),
        ("conv1.*=-1", "which is no PATTERN = FACTOR"),
        ("conv1.*=nan", "which is no PATTERN = FACTOR"),
        ("conv1.*=0.1,,", "--lr-factors has '', which is no PATTERN = FACTOR"),
        ("conv9.* = 2", r"--lr-factors has 'conv9.\*', which fits no parameter that is trained"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, told):
    with pytest.raises(UsageError, match=told):
        lr_factors(text, NAMES)


def test_a_run_is_refused_before_it_begins():
    with pytest.raises(UsageError, match="fits no parameter") as caught:
        prepare(recipe(lr_factors="head.* = 2"), small_data())
    assert "there are conv1.weight, conv1.bias" in caught.value.help


@pytest.mark.parametrize("engine", ["eager", "jit"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_updates_are_those_of_torchs_parameter_groups(engine, optimizer, tmp_path):
    make, choices = OPTIMIZERS[optimizer]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (24,), generator=generator)
    ours, theirs = (build(parse("conv 4 3 | relu | pool 2 | linear"), (1, 8, 8), 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    factors = lr_factors(CHOSEN, [name for name, _ in ours.named_parameters()])
    more = {"momentum": 0.0} | choices
    weight_decay = 0.0 if optimizer == "plain sgd" else 0.01
    problem = Problem(ours, images, labels, (0.5,), (0.3,), weight_decay=weight_decay, lr_factors=factors, **more)
    made = EagerEngine(problem, CPU) if engine == "eager" else JitEngine(problem, 1, cache_dir=tmp_path, batch_size=8)
    groups = [
        {"params": [parameter], "lr": 0.05 * factors.get(name, 1.0)} for name, parameter in theirs.named_parameters()
    ]
    reference, normalize = make(groups), Normalize((0.5,), (0.3,), CPU)
    index = torch.arange(24)
    for _ in range(3):
        made.steps(index, 8, [0.05] * 3)
        for batch in index.split(8):
            reference.zero_grad()
            torch.nn.functional.cross_entropy(theirs(normalize(images[batch])), labels[batch]).backward()
            reference.step()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("engine", ["eager", "jit"])
def test_a_factor_of_nothing_keeps_the_bits(engine, tmp_path):
    ready = prepare(recipe(net="conv 4 3 | relu | linear", lr_factors="conv1.* = 0", engine=engine), small_data())
    before = {name: value.clone() for name, value in ready.engine.net.state_dict().items()}
    ready.engine.steps(torch.arange(8), 8, [0.1])
    after = ready.engine.net.state_dict()
    assert [torch.equal(before[name], after[name]) for name in before] == [True, True, False, False]
