"""Two processes on this machine: the bits of one, whatever the recipe, and what they say where something differs."""

import pytest

from convscope import job
from convscope.distributed.team import Team
from convscope.engine.devices import survey
from convscope.runs import folder as runs

from ..faults.attempt import dataset, recipe
from .launch import begin, ended

NORM = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.2 | [ conv 4 3 padding=1 | batchnorm | relu ]+ | linear"
# The normalisation goes along with the first convolution.
FIRST = "conv 18 3 | batchnorm | relu | pool 2 | conv 4 2 | batchnorm | relu | linear"
CASES = {
    "plain": {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01},
    "norm": {"net": NORM, "optimizer": "adam", "lr": 0.002, "clip_norm": 0.5, "augment": "flip | shift 1"},
    "first": {"net": FIRST, "momentum": 0.9, "batch_size": 59},
    "muon": {"net": NORM, "optimizer": "muon", "momentum": 0.9, "nesterov": True, "lr_factors": "*.bias = 2"},
    "uneven": {"net": NORM, "batch_size": 59, "schedule": "one-cycle", "ema": 0.9},  # a last batch of one image
}
ENGINES = survey().engines
DEFAULTS = {"epochs": 2}
GPUS = {**DEFAULTS, "engine": "eager", **CASES["norm"]}

REFUSED = {
    "engines": {"1": {"choices": {**DEFAULTS, "engine": "jit"}}},
    "data": {"1": {"hopeless": True}},
}


def alone(out, engine, choices):
    """The run of ``choices`` in this process: two threads (jit), or one thread that adds two slices (eager)."""
    chosen = recipe(choices | {"engine": engine, "threads": 2 if engine == "jit" else 1})
    team = Team() if engine == "jit" else Team(slices=2)
    return list(job.start(chosen, dataset(), out, team=team))[-1].folder


def one(path):
    (folder,) = runs.every(path)
    return folder


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """One launch of two processes, all that they do one task after the other; some of it rank 0 does alone."""
    base = tmp_path_factory.mktemp("team")
    tasks = [
        {"out": str(base / f"{engine}-{name}"), "choices": {**DEFAULTS, "engine": engine, **choices}}
        for engine in ENGINES
        for name, choices in CASES.items()
    ]
    tasks.append({"out": str(base / "gpus"), "choices": GPUS, "gpus": True})
    local = {**DEFAULTS, "engine": "eager", "net": NORM, "local_batchnorm": True}
    tasks.append({"out": str(base / "local"), "choices": local})
    if "jit" in ENGINES:  # of the last batch, ten images, rank 0 has nothing
        none = {**local, "engine": "jit", "net": FIRST, "epochs": 1, "batch_size": 50}
        tasks.append({"out": str(base / "none"), "choices": none})
    for name, ranks in REFUSED.items() if "jit" in ENGINES else ():
        tasks.append({"out": str(base / name), "choices": {**DEFAULTS, "engine": "eager"}, "ranks": ranks})
    again = [base / f"{engine}-again" for engine in ENGINES]
    for engine, out in zip(ENGINES, again, strict=True):
        tasks += [
            {"out": str(out), "choices": {"epochs": 1, "engine": engine, "net": NORM, "lr": 0.05}},
            {"out": str(out), "resume": 2, "alone": True},
            {"out": str(out), "resume": 3},
        ]
    found = ended(begin(tasks, base))
    assert [code for code, _ in found] == [0, 0], found
    return base


def check_equal(mine, theirs):
    """Weights, optimizer state, counters and every row of the logs, but for the clock."""
    points = mine.resume_point(), theirs.resume_point()
    for group in ("net", "engine"):
        wanted, found = (getattr(point, group) for point in points)
        assert found.keys() == wanted.keys()
        assert all(found[key].equal(wanted[key]) for key in wanted), f"{group} differs"
    numbers = [
        {name: value for name, value in point.state.numbers().items() if "seconds" not in name} for point in points
    ]
    assert numbers[0] == numbers[1]
    rows = [
        [(row.train_loss, row.test_loss, row.test_accuracy, row.val_loss, row.lr) for row in folder.epochs()]
        for folder in (mine, theirs)
    ]
    assert rows[0] == rows[1]
    assert mine.losses() == theirs.losses()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_two_processes_give_the_bits_of_one(launched, tmp_path, engine, name):
    check_equal(alone(tmp_path, engine, DEFAULTS | CASES[name]), one(launched / f"{engine}-{name}"))


def test_the_exchange_of_gpus_gives_the_bits_of_one_process(launched, tmp_path):
    """Gloo stands in for NCCL: the same collective, asked for and waited for in the same way."""
    check_equal(alone(tmp_path, "eager", GPUS), one(launched / "gpus"))


@pytest.mark.parametrize("engine", ENGINES)
def test_resumed_by_one_process_and_again_by_two_it_has_the_bits_of_one(launched, tmp_path, engine):
    whole = alone(tmp_path, engine, {"epochs": 3, "net": NORM, "lr": 0.05})
    found = one(launched / f"{engine}-again")
    check_equal(whole, found)
    assert "resumed" not in found.environment()  # nothing that bits depend on has changed


def test_local_batch_norm_is_another_training(launched, tmp_path):
    found = one(launched / "local")
    whole = alone(tmp_path, "eager", {**DEFAULTS, "net": NORM})
    name = "conv1.weight"
    mine, theirs = whole.resume_point().net[name], found.resume_point().net[name]
    assert not mine.equal(theirs)
    assert mine.sub(theirs).abs().max() < 0.1


@pytest.mark.skipif("jit" not in ENGINES, reason="there is one engine here")
def test_local_statistics_of_no_image_change_nothing(launched):
    net = one(launched / "none").resume_point().net
    assert net["batchnorm1.num_batches_tracked"] == 2  # a net that is no longer finite ends the run
    for name in ("batchnorm1.running_var", "batchnorm2.running_var"):  # 0.9 and a tenth of the first batch's
        assert bool(((net[name] > 0.9) & (net[name] < 1)).all())


def test_rank_0_alone_writes(launched):
    assert len([path for path in (launched / "eager-plain").iterdir() if path.is_dir()]) == 1
    assert (launched / "eager-plain.1.notes").exists()


@pytest.mark.skipif("jit" not in ENGINES, reason="there is one engine here")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("engines", "rank 0 trains with the eager engine, rank 1 with jit\n  help: choose one: --engine eager"),
        (
            "data",
            "the val images or labels of rank 1 are not those of rank 0\n  help: copy the same data to every machine",
        ),
    ],
)
def test_ranks_that_differ_are_refused_by_all(launched, name, told):
    for rank in (0, 1):
        assert (launched / f"{name}.{rank}.error").read_text() == told
    assert not list(runs.every(launched / name))
