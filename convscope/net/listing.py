"""A net as the PyTorch code that a person would write."""

from .ops import Join, Shape
from .shapes import Row
from .wiring import IMAGE, elsewhere


def listing(rows: list[Row]) -> str:
    """``net = …`` with the names of the shape table; needs OrderedDict, torch and torch.nn imported.

    A chain is a torch.nn.Sequential; a net with branches is a class whose ``forward`` names every tensor.
    """
    if elsewhere([row.name for row in rows], [row.inputs for row in rows]):
        return _module(rows)
    lines = [f'    ("{row.name}", nn.{row.op.as_pytorch(row.shapes)}),  # {_shape(row.output)}' for row in rows]
    return "\n".join(["net = nn.Sequential(OrderedDict([", *lines, "]))"])


def _module(rows: list[Row]) -> str:
    layers = [row for row in rows if not isinstance(row.op, Join)]
    made = [f"        self.{row.name} = nn.{row.op.as_pytorch(row.shapes)}" for row in layers]
    steps = [f"        {row.name} = {_step(row)}  # {_shape(row.output)}" for row in rows]
    return "\n".join(
        [
            "class Net(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *made,
            "",
            f"    def forward(self, {IMAGE}):",
            *steps,
            f"        return {rows[-1].name}",
            "",
            "",
            "net = Net()",
        ]
    )


def _step(row: Row) -> str:
    if isinstance(row.op, Join):
        return row.op.as_pytorch(row.shapes).format(*row.inputs)
    return f"self.{row.name}({row.inputs[0]})"


def _shape(shape: Shape) -> str:
    return f"({', '.join(('N', *map(str, shape)))})"
