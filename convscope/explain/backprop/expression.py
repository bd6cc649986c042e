"""An expression that a user types → a tape for back-propagation. Nothing is ever executed.

The text is read by Python's own parser and then only what is listed here is accepted: numbers, names, matrix literals,
+ − * / ** @, and the functions of ``operators.FUNCTIONS``. Length, nesting and sizes are bounded first.
"""

import ast
import re
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import UsageError, near
from ...language.counts import some
from ...net.words import SpecError
from ...storage.literals import parsed
from .operators import ADD, DIVIDE, FUNCTIONS, MATMUL, MAX_ELEMENTS, MULTIPLY, NEGATE, POWER, SUBTRACT, Operator
from .passes import Item, Tape, UndefinedError, backprop
from .values import Array
from .walk import Walk

MAX_LENGTH = 2_000  # characters of an expression
MAX_LITERAL = 20_000  # characters of a value
MAX_DEPTH = 40  # nested brackets, and levels of the syntax tree
MAX_OPERATIONS = 200
MAX_VARIABLES = 50

OPERATORS: dict[type[ast.operator], Operator] = {
    ast.Add: ADD,
    ast.Sub: SUBTRACT,
    ast.Mult: MULTIPLY,
    ast.Div: DIVIDE,
    ast.Pow: POWER,
    ast.MatMult: MATMUL,
}
CAN = f"an expression has numbers, names, matrices like [[1, 2], [3, 4]], + - * / ** @ and {', '.join(FUNCTIONS)}"


class ExpressionError(SpecError):
    """An expression or value that cannot be read; it points at the place."""


def explain_expression(source: str, assignments: Sequence[str] = (), passes: int = 1) -> Walk:
    """Back-propagation through ``source``, such as "(w*x + b - y)**2" with ["w=3", "x=2", "b=1", "y=5"].

    Raises :class:`ExpressionError` (exit code 2) for text that cannot be read and for values that are not defined.
    """
    return run(parse(source, assignments), passes)


def run(tape: Tape, passes: int = 1) -> Walk:
    """:func:`backprop` for a parsed expression, ``passes`` times: what is not defined is pointed at in its source.

    Raises ExpressionError for that, UsageError where the result is not a single number or has no variable.
    """
    try:
        return backprop(tape, passes)
    except UndefinedError as error:
        start, end = error.item.position
        raise ExpressionError(tape.source, start, end - start, error.message, error.help) from error


def parse(source: str, assignments: Sequence[str] = ()) -> Tape:
    """The tape of an expression with its variables. Raises :class:`ExpressionError` or UsageError."""
    source = " ".join(source.split())
    variables = read_assignments(assignments)
    reader = _Reader(source, variables)
    reader.read(_tree(source, MAX_LENGTH, "the expression"))
    unused = [name for name in variables if name not in reader.leaves]
    if unused:
        raise UsageError(
            f"{unused[0]!r} has a value, but the expression does not use it",
            f"the expression uses: {', '.join(reader.leaves) or 'no names'}",
        )
    return Tape(source, tuple(reader.items))


def completed(source: str, assignments: Sequence[str] = ()) -> list[str]:
    """The assignments that ``source`` uses, and name=1 for every name that has none. Raises UsageError."""
    tree = _tree(" ".join(source.split()), MAX_LENGTH, "the expression")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    used = dict.fromkeys(node.id for node in sorted(names, key=lambda node: node.col_offset))
    given = {text.partition("=")[0].strip(): text for text in assignments}
    others = [text for name, text in given.items() if "=" not in text or not name.isidentifier()]  # to be complained of
    return [given.get(name, f"{name}=1") for name in used if name not in FUNCTIONS] + others


