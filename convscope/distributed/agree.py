"""What all ranks must have in common before they begin; who differs is named, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import DataError, UsageError
from .team import Team

OWN = ("data", "data_dir", "threads", "device")  # choices that may be others on every machine


def manned(team: Team, threads: int) -> Team:
    """``team`` with the threads of each rank, of which this one has so many."""
    if team.ranks == 1:
        return team
    return replace(team, threads=tuple(int(count) for (count,) in team.gather_numbers(threads)))


def one_engine(team: Team, name: str) -> None:
    """Refuse ranks with different engines. Raises UsageError."""
    names = team.gather_json(name)
    other = next((rank for rank, found in enumerate(names) if found != names[0]), None)
    if other is not None:
        raise UsageError(
            f"rank 0 trains with the {names[0]} engine, rank {other} with {names[other]}", "choose one: --engine eager"
        )


def same_versions(team: Team, own: Mapping[str, str], isas: Sequence[str]) -> Team:
    """Refuse ranks with other versions; ``team`` with the widest instruction set that all have. Raises UsageError."""
    if team.ranks == 1:
        return team
    told = team.gather_json([dict(own), list(isas)])
    for rank, (versions, _) in enumerate(told):
        for name, version in told[0][0].items():
            if versions.get(name) != version:
                raise UsageError(
                    f"rank 0 has {name} {version}, rank {rank} has {name} {versions.get(name)}",
                    "install the same versions on every machine",
                )
    best = [found[0] if found else None for _, found in told]
    if len(set(best)) == 1:
        return team
    common = [isa for isa in told[0][1] if all(isa in found for _, found in told)]
    if not common:
        raise UsageError(f"the processors have no instruction set in common: {best}", "use machines of one kind")
    return replace(team, isa=common[0])


def same_choices(team: Team, own: Mapping[str, Any]) -> None:
    """Refuse ranks with other choices of a run; where the data lie and threads may differ. Raises UsageError."""
    told = team.gather_json({name: value for name, value in own.items() if name not in OWN})
    for rank, choices in enumerate(told):
        for name, value in told[0].items():
            if choices.get(name) != value:
                flag = "--" + name.replace("_", "-")
                raise UsageError(
                    f"rank 0 was given {flag} {value}, rank {rank} {flag} {choices.get(name)}",
                    "give every machine the same command",
                )


def same_data(team: Team, fingerprints: Mapping[str, str]) -> None:
    """Refuse ranks whose images, labels or classes differ, by their SHA-256. Raises DataError."""
    if team.ranks == 1:
        return
    told = team.gather_json(dict(fingerprints))
    for rank, found in enumerate(told):
        wrong = [name for name in sorted({*told[0], *found}) if found.get(name) != told[0].get(name)]
        if wrong:
            raise DataError(
                f"the {' and '.join(wrong)} images or labels of rank {rank} are not those of rank 0",
                "copy the same data to every machine",
            )
