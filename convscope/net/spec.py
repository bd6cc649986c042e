"""The language for nets: ``conv 10 5 | pool 2 | relu | linear`` ↔ a tuple of layers.

A layer is a word, its numbers and its options, layers are separated by ``|``:

    conv OUT K[xK] [stride=S[xS]] [padding=P[xP]|same] [dilation=D[xD]] [groups=G] [bias=yes|no]
    pool K[xK] [stride=S[xS]] [padding=P[xP]]      avgpool likewise
    relu    tanh    sigmoid    batchnorm    dropout P    globalavg    flatten
    linear [OUT] [bias=yes|no]                     no OUT: as many as there are classes

Pairs are height x width. Input channels and features are worked out, and a ``flatten`` is put before the first
``linear`` where it is missing. Errors are :class:`SpecError`, which points at the word.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from ..errors import UsageError, near
from .layers import Activation, BatchNorm, Conv, Dropout, Flatten, GlobalAvg, Layer, Linear, Pair, Pool

MAX_LAYERS = 200
MAX_NUMBER = 1_000_000


class SpecError(UsageError):
    """A net spec that cannot be read; ``position`` is where in the text the trouble starts."""

    def __init__(self, text: str, position: int, length: int, message: str, help: str = "") -> None:  # noqa: A002
        self.position = position
        start = max(0, position - 60)  # long specs are shown around the word, not whole
        shown = text[start : position + 60].replace("\n", " ").replace("\t", " ")
        caret = " " * (position - start) + "^" * max(1, min(length, 60))
        super().__init__(f"{message}\n  {shown}\n  {caret}", help)


@dataclass
class _Word:
    """One word of the text and where it stands."""

    text: str
    position: int


@dataclass
class _Reader:
    """The words of one layer, taken one by one; every complaint points at a word."""

    spec: str
    head: _Word
    numbers: list[_Word]
    options: dict[str, _Word]
    usage: str
    used: set[str] = field(default_factory=set)

    def fail(self, word: _Word, message: str) -> SpecError:
        return SpecError(self.spec, word.position, len(word.text), message, f"write: {self.usage}")

    def number(self, word: _Word, text: str, what: str, least: int) -> int:
        if not re.fullmatch(r"[0-9]{1,7}", text) or not least <= int(text) <= MAX_NUMBER:
            raise self.fail(word, f"{what} must be a whole number from {least} to {MAX_NUMBER}, not {text[:40]!r}")
        return int(text)

    def pair(self, word: _Word, text: str, what: str, least: int) -> Pair:
        parts = text.split("x")
        if len(parts) > 2:
            raise self.fail(word, f"{what} must be K or HxW, not {text[:40]!r}")
        values = [self.number(word, part, what, least) for part in parts]
        return values[0], values[-1]

    def take(self, what: str) -> _Word:
        if not self.numbers:
            raise self.fail(self.head, f"{self.head.text!r} needs {what}")
        return self.numbers.pop(0)

    def option(self, name: str) -> tuple[_Word, str] | None:
        self.used.add(name)
        word = self.options.get(name)
        return None if word is None else (word, word.text.partition("=")[2])

    def option_pair(self, name: str, default: Pair, least: int = 1) -> Pair:
        found = self.option(name)
        return default if found is None else self.pair(*found, name, least)

    def option_bool(self, name: str, default: bool) -> bool:
        found = self.option(name)
        if found is None:
            return default
        word, text = found
        if text.lower() not in ("yes", "true", "1", "no", "false", "0"):
            raise self.fail(word, f"{name} must be yes or no, not {text[:40]!r}")
        return text.lower() in ("yes", "true", "1")

    def finish(self) -> None:
        if self.numbers:
            raise self.fail(self.numbers[0], f"{self.head.text!r} does not take {self.numbers[0].text[:40]!r} here")
        for name, word in self.options.items():
            if name not in self.used:
                allowed = ", ".join(f"{option}=" for option in sorted(self.used)) or "none"
                raise self.fail(word, f"{self.head.text!r} has no option {name[:40]!r}; its options: {allowed}")


def _conv(r: _Reader) -> Conv:
    word = r.take("the number of output channels and the kernel size")
    out = r.number(word, word.text, "the number of output channels", 1)
    word = r.take("a kernel size, such as 3 or 3x5")
    kernel = r.pair(word, word.text, "the kernel size", 1)
    stride = r.option_pair("stride", (1, 1))
    padding: Pair | Literal["same"] = (0, 0)
    found = r.option("padding")
    if found and found[1] == "same":
        if stride != (1, 1):
            raise r.fail(found[0], "padding=same works with stride 1 only")
        padding = "same"
    elif found:
        padding = r.pair(*found, "padding", 0)
    dilation = r.option_pair("dilation", (1, 1))
    found = r.option("groups")
    groups = r.number(*found, "groups", 1) if found else 1
    return Conv(out, kernel, stride, padding, dilation, groups, r.option_bool("bias", True))


def _pool(r: _Reader) -> Pool:
    word = r.take("a window size, such as 2")
    kernel = r.pair(word, word.text, "the window", 1)
    stride = r.option_pair("stride", kernel)
    padding = r.option_pair("padding", (0, 0), least=0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise r.fail(r.options["padding"], "padding of a pool can be at most half of its window")
    return Pool(r.head.text == "avgpool", kernel, stride, padding)


def _dropout(r: _Reader) -> Dropout:
    word = r.take("a probability, such as 0.5")
    if not re.fullmatch(r"0?\.[0-9]{1,17}|0", word.text):
        raise r.fail(word, f"the probability must lie in 0 ≤ p < 1, not {word.text[:40]!r}")
    return Dropout(float(word.text))


def _linear(r: _Reader) -> Linear:
    out = None
    if r.numbers:
        word = r.numbers.pop(0)
        out = r.number(word, word.text, "the number of outputs", 1)
    return Linear(out, r.option_bool("bias", True))


# word of the language → how it is written, how it is read
WORDS: dict[str, tuple[str, Callable[[_Reader], Layer]]] = {
    "conv": ("conv OUT K[xK] [stride=1] [padding=0|same] [dilation=1] [groups=1] [bias=yes]", _conv),
    "pool": ("pool K[xK] [stride=K] [padding=0]", _pool),
    "avgpool": ("avgpool K[xK] [stride=K] [padding=0]", _pool),
    "relu": ("relu", lambda r: Activation("relu")),
    "tanh": ("tanh", lambda r: Activation("tanh")),
    "sigmoid": ("sigmoid", lambda r: Activation("sigmoid")),
    "batchnorm": ("batchnorm", lambda r: BatchNorm()),
    "dropout": ("dropout P", _dropout),
    "globalavg": ("globalavg", lambda r: GlobalAvg()),
    "flatten": ("flatten", lambda r: Flatten()),
    "linear": ("linear [OUT] [bias=yes]", _linear),
}


def parse(text: str) -> tuple[Layer, ...]:
    """Read a spec. Raises :class:`SpecError` (exit code 2) that points at the word that cannot be read."""
    layers: list[Layer] = []
    for words in _split(text):
        head = words[0]
        if head.text not in WORDS:
            raise SpecError(text, head.position, len(head.text), f"no layer is called {head.text[:40]!r}",
                            near(head.text[:40], WORDS))  # fmt: skip
        usage, read = WORDS[head.text]
        options: dict[str, _Word] = {}
        numbers = []
        for word in words[1:]:
            name, equals, _ = word.text.partition("=")
            if not equals:
                numbers.append(word)
            elif name in options:
                raise SpecError(text, word.position, len(word.text), f"{name[:40]!r} is given twice", f"write: {usage}")
            else:
                options[name] = word
        reader = _Reader(text, head, numbers, options, usage)
        layer = read(reader)
        reader.finish()
        flat = any(isinstance(earlier, Flatten) for earlier in layers)
        if isinstance(layer, Linear) and not flat:
            layers.append(Flatten())
        elif flat and isinstance(layer, Conv | Pool | GlobalAvg | Flatten):
            raise SpecError(text, head.position, len(head.text),
                            f"{head.text!r} needs an image, but the image is flattened before it",
                            "put it before flatten and linear")  # fmt: skip
        layers.append(layer)
        if len(layers) > MAX_LAYERS:
            raise SpecError(text, head.position, len(head.text), f"a net has at most {MAX_LAYERS} layers")
    return tuple(layers)


def _split(text: str) -> Iterator[list[_Word]]:
    position = 0
    for part in text.split("|"):
        words = [_Word(m.group(), position + m.start()) for m in re.finditer(r"\S+", part)]
        if not words:
            raise SpecError(text, min(position, max(len(text) - 1, 0)), 1, "a layer is missing here",
                            "write layers with | between them, such as: conv 10 5 | pool 2 | linear")  # fmt: skip
        yield words
        position += len(part) + 1


def _pair_text(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def layer_text(layer: Layer) -> str:
    """One layer in the language, without what is default: the inverse of reading it."""
    words = [layer.kind]
    match layer:
        case Conv():
            words += [str(layer.out), _pair_text(layer.kernel)]
            if layer.stride != (1, 1):
                words.append(f"stride={_pair_text(layer.stride)}")
            if layer.padding == "same":
                words.append("padding=same")
            elif layer.padding != (0, 0):
                words.append(f"padding={_pair_text(layer.padding)}")
            if layer.dilation != (1, 1):
                words.append(f"dilation={_pair_text(layer.dilation)}")
            if layer.groups != 1:
                words.append(f"groups={layer.groups}")
        case Pool():
            words.append(_pair_text(layer.kernel))
            if layer.stride != layer.kernel:
                words.append(f"stride={_pair_text(layer.stride)}")
            if layer.padding != (0, 0):
                words.append(f"padding={_pair_text(layer.padding)}")
        case Dropout():
            words.append(f"{Decimal(repr(layer.p)).normalize():f}")
        case Linear() if layer.out is not None:
            words.append(str(layer.out))
        case _:
            pass
    if isinstance(layer, Conv | Linear) and not layer.bias:
        words.append("bias=no")
    return " ".join(words)


def text(layers: tuple[Layer, ...]) -> str:
    """The spec of ``layers``: ``parse(text(layers)) == layers``."""
    return " | ".join(layer_text(layer) for layer in layers)
