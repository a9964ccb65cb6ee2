"""A Python file as a syntax tree, within bounds, and the values that can be told from it without running anything."""

import ast
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tunewright.errors import CardError

LARGEST = 300_000
_MOST_NODES = 100_000
MOST_OPTIONS = 500
"""Options that are read of one script; a reader stops soon behind them."""
_DEEPEST = 20
_LONGEST_LIST = 200
_LARGEST_POWER = 64
_MOST_STEPS = 2_000  # of one value: lists of lists of names would otherwise multiply


class Unknown:
    """What cannot be told without running the script."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass
class Module:
    """A parsed file: its tree, and what its names stand for."""

    tree: ast.Module
    text: str
    constants: dict[str, ast.expr] = field(default_factory=dict)
    """Names that the top of the file assigns exactly once."""
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    """Local name -> what was imported: `ap` -> `argparse.ArgumentParser`."""
    _steps: int = 0

    def called(self, node: ast.expr) -> str:
        """The full dotted name of what is called or used: `click.option`; empty where it is no plain name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imported.get(node.id, node.id), *reversed(parts)])

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """All calls, in the order of the file."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return tuple(sorted(found, key=lambda call: (call.lineno, call.col_offset)))

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """The lines of the text, as the tree counts them."""
        return tuple(re.split(r"\r\n|\r|\n", self.text))

    def behind(self, statement: ast.stmt) -> str:
        """The comment behind a statement; empty where there is none."""
        row = self.rows[(statement.end_lineno or statement.lineno) - 1]
        # columns of the tree count bytes
        rest = row.encode()[statement.end_col_offset or 0 :].decode(errors="replace").strip()
        return rest.lstrip("#: ") if rest.startswith("#") else ""

    def value(self, node: ast.expr | None) -> Any:
        """The value of a literal, of a name that stands for one, or of simple arithmetic; else `UNKNOWN`."""
        self._steps = 0
        return self._value(node, 0)

    def _value(self, node: ast.expr | None, depth: int) -> Any:
        self._steps += 1
        if node is None or depth > _DEEPEST or self._steps > _MOST_STEPS:
            return UNKNOWN
        match node:
            case ast.Constant(value=value):
                return value if value is None or isinstance(value, bool | int | float | str) else UNKNOWN
            case ast.Name(id=name) if name in self.constants:
                return self._value(self.constants[name], depth + 1)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self._value(operand, depth + 1)
                if not isinstance(inner, int | float) or isinstance(inner, bool):
                    return UNKNOWN
                return -inner if isinstance(sign, ast.USub) else inner
            case ast.BinOp(left=left, op=op, right=right):
                return _arithmetic(self._value(left, depth + 1), op, self._value(right, depth + 1))
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items) if len(items) <= _LONGEST_LIST:
                values = [self._value(item, depth + 1) for item in items]
                return UNKNOWN if any(v is UNKNOWN for v in values) else values
            case ast.Dict(keys=keys) if len(keys) <= _LONGEST_LIST:
                # for `choices=MODELS`: the names are what matters
                names = [self._value(key, depth + 1) for key in keys]
                return UNKNOWN if any(v is UNKNOWN for v in names) else names
            case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]):
                return self._range([self._value(arg, depth + 1) for arg in args])
            case ast.Call(func=ast.Name(id="list" | "sorted" | "tuple"), args=[inner], keywords=[]):
                return self._value(inner, depth + 1)
            case ast.Call(func=ast.Attribute(value=inner, attr="keys"), args=[]):
                return self._value(inner, depth + 1)
            case ast.Attribute(value=ast.Name(id=owner), attr=member) if owner in self.classes:
                return self.members(owner, depth + 1).get(member, UNKNOWN)
            case ast.Attribute(value=ast.Attribute() as inner, attr="value"):
                return self._value(inner, depth + 1)
        return UNKNOWN

    def _range(self, ends: list[Any]) -> Any:
        if not all(isinstance(e, int) for e in ends) or not 1 <= len(ends) <= 3 or 0 in ends[2:]:
            return UNKNOWN
        values = range(*ends)
        return list(values) if len(values) <= _LONGEST_LIST else UNKNOWN

    def members(self, name: str, depth: int = 0) -> dict[str, Any]:
        """The members of an enumeration and their values; empty for a class that is none, or has values unknown."""
        node = self.classes.get(name)
        if node is None or not any("Enum" in self.called(base) for base in node.bases):
            return {}
        found: dict[str, Any] = {}
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=member)], value=value):
                    automatic = isinstance(value, ast.Call) and self.called(value.func).split(".")[-1] == "auto"
                    strings = any("StrEnum" in self.called(base) for base in node.bases)
                    found[member] = member.lower() if automatic and strings else self._value(value, depth)
        return {} if any(v is UNKNOWN for v in found.values()) else found

    def keywords(self, call: ast.Call) -> dict[str, ast.expr]:
        """The keyword arguments of a call; `**more` is not among them."""
        return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}

    def text_of(self, node: ast.expr | None) -> str:
        """The text that an expression is; empty where it is none, or cannot be told."""
        match node:
            case ast.JoinedStr(values=parts):
                return "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)  # type: ignore[misc]
            case ast.BinOp(left=left, op=ast.Mod()):
                return self.text_of(left)
        value = self.value(node)
        return value if isinstance(value, str) else ""


def _arithmetic(left: Any, op: ast.operator, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return left + right if len(left) + len(right) <= LARGEST else UNKNOWN
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in (left, right)):
        return UNKNOWN
    try:
        match op:
            case ast.Add():
                result = left + right
            case ast.Sub():
                result = left - right
            case ast.Mult():
                result = left * right
            case ast.Div():
                result = left / right
            case ast.FloorDiv():
                result = left // right
            case ast.Pow() if abs(right) <= _LARGEST_POWER:
                result = left**right
            case ast.LShift() if isinstance(left, int) and isinstance(right, int) and 0 <= right <= _LARGEST_POWER:
                result = left << right
            case _:
                return UNKNOWN
    except (ArithmeticError, ValueError):
        return UNKNOWN
    # a long chain of powers must not build a number of a million digits
    return result if isinstance(result, int | float) and abs(result) < 1e30 and math.isfinite(result) else UNKNOWN


def source_text(path: Path, shown: str) -> str:
    """The text of a file that is small enough to be a script.

    Raises:
        CardError: no such file, a folder, too large, not UTF-8.
    """
    try:
        if path.is_dir():
            raise CardError(f"{shown} is a folder", "name the script itself, for example train.py")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise CardError(f"there is no file {shown}", "give the path of a Python script or of a YAML file") from None
    except OSError as e:
        raise CardError(f"{shown} cannot be read: {e.strerror}", "give the path of a readable script") from None
    if len(raw) > LARGEST:
        raise CardError(f"{shown} has more than {LARGEST:,} bytes", "name the script that takes the options") from None
    found = re.match(rb"(?:[^\n]*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", raw)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        stated = f" (it states the coding {found[1].decode('ascii', 'replace')})" if found else ""
        line = raw[: e.start].count(b"\n") + 1
        raise CardError(f"{shown}:{line}: byte {raw[e.start]:#x} is not UTF-8{stated}", "save it as UTF-8") from None


def parse(path: Path, shown: str) -> Module:
    """The script as a tree; it is neither imported nor run.

    Raises:
        CardError: as for `source_text`; a syntax error, with its line; a file that is too large or too nested.
    """
    text = source_text(path, shown)
    try:
        tree = ast.parse(text)
    except SyntaxError as e:
        seen = one_row(text, e.lineno)
        raise CardError(
            f"{shown}:{e.lineno or 1}: {e.msg}", f"the line is {seen!r}; the script must be valid Python 3"
        ) from None
    except (RecursionError, MemoryError):
        raise CardError(f"{shown} is nested too deeply to be read", "name a script that a person wrote") from None
    except ValueError as e:  # null bytes
        raise CardError(f"{shown} is no Python text: {e}", "save the script as plain UTF-8 text") from None
    for count, _ in enumerate(ast.walk(tree)):
        if count > _MOST_NODES:
            raise CardError(f"{shown} is too large to be read", "name the script that takes the options")
    module = Module(tree, text)
    _name(module)
    return module


def one_row(text: str, line: int | None) -> str:
    """A line of a text, stripped and cut, as a hint shows it."""
    rows = text.splitlines()
    return rows[line - 1].strip()[:100] if line is not None and 1 <= line <= len(rows) else ""


def _name(module: Module) -> None:
    twice: set[str] = set()
    for statement in module.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                twice |= {name} & module.constants.keys()
                module.constants[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                twice |= {name} & module.constants.keys()
                module.constants[name] = value
            case ast.AugAssign(target=ast.Name(id=name)):
                twice.add(name)
    for name in twice:
        module.constants.pop(name, None)
    for node in ast.walk(module.tree):
        match node:
            case ast.ClassDef(name=name):
                module.classes.setdefault(name, node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                module.functions.setdefault(name, node)
            case ast.Import(names=names):
                for alias in names:
                    local = alias.asname or alias.name.split(".")[0]
                    module.imported.setdefault(local, alias.name if alias.asname else local)
            case ast.ImportFrom(module=str(origin), names=names):
                for alias in names:
                    module.imported.setdefault(alias.asname or alias.name, f"{origin}.{alias.name}")
