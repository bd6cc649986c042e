"""How much the images of each class count in the loss."""

import numpy as np
from numpy.typing import NDArray

from ...recipe import ClassWeightName


def class_weights(name: ClassWeightName, labels: NDArray[np.int64], classes: int) -> tuple[float, ...] | None:
    """N / (K · N_k) for each of K classes, so that all count the same in all, as in scikit-learn's
    class_weight="balanced"; 0 for a class without images. None where every image counts the same."""
    if name == "none":
        return None
    count = np.bincount(labels, minlength=classes)
    return tuple((len(labels) / (classes * np.maximum(count, 1)) * (count > 0)).tolist())
