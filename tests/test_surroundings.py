"""What the program around us has set in torch, and what other threads do: neither changes a bit, nor is it changed."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import convscope
from convscope.engine.plain import one_thread, plain_torch
from convscope.errors import UsageError
from convscope.explain.trained.receptive import receptive_field
from convscope.explain.trained.trace import trace
from convscope.net.build import build
from convscope.net.spec import parse

from .helpers import small_data, stripes

NETS = {"jit": "conv 4 3 | relu | pool 2 | linear", "eager": "conv 4 3 | relu | dropout 0.3 | pool 2 | linear"}


@contextmanager
def changed(name, value):
    """A setting of torch's, such as "num_threads", inside the block."""
    read, write = getattr(torch, f"get_{name}"), getattr(torch, f"set_{name}")
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


AROUND = {
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
    "float64": lambda: changed("default_dtype", torch.float64),
    "bfloat16": lambda: changed("default_dtype", torch.bfloat16),
    "meta": lambda: torch.device("meta"),
}


def train(engine, out, seed=0, **more):
    data = small_data()
    arrays = {
        "x_train": data.train.images,
        "y_train": data.train.labels,
        "x_test": data.test.images,
        "y_test": data.test.labels,
    }
    np.savez(out.with_suffix(".npz"), **arrays)
    return convscope.train(
        out.with_suffix(".npz"),
        net=NETS[engine],
        engine=engine,
        epochs=2,
        batch_size=16,
        out=out,
        seed=seed,
        threads=1,
        **more,
    )


def bits(run):
    return {name: tensor.clone() for name, tensor in run.net.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module", params=["jit", "eager"])
def plain(request, tmp_path_factory):
    """A run, its weights and its probabilities, with nothing set around it."""
    run = train(request.param, tmp_path_factory.mktemp("plain") / "runs")
    return request.param, run, bits(run), run.predict(stripes(20, 7).images)


@pytest.mark.parametrize("name", AROUND)
def test_a_run_inside_a_block_of_the_callers_has_the_same_bits(plain, tmp_path, name):
    engine, run, weights, probabilities = plain
    threads = torch.get_num_threads()
    with AROUND[name]():
        inside = train(engine, tmp_path / "runs")
        loaded = convscope.load(run.path)
        again = loaded.predict(stripes(20, 7).images)
        scores = loaded.predictor().logits(torch.from_numpy(stripes(20, 7).images)) if engine == "jit" else None
        image = stripes(1, 7).images[0]
        explained = convscope.explain(loaded, image)
        gradient = trace(loaded.net, explained.given, 1).weights["conv1.weight"]
    assert same(bits(inside), weights)
    assert np.array_equal(again, probabilities)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    fresh = convscope.load(run.path)
    assert np.array_equal(explained.scores, convscope.explain(fresh, image).scores)
    expected = trace(fresh.net, convscope.explain(fresh, image).given, 1).weights["conv1.weight"]
    assert np.array_equal(gradient, expected)
    if scores is not None:
        assert torch.equal(scores, fresh.predictor().logits(torch.from_numpy(stripes(20, 7).images)))
        assert scores.dtype == torch.float32


def test_the_thread_count_is_left_as_it_was(plain, tmp_path):
    engine, *_ = plain
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        run = train(engine, tmp_path / "runs")
        assert torch.get_num_threads() == 3
        convscope.resume(run.path, epochs=3)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_where_tensors_hold_no_numbers_a_sentence_says_so(plain):
    _, run, *_ = plain
    with FakeTensorMode(), pytest.raises(UsageError, match=r"torch is in FakeTensorMode.*\n  help: leave that block"):
        convscope.load(run.path).predict(stripes(2, 7).images)


def test_runs_in_threads_have_the_bits_of_runs_alone(plain, tmp_path):
    engine, _, weights, _ = plain
    before, interval = torch.get_rng_state(), sys.getswitchinterval()
    other = bits(train(engine, tmp_path / "alone", seed=1))
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda n: train(engine, tmp_path / f"{n}", seed=n % 2), range(4)))
    finally:
        sys.setswitchinterval(interval)
    for n, run in enumerate(runs):
        assert same(bits(run), other if n % 2 else weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_net_is_explained_and_used_in_many_threads_at_once():
    """Hooks, the net's mode and exchanged weights are the net's, and so of all threads: they take turns."""
    net = build(parse("conv 4 3 | batchnorm | relu | dropout 0.5 | pool 2 | linear"), (1, 8, 8), 3)
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    alone = [trace(net, image, 1) for image in images]
    field = receptive_field(net, (1, 8, 8), "conv1", (0, 2, 2)).mask
    expected = net.eval()(images).detach()
    net.train()

    def use(n):
        if n % 5 == 4:
            return np.array_equal(receptive_field(net, (1, 8, 8), "conv1", (0, 2, 2)).mask, field)
        found, one = trace(net, images[n % 8], 1), alone[n % 8]
        return (
            found.calls.keys() == one.calls.keys()
            and all(np.array_equal(call.output, one.calls[name].output) for name, call in found.calls.items())
            and all(np.array_equal(gradient, one.weights[name]) for name, gradient in found.weights.items())
        )

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(use, range(80)))
    finally:
        sys.setswitchinterval(interval)
    assert net.training
    assert torch.equal(net.eval()(images).detach(), expected)


