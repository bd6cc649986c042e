"""``convscope.explain(model, image)``: everything about one image in one net, from the classes down to the products."""

import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.batches import Normalize
from ...data.handed import prepared_one
from ...engine.plain import plain_torch
from ...errors import UsageError
from ...net.model import Model
from ...net.ops.base import shape_text
from ...recipe import LossName
from ...shown import Part, Table, Tabular
from ...training.scores import confidence_of, confidence_text, confidences
from ..ledger import Ledger
from . import layers
from .backward import WeightUse, weight_use
from .pictures import pictures
from .receptive import ReceptiveField, receptive_field
from .saliency import Saliency, saliency
from .trace import Trace, trace

LIKELY = 3  # classes that are named
PLACE = re.compile(r"\s*([\w.#]+)\[([0-9]{1,9}(?:\s*,\s*[0-9]{1,9})*)\]\s*")


@dataclass(frozen=True)
class LayerRow:
    """One call of a layer: its output's ``shape`` without batch axis and the range of its values (None for boxes).

    ``inputs`` are the names of all that goes in, of which ``source`` is the first.
    """

    name: str
    kind: str
    source: str | None
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    zeros: float | None
    has_ledger: bool
    inputs: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Explanation(Tabular):
    """One image in one net. ``given`` float (C, H, W) is what the net takes; ``classes`` name its outputs, and
    ``loss`` says what these mean (:func:`~convscope.training.scores.confidences`).
    """

    net: nn.Module
    given: Tensor
    trace: Trace
    classes: tuple[str, ...]
    loss: LossName = "cross-entropy"

    def told(self) -> Iterator[Part]:
        """The likeliest classes, every layer with its range, and, in a notebook, the maps."""
        yield f"output  {self.trace.output.shape}"
        if self.classifies:
            p = self.confidences
            likely = np.argsort(-p, kind="stable")[:LIKELY]
            yield "class   " + ", ".join(f"{self.classes[k]} ({confidence_text(self.loss, p[k])})" for k in likely)
        names = ("layer", "kind", "reads", "shape", "lowest", "highest", "zeros")
        rows = [
            (row.name, row.kind, ", ".join(row.inputs), shape_text(row.shape), row.low, row.high, row.zeros)
            for row in self.rows
        ]
        yield Table(names, rows)
        yield from pictures(self.trace)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The raw output, one score a class: float64 (K,)."""
        return self.trace.output.ravel().astype(np.float64)

    @property
    def classifies(self) -> bool:
        """Whether the net makes one score a class; else there are no probabilities and no predicted class."""
        return self.trace.output.ndim == 1 and self.trace.output.size > 0

    @property
    def confidences(self) -> NDArray[np.float64]:
        """How sure the net is of each class: probabilities, softmax of the scores; or the scores themselves where it
        was trained with mse or mae. Raises UsageError where the net makes something else.
        """
        if not self.classifies:
            raise UsageError(
                f"the net makes {self.trace.output.shape}, not one score a class",
                "layers, ledgers and receptive fields need no classes",
            )
        return confidences(torch.from_numpy(self.scores)[None], self.loss)[0].numpy()

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """softmax of the scores. Raises UsageError where the net gives no probabilities."""
        if confidence_of(self.loss) != "probability":
            raise UsageError(f"the net was trained with {self.loss}: it gives scores, no probabilities", "use .scores")
        return self.confidences

    @property
    def predicted(self) -> int:
        """The index of the class with the largest score. Raises UsageError where the net makes something else."""
        return int(self.confidences.argmax())

    @property
    def rows(self) -> tuple[LayerRow, ...]:
        """Every call in order, with shape and range."""
        return tuple(self._row(name) for name in self.trace.calls)

    def ledger(self, layer: str, index: tuple[int, ...]) -> Ledger:
        """Why ``layer[index]`` is what it is: (c, h, w) of an image, (k,) of a flat output.

        Raises UsageError for an unknown layer, one without a ledger, or a place outside it; LedgerError where the
        terms do not come to what PyTorch computed.
        """
        return layers.ledger(self.trace, layer, whole(index))

    def follow(self, layer: str, index: tuple[int, ...]) -> list[Ledger]:
        """The ledger of ``layer[index]``, of its largest term, and so on down to a pixel, or to a layer without one.

        Raises as :meth:`ledger` does.
        """
        return layers.follow(self.trace, layer, whole(index))

    def receptive_field(self, layer: str, index: tuple[int, ...]) -> ReceptiveField:
        """The pixels that can change ``layer[index]``. Raises UsageError for an unknown layer or a place outside it."""
        c, h, w = self.given.shape
        return receptive_field(self.net, (c, h, w), layer, whole(index))

    def weight_gradient(self, weight: str, target: int | None = None) -> Ledger:
        """Why the loss's gradient for a weight such as "conv1[3,0,2,2]" or "conv1.bias[3]" is what it is.

        The loss is the cross entropy for class ``target``: the predicted one unless given. Raises UsageError for a
        weight or a class that there is none of, and for a weight of another layer than Conv2d and Linear, or of one
        that is used more than once.
        """
        return layers.weight_gradient(self._differentiated(target), *self._weight(weight))

    def weight_use(self, weight: str, target: int | None = None) -> WeightUse:
        """The same, place by place: upstream × input wherever the weight was used, and where that lies in the image.

        Raises as :meth:`weight_gradient` does.
        """
        return weight_use(self._differentiated(target), *self._weight(weight))

    def pixel_gradient(self, index: tuple[int, ...], target: int | None = None) -> Ledger:
        """Why the loss's gradient for a pixel (channel, row, column) of what the net takes is what it is.

        Raises UsageError for a pixel outside the image, for a class that there is none of, and where others than
        convolutions, sums and a linear layer read the pixels.
        """
        return layers.pixel_gradient(self._differentiated(target), whole(index))

    def saliency(self, target: int | None = None, square: int | None = None) -> Saliency:
        """Which pixels speak for class ``target`` (the predicted one unless given).

        ``square`` is the occluded square's side in pixels: a fifth of the image's shorter side unless given. Raises
        UsageError where the net is no classifier with that class.
        """
        return saliency(self.net, self.given, self.predicted if target is None else target, square)

    def _weight(self, text: str) -> tuple[str, tuple[int, ...]]:
        """ "conv1[3,0,2,2]" → ("conv1.weight", (3, 0, 2, 2))."""
        name, index = place(text)
        return (name if name in dict(self.net.named_parameters()) else f"{name}.weight"), index

    def _differentiated(self, target: int | None) -> Trace:
        return trace(self.net, self.given, self.predicted if target is None else target)

    def _row(self, name: str) -> LayerRow:
        call = self.trace.calls[name]
        y = call.output
        low, high, zeros = (None, None, None)
        if y is not None and y.size:
            low, high, zeros = float(y.min()), float(y.max()), float((y == 0).mean())
        return LayerRow(
            name=name,
            kind=call.kind,
            source=call.source,
            shape=() if y is None else y.shape,
            low=low,
            high=high,
            zeros=zeros,
            has_ledger=name in layers.explained(self.trace),
            inputs=call.inputs,
        )


@plain_torch()
def explain(model: Any, image: Any, classes: tuple[str, ...] | None = None, *, prepared: bool = False) -> Explanation:
    """Explain what ``model`` makes of ``image``.

    ``model``: a run or its Model, which take a picture as ``run.predict`` does, prepare and normalise it (one that is
    ``prepared`` already, uint8 (C, H, W), stays as it is); or any torch.nn.Module, which gets the numbers as they are.
    A batch axis of 1 is taken off. ``classes`` name a module's outputs; they are numbered otherwise. Raises UsageError
    for an image of another kind, LayerError where the net refuses it.
    """
    if not isinstance(model, nn.Module) and hasattr(model, "model"):
        model = model.model
    if isinstance(model, Model):
        pixels = image if prepared else prepared_one(image, model.preparation)
        given = Normalize(model.mean, model.std)(torch.from_numpy(np.array(pixels))[None])[0]
        return Explanation(model.net, given, trace(model.net, given), model.classes, model.loss)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{type(model).__name__} is neither a run nor a torch.nn.Module", "give convscope.load(...)")
    tensor = image.detach() if isinstance(image, Tensor) else torch.from_numpy(np.array(image, order="C"))
    if tensor.ndim == 4 and len(tensor) == 1:
        tensor = tensor[0]
    if tensor.ndim == 2:
        tensor = tensor[None]
    if tensor.ndim != 3:
        raise UsageError(f"the image has shape {tuple(tensor.shape)}, expected (C, H, W)", "one image at a time")
    traced = trace(model, tensor.float())
    names = tuple(map(str, range(traced.output.size))) if classes is None else classes
    return Explanation(model, tensor.float(), traced, names)


def place(text: str) -> tuple[str, tuple[int, ...]]:
    """ "conv1[3,0,2,2]" → ("conv1", (3, 0, 2, 2)). Raises UsageError."""
    found = PLACE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text[:60]!r} is no place in a tensor", "write a name and an index, such as conv1[3,0,2,2]")
    return found[1], tuple(int(word) for word in found[2].split(","))


def whole(index: Iterable[SupportsIndex]) -> tuple[int, ...]:
    """An index as Python's own whole numbers, of whatever kind (NumPy's, a list) it came. Raises UsageError."""
    try:
        numbers = list(index)
        if not any(isinstance(number, bool | np.bool_) for number in numbers):
            return tuple(map(operator.index, numbers))
    except TypeError:
        pass
    raise UsageError(f"the index is {str(index)[:60]}", "it must be whole numbers, such as (0, 5, 5)")
