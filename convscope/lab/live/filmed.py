"""The film of a run that is trained without the page, and the maps of any probe image in any film.

A frame keeps the maps of one image, the chosen one: those of all ten would make it ten times as large, so that a film
of the same size had a tenth of the moments. Where it keeps all weights, the maps of the other images are computed again
from them: one forward pass when somebody asks, nothing while the run is trained.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import job
from ...data.batches import Normalize
from ...explain.trained.trace import trace
from ...net.build import build
from ...net.own.net import CUSTOM
from ...net.zoo import resolve
from ...training import loop
from .film import Film, Filming, Frame
from .probe import Probe, maps_of

Arrays = dict[str, NDArray[np.float32]]


def begin(event: job.Started, probe: Probe) -> Filming:
    """The film of the run that begins."""
    data = event.data
    head = {
        "run": event.folder.name,
        "net": event.model.spec,
        "classes": data.classes,
        "labels": probe.labels,
        "index": probe.index.tolist(),
        "image": list(data.train.shape),
        "mean": data.mean,
        "std": data.std,
        "layers": probe.layers,
        "epoch_steps": event.epoch_steps,
    }
    return Filming(event.folder.path, head, probe.pixels, event.resumed_at)


def filmed(events: Iterator[job.Event]) -> Iterator[job.Event]:
    """The same events; meanwhile the film of the run is taken, of the first probe image."""
    for event in events:
        match event:
            case job.Started():
                probe = Probe(event)
                film = begin(event, probe)
                film.keep(probe.take(event.resumed_at, 0))
            case loop.Tick() if film.wants(event.step, probe.due(time.monotonic())):
                film.keep(probe.take(event.step, 0))
            case job.Finished():
                film.keep(probe.take(event.summary.steps, 0), always=True)
            case _:
                pass
        yield event


def shows_all(film: Film, frame: Frame) -> bool:
    """Whether the maps of every probe image can be computed: the frame has all weights, and the images are whole."""
    known = {"net", "mean", "std", "classes"} <= film.head.keys() and frame.head.get("whole") is True
    return known and list(film.thumbnails.shape[1:]) == film.head["image"] and film.head["net"].split()[:1] != [CUSTOM]


def seen(film: Film, frame: Frame, index: int) -> tuple[dict[str, Any], Arrays]:
    """Head and arrays of a frame as they would be if probe image ``index`` had been chosen then.

    Weights were kept as float16, so maps differ from those of that moment in the third or fourth digit.
    """
    pixels, arrays = film.thumbnails[index].copy(), frame.arrays()  # what was read cannot be written, torch would warn
    net = build(resolve(film.head["net"]), tuple(film.head["image"]), len(film.head["classes"]))
    state = {name.removeprefix("state."): values for name, values in arrays.items() if name.startswith("state.")}
    net.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()})
    normalize = Normalize(tuple(film.head["mean"]), tuple(film.head["std"]), torch.device("cpu"))
    maps: Arrays = {}
    layers = maps_of(trace(net, normalize(torch.from_numpy(pixels[None]))[0]).calls, maps)
    kept = {name: values for name, values in arrays.items() if not name.startswith("map.")}
    head = {**frame.head, "chosen": index, "layers": layers}
    return head, {**kept, "image": pixels.astype(np.float32), **maps}
