"""A small checked grammar for statements over a configuration, such as `width % heads == 0`; never `eval`."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunewright.errors import SpaceError

_ACCEPTED = "names, numbers, 'text', + - * / // %, comparisons, and, or, not, brackets"
_LONGEST = 300

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Relation:
    """A statement over parameters (or metrics) that a configuration (or a result) fulfils or breaks.

    Raises:
        SpaceError: the text is not of the grammar.
    """

    text: str
    names: tuple[str, ...] = field(init=False, compare=False)
    _tree: ast.expr = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        tree = _parse(self.text)
        _check(tree, self.text)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        if not names:
            raise SpaceError(f"relation {self.text!r} names no parameter", "write one such as 'width % heads == 0'")
        object.__setattr__(self, "_tree", tree)
        object.__setattr__(self, "names", tuple(names))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the statement is true; a statement over an absent (inactive) name holds.

        A division by zero, or a comparison of text with a number, breaks it.
        """
        if any(name not in values for name in self.names):
            return True
        try:
            return bool(_value(self._tree, values))
        except (ZeroDivisionError, TypeError, OverflowError):
            return False


def _parse(text: str) -> ast.expr:
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        raise SpaceError(
            f"relation {repr(text)[:80]} is not a line of 1 to {_LONGEST} characters", f"it may hold {_ACCEPTED}"
        )
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise SpaceError(f"relation {text!r} cannot be read", f"it may hold {_ACCEPTED}") from e


def _source(node: ast.expr, text: str) -> str:
    """The part of the text that a node was read from (`ast.unparse` recurses too deeply for nested calls)."""
    return ast.get_source_segment(text.strip(), node) or text


def _check(node: ast.expr, text: str) -> None:
    """Raise unless the tree is a comparison, or such joined by and/or/not."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, text)
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in _COMPARE for op in ops):
            for side in (left, *comparators):
                _check_term(side, text)
        case _:
            raise SpaceError(
                f"{_source(node, text)!r} in relation {text!r} compares nothing", f"it may hold {_ACCEPTED}"
            )


def _check_term(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name():
            return
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check_term(left, text)
            _check_term(right, text)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check_term(operand, text)
        case _:
            raise SpaceError(f"{_source(node, text)!r} in relation {text!r} is not allowed", f"it may hold {_ACCEPTED}")


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.UnaryOp(operand=operand):
            return not _value(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, values), _value(right, values)
            if isinstance(a, str) or isinstance(b, str):
                raise TypeError("text has no arithmetic")  # "a" * 10**9 and "%s" % x are not for a card
            return _BINARY[type(op)](a, b)
        case ast.BoolOp(op=op, values=parts):
            return (all if isinstance(op, ast.And) else any)(_value(part, values) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_value(side, values) for side in (left, *comparators)]
            return all(_COMPARE[type(op)](a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False))
        case _:
            raise AssertionError("checked when the relation was made")
