"""``convscope.Classifier``: a net as a scikit-learn estimator, for pipelines, grid searches and cross-validation.

It trains in memory: no run folder, no images held out, no pictures. What is fitted is pickled as the bytes of a
safetensors file, so that a pickle of it holds numbers and text, and no code of PyTorch's.
"""

from dataclasses import asdict, replace
from math import isqrt
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..data.images import Dataset, ImageSet, statistics
from ..distributed import voice
from ..engine.base import Engine
from ..engine.plain import plain_torch
from ..errors import UsageError
from ..language.counts import number_of, some
from ..net.build import build
from ..net.model import Model
from ..net.pretrained.catalogue import PRETRAINED
from ..net.spec import parse
from ..recipe import CHOICES, EngineName, LossName, OptimizerName, Recipe, ScheduleName
from ..training.loop import train
from ..training.prepared import prepare
from ..training.scores import probabilities
from ..training.state import State

Pixels = NDArray[np.uint8]
# What suits images by their shorter side, in pixels.
NETS = (
    (20, "note"),
    (6, "conv 16 3 padding=1 | relu | conv 32 3 | relu | flatten | linear 64 | relu | linear"),
    (0, "flatten | linear 64 | relu | linear"),
)


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A net that classifies images, with scikit-learn's ``fit``, ``predict``, ``predict_proba`` and ``score``.

    ``X`` holds images (N, C, H, W), (N, H, W) or (N, H, W, C), or their pixels in rows (N, C·H·W) of ``image_shape``
    (C, H, W); None takes a square, or one row of pixels where there is none. They are brought to 256 grey levels as the
    net's engine takes them: uint8 as they are, numbers in 0..1 times 255, and all others from the smallest to the
    largest number of the first fit; numbers that are beyond count as these. ``y`` may be numbers or texts.

    ``net`` is a named net or a spec; None takes one that suits the images' size. ``random_state`` decides initial
    weights, order and dropout; the other parameters are those of :class:`convscope.Recipe`. A constant schedule lets
    ``partial_fit`` continue with further images, one pass a call. With ``sample_weight`` the loss of each image counts
    so many times as often as the mean weight; then PyTorch trains, not the jit engine. After ``fit``: ``classes_``,
    ``n_features_in_``, ``model_`` (a :class:`~convscope.net.model.Model`, of which ``.net`` is the torch module),
    ``loss_curve_`` (the mean loss of each epoch), ``engine_`` and ``n_iter_``.
    """

    def __init__(
        self,
        net: str | None = None,
        *,
        image_shape: tuple[int, int, int] | None = None,
        epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.003,
        momentum: float = 0.5,
        weight_decay: float = 0.0,
        optimizer: OptimizerName = "adam",
        schedule: ScheduleName = "constant",
        loss: LossName = "cross-entropy",
        label_smoothing: float = 0.0,
        augment: str = "none",
        engine: EngineName = "auto",
        device: str = "auto",
        threads: int = 0,
        random_state: Any = None,
    ) -> None:
        self.net = net
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.schedule = schedule
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.augment = augment
        self.engine = engine
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the net from new initial weights. Images of ``sample_weight`` 0 are left out. Raises ValueError for X,
        y and weights that do not fit, UsageError for parameters, TrainingError where the loss is not finite."""
        voice.alone("Classifier.fit")
        X, y, weights = _weighted(X, y, sample_weight)
        self._begin(X, y, None)
        return self._train(X, y, weights, self.epochs)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Continue for one pass over X, with the optimizer's state kept; the first call may need all ``classes``.

        Raises what :meth:`fit` raises.
        """
        if self.schedule != "constant":
            raise UsageError(f"partial_fit goes with schedule='constant', not {self.schedule!r}", "it has no end")
        voice.alone("Classifier.partial_fit")
        X, y, weights = _weighted(X, y, sample_weight)
        if not hasattr(self, "model_"):
            self._begin(X, y, classes)
        return self._train(X, y, weights, 1)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """How likely each of ``classes_`` is for each image: float64 (N, K). Raises UsageError after fitting with
        another loss than cross-entropy, which gives scores and no probabilities."""
        check_is_fitted(self, "model_")
        if self.loss != "cross-entropy":
            raise UsageError(f"a net that is trained with {self.loss} gives no probabilities", "use predict")
        return probabilities(self._logits(X)).numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest of ``classes_`` for each image: (N,)."""
        check_is_fitted(self, "model_")
        found: NDArray[Any] = self.classes_[self._logits(X).argmax(1).numpy()]
        return found

    def _begin(self, X: Any, y: Any, classes: Any) -> None:
        """Take note of classes, sizes and scales, and forget an older fit."""
        rows, shape = _rows(X)
        X, y = validate_data(self, rows, y)
        check_classification_targets(y)
        self.classes_ = np.unique(y if classes is None else classes)
        if len(self.classes_) < 2:
            raise ValueError("y has one class, but a classifier needs two or more")
        shape = shape or self._shape_of_rows(X.shape[1])
        low, high = float(X.min()), float(X.max())
        plain = X.dtype == np.uint8
        self.scale_ = (0.0, 255.0) if plain else (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        net = next(net for side, net in NETS if min(shape[1:]) >= side) if self.net is None else self.net
        if net.strip() in (*PRETRAINED, "auto"):
            raise UsageError(f"net={net!r} is for convscope.train: Classifier trains from scratch", "name another net")
        own = {name: getattr(self, name) for name in CHOICES if name in self.get_params() and name != "net"}
        self.recipe_ = Recipe(net=net, seed=int(seed), **own)
        self.image_shape_ = shape
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0
        self._state: dict[str, torch.Tensor] = {}
        if hasattr(self, "model_"):
            del self.model_

    @plain_torch()
    def _train(self, X: Any, y: Any, weights: torch.Tensor | None, epochs: int) -> Self:
        """So many epochs on X and y, from where the net stands."""
        first = not hasattr(self, "model_")
        X, y = validate_data(self, self._fitting(X), y, reset=False)
        known, labels = np.unique(y, return_inverse=True)
        strange = known[~np.isin(known, self.classes_)]
        if len(strange):
            raise ValueError(f"y has classes that fit did not see: {some(map(repr, strange.tolist()), 5)}")
        labels = np.searchsorted(self.classes_, known)[labels].astype(np.int64)
        names = tuple(f"{i} {name}" for i, name in enumerate(self.classes_))  # 1 and "1" are two classes
        images = ImageSet(self._pixels(X), labels, names)
        if first:
            mean, std = statistics(images.images, None if weights is None else weights.numpy())
        else:
            mean, std = self.model_.mean, self.model_.std
        # The loop tests after each epoch; nobody asks for that here, so it is one image, and its result is unused.
        data = Dataset("arrays", images, images.take(np.arange(1)), mean, std)
        recipe = replace(self.recipe_, epochs=self.n_iter_ + epochs)
        prepared = prepare(recipe, data, sample_weights=weights)
        if not first:
            prepared.model.net.load_state_dict(self.model_.net.state_dict())
            prepared.engine.load_state(self._state)
        steps = prepared.batches.steps
        state = State(epoch=self.n_iter_, step=self.n_iter_ * steps, images=self.n_iter_ * len(images))
        for _ in train(prepared.engine, recipe, data, state, batches=prepared.batches):
            if state.last.train_loss is not None and state.epoch > self.n_iter_:
                self.loss_curve_.append(state.last.train_loss)
                self.n_iter_ = state.epoch
        self._keep(prepared.model, prepared.engine)
        return self

    def _keep(self, model: Model, engine: Engine) -> None:
        self._state = {name: tensor.cpu() for name, tensor in engine.state().items()}
        self.engine_ = engine.name
        self.model_ = replace(model, net=model.net.cpu(), look=None)

    def _logits(self, X: Any) -> torch.Tensor:
        X = validate_data(self, self._fitting(X), reset=False)
        return self.model_.logits(torch.from_numpy(self._pixels(X)))

    def _shape_of_rows(self, features: int) -> tuple[int, int, int]:
        """(C, H, W) of the images whose pixels are the rows of X. Raises ValueError."""
        side = isqrt(features)
        square = (1, side, side) if side * side == features else (1, 1, features)
        shape = square if self.image_shape is None else tuple(self.image_shape)
        if len(shape) != 3 or np.prod(shape) != features:
            raise ValueError(f"image_shape={self.image_shape} is not (C, H, W) of X's {number_of(features, 'feature')}")
        return shape

    def _fitting(self, X: Any) -> Any:
        """X as rows. Raises ValueError for images of another size than those of the first fit."""
        rows, shape = _rows(X)
        if shape not in (None, self.image_shape_):
            raise ValueError(f"X has images of shape {shape}, but was fitted on {self.image_shape_}")
        return rows

    def _pixels(self, X: NDArray[Any]) -> Pixels:
        """Rows as uint8 (N, C, H, W)."""
        X = X.reshape(-1, *self.image_shape_)
        if X.dtype == np.uint8 and self.scale_ == (0.0, 255.0):
            return np.ascontiguousarray(X)
        low, high = self.scale_
        levels = (X.astype(np.float64) - low) * (255 / (high - low if high > low else 1.0))
        pixels: Pixels = np.rint(levels.clip(0, 255)).astype(np.uint8)
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        """Parameters and what was fitted: the net as the bytes of a safetensors file."""
        state = dict(super().__getstate__())
        model, slots = state.pop("model_", None), state.pop("_state", {})
        if model is not None:
            tensors = {f"net/{name}": tensor for name, tensor in model.net.state_dict().items()}
            tensors |= {f"engine/{name}": tensor for name, tensor in slots.items()}
            state["weights_"] = save_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})
            state["about_"] = {name: value for name, value in vars(model).items() if name in ("spec", "mean", "std")}
            state["recipe_"] = asdict(self.recipe_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The net again, from its weights."""
        state = dict(state)
        weights, about = state.pop("weights_", None), state.pop("about_", None)
        super().__setstate__(state)
        if weights is None:
            return
        self.recipe_ = Recipe(**state["recipe_"])
        tensors = load_bytes(weights)
        groups = {
            group: {name.partition("/")[2]: tensor for name, tensor in tensors.items() if name.startswith(group)}
            for group in ("net/", "engine/")
        }
        names = tuple(f"{i} {name}" for i, name in enumerate(self.classes_))
        net = build(parse(about["spec"]), self.image_shape_, len(names), device="meta")
        net.load_state_dict(groups["net/"], assign=True)
        self._state = groups["engine/"]
        self.model_ = Model(
            net=net,
            spec=about["spec"],
            image=self.image_shape_,
            mean=about["mean"],
            std=about["std"],
            classes=names,
            stored_loss=self.recipe_.loss,
        )


def _weighted(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, torch.Tensor | None]:
    """X and y without images of weight 0, and the weights with mean 1; None where all are equal. Raises ValueError."""
    if sample_weight is None:
        return X, y, None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any() or not weights.any():
        raise ValueError("sample_weight must not be negative, and not 0 for all images")
    kept = np.flatnonzero(weights)
    if len(kept) < len(weights):
        X, y, weights = _safe_indexing(X, kept), _safe_indexing(y, kept), weights[kept]
    equal = weights.min() == weights.max()
    return X, y, None if equal else torch.from_numpy(weights / weights.mean())


def _rows(X: Any) -> tuple[Any, tuple[int, int, int] | None]:
    """Images as rows of pixels, and their shape (C, H, W); None where they are rows already. Raises ValueError."""
    shape: tuple[int, ...] = tuple(getattr(X, "shape", ()))
    if len(shape) < 3:
        return X, None
    X = np.asarray(X)
    if X.ndim == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3):
        X = X.transpose(0, 3, 1, 2)
    elif X.ndim == 3:
        X = X[:, None]
    if X.ndim != 4 or X.shape[1] not in (1, 3):
        raise ValueError(f"X has shape {shape}; give (N, C, H, W), (N, H, W), (N, H, W, C) or rows of pixels")
    return X.reshape(len(X), -1), (X.shape[1], X.shape[2], X.shape[3])
