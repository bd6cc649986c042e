"""Whole runs on a CUDA device: recorded, augmented there, saved, resumed to the same bits and read on the CPU."""

import pytest
import torch

from convscope import job
from convscope.errors import Interrupted, NotFinite
from convscope.runs import folder as runs

from .helpers import small_data
from .test_job import equal, finish, interrupt_at, recipe, weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
NET = "conv 8 3 padding=1 | batchnorm | relu | pool 2 | dropout 0.2 | linear"
AUGMENT = "flip | shift 1 | rotate 10"


def resumed_and_whole(tmp_path, **choices):
    """The weights of a run that was cut in its second epoch and resumed, and of one that was not."""
    chosen = recipe(net=NET, augment=AUGMENT, device="cuda", epochs=4, **choices)
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), step=13)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert whole.summary().compile_seconds > 0
    return weights(finish(job.resume(cut, small_data()))), weights(whole)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_run_resumes_to_the_same_bits(tmp_path, precision, optimizer):
    assert equal(*resumed_and_whole(tmp_path, precision=precision, optimizer=optimizer))


@pytest.mark.parametrize("choices", [{"lookahead": 5}, {"ema": 0.9}], ids=lambda choices: next(iter(choices)))
def test_other_weights_that_are_kept_resume_to_the_same_bits(tmp_path, choices):
    assert equal(*resumed_and_whole(tmp_path, **choices))


def test_scores_of_a_run_are_those_of_its_model_on_the_cpu(tmp_path):
    data = small_data()
    *_, finished = job.start(recipe(net=NET, device="cuda", epochs=3), data, tmp_path)
    logits = finished.folder.model().logits(torch.from_numpy(data.test.images))
    found = float((logits.argmax(1) == torch.from_numpy(data.test.labels)).float().mean())
    assert found == pytest.approx(finished.summary.test_accuracy)


def test_a_loss_that_is_not_finite_is_traced_to_its_layer(tmp_path):
    with pytest.raises(NotFinite, match="not finite at update"):
        finish(
            job.start(
                recipe(net="conv 4 3 | relu | linear", device="cuda", lr=1e6, engine="eager", epochs=3),
                small_data(),
                tmp_path,
            )
        )
