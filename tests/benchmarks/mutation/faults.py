"""Every small fault that can be put into a module: one comparison, number, operation, condition or statement wrong."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_OTHER_COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OTHER_OPERATION: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One place in a module, and what stands there instead.

    Attributes
    ----------
    module : str
        Its path in the checkout.
    where : str
        Function around it, of a method with its class.
    start, stop : int
        Of the replaced characters in the module.
    was, becomes : str
    """

    module: str
    where: str
    start: int
    stop: int
    was: str
    becomes: str

    def __str__(self) -> str:
        """As a difference, with the name of the function."""
        return f"{self.module}, {self.where} at character {self.start}\n     - {self.was}\n     + {self.becomes}"

    def applied(self, text: str) -> str:
        """The module with the fault."""
        assert text[self.start : self.stop] == self.was
        return text[: self.start] + self.becomes + text[self.stop :]


def faults_of(module: str, text: str) -> list[Fault]:
    """All faults of a module in the order of their places."""
    begins = [0]
    for line in text.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    lines = text.splitlines()

    def position(line: int, column: int) -> int:
        """Of a character, from a line from 1 and a column counted in bytes."""
        return begins[line - 1] + len(lines[line - 1].encode()[:column].decode())

    found = []
    for where, node, other in _changes(ast.parse(text)):
        start = position(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        stop = position(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        becomes = ast.unparse(other)
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant):
            becomes = f"({becomes})"
        found.append(Fault(module, where, start, stop, text[start:stop], becomes))
    return sorted(found, key=lambda fault: (fault.start, fault.stop, fault.becomes))


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """Function, node, and what replaces it, for the bodies of all functions."""
    for where, function in _functions(tree, ""):
        for node in _inside(function):
            for other in _instead(node):
                yield where, node, other


def _functions(node: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        own = f"{name}.{child.name}".lstrip(".") if isinstance(child, ast.FunctionDef | ast.ClassDef) else name
        if isinstance(child, ast.FunctionDef):
            yield own, child
        yield from _functions(child, own)


def _inside(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Nodes of a function's body: no docstring, annotation, text in braces, raised message or function within it."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.JoinedStr | ast.Raise | ast.Assert | ast.Import | ast.ImportFrom):
            if isinstance(node, ast.Raise):
                yield node
            continue
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("logs."):  # what is logged is no promise
            continue
        yield node
        children = [node.target, node.value] if isinstance(node, ast.AnnAssign) else ast.iter_child_nodes(node)
        waiting.extend(reversed([child for child in children if child is not None]))


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    """What can stand in the place of a node."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[index] = _OTHER_COMPARISON[type(operator)]()
            yield other
    elif isinstance(node, ast.BinOp) and type(node.op) in _OTHER_OPERATION:
        if not any(
            isinstance(side, ast.Constant | ast.JoinedStr) and not _is_number(side) for side in (node.left, node.right)
        ):
            yield ast.BinOp(node.left, _OTHER_OPERATION[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _other_constant(node.value)
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Raise) or (
        isinstance(node, ast.Assign) and not any(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    ):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Break | ast.Continue):
        yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _other_constant(value: object) -> Iterator[ast.expr]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 + 1)
