"""A net as the PyTorch code that a person would write: every argument that is not the default, and no other."""

from .layers import Activation, BatchNorm, Conv, Dropout, Flatten, GlobalAvg, Linear, Pair, Pool
from .shapes import Row, Shape

ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def listing(rows: list[Row]) -> str:
    """``net = nn.Sequential(...)`` with the names of the shape table; needs OrderedDict and torch.nn imported."""
    lines = [f'    ("{row.name}", nn.{_call(row)}),  # {_shape(row.output)}' for row in rows]
    return "\n".join(["net = nn.Sequential(OrderedDict([", *lines, "]))"])


def _call(row: Row) -> str:
    layer = row.layer
    match layer:
        case Conv():
            words = [str(row.input[0]), str(layer.out), _pair(layer.kernel)]
            words += _unless("stride", layer.stride, (1, 1))
            words += ['padding="same"'] if layer.padding == "same" else _unless("padding", layer.padding, (0, 0))
            words += _unless("dilation", layer.dilation, (1, 1))
            words += [f"groups={layer.groups}"] * (layer.groups != 1)
            return f"Conv2d({', '.join(words + ['bias=False'] * (not layer.bias))})"
        case Pool():
            words = [_pair(layer.kernel), *_unless("stride", layer.stride, layer.kernel)]
            words += _unless("padding", layer.padding, (0, 0))
            return f"{'Avg' if layer.average else 'Max'}Pool2d({', '.join(words)})"
        case Activation():
            return f"{ACTIVATIONS[layer.kind]}()"
        case BatchNorm():
            return f"BatchNorm{'2d' if len(row.input) == 3 else '1d'}({row.input[0]})"
        case Dropout():
            return f"Dropout({layer.p!r})"
        case Flatten():
            return "Flatten()"
        case GlobalAvg():
            return "AdaptiveAvgPool2d(1)"
        case Linear():
            return f"Linear({row.input[0]}, {row.output[0]}{'' if layer.bias else ', bias=False'})"


def _pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)


def _unless(name: str, pair: Pair, default: Pair) -> list[str]:
    return [] if pair == default else [f"{name}={_pair(pair)}"]


def _shape(shape: Shape) -> str:
    return f"({', '.join(('N', *map(str, shape)))})"
