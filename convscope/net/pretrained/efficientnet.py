"""EfficientNet-Lite as a spec: the net of Tan and Le 2019 without squeeze-and-excitation, with ReLU6 (Google, 2020).

Batch norm is folded into the convolutions, which for a net that is not trained further is the same net with a third of
the layers fewer. "Same" padding is TensorFlow's, for images whose sides are multiples of 32. The means of what the
last four stages make stand beside those of the head: features of several depths tell classes apart better than the
last ones alone, which have been drawn towards ImageNet's own classes (docs/photos.md has the figures).
"""

from math import ceil

EPS = 1e-3  # of the folded batch norm
STEM, HEAD = 32, 1280  # channels, the same for every width
# The stages of B0: repeats, kernel, stride, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPPED = 4  # the last stages whose means are features, too


def spec(width: float = 1.0, depth: float = 1.0) -> str:
    """The net in the language, with a ``linear`` for the classes at its end."""
    stages = [f"pad 0 1 | conv {STEM} 3 stride=2 | relu6"]
    channels = STEM
    for place, (repeats, kernel, stride, expansion, wanted) in enumerate(STAGES):
        ends = place in (0, len(STAGES) - 1)  # the first and the last stage are not made deeper
        times, out = repeats if ends else ceil(repeats * depth), _rounded(wanted * width)
        blocks = [_block(channels, kernel, stride, expansion, out)]
        if times > 1:
            more = f"[ {_block(out, kernel, 1, expansion, out)} ]+"
            blocks.append(more if times == 2 else f"{more}x{times - 1}")
        stages.append(" | ".join(blocks))
        channels = out
    inner = f"conv {HEAD} 1 | relu6 | globalavg"
    for stage in reversed(stages[-TAPPED + 1 :]):
        inner = f"{stage} | [ {inner} / globalavg ]&"
    *first, tapped = stages[: -TAPPED + 1]
    return " | ".join([*first, tapped, f"[ {inner} / globalavg ]&", "flatten", "linear"])


def _block(channels: int, kernel: int, stride: int, expansion: int, out: int) -> str:
    """An inverted residual (Sandler et al. 2018): wider by 1×1, each channel for itself, narrower by 1×1."""
    wider = f"conv {channels * expansion} 1 | relu6 | " if expansion > 1 else ""
    before = (kernel - 2) // 2
    place = f"padding={kernel // 2}" if stride == 1 else f"stride={stride}"
    pad = "" if stride == 1 else f"pad {before} {kernel - 2 - before} | "
    return f"{wider}{pad}depthwise {kernel} {place} | relu6 | conv {out} 1"


def _rounded(channels: float) -> int:
    """To a multiple of 8, and down by no more than a tenth."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def sources(depth: float = 1.0) -> list[tuple[str, str]]:
    """The names that the convolutions and their batch norms have in the PyTorch port, in forward order."""
    names = [("_conv_stem", "_bn0")]
    block = 0
    for place, (repeats, _, _, expansion, _) in enumerate(STAGES):
        ends = place in (0, len(STAGES) - 1)
        for _ in range(repeats if ends else ceil(repeats * depth)):
            parts = [("expand", "_bn0")] * (expansion > 1) + [("depthwise", "_bn1"), ("project", "_bn2")]
            names += [(f"_blocks.{block}._{part}_conv", f"_blocks.{block}.{norm}") for part, norm in parts]
            block += 1
    return [*names, ("_conv_head", "_bn1")]
