"""``convscope backprop``: the chain rule, node by node, for an expression or a small net."""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...language import say
from ...storage.loading import loading
from .. import columns, terminal
from ..options import plot_option

if TYPE_CHECKING:
    from ...explain.backprop.autograd import Check
    from ...explain.backprop.walk import Walk, WalkStep


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    # An expression may begin with a minus, which must not be taken for an option.
    app.command(context_settings={"ignore_unknown_options": True})(backprop)


def backprop(
    expression: Annotated[str | None, typer.Argument(help='Such as "(w*x + b - y)**2".')] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Such as w=3 or X=[[1,2],[3,4]].")
    ] = None,
    net: Annotated[
        str | None, typer.Option(help="Instead of an expression, a net: 'linear 3 | relu | linear 1'.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option("--input", help="The net's sample: features 1,2, a grey image '1 2 / 3 4', or a file.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="What the net should say: 0.5 or 0,1, or a class index.")] = None,
    loss: Annotated[str, typer.Option(help="mse, mae or cross-entropy.")] = "mse",
    seed: Annotated[int, typer.Option(min=0, help="Decides the net's initial weights.")] = 0,
    passes: Annotated[
        int,
        typer.Option(
            min=1, max=5, help="Repeat the backward pass this often without setting the gradients to zero in between."
        ),
    ] = 1,
    step: Annotated[
        bool, typer.Option("--step", help="Show what is known after every step (Enter continues).")
    ] = False,
    plot: Annotated[Path | None, plot_option("Draw the graph.", "FILE.svg")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Differentiate an expression or a small net by hand: forward with cached values, then backward.

    Functions: relu sigmoid tanh exp log sqrt abs max sum mean; matrices like [[1,2],[3,4]] and @ for their product.
    """
    if (expression is None) == (net is None):
        raise UsageError("give either an expression or --net", 'such as: convscope backprop "w*x" w=3 x=2')
    for value in values or []:
        if value.startswith("--"):
            raise UsageError(f"there is no option {value[:40]!r}", "see convscope backprop --help")
    if net is None:
        from ...explain.backprop.expression import parse, run

        tape = parse(expression or "", values or [])
        walk = run(tape, passes)
        with loading():  # after the parsing: bad input need not wait for torch
            from ...explain.backprop.autograd import check

        show(walk, check(tape, walk, passes), step, plot, as_json)
        return
    with loading():
        from ...explain.backprop.small_net import explain_net

    if sample is None or target is None:
        raise UsageError("--net needs --input and --target", "such as --input 1,2 --target 0.5")
    show(*explain_net(net, _sample(sample), target, loss, seed, passes), step, plot, as_json)


def _sample(text: str) -> str:
    """The sample as :func:`explain_net` takes it, from what ``convscope conv --input`` takes, too."""
    from ...data.literal import read_array

    array = read_array(text, "--input")
    grey = array[0] if array.ndim == 3 and len(array) == 1 else array
    if grey.ndim > 2:
        raise UsageError(
            f"--input has shape {array.shape}, but a small net takes features or one grey image",
            "write 1,2 or '1 2 / 3 4'",
        )
    return json.dumps(grey.tolist())


def show(walk: "Walk", check: "Check", step: bool, plot: Path | None, as_json: bool) -> None:
    """Print, step through or draw a walk."""
    if plot:
        _draw(walk, plot)
    if as_json:
        terminal.emit_json({"output": walk, "check": check})
    elif step:
        _steps(walk)
    else:
        _tables(walk, check)


def _draw(walk: "Walk", file: Path) -> None:
    from ...report.backprop import svg
    from ...storage.leaving import put_picture

    if file.suffix.lower() != ".svg":
        raise UsageError(
            f"--plot is {str(file)!r}, but the graph is drawn as SVG", "write for example --plot graph.svg"
        )
    put_picture(file, svg(walk))
    terminal.note(f"drawn: {file}")


def _tables(walk: "Walk", check: "Check") -> None:
    from ...explain.backprop.values import inline, shape_text

    labels = [node.label for node in walk.nodes]
    print(walk.source)
    columns.heading("Forward: every value is computed once; cached ones are kept for the backward pass")
    columns.show(
        ["node", "operation", "numbers", "value", "shape", "cached"],
        [
            [
                n.label,
                n.formula or say(n.kind),
                n.numbers,
                inline(n.value, 30),
                shape_text(n.shape),
                "✓" if n.cached else "",
            ]
            for n in walk.nodes
        ],
        ["value"],
    )
    columns.heading("Local derivatives")
    for node in walk.nodes:
        for local in node.locals:
            print(f"  {local.formula}")
        if node.remark and node.locals:
            print(f"  {node.label}: {node.remark}")
    for number in range(1, 1 + max(s.backward_pass for s in walk.steps)):
        again = f" (pass {number}, gradients not set to zero)" if number > 1 else ""
        columns.heading(f"Backward{again}: each node hands upstream × local to its inputs, which add it up (+=)")
        steps = [s for s in walk.steps if s.backward_pass == number]
        names = ["from", "to", "upstream × local", "contribution", "gradient so far"]
        columns.show(names, [row for s in steps for row in _contributions(s, labels)], names[3:])
    columns.heading(f"Gradients of {labels[-1]}")
    columns.show(
        ["name", "value", "gradient", "shape"],
        [[g.label, inline(walk.nodes[g.node].value), inline(g.value), shape_text(g.shape)] for g in walk.gradients],
        right=["value", "gradient"],
    )
    print(f"\n{check.text}")


def _contributions(step: "WalkStep", labels: Sequence[str]) -> list[list[str]]:
    from ...explain.backprop.values import inline

    if step.phase == "seed":
        return [["", labels[step.node], step.text, "", "1"]]
    rows = []
    for c in step.contributions:
        scalar = isinstance(c.local, float) and isinstance(c.upstream, float)  # matrices are told by their names
        product = c.numbers if scalar else say(c.formula).replace("upstream", say("upstream"))
        rows.append([labels[step.node], labels[c.input], product, inline(c.value, 22), inline(c.accumulated, 22)])
        rows += [["", "", c.note, "", ""]] if c.note else []
    return rows


def _steps(walk: "Walk") -> None:
    """What is known after every step; on a terminal, Enter shows the next one."""
    from ...explain.backprop.values import inline
    from ...explain.backprop.walk import snapshot

    waits = sys.stdin.isatty() and sys.stdout.isatty()
    print(walk.source)
    before = snapshot(walk, 0)
    for taken, step in enumerate(walk.steps, 1):
        after = snapshot(walk, taken)
        columns.heading(f"Step {taken} of {len(walk.steps)}, {step.phase}: {step.text}")
        for c in step.contributions:
            print(f"  passed on to {walk.nodes[c.input].label}: {c.text}")
        rows = []
        for node, value, gradient in zip(walk.nodes, after.values, after.gradients, strict=True):
            changed = (value, gradient) != (before.values[node.id], before.gradients[node.id])
            rows.append(
                [
                    node.label,
                    "—" if value is None else inline(value),
                    say("cached") if after.cached[node.id] else "",
                    "—" if gradient is None else inline(gradient),
                    "◂" if changed else "",
                ]
            )
        columns.show(["node", "value", "", "gradient", " "], rows, right=["value", "gradient"])
        before = after
        if waits and taken < len(walk.steps):
            with contextlib.suppress(EOFError):  # Ctrl-D, too, continues
                input()
