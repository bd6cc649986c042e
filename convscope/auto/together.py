"""What several processes settle: rank 0 chooses net and epochs, the others open their data by its recipe."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from .. import __version__
from ..data.sources import open_recipe
from ..distributed.agree import same_choices, same_versions
from ..distributed.team import Team
from ..recipe import Recipe
from .settling import Settled, settle

LIBRARIES = ("torch", "numpy", "llvmlite")


def agreed(team: Team) -> Team:
    """``team`` once it is known that all have the same versions. Raises UsageError."""
    if team.ranks == 1:
        return team
    from ..engine.jit.machine.host import available  # llvmlite is slow to import

    versions = {"convscope": __version__, **{name: version(name) for name in LIBRARIES}}
    return same_versions(team, versions, available())


def settle_together(
    team: Team, recipe: Recipe, given: Iterable[str], offline: bool = False, data: Any = None
) -> Settled:
    """As :func:`~convscope.auto.settling.settle`, by all of ``team`` at once; each opens its own data.

    Where the data lie, threads and device may be others on each machine; raises UsageError for any other difference.
    """
    if team.ranks == 1:
        return settle(recipe, given, offline, data)
    same_choices(team, asdict(recipe))
    if team.leads:
        settled = settle(recipe, given, offline, data)
        team.gather_json([settled.recipe.to_json(), settled.chosen])
        return settled
    text, chosen = team.gather_json(["", ""])[0]
    mine = replace(
        Recipe.from_json(text),
        data=recipe.data,
        data_dir=recipe.data_dir,
        threads=recipe.threads,
        device=recipe.device,
    )
    return Settled(mine, open_recipe(mine, offline, data), chosen)
