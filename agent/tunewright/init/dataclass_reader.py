"""Options that are the fields of a dataclass, where the script hands the class to something that makes flags of it."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from tunewright.init.annotations import by_name, shape
from tunewright.init.options import SWITCH, option, passed, two_forms
from tunewright.init.reading import Option, Source, Unread
from tunewright.init.short_flags import short_flags
from tunewright.init.syntax import MOST_OPTIONS, Module

Style = Literal["flag", "simple", "tyro", "dotted", "hydra", "none"]
_CALLS: dict[str, Style] = {
    "HfArgumentParser": "flag",
    "TrlParser": "flag",
    "add_arguments": "simple",
    "simple_parsing.parse": "simple",
    "helpers.parse": "simple",
    "tyro.cli": "tyro",
    "pyrallis.parse": "dotted",
    "pyrallis.wrap": "dotted",
    "draccus.parse": "dotted",
    "draccus.wrap": "dotted",
    "OmegaConf.structured": "hydra",
}
_DEEPEST = 6
NO_WAY_IN = "no argument leads to it; let the script read the file that TUNEWRIGHT_CONFIG names"


@dataclass
class Dataclasses:
    """The fields of dataclasses that become options, in the order of the file."""

    options: list[Option] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    classes: int = 0
    """Classes looked into so far, each as often as it is named."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Path of a field -> its flag, where that hangs on all fields."""


def read(module: Module) -> Dataclasses:
    """The fields of each dataclass that the script hands to a parser; without one, all of them, held back."""
    found = Dataclasses()
    classes = [name for name, node in module.classes.items() if _is_dataclass(module, node)]
    roots = _roots(module, classes, found)
    inner = {told.nested for name in classes for told in _shapes(module, name)}
    if not roots:
        roots = {name: "none" for name in classes if name not in inner}
    places = {name: f"{_dest(module, name)}." if style == "simple" else "" for name, style in roots.items()}
    whole = Dataclasses()
    for name in (name for name, style in roots.items() if style == "simple"):
        _fields(module, name, "simple", places[name], 0, whole)
    found.flags = short_flags(o.aliases[0][2:] for o in whole.options)
    for name, style in roots.items():
        _fields(module, name, style, places[name], 0, found)
    return found


def _dest(module: Module, name: str) -> str:
    """Where simple-parsing puts what it makes of a class that is handed to it."""
    for call in module.calls:
        last = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if last == "add_arguments" and any(isinstance(a, ast.Name) and a.id == name for a in call.args[:1]):
            return module.text_of(call.args[1] if len(call.args) > 1 else module.keywords(call).get("dest")) or "config"
    return "config"


def _is_dataclass(module: Module, node: ast.ClassDef) -> bool:
    decorators = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return any(module.called(d).split(".")[-1] in ("dataclass", "define", "frozen") for d in decorators)


def _shapes(module: Module, name: str) -> list[Any]:
    return [shape(module, s.annotation) for s in module.classes[name].body if isinstance(s, ast.AnnAssign)]


def _roots(module: Module, classes: list[str], found: Dataclasses) -> dict[str, Style]:
    """Class -> how its fields are passed, for each class that is handed to a parser, or stands for Hydra's config."""
    roots: dict[str, Style] = {}
    for call in module.calls:
        full = module.called(call.func)
        last = full.split(".")[-1]
        if not full and isinstance(call.func, ast.Attribute):
            last = call.func.attr
        if last == "store" and any("hydra" in origin for origin in module.imported.values()):
            node = module.keywords(call).get("node") or (call.args[1] if len(call.args) > 1 else None)
            if isinstance(node, ast.Name) and node.id in classes and "group" not in module.keywords(call):
                roots.setdefault(node.id, "hydra")
            continue
        style = _CALLS.get(".".join(full.split(".")[-2:])) or _CALLS.get(last)
        if style is None:
            continue
        given = [*call.args, *module.keywords(call).values()]
        for node in given:
            for one in node.elts if isinstance(node, ast.Tuple | ast.List) else [node]:
                if not isinstance(one, ast.Name):
                    continue
                if one.id in classes:
                    roots.setdefault(one.id, style)
                elif one.id in module.imported:
                    found.unread.append(Unread(one.lineno, one.id, "another file defines it: its options are not seen"))
    for function in module.functions.values():
        for decorator in function.decorator_list:
            call_ = decorator.func if isinstance(decorator, ast.Call) else decorator
            if module.called(call_) in ("pyrallis.wrap", "draccus.wrap"):
                for argument in function.args.args:
                    if isinstance(argument.annotation, ast.Name) and argument.annotation.id in classes:
                        roots.setdefault(argument.annotation.id, "dotted")
    return roots


