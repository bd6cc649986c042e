"""--help in Chinese: Click's own pages, said by another formatter."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

from . import chinese, chosen, say
from .width import width, wrap

EXTRA = {"default: ": "默认：", "required": "必填", "env var: ": "环境变量：", "(dynamic)": "（自动）", "; ": "；"}
VALUE = re.compile(r"\[default: \S+?(?:; [0-9x<=> ]+)?\]")  # to be typed, so it stays as it is
USAGE = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]..."}
KINDS = {"str": "文字", "int": "整数", "float": "数", "path": "路径"}
KIND = re.compile(rf"<(?:list\[)?({'|'.join(KINDS)})(?: range)?\]?>", re.I)


def speak(command: Any) -> Any:
    """``command`` (a Click command or a group) with pages in the chosen language."""
    if chosen() == "en":
        return command
    context = type(command).context_class
    formatter = type("Formatter", (_Chinese, context.formatter_class), {})
    spoken = type("Context", (context,), {"formatter_class": formatter})
    for one in (command, *getattr(command, "commands", {}).values()):
        one.context_class = spoken
        if one.help:
            first = _flat(inspect.cleandoc(one.help).split("\n\n")[0])
            one.short_help = re.split("[。：]", say(first))[0]
    return command


def _flat(text: str) -> str:
    return " ".join(text.split())


def explained(text: str) -> str:
    """What stands beside an option: its help, and in brackets its usual value and what Click adds."""
    found = re.fullmatch(r"(.*?)((?:\s+\[[^\[\]]*\])*)", text, re.DOTALL)
    assert found is not None
    brackets = [_flat(part) for part in re.findall(r"\[[^\[\]]*\]", found[2])]
    for known in range(len(brackets), -1, -1):  # the catalogue has a help with its first bracket, or alone
        english = "  ".join([_flat(found[1]), *brackets[:known]])
        said = say(english)
        is_value = known and VALUE.fullmatch(brackets[known - 1]) and english not in chinese().whole
        if not known or (said != english and not is_value):
            return "  ".join([said, *map(_added, brackets[known:])])
    raise AssertionError  # the last turn returns


def named(option: str) -> str:
    """An option or argument with the kind of its value: --lr <float> → --lr <数>."""
    return KIND.sub(lambda kind: f"<{KINDS[kind[1].lower()]}>", option) if chosen() == "zh" else option


def _added(bracket: str) -> str:
    for english, words in EXTRA.items():
        bracket = bracket.replace(english, words)
    return bracket


class _Chinese:
    """Over a HelpFormatter of Click: its texts are said in Chinese, and wrapped by their width."""

    width: int
    current_indent: int

    def write(self, string: str) -> None:
        super().write(string)  # type: ignore[misc]

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        for english, words in USAGE.items():
            args = args.replace(english, words)
        super().write_usage(prog, args, prefix or "用法：")  # type: ignore[misc]

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{say(heading)}：\n")

    def write_text(self, text: str) -> None:
        space = " " * self.current_indent
        paragraphs = [say(_flat(part)) for part in inspect.cleandoc(text).split("\n\n")]
        lines = [[space + line for line in wrap(part, self.width - len(space))] for part in paragraphs]
        self.write("\n\n".join("\n".join(part) for part in lines) + "\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = [(named(name), text) for name, text in rows]
        first = min(max(width(row[0]) for row in rows), col_max) + col_spacing
        space = " " * self.current_indent
        for name, text in rows:
            lines = wrap(explained(text), max(self.width - first - 2, 10)) or [""]
            fits = width(name) <= first - col_spacing
            if not fits:
                self.write(f"{space}{name}\n")
            for i, line in enumerate(lines):
                begin = name if fits and not i else ""
                self.write(f"{space}{begin}{' ' * (first - width(begin))}{line}".rstrip() + "\n")
