"""The programs behind "as PyTorch": each needs torch alone, computes what the room shows and asserts its numbers."""

from typing import Any

import numpy as np

from ...explain.backprop.small_net import SmallNet
from ...explain.backprop.walk import Walk
from ...explain.concepts.convolution import Convolution
from ...explain.concepts.pooling import Pooling

WIDE = 4000  # numbers; larger tensors are drawn at random in the program, and only shapes are asserted


def literal(values: Any) -> str:
    """An array as a Python literal, one innermost matrix row a line; float32 numbers in the fewest exact digits."""
    array = np.asarray(values)
    if array.ndim <= 1:
        return f"[{', '.join(_number(v) for v in array)}]" if array.ndim else _number(array[()])
    inner = ",\n".join(literal(part) for part in array)
    return "[" + inner.replace("\n", "\n ") + "]"


def _number(value: Any) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else str(value)


def _tensor(name: str, array: Any) -> str:
    if array.size > WIDE:
        return f"{name} = torch.rand({', '.join(map(str, array.shape))})  # the numbers are too many to print here"
    text = literal(array).replace("\n", "\n" + " " * (len(name) + 16))
    return f"{name} = torch.tensor({text}, dtype=torch.float32)"


def _options(**pairs: Any) -> str:
    """Arguments that are not their defaults: name=(value, default)."""
    return "".join(f", {name}={value!r}" for name, (value, default) in pairs.items() if value != default)


def conv_script(c: Convolution) -> str:
    """Room 4."""
    s, (out, each, *kernel) = c.settings, c.weight.shape
    options = _options(
        stride=(s.stride, (1, 1)),
        padding=(s.padding, (0, 0)),
        dilation=(s.dilation, (1, 1)),
        groups=(s.groups, 1),
        bias=(c.bias is not None, True),
        padding_mode=(s.padding_mode, "zeros"),
    )
    lines = ["import torch", "from torch import nn", "", _tensor("x", c.input), _tensor("weight", c.weight)]
    lines += [] if c.bias is None else [_tensor("bias", c.bias)]
    lines += [
        "",
        f"conv = nn.Conv2d({each * s.groups}, {out}, {tuple(kernel)}{options})",
        "with torch.no_grad():",
        "    conv.weight.copy_(weight)",
    ]
    lines += [] if c.bias is None else ["    conv.bias.copy_(bias)"]
    lines += ["    output = conv(x)", "", *_check(c.output, max(c.input.size, c.weight.size))]
    return "\n".join(lines) + "\n"


def pool_script(p: Pooling) -> str:
    """Room 5."""
    s = p.settings
    options = _options(stride=(s.stride, s.kernel_size), padding=(s.padding, (0, 0)))
    if p.kind == "max":
        options += _options(dilation=(s.dilation, (1, 1)), ceil_mode=(s.ceil_mode, False))
    else:
        options += _options(ceil_mode=(s.ceil_mode, False), count_include_pad=(s.count_include_pad, True))
    name = "MaxPool2d" if p.kind == "max" else "AvgPool2d"
    lines = [
        "import torch",
        "from torch import nn",
        "",
        _tensor("x", p.input),
        "",
        f"pool = nn.{name}({s.kernel_size}{options})",
        "output = pool(x)",
        "",
        *_check(p.output, p.input.size),
    ]
    return "\n".join(lines) + "\n"


def _check(output: Any, size: int) -> list[str]:
    shape = [f"assert output.shape == {tuple(output.shape)}"]
    if max(output.size, size) > WIDE:
        return [*shape, 'print("the shape is as shown")']
    return [
        *shape,
        _tensor("shown", output),
        "torch.testing.assert_close(output, shown)",
        'print("all numbers are as shown")',
    ]


CALLS = ("relu", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "sum", "mean")  # the same in torch


def leaf(name: str, value: Any, grad: bool) -> str:
    """``name = torch.tensor(…)`` in float64."""
    text = literal(value).replace("\n", "\n" + " " * (len(name) + 16))
    return f"{name} = torch.tensor({text}, dtype=torch.float64{', requires_grad=True' if grad else ''})"


def expression_script(walk: Walk, passes: int) -> str:
    """Room 2: every node is a line; n0, n1, … are the nodes in forward order."""
    lines = ["import torch", "", f"# {' '.join(walk.source.split())}"]
    for node in walk.nodes:
        name, inputs = f"n{node.id}", [f"n{i}" for i in node.inputs]
        if node.kind != "operation":
            lines.append(leaf(name, node.value, node.requires_grad) + f"  # {node.label}")
        elif node.op == "max":
            lines.append(f"{name} = torch.{'maximum' if len(inputs) == 2 else 'max'}({', '.join(inputs)})")
        elif node.op in CALLS:
            lines.append(f"{name} = torch.{node.op}({inputs[0]})")
        else:
            lines.append(f"{name} = " + (f" {node.op} ".join(inputs) if len(inputs) == 2 else f"{node.op}{inputs[0]}"))
    last = walk.nodes[-1]
    value = leaf("", last.value, False)[3:]
    lines += [
        "",
        f"torch.testing.assert_close(n{last.id}.detach(), {value})",
        f"for _ in range({passes}):",
        f"    n{last.id}.sum().backward(retain_graph=True)  # gradients add up",
    ]
    for gradient in walk.gradients:
        shown = leaf("", gradient.value, False)[3:]
        lines += [f"torch.testing.assert_close(n{gradient.node}.grad, {shown})  # {gradient.label}"]
    return "\n".join([*lines, 'print("all gradients are as shown")']) + "\n"


def net_script(walk: Walk, net: str, small: SmallNet, passes: int) -> str:
    """Room 2, for a net: its parameters are as shown, and autograd gives the gradients."""
    loss = {"mse": "mse_loss", "mae": "l1_loss", "cross-entropy": "cross_entropy"}[small.loss]
    lines = [
        "from collections import OrderedDict",
        "",
        "import torch",
        "from torch import nn",
        "",
        net,
        "net = net.double()",
        "parameters = dict(net.named_parameters())",
        "with torch.no_grad():",
    ]
    leaves = [node for node in walk.nodes if node.kind == "parameter"]
    for node in leaves:
        value = literal(node.value).replace("\n", "\n" + " " * 12)
        lines.append(f'    parameters["{node.label}"].copy_(torch.tensor({value}, dtype=torch.float64))')
    target = literal(small.target)
    kind = ", dtype=torch.float64" if small.loss != "cross-entropy" else ""
    lines += [
        leaf("x", small.sample, False),
        f"target = torch.tensor({target}{kind})",
        f"for _ in range({passes}):",
        f"    loss = nn.functional.{loss}(net(x[None]), target[None])",
        "    loss.backward()  # gradients add up",
    ]
    for gradient in walk.gradients:
        shown = leaf("", gradient.value, False)[3:].replace("\n", "\n" + " " * 8)
        lines.append(f'torch.testing.assert_close(parameters["{gradient.label}"].grad, {shown})')
    return "\n".join([*lines, 'print("all gradients are as shown")']) + "\n"
