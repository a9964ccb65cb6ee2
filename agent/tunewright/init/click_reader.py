"""Options of click: decorators of commands and groups, types with bounds and choices, flags with two forms."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from tunewright.init.options import LIST, PATH, SWITCH, option, passed, two_forms
from tunewright.init.reading import Kind, Option, Unread
from tunewright.init.syntax import MOST_OPTIONS, Module

Function = ast.FunctionDef | ast.AsyncFunctionDef
_PLAIN: dict[str, Kind] = {
    "float": "float",
    "int": "int",
    "str": "text",
    "bool": "bool",
    "click.FLOAT": "float",
    "click.INT": "int",
    "click.STRING": "text",
    "click.BOOL": "bool",
}
_DEEPEST = 20


@dataclass
class Click:
    """What click takes, in the order of the file."""

    options: list[Option] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    description: str = ""


def read(module: Module) -> Click:
    """The options that click's decorators describe; empty for a file that does not import click."""
    found = Click()
    if not any(origin.split(".")[0] in ("click", "rich_click", "cloup") for origin in module.imported.values()):
        return found
    commands = {name: place for name, node in module.functions.items() if (place := _place(module, node)) is not None}
    _add_commands(module, commands)
    paths = {name: path for name in commands if (path := _path(module, commands, name)) is not None}
    chosen = _standalone(module, commands)
    for name in paths:
        if len(found.options) + len(found.unread) > MOST_OPTIONS:
            break
        node = module.functions[name]
        if commands[name][0] == "command" and not commands[name][1] and name not in chosen:
            found.unread.append(Unread(node.lineno, f"the command {name}", "the script does not start it by itself"))
            continue
        read_one = _of(module, node, paths[name], found.unread)
        if read_one and paths[name] and paths[name] not in found.commands:
            found.commands.append(paths[name])
        found.options += read_one
        found.description = found.description or (ast.get_docstring(node) or "").split("\n")[0]
    return found


def _place(module: Module, node: Function) -> tuple[str, str] | None:
    """(kind, name of the group above) of a function that is a click command; None for another function."""
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        last = module.called(call).split(".")[-1]
        if last in ("command", "group"):
            owner = call.value.id if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) else ""
            return last, owner if owner in module.functions else ""
    return None


def _add_commands(module: Module, commands: dict[str, tuple[str, str]]) -> None:
    """`cli.add_command(train)` puts a command under a group."""
    for call in module.calls:
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=group), attr="add_command"), args=[ast.Name(id=name), *_]
            ):
                if name in commands and group in commands:
                    commands[name] = (commands[name][0], group)


def _path(module: Module, commands: dict[str, tuple[str, str]], name: str) -> str | None:
    """The words that lead to a command: empty for the program itself, `train` under a group, `model fit` below that."""
    words: list[str] = []
    for _ in range(_DEEPEST):
        _kind, above = commands[name]
        if not above:
            return " ".join(reversed(words))
        words.append(_command_name(module, module.functions[name]))
        if above not in commands:
            return None
        name = above
    return None


def _command_name(module: Module, node: Function) -> str:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and module.called(decorator.func).split(".")[-1] in ("command", "group"):
            stated = module.keywords(decorator).get("name") or (decorator.args[0] if decorator.args else None)
            name = module.value(stated)
            if isinstance(name, str):
                return name
    # since click 8.2 these endings are left out of a command's name
    return re.sub(r"_(command|cmd|group|grp)$", "", node.name.lower()).replace("_", "-")


def _standalone(module: Module, commands: dict[str, tuple[str, str]]) -> list[str]:
    """The command that the script starts, where it has several without a group above them."""
    alone = [name for name, (kind, above) in commands.items() if kind == "command" and not above]
    if len(alone) == 1 or not alone:
        return alone
    called = [call.func.id for call in module.calls if isinstance(call.func, ast.Name)]
    return [name for name in alone if name in called][:1]


