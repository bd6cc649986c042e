import numpy as np

from convscope.data.readers.digits import read_digits


def test_digits_are_scikit_learns_in_the_layout_of_mnist():
    from sklearn.datasets import load_digits  # half a second that other processes need not take

    train, test = read_digits()
    assert train.images.shape == (1442, 1, 28, 28)
    assert test.images.shape == (355, 1, 28, 28)
    assert train.classes == tuple("0123456789")
    original = load_digits()
    for part in (train, test):
        rows = [int(part.name(i)) for i in range(len(part))]
        assert (part.labels == original.target[rows]).all()
        # Averaged back to 8×8, the digit is the original one but for what smoothing moves across pixel borders.
        box = part.images[:, 0, 4:-4, 4:-4].astype(float) / 255 * 16
        coarse = box.reshape(-1, 4, 5, 4, 5).mean((2, 4))
        exact = original.images[rows].reshape(-1, 4, 2, 4, 2).mean((2, 4))
        assert np.corrcoef(coarse.ravel(), exact.ravel())[0, 1] > 0.97
        border = part.images.copy()
        border[:, :, 4:-4, 4:-4] = 0
        assert not border.any()


def test_the_split_is_fixed_and_has_every_class_in_both_parts():
    train, test = read_digits()
    assert set(train.names).isdisjoint(test.names)
    assert len({*train.names, *test.names}) == 1797
    counts = np.bincount(test.labels)
    assert counts.min() >= 34
    assert counts.max() <= 38
    assert read_digits()[0].fingerprint == train.fingerprint