def _fields(
    module: Module,
    name: str,
    style: Style,
    prefix: str,
    depth: int,
    found: Dataclasses,
    redefined: frozenset[str] = frozenset(),
    given: Mapping[str, ast.expr] = MappingProxyType({}),
) -> None:
    """Add the fields of a class and of those that it is built on, without those that a class built on it redefines.

    Args:
        given: field -> what stands for its default where the class is the default of another one's field.
    """
    found.classes += 1
    if depth > _DEEPEST or found.classes > MOST_OPTIONS or len(found.options) > MOST_OPTIONS:
        if depth > _DEEPEST:
            found.unread.append(Unread(module.classes[name].lineno, f"the class {name}", "it is nested too deeply"))
        return
    body = module.classes[name].body
    own = {s.target.id for s in body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)}
    for base in module.classes[name].bases:
        if isinstance(base, ast.Name) and base.id in module.imported:
            found.unread.append(Unread(base.lineno, base.id, "another file defines it: its options are not seen"))
        if isinstance(base, ast.Name) and base.id in module.classes and base.id != name:
            _fields(module, base.id, style, prefix, depth + 1, found, redefined | own, given)
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if statement.target.id.startswith("_") or statement.target.id in redefined:
            continue
        told = shape(module, statement.annotation)
        if told.nested in module.classes and told.nested != name and _is_dataclass(module, module.classes[told.nested]):
            inner = f"{prefix}{statement.target.id}."
            start = given.get(statement.target.id, statement.value)
            stated = module.keywords(start).get("default") if isinstance(start, ast.Call) else start
            if isinstance(stated, ast.Constant) and stated.value is None:
                found.unread.append(Unread(statement.lineno, inner[:-1], "it is not there unless asked for (None)"))
                continue
            place = "" if style == "flag" else inner  # which puts the inner fields beside the outer ones
            _fields(module, told.nested, style, place, depth + 1, found, given=_made_with(module, start, told.nested))
            continue
        found.options.append(_option(module, statement, told, style, prefix, after, given, found.flags))


def _made_with(module: Module, node: ast.expr | None, name: str) -> dict[str, ast.expr]:
    """What a default such as `field(default_factory=lambda: Inner(lr=0.01))` gives the fields of the class `Inner`."""
    if isinstance(node, ast.Call) and module.called(node.func) != name:
        keywords = module.keywords(node)
        node = keywords.get("default_factory") or keywords.get("default")
    if isinstance(node, ast.Lambda):
        node = node.body
    if not isinstance(node, ast.Call):
        return {}
    made = node.args[0] if module.called(node.func) == "functools.partial" and node.args else node.func
    return module.keywords(node) if module.called(made) == name else {}


def _option(
    module: Module,
    statement: ast.AnnAssign,
    told: Any,
    style: Style,
    prefix: str,
    after: ast.stmt | None,
    given: Mapping[str, ast.expr],
    flags: Mapping[str, str],
) -> Option:
    assert isinstance(statement.target, ast.Name)
    name = statement.target.id
    default, help, choices = _default(module, statement.value)
    if name in given:
        default = module.value(given[name])
    listed = told.choices
    if style != "flag":  # of these parsers, only Hugging Face's takes an enumeration's values
        listed, default = by_name(told, default)
    path = f"{prefix}{name}"
    label, argument = _way_in(flags.get(path, path) if style == "simple" else path, style)
    described: dict[str, Any] = {"kind": told.kind, "default": default, "argument": argument, "held": told.why}
    if listed is not None or choices is not None:
        described["choices"] = choices if choices is not None else listed
    if style == "none":
        described["held"] = NO_WAY_IN
    elif style == "tyro" and told.kind == "bool":
        outer, dot, last = label[2:].rpartition(".")
        described["choices"], described["default"] = two_forms(label[2:], f"{outer}{dot}no-{last}", default)
        described |= {"kind": "text", "argument": "--{}"}
        if not isinstance(default, bool):
            described["held"] = SWITCH
    source: Source = "hydra" if style == "hydra" else "dataclass"
    return option(
        label=label,
        source=source,
        line=statement.lineno,
        help=help or _comment(module, statement, after),
        required=_is_bare(module, statement.value) and name not in given,
        **described,
    )


def _way_in(path: str, style: Style) -> tuple[str, str]:
    """How a person names the field, and the argument that passes it."""
    match style:
        case "hydra":
            return path, f"{path}={{}}"
        case "none":
            return path, ""
        case "tyro":
            flag = "--" + path.replace("_", "-")
        case _:
            flag = f"--{path}"
    return flag, passed(flag)


def _is_bare(module: Module, node: ast.expr | None) -> bool:
    """Whether the right-hand side of a field gives no default: there is none, or `field(metadata=...)` without one."""
    if not isinstance(node, ast.Call):
        return node is None
    keywords = {keyword.arg for keyword in node.keywords}  # None stands for `**more`, which may hold one
    plain = module.called(node.func).split(".")[-1] == "field" and not node.args
    return plain and keywords.isdisjoint({None, "default", "default_factory", "factory", "init"})


def _default(module: Module, node: ast.expr | None) -> tuple[Any, str, list[Any] | None]:
    """Default, help and choices that the right-hand side of a field gives."""
    if not isinstance(node, ast.Call):
        return (module.value(node) if node is not None else None), "", None
    keywords = module.keywords(node)
    last = module.called(node.func).split(".")[-1]
    default = module.value(keywords["default"]) if "default" in keywords else None
    if "default" not in keywords:
        positional = module.value(node.args[0]) if node.args and last not in ("field", "choice") else None
        default = module.value(node) if "default_factory" in keywords else positional
    listed = None
    if last == "choice":
        listed = [module.value(arg) for arg in node.args]
    help_node = keywords.get("help")
    metadata = keywords.get("metadata")
    if isinstance(metadata, ast.Dict):
        for key, value in zip(metadata.keys, metadata.values, strict=True):
            if module.value(key) == "help":
                help_node = value
            elif module.value(key) == "choices":
                values = module.value(value)
                listed = values if isinstance(values, list) else []
    return default, module.text_of(help_node), listed


def _comment(module: Module, statement: ast.AnnAssign, after: ast.stmt | None) -> str:
    """The words beside a field: the string below it, or the comment behind it or above it."""
    match after:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    above = module.rows[statement.lineno - 2].strip() if statement.lineno >= 2 else ""
    return module.behind(statement) or (above.lstrip("#: ") if above.startswith("#") else "")