def _of(module: Module, node: Function, command: str, unread: list[Unread]) -> list[Option]:
    found = []
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        last = module.called(decorator.func).split(".")[-1]
        if last not in ("option", "argument"):
            continue
        names = [module.value(arg) for arg in decorator.args]
        if not names or not all(isinstance(n, str) and n for n in names):
            unread.append(Unread(decorator.lineno, f"a click.{last}", "its name is made at run time"))
            continue
        flags = [n for n in names if n.startswith("-")]
        keywords = module.keywords(decorator)
        label = next((n for n in flags if n.startswith("--")), (flags or names)[0])
        required = module.value(keywords["required"]) is True if "required" in keywords else False
        found.append(
            option(
                label=label.split("/")[0].strip(),
                source="click",
                line=decorator.lineno,
                aliases=[form.strip() for flag in flags for form in flag.split("/")],
                help=module.text_of(keywords.get("help")),
                command=command,
                required=required or (last == "argument" and "default" not in keywords),
                **_described(module, label, keywords),
            )
        )
    return found


def _described(module: Module, label: str, keywords: dict[str, ast.expr]) -> dict[str, Any]:
    default: Any = module.value(keywords["default"]) if "default" in keywords else None
    if "/" in label:
        on, off = (part.strip() for part in label.split("/", 1))
        if not (on.startswith("--") and off.startswith("--")):
            return {"kind": "bool", "default": default, "argument": "", "held": SWITCH}
        choices, start = two_forms(on[2:], off[2:], False if default is None else default)
        return {"kind": "text", "default": start, "choices": choices, "argument": "--{}"}
    typed = "type" in keywords
    if _true(module, keywords, "is_flag") or ("flag_value" in keywords) or (default is True and not typed):
        return {"kind": "bool", "default": False if default is None else default, "argument": "", "held": SWITCH}
    plain: dict[str, Any] = {"kind": None, "default": default, "argument": passed(label)}
    if _true(module, keywords, "multiple") or _true(module, keywords, "count"):
        return {**plain, "held": LIST if "multiple" in keywords else "it is counted, not given a value"}
    if "nargs" in keywords and module.value(keywords["nargs"]) != 1:
        return {**plain, "held": LIST}
    return plain | click_type(module, keywords.get("type"))


def _true(module: Module, keywords: dict[str, ast.expr], name: str) -> bool:
    return name in keywords and module.value(keywords[name]) is True


def click_type(module: Module, node: ast.expr | None) -> dict[str, Any]:
    """Kind, choices and bounds that a click type gives."""
    if node is None:
        return {}
    call = node if isinstance(node, ast.Call) else None
    name = module.called(call.func if call else node)
    last = name.split(".")[-1]
    if name in _PLAIN:
        return {"kind": _PLAIN[name]}
    if last in ("Path", "File"):
        return {"kind": "text", "held": PATH}
    if call is not None and last == "Choice":
        listed = module.value(call.args[0] if call.args else module.keywords(call).get("choices"))
        if call.args and not isinstance(listed, list) and isinstance(call.args[0], ast.Name):
            listed = list(module.members(call.args[0].id))  # an enumeration: click shows its names
        return {"kind": None, "choices": listed if isinstance(listed, list) else []}
    if call is not None and last in ("IntRange", "FloatRange"):
        return bounds(module, call, "int" if last == "IntRange" else "float")
    return {"kind": "text", "held": f"its type {last or 'expression'} is the script's own"}


def bounds(module: Module, call: ast.Call, kind: Kind) -> dict[str, Any]:
    """Kind and bounds of `IntRange(1, 8)`; an open bound of a whole number is moved by one."""
    given: dict[str, ast.expr] = dict(zip(("min", "max", "min_open", "max_open"), call.args, strict=False))
    given |= module.keywords(call)
    described: dict[str, Any] = {"kind": kind}
    for key, name, step in (("min", "low", 1), ("max", "high", -1)):
        value = module.value(given[key]) if key in given else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            is_open = f"{key}_open" in given and module.value(given[f"{key}_open"]) is True
            described[name] = value + step if is_open and kind == "int" else value
            if is_open and kind == "float":
                described[f"{name}_open"] = True
    return described
