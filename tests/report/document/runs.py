"""Runs for the documents' tests: small, with names that a page must not take for its own."""

import numpy as np

import convscope

CLASSES = ('it\'s "x"', "</script><script>alert(1)</script>", "猫\n🙂 | `b` & <!-- *c*")
NET = "conv 4 3 | relu | pool 2 | linear"


def data(seed=0, count=60):
    """Images of three classes told apart by their bright third; class 2 sometimes has another's label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 90, (count, 3, 12, 9), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 120
    return images, labels


def trained(folder, **more):
    """A run on them, with one label of the test set wrong on purpose: that of image 5."""
    (x, y), (xt, yt) = data(1), data(2, 30)
    yt[5] = (yt[5] + 1) % 3
    folder.mkdir(exist_ok=True)
    path = folder / "odd.npz"
    if not path.exists():
        np.savez(path, x_train=x, y_train=y, x_test=xt, y_test=yt, classes=CLASSES)
    given = {"net": NET, "epochs": 12, "lr": 0.05, "batch_size": 8, "threads": 1, "engine": "eager"} | more
    return convscope.train(path, out=folder / "runs", **given)