def read_assignments(assignments: Sequence[str]) -> dict[str, Array]:
    """["w=3", "W=[[1,2],[3,4]]"] → float64 arrays of rank 0 to 2 by name. Raises UsageError."""
    if len(assignments) > MAX_VARIABLES:
        raise UsageError(f"{len(assignments)} values are given, at most {MAX_VARIABLES} are allowed")
    result: dict[str, Array] = {}
    for text in assignments:
        left, equals, right = text.partition("=")
        name = unicodedata.normalize("NFKC", left.strip())
        if not equals or not name.isidentifier() or len(name) > 20:
            raise UsageError(
                f"cannot read {text[:40]!r} as a value for a name", "write for example w=3 or X=[[1,2],[3,4]]"
            )
        if name in FUNCTIONS:
            raise UsageError(f"{name!r} is a function and cannot be a name for a value", "choose another name")
        if name in result:
            raise UsageError(f"{name!r} is given twice")
        result[name] = read_value(right.strip())
    return result


def read_value(text: str) -> Array:
    """A number, vector or matrix literal as float64. Raises :class:`ExpressionError`."""
    value = _Reader(text, {}).literal(_tree(text, MAX_LITERAL, "the value"))
    if value.size > MAX_ELEMENTS:
        raise UsageError(f"the value has {value.size:,} numbers, at most {MAX_ELEMENTS:,} are allowed")
    return value


def _tree(text: str, length: int, what: str) -> ast.expr:
    """The syntax tree of ``text``, once its length, characters and nesting are known to be harmless."""
    if not text:
        raise UsageError(f"{what} is empty: write a formula", CAN)
    if len(text) > length:
        raise UsageError(f"{what} has {len(text):,} characters, at most {length:,} are allowed")
    depth = 0
    for position, character in enumerate(text):
        if not (character.isalnum() or character in "_ .,+-*/@()[]"):
            hint = {"^": "write ** for a power", "=": 'values follow the expression: "w*x" w=3 x=2'}.get(character, CAN)
            raise ExpressionError(text, position, 1, f"{character!r} is not allowed here", hint)
        depth += (character in "([") - (character in ")]")
        if depth > MAX_DEPTH:
            raise ExpressionError(text, position, 1, f"more than {MAX_DEPTH} nested brackets")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as "'int' object is not callable; perhaps you missed a comma?"
            tree = parsed(lambda: ast.parse(text, mode="eval")).body
    except SyntaxError as error:
        if "digits" in str(error.msg):  # Python's own text names its settings
            raise UsageError(f"{what} holds a number of thousands of digits", "write for example 1e300") from None
        position = min((error.offset or len(text)) - 1, len(text) - 1)  # offset 0: the text ends too early
        raise ExpressionError(text, position, 1, f"{what} cannot be read: {error.msg}", CAN) from None
    except (ValueError, RecursionError, MemoryError):
        raise UsageError(f"{what} cannot be read: it is nested too deeply or has too long a number", CAN) from None
    level = [tree]
    levels = 0
    while level:
        levels += 1
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if levels > 4 * MAX_DEPTH:
            raise UsageError(f"{what} has more than {4 * MAX_DEPTH} operations inside one another", "split it")
    return tree


