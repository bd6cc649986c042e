"""``convscope --man``: the manual page of all verbs, made from the same declarations as ``--help`` (roff, man(7)).

It speaks the chosen language; roff's own requests are English in every one.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from ... import __version__
from ...language import say
from ...language.help import explained, named
from ...language.width import NOT_FIRST, WIDE

ENVIRONMENT = {
    "CONVSCOPE_<NAME>": "A choice of train, where its option is not given: CONVSCOPE_BATCH_SIZE, CONVSCOPE_LR, ...",
    "CONVSCOPE_DATA": "A folder in which data sets are looked for.",
    "CONVSCOPE_CACHE": "Where programs and decoded pictures are kept.",
    "CONVSCOPE_OFFLINE": "1: never use the network.",
    "CONVSCOPE_LANG": "en or zh: the language of what is printed; else that of the locale.",
    "CONVSCOPE_MIRROR": "Web folders, with spaces between, that are asked first for data sets and weights.",
    "OMP_NUM_THREADS": "No more threads than this, where --threads does not say.",
    "NO_COLOR": "Print without colours.",
}
FILES = {
    "runs/": "The runs, a folder each: recipe.json, log.csv, epochs.csv, model.safetensors, summary.json, curves.png.",
}
EXITS = {
    "0": "Done.",
    "1": "Failed.",
    "2": "Wrong usage.",
    "3": "Bad or missing data.",
    "130": "Interrupted with the work saved (129 by a terminal that closed, 143 by SIGTERM).",
}
BREAK = re.compile(rf"([{WIDE}])(?=[^\s{re.escape(NOT_FIRST)}])")


def page(context: typer.Context) -> str:
    """The page in roff; ``context`` is that of the whole command line."""
    group: Any = context.command
    lines = [f'.TH CONVSCOPE 1 "" "convscope {__version__}" "{say("User Commands")}"']
    lines += [".nh", ".ad l", _heading("NAME")]  # no word is cut: names of variables are to be copied
    lines += [f"convscope \\- {_roff(_first_sentence(group.help))}", _heading("SYNOPSIS")]
    lines += [".B convscope", ".I COMMAND", "[OPTIONS] [ARGUMENTS]", _heading("OPTIONS"), *_options(group, context)]
    lines += [_heading("COMMANDS")]
    for name, command in group.commands.items():
        own = type(context)(command, info_name=name, parent=context)
        usage = " ".join([name, *command.collect_usage_pieces(own)])
        lines += [f".SS convscope {_roff(usage)}", *_paragraphs(command.help), *_options(command, own)]
    for title, told in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES), ("EXIT STATUS", EXITS)):
        lines += [_heading(title), *_definitions((name, say(text)) for name, text in told.items())]
    lines += [_heading("SEE ALSO"), _roff(say("convscope lab: all of this as a local web page"))]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> str:
    return f".SH {say(title)}"


def _options(command: Any, context: typer.Context) -> Iterator[str]:
    """What --help lists: arguments, then options."""
    found = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    yield from _definitions((named(name), explained(text)) for name, text in filter(None, found))


def _definitions(told: Any) -> Iterator[str]:
    for name, text in told:
        yield from (".TP", f".B {_roff(name)}", _roff(" ".join(text.split())) or "\\&")


def _paragraphs(text: str | None) -> Iterator[str]:
    for number, part in enumerate(inspect.cleandoc(text or "").split("\n\n")):
        yield from ([".PP"] if number else [])
        yield _roff(say(" ".join(part.split())))


def _first_sentence(text: str | None) -> str:
    return say(" ".join((text or "").split())).rstrip(".。")


def _roff(text: str) -> str:
    """Text of which nothing is taken for a request or an escape; hyphens stay hyphens, so that they can be copied.

    A line may end behind a Chinese character: roff itself breaks lines at spaces alone.
    """
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    plain = BREAK.sub(r"\1\\:", plain)
    return f"\\&{plain}" if plain.startswith(".") else plain
