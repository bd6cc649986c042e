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
    "tiny-vgg": Entry(
        "conv 10 3 | relu | conv 10 3 | relu | pool 2 | conv 10 3 | relu | conv 10 3 | relu | pool 2"
        " | flatten | linear",
        (3, 64, 64),
        "the net that CNN Explainer shows (Wang et al. 2020): four convolutions for 64×64 colour images",
    ),
    "resnet8": Entry(
        "conv 16 3 padding=1 bias=no | batchnorm | relu"
        " | [ conv 16 3 padding=1 bias=no | batchnorm | relu | conv 16 3 padding=1 bias=no | batchnorm ]+ | relu"
        " | [ conv 32 3 stride=2 padding=1 bias=no | batchnorm | relu"
        " | conv 32 3 padding=1 bias=no | batchnorm ]+ | relu"
        " | [ conv 64 3 stride=2 padding=1 bias=no | batchnorm | relu"
        " | conv 64 3 padding=1 bias=no | batchnorm ]+ | relu"
        " | globalavg | flatten | linear",
        (3, 32, 32),
        "a small residual net for 32×32 colour images (after He et al. 2016): three blocks of two convolutions",
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
