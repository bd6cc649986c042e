"""``convscope nets`` and ``convscope shapes``: the named nets, and the shape of every layer. Neither needs torch."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import UsageError
from ...language import say
from ...net.measured import MEASURED
from ...net.ops import WORDS, shape_text
from ...net.shapes import drawn, table
from ...net.spec import BRACKETS, parse
from ...net.zoo import ZOO, Entry, resolve
from .. import terminal
from ..options import plot_option
from ..shell import completion
from .options import save_plot
from .reading import channels_last

MEANING = (
    "measured: test accuracy, and processor seconds of a whole run; docs/records.md has the commands, and says what "
    "photos and cifar10 are, which do not come along"
)
LONGEST_SPEC = 700  # characters of a spec in the list of nets


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(nets)
    app.command()(shapes)


def nets(
    layers: Annotated[bool, typer.Option("--layers", help="List the kinds of layers of specs instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """List the named nets with their specs, or the kinds of layers of which specs are made."""
    if layers:
        _layers(as_json)
        return
    costs = {name: _costs(entry) for name, entry in ZOO.items()}
    if as_json:
        terminal.emit_json(
            {"nets": {name: asdict(entry) | costs[name] | _measured(name) for name, entry in ZOO.items()}}
        )
        return
    rows = [
        [
            name,
            shape_text(entry.image),
            *map(_rounded, costs[name].values()),
            MEASURED[name].text if name in MEASURED else "not measured",
            f"{entry.about}\n{_short(name, entry.spec)}\n",
        ]
        for name, entry in ZOO.items()
    ]
    columns = ["net", "image", "parameters", "multiply-adds", "measured", "what it is"]
    terminal.out().print(terminal.table(columns, rows, left=["net", "image", "measured", "what it is"]))
    terminal.out().print(MEANING, markup=False)


def _costs(entry: Entry) -> dict[str, int]:
    """Parameters, and multiply-adds of one image, with ten classes."""
    rows = table(parse(entry.spec), entry.image, 10)
    return {
        "parameters": sum(row.parameters for row in rows),
        "multiply_adds": sum(row.multiply_adds for row in rows),
    }


def _measured(name: str) -> dict[str, Any]:
    found = MEASURED.get(name)
    return {"measured": None if found is None else asdict(found)}


def _rounded(count: int) -> str:
    """ "8,490", and millions as "12.5 M"."""
    return f"{count:,}" if count < 1_000_000 else f"{count / 1e6:.1f} M"


def _layers(as_json: bool) -> None:
    """What a spec may be made of: the kinds of layers, and brackets."""
    told = {op.usage: _first_line(op) for op in WORDS.values()} | BRACKETS
    if as_json:
        terminal.emit_json({"layers": told})
        return
    columns = ["written", "what it does"]
    terminal.out().print(terminal.table(columns, [[usage, about] for usage, about in told.items()], left=columns))


def _first_line(kind: type) -> str:
    """The beginning of a class's docstring as plain text."""
    return (kind.__doc__ or "").partition("\n")[0].replace("`", "")


def parse_image(text: str) -> tuple[int, int, int]:
    """ "1x28x28" → (1, 28, 28). Raises UsageError."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(p.isascii() and p.isdigit() and 1 <= int(p[:8]) <= 65535 for p in parts):
        raise UsageError(f"--input is {text[:40]!r}, expected channels x height x width", "for example --input 1x28x28")
    c, h, w = map(int, parts)
    return c, h, w


def shapes(
    net: Annotated[
        str,
        typer.Argument(
            help="A named net or a spec such as 'conv 10 5 | pool 2 | relu | linear'.", autocompletion=completion.nets
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option("--input", help="Channels x height x width of one image.  [default: the named net's; 1x28x28]"),
    ] = None,
    classes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Classes that the last layer tells apart.")] = 10,
    given: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Feed the net made for --input with a tensor of these sizes instead: "
            "what PyTorch says, why, and the fix.",
        ),
    ] = None,
    plot: Annotated[Path | None, plot_option("Draw it: a .png, .svg or .pdf file.", "FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show the shape, parameters and arithmetic of every layer of a net."""
    layers = resolve(net)
    own = ZOO[net.strip()].image if net.strip() in ZOO else (1, 28, 28)
    size = own if image is None else parse_image(image)
    if last := channels_last(size):
        terminal.note(last)
    rows = table(layers, size, classes)
    if given is not None:
        _feed(net, size, classes, given, as_json)
        return
    if plot is not None:
        from ...report.shapes import draw_shapes

        save_plot(draw_shapes(net, size, rows), plot)
    totals = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    if as_json:
        told = [
            {
                "name": r.name,
                "layer": r.text,
                "input": r.input,
                "output": r.output,
                "formula": r.formula,
                "parameters": r.parameters,
                "multiply_adds": r.multiply_adds,
                "inputs": r.inputs,
                "note": r.note,
            }
            for r in rows
        ]
        terminal.emit_json({"input": size, "layers": told, "parameters": totals[0], "multiply_adds": totals[1]})
        return
    first, *names = drawn(rows)
    cells = [[first, "", shape_text(size), "", "", ""]]
    cells += [
        [name, r.text, shape_text(r.output), r.formula, f"{r.parameters:,}", f"{r.multiply_adds:,}"]
        for name, r in zip(names, rows, strict=True)
    ]
    cells += [[say("total"), "", "", "", f"{totals[0]:,}", f"{totals[1]:,}"]]
    columns = ["name", "layer", "output", "size formula", "parameters", "multiply-adds"]
    terminal.out().print(terminal.table(columns, cells, left=columns[:4]))
    for row in rows:
        if row.note:
            terminal.note(f"{row.name} is {row.note}")


def _short(name: str, spec: str) -> str:
    """A spec that can be read in a list."""
    return spec if len(spec) <= LONGEST_SPEC else f"{spec[:100]} … (convscope shapes {name} shows all of it)"


def _feed(net: str, size: tuple[int, int, int], classes: int, given: str, as_json: bool) -> None:
    """Send a tensor without data through the net: every layer's output, or LayerError where one refuses it."""
    from ...explain.concepts.shapes import fits, refusal
    from ...net.build import build

    words = given.lower().replace("×", "x").split("x")
    if not 1 <= len(words) <= 6 or not all(w.isascii() and w.isdigit() and 1 <= int(w[:8]) <= 65535 for w in words):
        raise UsageError(
            f"--given is {given[:40]!r}, expected sizes such as 32x28x28x3", "batch x channels x height x width"
        )
    tensor = tuple(map(int, words))
    fit = fits(build(resolve(net), size, classes), (1, *tensor) if len(tensor) == 3 else tensor)
    if fit.diagnosis is not None:
        raise refusal(fit)
    if as_json:
        terminal.emit_json(fit)
        return
    rows = [["given", str(fit.input)], *([layer.name, str(layer.output)] for layer in fit.layers)]
    terminal.out().print(terminal.table(["name", "output"], rows, left=["name", "output"]))
