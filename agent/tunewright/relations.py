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

_Term = Callable[[Mapping[str, Any]], Any]
"""A part of a statement: its value with these values of the names."""


@dataclass(frozen=True)
class Relation:
    """A statement over parameters (or metrics) that a configuration (or a result) fulfils or breaks.

    Raises:
        SpaceError: the text is not of the grammar.
    """

    text: str
    names: tuple[str, ...] = field(init=False, compare=False)
    _value: _Term = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        tree = _parse(self.text)
        _check(tree, self.text)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        if not names:
            raise SpaceError(f"relation {self.text!r} names no parameter", "write one such as 'width % heads == 0'")
        object.__setattr__(self, "_value", _term(tree))
        object.__setattr__(self, "names", tuple(names))

    def __reduce__(self) -> tuple[type["Relation"], tuple[str]]:
        return Relation, (self.text,)  # functions cannot be pickled

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the statement is true; a statement over an absent (inactive) name holds.

        A division by zero, or a comparison of text with a number, breaks it.
        """
        for name in self.names:
            if name not in values:
                return True
        try:
            return bool(self._value(values))
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


def _term(node: ast.expr) -> _Term:
    """The tree as a function of the values: hundreds of thousands of configurations may be asked about."""
    match node:
        case ast.Name(id=name):
            return operator.itemgetter(name)
        case ast.Constant(value=value):
            return lambda values: value
        case ast.UnaryOp(op=op, operand=operand):
            inner, sign = _term(operand), operator.neg if isinstance(op, ast.USub) else operator.not_
            return lambda values: sign(inner(values))
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(_BINARY[type(op)], _term(left), _term(right))
        case ast.BoolOp(op=op, values=nodes):
            joined, parts = all if isinstance(op, ast.And) else any, [_term(part) for part in nodes]
            return lambda values: joined(part(values) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _comparison([_COMPARE[type(op)] for op in ops], [_term(side) for side in (left, *comparators)])
        case _:
            raise AssertionError("checked when the relation was made")


def _arithmetic(made: Callable[[Any, Any], Any], left: _Term, right: _Term) -> _Term:
    def term(values: Mapping[str, Any]) -> Any:
        a, b = left(values), right(values)
        if isinstance(a, str) or isinstance(b, str):
            raise TypeError("text has no arithmetic")  # "a" * 10**9 and "%s" % x are not for a card
        return made(a, b)

    return term


def _comparison(signs: list[Callable[[Any, Any], bool]], terms: list[_Term]) -> _Term:
    if len(signs) == 1:
        sign, left, right = signs[0], *terms
        return lambda values: sign(left(values), right(values))

    def term(values: Mapping[str, Any]) -> bool:
        sides = [one(values) for one in terms]
        return all(sign(a, b) for sign, a, b in zip(signs, sides, sides[1:], strict=False))

    return term
