"""Named nets. Each is a spec; nothing here knows about torch."""

from dataclasses import dataclass

from ..errors import UsageError, near
from .ops import WORDS
from .pretrained.catalogue import PRETRAINED
from .spec import parse
from .tree import Net


@dataclass(frozen=True)
class Entry:
    """A named net: its spec, the image it was made for (C, H, W), and what it is."""

    spec: str
    image: tuple[int, int, int]
    about: str


def _normed(channels: int) -> str:
    """A 3×3 convolution that keeps the size, batch norm and ReLU."""
    return f"conv {channels} 3 padding=1 bias=no | batchnorm | relu"


def _pooled(channels: int) -> str:
    """A block of airbench's: two convolutions, a pool before the first one's batch norm."""
    convolution = f"conv {channels} 3 padding=1 bias=no"
    return f"{convolution} | pool 2 | batchnorm | gelu | {convolution} | batchnorm | gelu"


def _residual(blocks: int) -> str:
    """The net of He et al. 2015 (arXiv 1512.03385, section 4.2) with 6 · blocks + 2 layers of weights; shortcuts that
    change the shape are 1×1 convolutions."""
    stages = [_normed(16)]
    for channels, stride in ((16, ""), (32, " stride=2"), (64, " stride=2")):
        first, more = _block(channels, stride), _block(channels, "")
        stages += [first, f"[ {more} ]x{blocks - 1}"] if blocks > 1 else [first]
    return " | ".join([*stages, "globalavg | flatten | linear"])


def _block(channels: int, stride: str) -> str:
    return (
        f"[ conv {channels} 3{stride} padding=1 bias=no | batchnorm | relu"
        f" | conv {channels} 3 padding=1 bias=no | batchnorm ]+ | relu"
    )


_RESIDUAL = "{} for 32×32 colour images (after He et al. 2016): {} of two convolutions"
ZOO = {
    "note": Entry(
        "conv 10 5 | pool 2 | relu | conv 20 5 | pool 2 | relu | flatten | linear",
        (1, 28, 28),
        "the study note's net: 8,490 parameters, about 98.8 % on MNIST after ten epochs",
    ),
    "lenet5": Entry(
        "conv 6 5 padding=2 | tanh | avgpool 2 | conv 16 5 | tanh | avgpool 2 | flatten"
        " | linear 120 | tanh | linear 84 | tanh | linear",
        (1, 28, 28),
        "LeNet-5 (LeCun et al. 1998) with full connections between the convolutions and a plain last layer",
    ),
    "lenet5-relu": Entry(
        "conv 6 5 | relu | pool 2 | conv 16 5 | relu | pool 2 | flatten"
        " | linear 120 | relu | linear 84 | relu | linear",
        (1, 28, 28),
        "LeNet-5 with ReLU and max pools, as SimpleChains.jl times it (Elrod 2022): 44,426 parameters",
    ),
    "tiny-vgg": Entry(
        "conv 10 3 | relu | conv 10 3 | relu | pool 2 | conv 10 3 | relu | conv 10 3 | relu | pool 2"
        " | flatten | linear",
        (3, 64, 64),
        "the net that CNN Explainer shows (Wang et al. 2020): four convolutions for 64×64 colour images",
    ),
    "cnn-s": Entry(
        f"{_normed(16)} | pool 2 | {_normed(32)} | pool 2 | {_normed(64)} | globalavg | flatten | linear",
        (3, 32, 32),
        "three convolutions with batch norm (Ioffe and Szegedy 2015): small images, quick to train",
    ),
    "cnn-m": Entry(
        f"{_normed(32)} | {_normed(32)} | pool 2 | {_normed(64)} | {_normed(64)} | pool 2 | {_normed(128)} | globalavg"
        " | flatten | linear",
        (3, 32, 32),
        "five convolutions with batch norm, after VGG (Simonyan and Zisserman 2014)",
    ),
    "cnn-l": Entry(
        f"{_normed(64)} | {_normed(64)} | pool 2 | {_normed(128)} | {_normed(128)} | pool 2 | {_normed(256)}"
        f" | {_normed(256)} | globalavg | flatten | linear",
        (3, 32, 32),
        "six wide convolutions with batch norm, after VGG: where there are tens of thousands of images",
    ),
    "resnet8": Entry(_residual(1), (3, 32, 32), _RESIDUAL.format("a small residual net", "three blocks")),
    "resnet14": Entry(_residual(2), (3, 32, 32), _RESIDUAL.format("a residual net", "six blocks")),
    "resnet20": Entry(_residual(3), (3, 32, 32), _RESIDUAL.format("a residual net", "nine blocks")),
    "fast94": Entry(
        f"conv 24 2 | gelu | {_pooled(64)} | {_pooled(256)} | {_pooled(256)} | pool 3 | flatten | linear",
        (3, 32, 32),
        "the layers of airbench94 (Jordan 2024, arXiv 2404.00498) for 32×32 colour images, with random first weights",
    ),
    "mlp": Entry(
        "flatten | linear 128 | relu | linear",
        (1, 28, 28),
        "no convolution at all: what a plain network makes of the same pixels",
    ),
} | {name: Entry(net.spec, (3, net.side, net.side), net.about) for name, net in PRETRAINED.items()}


def resolve(net: str) -> Net:
    """The layers of a zoo name or of a spec. Raises UsageError (a SpecError points at the word)."""
    name = net.strip()
    if name in ZOO:
        return parse(ZOO[name].spec)
    if not set("|[") & set(name) and len(name.split()) == 1 and name not in WORDS:
        raise UsageError(
            f"no net is called {name[:60]!r}",
            f"{near(name[:60], ZOO)}; or write a spec such as 'conv 10 5 | pool 2 | relu | linear'",
        )
    return parse(net)


def net_name(net: str) -> str:
    """A short name for folders: the zoo's name, or "custom" for a spec."""
    return net.strip() if net.strip() in ZOO else "custom"
