"""The parts of which a team's arithmetic is made, in one process: slices, batch norm, the dealt test, agreements."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.distributed.agree import same_choices, same_data, same_versions
from convscope.distributed.copied import _packed, _unpacked
from convscope.distributed.crew import Crew
from convscope.distributed.deal import logits_of
from convscope.distributed.norm import Together
from convscope.distributed.team import Team
from convscope.engine.devices import resolve
from convscope.errors import DataError, UsageError
from convscope.recipe import Recipe
from convscope.runs.environment import as_before, go_on_here
from convscope.runs.folder import FILES

from .table import each


def test_numbers_text_and_tensors_reach_every_rank_in_order():
    assert (
        each(3, lambda team: team.gather_json({"rank": team.rank, "x" * team.rank: 1}))
        == [[{"rank": 0, "": 1}, {"rank": 1, "x": 1}, {"rank": 2, "xx": 1}]] * 3
    )
    assert each(2, lambda team: team.first(team.rank + 5.0)) == [(5.0,)] * 2
    assert each(2, lambda team: team.largest(team.rank)) == [1.0] * 2
    shared = each(2, lambda team: team.share({"a": torch.full((2, 2), team.rank), "b": torch.tensor(team.rank + 0.5)}))
    assert all(found["a"].equal(torch.zeros(2, 2)) and float(found["b"]) == 0.5 for found in shared)


@pytest.mark.parametrize(("slices", "ranks"), [(2, 1), (3, 1), (3, 2), (5, 2)])
def test_all_slices_meet_wherever_they_are_computed(slices, ranks):
    def work(team):
        crew = Crew(team)
        inside = crew.run(lambda seat: torch.stack(seat.gather(torch.tensor(float(seat.slice)))))
        return [tensor.tolist() for tensor in (*inside, torch.stack(crew.gather([part[0] * 0 + 1 for part in inside])))]

    for found in each(ranks, work, slices=slices) if ranks > 1 else [work(Team(slices=slices))]:
        assert all(row == [float(n) for n in range(slices)] for row in found[:-1])
        assert found[-1] == [1.0] * slices


def test_a_slice_that_fails_ends_the_others():
    def work(seat):
        if seat.slice == 1:
            raise UsageError("this one cannot")
        return seat.gather(torch.zeros(1))

    with pytest.raises(UsageError, match="this one cannot"):
        Crew(Team(slices=3)).run(work)


@pytest.mark.parametrize("cuts", [(0, 3, 8), (0, 0, 8), (0, 8, 8), (0, 1, 8)])
def test_batch_norm_over_slices_is_that_of_the_whole_batch(cuts):
    torch.manual_seed(0)
    x, slope = torch.randn(8, 3, 4, 5, dtype=torch.float64) * 3 + 7, torch.randn(8, 3, 4, 5, dtype=torch.float64)
    whole = nn.BatchNorm2d(3).double()
    nn.init.uniform_(whole.weight), nn.init.uniform_(whole.bias)
    mine = nn.BatchNorm2d(3).double()
    mine.load_state_dict(whole.state_dict())
    wanted = x.clone().requires_grad_()
    whole(wanted).backward(slope)
    crew, parts = Crew(Team(slices=2)), [None, None]

    def work(seat):
        part = slice(cuts[seat.slice], cuts[seat.slice + 1])
        own = parts[seat.slice] = x[part].clone().requires_grad_()
        with Together(seat):
            y = F.batch_norm(own, mine.running_mean, mine.running_var, mine.weight, mine.bias, training=True)
        return torch.autograd.grad(y, [own, mine.weight, mine.bias], slope[part])

    found = crew.run(work)
    torch.testing.assert_close(torch.cat([part[0] for part in found]), wanted.grad)
    torch.testing.assert_close(found[0][1] + found[1][1], whole.weight.grad)
    torch.testing.assert_close(found[0][2] + found[1][2], whole.bias.grad)
    torch.testing.assert_close(mine.running_mean, whole.running_mean)
    torch.testing.assert_close(mine.running_var, whole.running_var)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_batch_norm_of_half_precision_has_the_mean_and_deviation_of_float32(kind):
    x = (torch.randn(8, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 9).to(kind)
    wanted = F.batch_norm(x.double(), None, None, training=True)

    def work(seat):
        own = x[4 * seat.slice : 4 * seat.slice + 4].clone().requires_grad_()
        with Together(seat):
            y = F.batch_norm(own, torch.zeros(3), torch.ones(3), torch.ones(3), torch.zeros(3), training=True)
        y.sum().backward()
        return y.detach(), own.grad

    found = Crew(Team(slices=2)).run(work)
    y = torch.cat([part[0] for part in found])
    assert y.dtype == found[0][1].dtype == kind
    assert ((y.double() - wanted).abs() <= torch.finfo(kind).eps * wanted.abs() + 1e-5).all()  # its rounding alone


@pytest.mark.parametrize("images", [1, 4, 7, 12, 13])
def test_the_test_counts_each_image_once(images):
    counted = []

    def logits(some):
        counted.extend(some.flatten().tolist())
        return torch.stack([some.flatten().float(), -some.flatten().float()], 1)

    every = torch.arange(images).view(images, 1, 1, 1)
    wanted = torch.stack([torch.arange(images).float(), -torch.arange(images).float()], 1)
    for found in each(3, lambda team: logits_of(logits, every, 4, team)):
        assert found.equal(wanted)
    assert set(counted) == set(range(images))


def test_who_has_other_versions_choices_or_data_is_named():
    versions = each(2, lambda team: same_versions(team, {"torch": f"2.{team.rank}"}, ["avx2"]))
    assert [str(error) for error in versions] == [
        "rank 0 has torch 2.0, rank 1 has torch 2.1\n  help: install the same versions on every machine"
    ] * 2
    choices = each(2, lambda team: same_choices(team, {"lr": 0.1 * (1 + team.rank), "data": str(team.rank)}))
    assert [str(error) for error in choices] == [
        "rank 0 was given --lr 0.1, rank 1 --lr 0.2\n  help: give every machine the same command"
    ] * 2
    data = each(2, lambda team: same_data(team, {"train": "a", "test": str(team.rank)}))
    assert all(
        isinstance(error, DataError) and "the test images or labels of rank 1" in error.message for error in data
    )


def test_the_widest_instruction_set_that_all_have_is_taken():
    have = {0: ["avx512", "avx2", "sse"], 1: ["avx2", "sse"]}
    assert [team.isa for team in each(2, lambda team: same_versions(team, {}, have[team.rank]))] == ["avx2", "avx2"]
    assert [team.isa for team in each(2, lambda team: same_versions(team, {}, ["sse"]))] == [None, None]
    other = {0: ["avx2"], 1: ["neon"]}
    refused = each(2, lambda team: same_versions(team, {}, other[team.rank]))
    assert all(isinstance(error, UsageError) for error in refused)


def test_the_files_of_a_run_travel_and_no_others(tmp_path):
    here, there = tmp_path / "run-1", tmp_path / "there"
    here.mkdir(), there.mkdir()
    (here / "recipe.json").write_text("{}")
    (here / "resume.safetensors").write_bytes(b"\0\1\2")
    (here / "secret.txt").write_text("mine")
    path = _unpacked(_packed(here, FILES), there, FILES)
    assert sorted(file.name for file in path.iterdir()) == ["recipe.json", "resume.safetensors"]
    assert (path / "resume.safetensors").read_bytes() == b"\0\1\2"


def test_threads_and_slices_are_shared_out_again_and_a_line_says_where_they_cannot():
    begun = {"engine": "jit", "threads": 4, "slices": 3, "ranks": 3}
    for ranks, threads, slices in ((1, [4], 3), (2, [2, 2], 3), (3, [1, 1, 2], 3), (5, [1, 1, 1, 1, 1], 5)):
        found = [as_before(Recipe(), begun, Team(rank, ranks)) for rank in range(ranks)]
        assert [recipe.threads for recipe, _ in found] == threads
        assert {team.slices for _, team in found} == {slices}
    now = {**begun, "threads": 5, "slices": 5, "started": "today", "data": {"place": ""}}
    assert go_on_here(begun, {**begun, "started": "today", "data": {"place": ""}}, 7) == (begun, ())
    environment, notes = go_on_here(begun, now, 7)
    told = "bits may differ from those of an uninterrupted run, for it began elsewhere: threads 4 → 5, slices 3 → 5"
    assert notes == (told,)
    assert environment["resumed"] == [{"at": "today", "update": 7, "changes": ["threads 4 → 5", "slices 3 → 5"]}]


def test_each_process_that_resumes_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    begun = {"engine": "eager", "threads": 1, "slices": 2, "ranks": 2, "device": "cuda:0"}  # rank 0's
    for ranks, wanted in ((2, ["cuda:0", "cuda:1"]), (1, ["cuda:0"])):
        teams = [Team(rank, ranks, local_rank=rank) for rank in range(ranks)]
        assert [str(resolve(as_before(Recipe(), begun, team)[0].device, team)) for team in teams] == wanted