@dataclass
class _Reader:
    """Turns a syntax tree into items, inputs before what uses them."""

    source: str
    variables: dict[str, Array]
    items: list[Item] = field(default_factory=list)
    leaves: dict[str, int] = field(default_factory=dict)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where ``node`` stands, in characters (the parser counts bytes)."""
        data = self.source.encode()
        start, end = node.col_offset, node.end_col_offset or node.col_offset
        return len(data[:start].decode(errors="ignore")), len(data[:end].decode(errors="ignore"))

    def fail(self, node: ast.expr, message: str, help: str = "") -> ExpressionError:  # noqa: A002
        start, end = self.span(node)
        return ExpressionError(self.source, start, end - start, message, help)

    def read(self, node: ast.expr) -> int:
        """The index of the item that stands for ``node``."""
        match node:
            case _ if self.is_literal(node):
                text = self.text(node)
                return self.add(Item(text, text, "constant", value=self.literal(node), position=self.span(node)))
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.BinOp(op=op) if type(op) in OPERATORS:
                return self.operation(node, OPERATORS[type(op)], [node.left, node.right])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.operation(node, NEGATE, [operand])
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.Call(func=ast.Name(id=name)):
                return self.call(node, name)
        raise self.refusal(node)

    def refusal(self, node: ast.expr) -> ExpressionError:
        match node:
            case ast.Attribute(attr=name):
                return self.fail(node, f"'.{name[:40]}' is not allowed: nothing has attributes here", CAN)
            case ast.Call():
                return self.fail(node, "only a function's name can be called", CAN)
            case ast.List() | ast.Tuple():
                return self.fail(
                    node,
                    "a matrix in an expression holds numbers only",
                    "give the whole matrix a name: W=[[1,2],[3,4]]",
                )
        return self.fail(node, f"{self.text(node)[:40]!r} is not allowed here", CAN)

    def text(self, node: ast.expr) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def add(self, item: Item) -> int:
        if len(self.items) >= MAX_OPERATIONS:
            raise UsageError(f"the expression has more than {MAX_OPERATIONS} operations", "split it")
        self.items.append(item)
        return len(self.items) - 1

    def name(self, node: ast.expr, name: str) -> int:
        if name in FUNCTIONS:
            raise self.fail(node, f"{name!r} is a function", f"write {name}(...)")
        if name not in self.variables:
            known = f"; {near(name, self.variables)}" if self.variables else ""
            raise self.fail(node, f"{name[:40]!r} has no value", f"add {name[:40]}=1 after the expression{known}")
        if name not in self.leaves:
            leaf = Item(name, name, "variable", value=self.variables[name], position=self.span(node))
            self.leaves[name] = self.add(leaf)
        return self.leaves[name]

    def operation(self, node: ast.expr, operator: Operator, arguments: Sequence[ast.expr]) -> int:
        inputs = tuple(self.read(argument) for argument in arguments)
        prefix = next(p for p in ("v", "node", "node_") if not any(re.fullmatch(p + r"\d+", n) for n in self.variables))
        number = 1 + sum(item.kind == "operation" for item in self.items)
        return self.add(
            Item(f"{prefix}{number}", self.text(node), "operation", inputs, operator, position=self.span(node))
        )

    def call(self, node: ast.Call, name: str) -> int:
        if name not in FUNCTIONS:
            raise self.fail(node.func, f"there is no function {name[:40]!r}", near(name[:40], FUNCTIONS))
        operators = FUNCTIONS[name]
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args) or len(node.args) not in operators:
            raise self.fail(
                node,
                f"{name} takes {' or '.join(map(str, operators))} value{'s' * (max(operators) > 1)}, "
                f"not {len(node.args)}",
            )
        return self.operation(node, operators[len(node.args)], node.args)

    def is_literal(self, node: ast.expr) -> bool:
        if isinstance(node, ast.List):
            return all(self.is_literal(item) for item in node.elts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return isinstance(node.operand, ast.Constant)
        return isinstance(node, ast.Constant)

    def literal(self, node: ast.expr) -> Array:
        """A number, vector or matrix of numbers as float64."""
        if not isinstance(node, ast.List):
            return np.array(self.number(node))
        rows = [item for item in node.elts if isinstance(item, ast.List)]
        if not node.elts or any(not row.elts for row in rows):
            raise self.fail(node, "a matrix without numbers")
        if not rows:
            return np.array([self.number(item) for item in node.elts])
        if len(rows) < len(node.elts) or len({len(row.elts) for row in rows}) > 1:
            lengths = some((str(len(i.elts)) if isinstance(i, ast.List) else "a number" for i in node.elts), 12)
            raise self.fail(
                node, f"a matrix needs rows of equal length, but these are {lengths}", "write [[1,2],[3,4]]"
            )
        return np.array([[self.number(item) for item in row.elts] for row in rows])

    def number(self, node: ast.expr) -> float:
        sign = -1.0 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1.0
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        value = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(node, f"{self.text(node)[:40]!r} is not a number", "write for example 3, -0.5 or 1e-3")
        if (isinstance(value, int) and value.bit_length() > 1023) or value == float("inf"):
            raise self.fail(node, "the number is beyond ±1.8e308")
        return sign * float(value)
