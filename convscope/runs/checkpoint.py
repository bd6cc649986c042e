"""resume.safetensors: all that the next update depends on, in one file, so that no part can be newer than another.

Its tensors are ``net/…`` (weights and buffers), ``engine/…`` (optimizer and random state) and ``best/…`` (the best
weights by validation), ``average/…`` (the average of the weights) and ``lookahead/…`` (the slow weights); its metadata
hold the loop's numbers as JSON.
"""

from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import __version__
from ..data.batches import Batches
from ..engine.base import Engine
from ..engine.eager import SCALE
from ..errors import DataError, UsageError
from ..language.counts import some
from ..net.model import load_tensors, save_tensors
from ..recipe import OptimizerName, Recipe
from ..storage.strict_json import dumps, loads
from ..storage.versions import unreadable
from ..training.state import State
from ..training.update.lookahead import trained

FORMAT = "convscope-resume"
AGAIN = "start the run again with convscope train"
SGD, ADAM = ("momentum",), ("exp_avg", "exp_avg_sq")
SLOTS: dict[OptimizerName, tuple[str, ...]] = {"sgd": SGD, "sgdw": SGD, "muon": SGD, "adam": ADAM, "adamw": ADAM}
# What an engine's state holds besides: numbers, each with the type that it has.
COUNTERS = {"update": torch.tensor(0)} | {name: torch.tensor(0.0) for name in SCALE}


@dataclass(frozen=True)
class ResumePoint:
    """The state of the loop, the net's tensors and the engine's, at one moment."""

    state: State
    net: dict[str, Tensor]
    engine: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        tensors = {f"net/{name}": tensor for name, tensor in self.net.items()}
        tensors |= {f"engine/{name}": tensor for name, tensor in self.engine.items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.state.best.weights.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self.state.average.weights.items()}
        tensors |= {f"lookahead/{name}": tensor for name, tensor in self.state.lookahead.weights.items()}
        save_tensors(path, tensors, {"format": FORMAT, "version": __version__, "state": dumps(self.state.numbers())})

    @classmethod
    def read(cls, path: Path) -> "ResumePoint":
        """Read the file strictly. Raises DataError where it is absent or damaged."""
        tensors, metadata = load_tensors(path)
        groups: dict[str, dict[str, Tensor]] = {name: {} for name in ("net", "best", "average", "lookahead", "engine")}
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            if group not in groups:
                raise DataError(f"the file {path} is damaged: unknown tensor {key[:60]!r}", AGAIN)
            groups[group][name] = tensor
        try:
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its metadata lack format={FORMAT}")
            state = State.of(loads(metadata.get("state", "")))
        except (ValueError, TypeError) as error:
            raise unreadable(path, metadata.get("version"), str(error), AGAIN) from None
        state.best.weights, state.average.weights = groups["best"], groups["average"]
        state.lookahead.weights = groups["lookahead"]
        return cls(state, groups["net"], groups["engine"])

    def check(self, path: Path, recipe: Recipe, net: nn.Module, batches: Batches) -> None:
        """Raise DataError, naming ``path``, where this cannot be a state of ``recipe`` on these ``batches``."""
        try:
            _check_position(self.state, recipe, batches)
            _check_tensors("net", self.net, net.state_dict())
            if (self.state.best.epoch is None) != (not self.state.best.weights):
                raise ValueError("best epoch and best weights do not go together")
            if self.state.best.weights:
                _check_tensors("best", self.state.best.weights, net.state_dict())
            if (recipe.ema > 0 and self.state.step > 0) != bool(self.state.average.weights):
                raise ValueError("the average of the weights and --ema do not go together")
            if self.state.average.weights:
                _check_tensors("average", self.state.average.weights, net.state_dict())
            parameters = trained(net)
            if (recipe.lookahead > 0 and self.state.step > 0) != bool(self.state.lookahead.weights):
                raise ValueError("the slow weights and --lookahead do not go together")
            if self.state.lookahead.weights:
                _check_tensors("lookahead", self.state.lookahead.weights, dict(parameters))
            _check_engine(self.engine, recipe.optimizer, parameters)
        except ValueError as error:
            raise DataError(f"the file {path} is damaged: {error}", AGAIN) from None

    def load_into(self, engine: Engine, path: Path) -> None:
        """Put net and engine where they stood. Raises DataError, naming ``path``, where the engine refuses."""
        engine.net.load_state_dict(self.net)
        try:
            engine.load_state(self.engine)
        except (UsageError, RuntimeError) as error:
            raise DataError(f"the file {path} is damaged: {error}", AGAIN) from None


def _check_position(state: State, recipe: Recipe, batches: Batches) -> None:
    """The counters determine each other."""
    steps, seen = batches.steps, batches.images(state.epoch_step)
    expected = {
        "step": state.epoch * steps + state.epoch_step,
        "images": state.epoch * batches.count + seen,
        "epoch_images": seen,
        "interval_steps": state.epoch_step % min(recipe.log_interval, steps),
    }
    numbers = state.numbers()
    wrong = [name for name, value in expected.items() if numbers[name] != value]
    if state.epoch_step > steps or wrong:
        raise ValueError(f"{', '.join(wrong) or 'epoch_step'} cannot be, {state.epoch_step} updates into an epoch")


def _check_tensors(group: str, tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    if tensors.keys() != wanted.keys():
        raise ValueError(f"{group} tensors {some(sorted(tensors.keys() ^ wanted.keys()), 4)} are missing or too many")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ValueError(
                f"{group}/{name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"but the net has {wanted[name].dtype} {tuple(wanted[name].shape)}"
            )


def _check_engine(tensors: dict[str, Tensor], optimizer: OptimizerName, parameters: dict[str, nn.Parameter]) -> None:
    """What :meth:`Engine.state` promises: all slots of every parameter or none; random states are bytes."""
    states = {key for key in tensors if key.startswith("rng.")}
    counters = {key: tensors[key] for key in tensors.keys() & COUNTERS.keys()}
    slots = {key: tensor for key, tensor in tensors.items() if key not in counters and key not in states}
    _check_tensors("engine", counters, {key: COUNTERS[key] for key in counters})
    if len(counters.keys() & SCALE.keys()) == 1:
        raise ValueError(f"engine tensors {' and '.join(SCALE)} do not go together")
    for key, counter in counters.items():
        if not 0 <= float(counter) < inf:
            raise ValueError(f"engine/{key} cannot be {float(counter)}")
    for key in states:
        if tensors[key].dtype != torch.uint8 or tensors[key].ndim != 1:
            raise ValueError(f"engine/{key[:60]} is no random state")
    if not slots:
        return
    wanted = {f"{slot}.{name}": value.detach() for slot in SLOTS[optimizer] for name, value in parameters.items()}
    if SLOTS[optimizer] == ADAM:
        wanted["step"] = torch.tensor(0)
    _check_tensors("engine", slots, wanted)
