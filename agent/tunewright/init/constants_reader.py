"""ALL_CAPS constants of a script, and values that it reads from the file that TUNEWRIGHT_CONFIG names."""

import ast
import re
from dataclasses import dataclass, field

from tunewright.init.dataclass_reader import NO_WAY_IN
from tunewright.init.options import option
from tunewright.init.reading import Option
from tunewright.init.syntax import MOST_OPTIONS, Module

VARIABLE = "TUNEWRIGHT_CONFIG"
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass
class Constants:
    """The constants of a file, in its order."""

    options: list[Option] = field(default_factory=list)
    reads_config: bool = False
    """Whether values of the file that TUNEWRIGHT_CONFIG names reach the script."""


def read(module: Module) -> Constants:
    """Constants with a plain value at the top of the file, and `config.get("name", default)`."""
    found = Constants()
    owners = _owners(module)
    replaced = VARIABLE in module.text and _updates_globals(module)
    found.reads_config = replaced
    for statement in module.tree.body:
        if len(found.options) > MOST_OPTIONS:
            break
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                got = _got(module, owners, value)
                if got is not None:
                    found.reads_config = True
                    found.options.append(_config(module, got, statement.lineno))
                elif _CAPITALS.fullmatch(name) and isinstance(module.value(value), bool | int | float | str):
                    held = "" if replaced else NO_WAY_IN
                    found.options.append(
                        option(
                            label=name,
                            source="constant",
                            line=statement.lineno,
                            kind=None,
                            default=module.value(value),
                            argument="",
                            held=held,
                            help=module.behind(statement),
                        )
                    )
    known = {o.name for o in found.options}
    for call in module.calls:
        got = _got(module, owners, call)
        if got is not None and isinstance(name_ := module.value(got.args[0]), str) and name_ not in known:
            known.add(name_)
            found.reads_config = True
            found.options.append(_config(module, got, call.lineno))
    return found


def _updates_globals(module: Module) -> bool:
    """`globals().update(...)`: every constant above it takes the value of that name in the file."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "update"
        and isinstance(call.func.value, ast.Call)
        and module.called(call.func.value.func) == "globals"
        for call in module.calls
    )


def _got(module: Module, owners: set[str], node: ast.expr) -> ast.Call | None:
    """The call `config.get("name", default)`, where `config` is made in a statement that names TUNEWRIGHT_CONFIG."""
    if (
        isinstance(node, ast.Call)
        and module.called(node.func) in ("float", "int", "str", "bool")
        and len(node.args) == 1
    ):
        node = node.args[0]
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="get"), args=[key, _]):
            if owner in owners and isinstance(module.value(key), str):
                return node
    return None


def _owners(module: Module) -> set[str]:
    """Variables that hold the configuration: assigned below the variable's name, in a `json.load` or `loads`."""
    first = next((number for number, row in enumerate(module.rows, 1) if VARIABLE in row), None)
    if first is None:
        return set()
    names = set()
    for node in ast.walk(module.tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if node.lineno >= first:
                if any(
                    module.called(c.func) in ("json.load", "json.loads")
                    for c in ast.walk(value)
                    if isinstance(c, ast.Call)
                ):
                    names.add(name)
    return names


def _config(module: Module, call: ast.Call, line: int) -> Option:
    key = module.value(call.args[0])
    value = module.value(call.args[1])
    return option(label=key, source="config", line=line, kind=None, default=value, argument="", held="")
