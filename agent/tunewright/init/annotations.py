"""What a type annotation says of an option: its kind, its choices, and what makes it unfit for tuning."""

import ast
from dataclasses import dataclass, replace
from typing import Any

from tunewright.init.options import LIST, PATH
from tunewright.init.reading import Kind
from tunewright.init.syntax import UNKNOWN, Module

_PLAIN: dict[str, Kind] = {"float": "float", "int": "int", "bool": "bool", "str": "text"}
_LISTS = ("list", "tuple", "set", "dict", "sequence", "mapping", "iterable", "frozenset")
_DEEPEST = 10


@dataclass(frozen=True)
class Shape:
    """What an annotation says."""

    kind: Kind | None = None
    choices: tuple[Any, ...] | None = None
    members: tuple[str, ...] = ()
    """The names that stand for the choices, where those are the values of an enumeration."""
    why: str = ""
    """Why such an option cannot be tuned; empty where it can."""
    extras: tuple[ast.expr, ...] = ()
    """What stands beside the type in `Annotated[type, ...]`."""
    nested: str = ""
    """The class of the same file that it names."""


def by_name(told: Shape, default: Any) -> tuple[tuple[Any, ...] | None, Any]:
    """Choices and default for a parser that takes the members of an enumeration by their names, not their values."""
    if not told.members or told.choices is None:
        return told.choices, default
    named = (name for name, value in zip(told.members, told.choices, strict=True) if value == default)
    return told.members, next(named, default)


def shape(module: Module, node: ast.expr | None, depth: int = 0) -> Shape:
    """The shape that an annotation gives; an empty one where there is none."""
    if node is None or depth > _DEEPEST:
        return Shape()
    match node:
        case ast.Constant(value=str(text)):
            try:
                return shape(module, ast.parse(text[:500], mode="eval").body, depth + 1)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return Shape(why="its type cannot be read")
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _either(module, [left, right], depth)
        case ast.Subscript(value=base, slice=inner):
            items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            return _generic(module, module.called(base).split(".")[-1], items, depth)
    name = module.called(node)
    last = name.split(".")[-1]
    if name in _PLAIN:
        return Shape(_PLAIN[name])
    if last in ("Path", "PurePath", "FilePath", "DirectoryPath", "PathLike", "FileText"):
        return Shape("text", why=PATH)
    if last.lower() in _LISTS:
        return Shape(why=LIST)
    members = module.members(name)
    if members:
        return Shape(choices=tuple(members.values()), members=tuple(members))
    if name in module.classes:
        return Shape(nested=name, why="an object of its own")
    return Shape(why=f"its type {last or 'expression'} is not a number, text, a choice or true/false")


def _generic(module: Module, base: str, items: list[ast.expr], depth: int) -> Shape:
    if base == "Annotated" and items:
        return replace(shape(module, items[0], depth + 1), extras=tuple(items[1:]))
    if base == "Literal":
        values = [module.value(item) for item in items]
        known = tuple(v for v in values if v is not None)
        return Shape(why="its choices are worked out at run time") if UNKNOWN in values else Shape(choices=known)
    if base == "Optional" and items:
        return shape(module, items[0], depth + 1)
    if base == "Union":
        return _either(module, items, depth)
    if base in ("Final", "ClassVar", "Required", "Mutable", "Positional"):
        return Shape(why="it is fixed") if base in ("Final", "ClassVar") else shape(module, items[0], depth + 1)
    return Shape(why=LIST) if base.lower() in _LISTS else Shape(why=f"its type {base} is not one that can be tuned")


def _either(module: Module, items: list[ast.expr], depth: int) -> Shape:
    """One of several types: readable where all but None are the same kind, or whole and real numbers."""
    kept = [item for item in items if not (isinstance(item, ast.Constant) and item.value is None)]
    shapes = [shape(module, item, depth + 1) for item in kept]
    if len(shapes) == 1:
        return shapes[0]
    if shapes and {s.kind for s in shapes} == {"int", "float"}:
        return Shape("float")
    return Shape(why="it takes values of several types")
