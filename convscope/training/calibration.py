"""How sure of itself a trained net usually is: what a picture of no class is compared with."""

from dataclasses import replace

import numpy as np
import torch

from ..data.images import ImageSet
from ..engine.base import Engine
from ..net.model import Model

LEAST = 100  # held-out images, for a quantile of them to mean something
MOST = 2_000
RARE = 0.005  # of the held-out images are named less surely than `weakest`


def calibrated(model: Model, engine: Engine, val: ImageSet | None) -> Model:
    """``model`` whose look knows the scores of images that were held out for validation, if there are enough.

    Training images will not do: a net that knows them by heart is far surer of them than of any others.
    """
    if model.look is None or val is None or len(val) < LEAST:
        return model
    chosen = np.linspace(0, len(val) - 1, min(len(val), MOST)).astype(np.int64)
    sure = engine.logits(torch.from_numpy(val.images[chosen])).max(1).values.double().numpy()
    if not np.isfinite(sure).all():
        return model
    return replace(model, look=replace(model.look, weakest=float(np.quantile(sure, RARE))))
