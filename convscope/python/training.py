"""Training from Python: ``run = convscope.train("mnist")``, and the open loop ``for event in convscope.steps(…)``."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, fields, replace
from inspect import Signature, signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_type_hints

import torch
from torch import nn

from .. import job
from ..auto import Settled, agreed, settle_together
from ..data.images import Dataset
from ..data.sources import data_name
from ..distributed.copied import copied
from ..distributed.join import joined
from ..distributed.team import ALONE, Team
from ..engine.plain import plain_torch
from ..errors import UsageError
from ..net.own.net import CUSTOM, Given, made
from ..recipe import CHOICES, Recipe
from ..runs.folder import FILES, RunFolder
from ..runs.own_data import own_data
from ..storage.places import user_path
from ..training.augment import Augment, named
from ..training.prepared import Prepared
from ..training.prepared import prepare as _prepare
from .progress import bar
from .run import Run, load

P = ParamSpec("P")
R = TypeVar("R")
Callback = Callable[[job.Event], object]


@dataclass(frozen=True)
class _Train(Recipe):
    """What :func:`train` may be given: the choices of a recipe, of which three may be more than there, and where to."""

    data: Any = "digits"
    _: KW_ONLY
    net: str | Given | None = None  # type: ignore[assignment]  # None: what suits the data
    epochs: int | None = None  # type: ignore[assignment]  # None: as many as usual for the data
    augment: str | Augment | None = None  # type: ignore[assignment]  # None: as goes with a net that is chosen
    offline: bool = False
    out: str | Path = "runs"
    on: Sequence[Callback] = ()
    progress: bool = True


def _given_as(call: Callable[P, Recipe]) -> Callable[[Callable[..., Run]], Callable[P, Run]]:
    """The keywords of ``call`` for a function that takes them by name: for type checkers, ``help`` and editors."""
    kinds = get_type_hints(call)  # without what else is annotated, which is for others
    given = [parameter.replace(annotation=kinds[name]) for name, parameter in signature(call).parameters.items()]
    keywords = Signature(given, return_annotation=Run)

    def as_given(function: Callable[..., Run]) -> Callable[P, Run]:
        function.__signature__ = keywords  # type: ignore[attr-defined]  # inspect.signature asks for it
        return function

    return as_given


def with_choices(function: Callable[..., R]) -> Callable[..., R]:
    """A function whose ``**choices`` are those of a recipe, with their names and defaults in its signature."""
    own = signature(function).parameters
    kept = [parameter for parameter in own.values() if parameter.kind is not parameter.VAR_KEYWORD]
    more = [
        known.replace(annotation=CHOICES[name].kind, kind=known.KEYWORD_ONLY)
        for name, known in signature(_Train).parameters.items()
        if name in CHOICES and name not in own
    ]
    function.__signature__ = Signature([*kept, *more])  # type: ignore[attr-defined]  # inspect.signature asks for it
    return function


@_given_as(_Train)
@plain_torch()
def train(
    data: Any = "digits",
    *,
    offline: bool = False,
    out: str | Path = "runs",
    on: Sequence[Callback] = (),
    progress: bool = True,
    **choices: Any,
) -> Run:
    """Train a net and return its run. The choices are those of ``convscope train``; see :class:`Recipe`.

    ``data`` may also be NumPy arrays or a map-style dataset (:func:`convscope.data.sources.open_source` says how).
    ``net`` may be a torch.nn.Module of your own, which is trained in place, or a function that makes one (its random
    numbers then come from ``seed``): the engine trains it where a trace of it has only layers that are covered, else
    PyTorch. None is chosen by the data, ``epochs`` None means 10, for digits 60. ``augment`` may be a function of your
    own: of pixels uint8 (M, C, H, W), the images' numbers int64 (M,) and the epoch, as tensors and int, which gives
    pixels of the same shape, the same ones for the same image and epoch; ``resume`` wants it again. Each of ``on`` is
    called with every event (:func:`steps`), and its ``close``, if it has one, at the end, whatever happens: a function,
    a :class:`~convscope.Metric`, a logger. ``progress`` draws a bar where somebody watches. Raises UsageError,
    DataError, TrainingError, and Interrupted on Ctrl-C (the work is saved).
    """
    _check_callbacks(on)
    own = _own_function(choices.get("augment"))
    if own is not None:
        choices["augment"] = named(own)
    module = _own_net(choices)
    with joined() as team:
        ready = settled_for(data, choices, offline, agreed(team))
        events = job.start(ready.recipe, ready.data, run_folder(out), augment=own, net=module, team=team)
        return _drain(events, on, progress, module, team)


@plain_torch()
def resume(
    run: str | Path | Run,
    *,
    data: Any = None,
    epochs: int | None = None,
    offline: bool = False,
    augment: Augment | None = None,
    net: nn.Module | None = None,
    on: Sequence[Callback] = (),
    progress: bool = True,
) -> Run:
    """Resume an interrupted run, or extend a finished one to ``epochs``. On the command line: ``convscope resume``.

    ``data`` is needed only where the run was trained on arrays, or where its folder or file was moved; its images
    must be the same (their pixels are checked), those that came since are not used. ``net`` is needed where the run's
    net was a module of your own. Raises DataError where the run or its data are gone, changed or damaged, UsageError
    where there is nothing left to do, TrainingError where another process works on the run or the loss is not finite,
    Interrupted where somebody stops it; what was done is saved then.
    """
    _check_callbacks(on)
    net = run.own if net is None and isinstance(run, Run) else net
    with joined() as team, copied(team, lambda: load(run).path, FILES) as path:
        team, folder = agreed(team), RunFolder(path)
        own = own_data(folder, data, offline=offline)
        events = job.resume(folder, own, epochs, augment=augment, net=net, team=team)
        return _drain(events, on, progress, net, team)


def steps(
    recipe: Recipe,
    data: Any = None,
    *,
    out: str | Path = "runs",
    offline: bool = False,
    net: Given | None = None,
    augment: Augment | None = None,
) -> Iterator[job.Event]:
    """The open loop of a run: ``for event in convscope.steps(Recipe("digits", epochs=3)): …``.

    The events are :class:`~convscope.job.Started`, whose ``model.net`` is trained in place; ``Tick`` (some updates
    are done), ``Progress`` (a log interval), ``Epoch`` and ``Evaluating`` of :mod:`convscope.training.loop`; and
    :class:`~convscope.job.Finished`. Who stops asking stops the training; what was saved can be resumed. ``data`` may
    be given as for :func:`train`, and so may a ``net`` and an ``augment`` function of your own, which take the place
    of the recipe's. On the command line: ``convscope train``.
    """
    module = None if net is None else made(net, recipe.seed)
    recipe = recipe if module is None else replace(recipe, net=CUSTOM)
    recipe = recipe if augment is None else replace(recipe, augment=named(augment))
    with joined() as team:
        with plain_torch():
            ready = _settled(recipe, data, offline, agreed(team))
        yield from _apart(job.start(ready.recipe, ready.data, run_folder(out), augment=augment, net=module, team=team))


def _apart(events: Generator[job.Event]) -> Iterator[job.Event]:
    """The same, each computed by torch as it is by default; between two, it is as the caller has it."""
    threads = None
    try:
        while True:
            with plain_torch():
                if threads is not None:
                    torch.set_num_threads(threads)
                event = next(events, None)
                threads = torch.get_num_threads()
            if event is None:
                return
            yield event
    finally:
        with plain_torch():
            events.close()


@plain_torch()
def prepare(recipe: Recipe, data: Any = None, *, offline: bool = False) -> Prepared:
    """The net of ``recipe`` with its first weights, and the engine that would train it; nothing is written.

    ``.model.net`` is a torch.nn.Module, ``.engine.steps`` takes updates. ``data`` may be given as for :func:`train`.
    Raises UsageError, DataError.
    """
    ready = _settled(recipe, data, offline)
    return _prepare(ready.recipe, ready.data)


def settled_for(data: Any, choices: Mapping[str, Any], offline: bool, team: Team = ALONE) -> Settled:
    """The recipe of what somebody has chosen and its data, ready to be run. Raises UsageError, DataError."""
    recipe = Recipe.of({**choices, "data": str(data) if isinstance(data, str | Path) else data_name(data)})
    given = {name for name, value in choices.items() if value is not None}
    return settle_together(team, recipe, given, offline, data)


def _settled(recipe: Recipe, data: Any, offline: bool, team: Team = ALONE) -> Settled:
    if isinstance(data, Dataset):
        return Settled(recipe, data)
    if data is not None:
        recipe = replace(recipe, data=str(data) if isinstance(data, str | Path) else data_name(data))
    chosen = {field.name for field in fields(recipe) if getattr(recipe, field.name) != field.default}
    return settle_together(team, recipe, chosen, offline, data)


def _check_callbacks(on: Any) -> None:
    """Raise UsageError, before anything is made, for what cannot be called with an event."""
    if not isinstance(on, list | tuple):
        raise UsageError(f"on is a {type(on).__name__}", "give a list of functions of an event, such as on=[print]")
    for listener in on:
        if isinstance(listener, type) or not callable(listener):
            what = f"the class {listener.__name__}" if isinstance(listener, type) else repr(listener)
            raise UsageError(f"on holds {what[:60]}, which is no function of an event", "such as on=[print]")


def _own_function(augment: Any) -> Augment | None:
    return None if augment is None or isinstance(augment, str) else augment


def run_folder(out: object) -> Path:
    """Where runs are to be made. Raises UsageError for what names no folder."""
    if not isinstance(out, str | os.PathLike) or "\0" in str(out) or not str(out):
        raise UsageError(f"out is {str(out)[:60]!r}, a {type(out).__name__}", "it must be the path of a folder")
    return user_path(os.fspath(out))


def _own_net(choices: dict[str, Any]) -> nn.Module | None:
    """The module among the choices, which then name it "custom"; None where a net is named."""
    given = choices.get("net")
    if given is None or isinstance(given, str) or not callable(given):
        return None
    choices["net"] = CUSTOM
    return made(given, choices.get("seed", 0))


def _drain(
    events: Iterator[job.Event], on: Sequence[Callback], progress: bool, net: nn.Module | None, team: Team
) -> Run:
    """The run that comes of ``events``. Where there are several processes, rank 0 alone has it, shows a bar and calls
    ``on``; the others name its folder."""
    path = ""
    with ExitStack() as ends:
        shown = ends.enter_context(bar(progress and team.leads))
        heard = on if team.leads else ()
        for listener in heard:
            ends.callback(getattr(listener, "close", lambda: None))
        for event in events:
            shown(event)
            for listener in heard:
                listener(event)
            if isinstance(event, job.Finished):
                path = str(event.folder.path)
    path = team.gather_json(path)[0]
    assert path, "a job ends with Finished or an error"
    return Run(RunFolder(Path(path)), net)
