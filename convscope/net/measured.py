"""What the named nets reached where they were trained: docs/records.md has the commands, the machine and the spread."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """``accuracy`` on the test images of ``data``, the mean of ``runs``; their standard ``deviation`` (None of a single
    one); the processor ``seconds`` of a whole run, or, where a ``gpu`` is named, those that pass in training.
    """

    data: str
    accuracy: float
    deviation: float | None
    runs: int
    seconds: float
    gpu: str = ""

    @property
    def text(self) -> str:
        """ "mnist 99.25 % ± 0.05 (n = 10), 7 s"."""
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.2f}"
        where = f" ({self.gpu})" if self.gpu else ""
        return f"{self.data} {100 * self.accuracy:.2f} %{spread} (n = {self.runs}), {self.seconds:.0f} s{where}"


# mnist: --recipe mnist-992 --net NET. photos: 1,600 training images of CIFAR-10, as auto trains (40 epochs of AdamW):
# python -m bench.nets prints these lines. cifar10: its JPEG copy, 30 epochs of SGD (python -m bench.gpu).
MEASURED = {
    "note": Measured("mnist", 0.9925, 0.0005, 10, 7.0),
    "lenet5": Measured("mnist", 0.9899, 0.0001, 3, 5.9),
    "lenet5-relu": Measured("mnist", 0.9927, 0.0006, 3, 4.6),
    "mlp": Measured("mnist", 0.9803, 0.0001, 3, 3.4),
    "tiny-vgg": Measured("photos", 0.5037, 0.0018, 2, 12.1),
    "cnn-s": Measured("photos", 0.5150, 0.0141, 2, 8.6),
    "cnn-l": Measured("photos", 0.6150, 0.0035, 2, 151.7),
    "cnn-m": Measured("photos", 0.5900, 0.0035, 2, 115.0),
    "resnet8": Measured("photos", 0.5738, 0.0230, 2, 31.0),
    "resnet14": Measured("photos", 0.5988, 0.0194, 2, 50.1),
    "resnet20": Measured("photos", 0.5787, 0.0088, 2, 75.3),
    "fast94": Measured("cifar10", 0.9008, 0.0014, 3, 7.6, "H200"),
    "efficientnet-lite0": Measured("photos", 0.7300, None, 1, 38.0),
    "efficientnet-lite1": Measured("photos", 0.7400, None, 1, 25.1),
    "efficientnet-lite2": Measured("photos", 0.7325, None, 1, 26.4),
}
