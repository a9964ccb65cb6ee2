"""Options that are the parameters of a function: typer's commands, and functions handed to tyro."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tunewright.init.annotations import by_name, shape
from tunewright.init.options import SWITCH, option, passed, two_forms
from tunewright.init.reading import Option, Source, Unread
from tunewright.init.syntax import MOST_OPTIONS, Module

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Signatures:
    """What typer and tyro take, in the order of the file."""

    options: list[Option] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    description: str = ""


def read(module: Module) -> Signatures:
    """The options of all functions that typer or tyro.cli call."""
    found = Signatures()
    origins = {origin.split(".")[0] for origin in module.imported.values()}
    if "typer" in origins:
        for node, command in _typer(module):
            if len(found.options) > MOST_OPTIONS:
                break
            _take(module, found, node, command, "typer")
    if "tyro" in origins:
        for call in module.calls:
            if module.called(call.func) == "tyro.cli" and call.args and isinstance(call.args[0], ast.Name):
                function = module.functions.get(call.args[0].id)
                if function is not None:
                    _take(module, found, function, "", "function")
    return found


def _typer(module: Module) -> Iterator[tuple[Function, str]]:
    """Each function that is a typer command, with the words that lead to it."""
    for call in module.calls:
        if module.called(call.func) == "typer.run" and call.args and isinstance(call.args[0], ast.Name):
            function = module.functions.get(call.args[0].id)
            if function is not None:
                yield function, ""
    commands: list[tuple[Function, str, str]] = []
    callbacks: list[tuple[Function, str]] = []
    for node in module.functions.values():
        for decorator in node.decorator_list:
            call_ = decorator if isinstance(decorator, ast.Call) else None
            target = call_.func if call_ else decorator
            if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
                continue
            if target.attr == "command":
                stated = call_ and (module.keywords(call_).get("name") or (call_.args[0] if call_.args else None))
                name = module.value(stated) if stated else None
                commands.append((node, target.value.id, name if isinstance(name, str) else node.name.replace("_", "-")))
            elif target.attr == "callback":
                callbacks.append((node, target.value.id))
    under = _under(module)
    counts = Counter(app for _, app, _ in commands)
    roots = {app for _, app in callbacks}
    for node, app in callbacks:
        yield node, under.get(app, "")
    for node, app, name in commands:
        single = counts[app] == 1 and app not in roots
        above = under.get(app, "")
        # an app with one command and nothing else is that command; below another app it is always named
        alone = single and app not in under and not under
        yield node, "" if alone else f"{above} {name}".strip()


def _under(module: Module) -> dict[str, str]:
    """App variable -> the word under which `add_typer` puts it."""
    found: dict[str, str] = {}
    for call in module.calls:
        match call:
            case ast.Call(func=ast.Attribute(attr="add_typer"), args=[ast.Name(id=app), *_]):
                name = module.value(module.keywords(call).get("name"))
                found[app] = name if isinstance(name, str) else app
    return found


def _take(module: Module, found: Signatures, node: Function, command: str, source: Source) -> None:
    for argument, default in parameters(node):
        found.options.append(_option(module, argument, default, command, source))
    if command and command not in found.commands and parameters(node):
        found.commands.append(command)
    found.description = found.description or (ast.get_docstring(node) or "").split("\n")[0]


def parameters(node: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    """A function's parameters with their defaults; `*args` and `**kwargs` are not among them."""
    plain = [*node.args.posonlyargs, *node.args.args]
    padding: list[ast.expr | None] = [None] * (len(plain) - len(node.args.defaults))
    pairs = [*zip(plain, padding + list(node.args.defaults), strict=True)]
    pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    contexts = ("ctx", "context", "self")
    return [(a, d) for a, d in pairs if a.arg not in contexts]


def _option(module: Module, argument: ast.arg, default: ast.expr | None, command: str, source: Source) -> Option:
    told = shape(module, argument.annotation)
    info, value_node, missing = _info(module, told.extras, default)
    keywords = module.keywords(info) if info else {}
    is_argument = info is not None and module.called(info.func).split(".")[-1] == "Argument"
    positional = is_argument or (source == "typer" and info is None and default is None)
    names = [n for n in (module.value(arg) for arg in _names(info, told.extras)) if isinstance(n, str)]
    word = argument.arg.replace("_", "-")
    label = argument.arg if positional else next((n for n in names if n.startswith("--")), (names or [f"--{word}"])[0])
    value: Any = module.value(value_node) if value_node is not None else None
    choices = told.choices
    if source == "function":  # tyro takes the names of an enumeration, typer the values
        choices, value = by_name(told, value)
    described: dict[str, Any] = {
        "kind": told.kind,
        "default": value,
        "choices": choices,
        "argument": passed(label),
        "held": told.why,
        "low": _bound(module, keywords.get("min")),
        "high": _bound(module, keywords.get("max")),
    }
    if told.kind == "bool" and not positional:
        described |= _switch(label, bool(names), value)
    return option(
        label=label.split("/")[0],
        source=source,
        line=argument.lineno,
        aliases=[form.strip() for name in names for form in name.split("/")],
        help=module.text_of(keywords.get("help")),
        command=command,
        required=missing,
        **described,
    )


def _switch(label: str, named: bool, value: Any) -> dict[str, Any]:
    """A true/false option: two forms, unless the script names one alone."""
    on, slash, off = label.partition("/")
    if named and not slash:
        return {"argument": "", "held": SWITCH}
    if not on.startswith("--") or (slash and not off.strip().startswith("--")):
        return {"argument": "", "held": SWITCH}
    choices, start = two_forms(on.strip()[2:], off.strip()[2:] or f"no-{on.strip()[2:]}", value)
    return {"kind": "text", "default": start, "choices": choices, "argument": "--{}"}


def _info(
    module: Module, extras: tuple[ast.expr, ...], default: ast.expr | None
) -> tuple[ast.Call | None, ast.expr | None, bool]:
    """The call of typer.Option or typer.Argument, the default's expression, and whether there is none."""
    for extra in extras:
        if isinstance(extra, ast.Call) and module.called(extra.func).split(".")[-1] in ("Option", "Argument"):
            return extra, default, default is None
    if isinstance(default, ast.Call) and module.called(default.func).split(".")[-1] in ("Option", "Argument"):
        node = default.args[0] if default.args else module.keywords(default).get("default")
        ellipsis = isinstance(node, ast.Constant) and node.value is ...
        return default, None if ellipsis else node, node is None or ellipsis
    return None, default, default is None


def _names(info: ast.Call | None, extras: tuple[ast.expr, ...]) -> list[ast.expr]:
    if info is None:
        return []
    return list(info.args) if info in extras else list(info.args[1:])


def _bound(module: Module, node: ast.expr | None) -> float | None:
    value = module.value(node) if node is not None else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