@pytest.mark.parametrize("fails", [False, True])
def test_a_hook_of_a_trace_does_not_hear_other_threads(fails):
    """Nor where the other thread's pass ends in its middle."""
    net = build(parse("conv 4 3 | relu | linear"), (1, 8, 8), 3)
    image = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    alone = trace(net, image)
    with ThreadPoolExecutor(1) as pool:

        class Beside(torch.nn.ReLU):
            def forward(self, x):
                if len(x) == 1:
                    pool.submit(net, torch.rand(5, 1, 8, 8)).exception()
                elif fails:
                    raise ArithmeticError
                return super().forward(x)

        net.relu1 = Beside()
        found = trace(net, image)
    assert list(found.calls) == list(alone.calls)
    for name, call in found.calls.items():
        assert call.source == alone.calls[name].source
        assert np.array_equal(call.input, alone.calls[name].input)
        assert np.array_equal(call.output, alone.calls[name].output)


def test_the_block_leaves_everything_as_it_was():
    with torch.inference_mode(), torch.autocast("cpu"), plain_torch():
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        assert not torch.is_autocast_enabled("cpu")


BLOCKS = {"one": one_thread, "plain": plain_torch}


@pytest.mark.parametrize("first", BLOCKS)
@pytest.mark.parametrize("second", BLOCKS)
@pytest.mark.parametrize("nested", [False, True])
def test_blocks_that_overlap_in_two_threads_leave_the_number_of_threads(first, second, nested):
    """The first begins, then the second; the first ends before it, or after it (``nested``)."""
    with changed("num_threads", 3), ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        blocks = [(one, BLOCKS[first]()), (other, BLOCKS[second]())]
        for (pool, block), name in zip(blocks, (first, second), strict=True):
            pool.submit(block.__enter__).result()
            if name == "plain":
                pool.submit(torch.set_num_threads, 1).result()
        for pool, block in reversed(blocks) if nested else blocks:
            pool.submit(block.__exit__, None, None, None).result()
        with ThreadPoolExecutor(1) as fresh:
            assert [pool.submit(torch.get_num_threads).result() for pool in (one, other, fresh)] == [3, 3, 3]
        assert torch.get_num_threads() == 3


def test_a_block_in_another_has_what_was_set_there():
    with changed("num_threads", 3):
        with plain_torch():
            torch.set_num_threads(2)
            with one_thread():
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 3


@pytest.mark.parametrize("engine", NETS)
def test_an_open_loop_leaves_torch_to_its_caller(engine, tmp_path):
    """Between two events torch is as the caller has it; inside it is plain, with the threads of the run."""
    recipe = convscope.Recipe("custom", net=NETS[engine], engine=engine, threads=1, epochs=2, lr=0.05)
    data = small_data()
    *_, last = convscope.steps(recipe, data, out=tmp_path)
    with changed("num_threads", 3), torch.inference_mode():
        for event in convscope.steps(recipe, data, out=tmp_path):  # noqa: B007 - the last one is looked at
            assert torch.is_inference_mode_enabled()
            assert torch.get_num_threads() == 3
    assert (event.folder.path / "model.safetensors").read_bytes() == (
        last.folder.path / "model.safetensors"
    ).read_bytes()
