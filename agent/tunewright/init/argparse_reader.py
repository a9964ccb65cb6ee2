"""Options of argparse and of what is built on it: groups, subcommands, shared parents, actions, types, choices."""

import ast
from dataclasses import dataclass, field, replace
from typing import Any

from tunewright.init.options import LIST, PATH, SWITCH, option, passed, two_forms
from tunewright.init.reading import Kind, Option, Unread, as_default, identifier
from tunewright.init.syntax import MOST_OPTIONS, Module

_PLAIN: dict[str, Kind] = {"float": "float", "int": "int", "str": "text"}
_PARSERS = (
    "ArgumentParser",
    "ArgParser",
    "HfArgumentParser",
    "TrlParser",
    "LightningArgumentParser",
    "FlexibleArgumentParser",
)
_GROUPS = ("add_argument_group", "add_mutually_exclusive_group")
_EXCLUSIVE = "it excludes other options, so that not all can be passed at once"
_UNTYPED = "no type= in the script: a value that is passed arrives there as text; add type={kind}"


@dataclass
class _Parser:
    command: str = ""
    exclusive: bool = False
    homes: list["_Parser"] = field(default_factory=list)
    """Parsers that name it among their parents, or that it stands for as a parameter of a function."""

    def commands(self) -> list[str]:
        found: list[str] = []
        seen: set[int] = set()  # a function may hand its parser to itself
        ahead = [self]
        while ahead:
            one = ahead.pop(0)
            if id(one) in seen:
                continue
            seen.add(id(one))
            ahead += one.homes
            found += [] if one.homes else [one.command]
        return list(dict.fromkeys(found)) or [self.command]


@dataclass
class Argparse:
    """What argparse takes, in the order of the file."""

    options: list[Option] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    description: str = ""


def read(module: Module) -> Argparse:
    """The options that calls of `add_argument` describe."""
    return _Reader(module).read()


class _Reader:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.found = Argparse()
        self.root = _Parser()
        self.known: dict[str, _Parser] = {}
        self.made: dict[int, _Parser] = {}
        self.adders: dict[str, _Parser] = {}
        """Names given to a parser's own `add_argument`, such as `add = parser.add_argument`."""
        self.pending: list[tuple[_Parser, Option]] = []
        self.given: dict[tuple[str, str], _Parser] = {}
        """Function and parameter -> what the calls of that function give it, where that is a parser."""
        self.parameters: dict[int, tuple[int, _Parser]] = {}
        """A name inside a function that is one of its parameters -> the function's line, and what it stands for."""
        self.set_at: dict[str, int] = {}
        """Name -> the line on which it was last given a parser."""
        self._find_parameters()

    def read(self) -> Argparse:
        defaults: dict[str, Any] = {}
        for node in self._events():
            if len(self.pending) > MOST_OPTIONS:
                break
            if isinstance(node, ast.Assign | ast.AnnAssign):
                self._assigned(node)
                continue
            match node.func:
                case ast.Attribute(value=owner, attr="add_argument"):
                    self._argument(self._parser(owner) or self.root, node)
                case ast.Name() | ast.Attribute() as name if self.module.called(name) in self.adders:
                    self._argument(self.adders[self.module.called(name)], node)
                case ast.Attribute(attr="set_defaults"):
                    defaults |= {k: self.module.value(v) for k, v in self.module.keywords(node).items()}
                case _:
                    self._handed_over(node)
                    self._parser(node)
        for parser, one in self.pending:
            fresh = as_default(defaults[one.name], one.kind) if one.name in defaults else None
            for command in parser.commands():
                self.found.options.append(
                    replace(one, command=command, default=one.default if fresh is None else fresh)
                )
        self.found.commands = list(dict.fromkeys(o.command for o in self.found.options if o.command))
        return self.found

    def _find_parameters(self) -> None:
        for name, function in self.module.functions.items():
            own = {p.arg: self.given.setdefault((name, p.arg), _Parser()) for p in _parameters(function)}
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node.id in own:
                    # of functions inside one another, the inner one's parameters hide the outer one's
                    line = max(function.lineno, self.parameters.get(id(node), (0,))[0])
                    if line == function.lineno:
                        self.parameters[id(node)] = line, own[node.id]

    def _handed_over(self, node: ast.Call) -> None:
        """Note which parsers a call gives the parameters of one of the script's own functions."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else self.module.called(node.func)
        if name not in self.module.functions:
            return
        taken = [p.arg for p in _parameters(self.module.functions[name])]
        if isinstance(node.func, ast.Attribute) and taken[:1] in (["self"], ["cls"]):
            taken = taken[1:]
        for parameter, value in [*zip(taken, node.args, strict=False), *self.module.keywords(node).items()]:
            parser = self._parser(value)
            if parser is not None and (name, parameter) in self.given:
                self.given[name, parameter].homes.append(parser)

    def _events(self) -> "list[ast.Call | ast.Assign | ast.AnnAssign]":
        """Calls and assignments in the order of the file, so that a name means what it was last given."""
        found = [n for n in ast.walk(self.module.tree) if isinstance(n, ast.Call | ast.Assign | ast.AnnAssign)]
        return sorted(found, key=lambda n: (n.lineno, n.col_offset))

    def _assigned(self, node: ast.Assign | ast.AnnAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [self.module.called(target) for target in targets]
        for name in names:
            self.adders.pop(name, None)
        match node.value:
            case ast.Call() if (parser := self._parser(node.value)) is not None:
                self.known |= dict.fromkeys(names, parser)
                self.set_at |= dict.fromkeys(names, node.lineno)
            case ast.Attribute(value=owner, attr="add_argument"):
                self.adders |= dict.fromkeys(names, self._parser(owner) or self.root)

    def _parser(self, node: ast.expr | None) -> _Parser | None:
        """The parser, group or subparser that an expression stands for; None where it is something else."""
        if isinstance(node, ast.Name | ast.Attribute):
            name = self.module.called(node)
            since, handed = self.parameters.get(id(node), (0, None))
            return handed if handed is not None and self.set_at.get(name, 0) < since else self.known.get(name)
        if not isinstance(node, ast.Call):
            return None
        if id(node) not in self.made:
            parser = self._new(node)
            if parser is None:
                return None
            self.made[id(node)] = parser
        return self.made[id(node)]

    def _new(self, node: ast.Call) -> _Parser | None:
        keywords = self.module.keywords(node)
        if self.module.called(node.func).split(".")[-1] in _PARSERS:
            parser = _Parser()
            self.found.description = self.found.description or self.module.text_of(keywords.get("description"))
            self._adopt(keywords, parser)
            return parser
        if not isinstance(node.func, ast.Attribute):
            return None
        owner = self._parser(node.func.value)
        if node.func.attr in _GROUPS:
            base = owner or self.root
            return _Parser(base.command, node.func.attr == _GROUPS[1] or base.exclusive, base.homes)
        if node.func.attr == "add_subparsers":
            return _Parser((owner or self.root).command)
        if node.func.attr == "add_parser" and node.args:
            name = self.module.value(node.args[0])
            if not isinstance(name, str):
                self._unread(node, "a subcommand", "its name is made at run time")
                return _Parser()
            command = f"{owner.command} {name}".strip() if owner else name
            parser = _Parser(command)
            self._adopt(keywords, parser)
            return parser
        return None

    def _adopt(self, keywords: dict[str, ast.expr], child: _Parser) -> None:
        parents = keywords.get("parents")
        for item in parents.elts if isinstance(parents, ast.List | ast.Tuple) else ():
            parent = self._parser(item)
            if parent is not None:
                parent.homes.append(child)

    def _argument(self, parser: _Parser, node: ast.Call) -> None:
        names = [self.module.value(arg) for arg in node.args]
        if not names or not all(isinstance(n, str) and n for n in names):
            self._unread(node, "an add_argument", "its name is made at run time")
            return
        keywords = self.module.keywords(node)
        action = self._action(keywords.get("action"))
        if action in ("help", "version"):
            return
        flags = [n for n in names if n.startswith("-")]
        long = [n for n in flags if n.startswith("--")]
        label = (long or flags or names)[0]
        described = self._described(label, keywords, action)
        dest = self.module.value(keywords.get("dest"))
        if isinstance(dest, str) and flags:
            described["name"] = identifier(dest)
        if parser.exclusive:
            described["held"] = described.get("held") or _EXCLUSIVE
        required = not flags and self.module.value(keywords.get("nargs")) != "?"
        required = required or self.module.value(keywords.get("required")) is True
        made = option(
            label=label,
            source="argparse",
            line=node.lineno,
            help=self.module.text_of(keywords.get("help")).replace("%%", "%"),
            required=required,
            aliases=flags,
            **described,
        )
        self.pending.append((parser, made))

    def _action(self, node: ast.expr | None) -> str:
        if node is None:
            return "store"
        value = self.module.value(node)
        return value if isinstance(value, str) else self.module.called(node).split(".")[-1]

    def _described(self, label: str, keywords: dict[str, ast.expr], action: str) -> dict[str, Any]:
        """Kind, default, choices, argument, and why it cannot be tuned."""
        default: Any = self.module.value(keywords["default"]) if "default" in keywords else None
        if action == "BooleanOptionalAction":
            choices, start = two_forms(label[2:], f"no-{label[2:]}", default)
            return {"kind": "text", "default": start, "choices": choices, "argument": "--{}"}
        if action in ("store_true", "store_false"):
            start = default if "default" in keywords else action == "store_false"
            return {"kind": "bool", "default": start, "argument": "", "held": SWITCH}
        plain: dict[str, Any] = {"default": default, "argument": passed(label)}
        if action != "store":
            return {**plain, "kind": None, "held": f"its action is {action}"}
        if "nargs" in keywords and self.module.value(keywords["nargs"]) not in (None, "?"):
            return {**plain, "kind": None, "held": LIST}
        if "choices" in keywords:
            listed = self._choices(keywords["choices"])
            plain["choices"] = listed if isinstance(listed, list) else []
        return plain | self._typed(keywords.get("type"), default, plain.get("choices"))

    def _choices(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name) | ast.Call(func=ast.Name(id="list"), args=[ast.Name(id=name)]):
                members = self.module.members(name)
                if members:
                    return list(members.values())
        return self.module.value(node)

    def _typed(self, node: ast.expr | None, default: Any, choices: Any) -> dict[str, Any]:
        if node is None or self.module.value(node) is None:
            numbers = [v for v in [default, *(choices or [])] if isinstance(v, int | float)]
            if not numbers:
                return {"kind": "text"}
            untyped: Kind = "float" if any(isinstance(v, float) for v in numbers) else "int"
            return {"kind": untyped, "held": _UNTYPED.format(kind=untyped)}
        name = self.module.called(node.func if isinstance(node, ast.Call) else node)
        last = name.split(".")[-1]
        if name in _PLAIN:
            return {"kind": _PLAIN[name]}
        if name == "bool":
            return {"kind": "bool", "held": "type=bool takes every text but the empty one for true"}
        if last in ("Path", "PurePath", "FileType", "abspath", "expanduser"):
            return {"kind": "text", "held": PATH}
        if self.module.members(name):
            return {"kind": None, "choices": list(self.module.members(name).values())}
        if "bool" in last.lower() or isinstance(default, bool):
            return {"kind": "bool"}
        kind = self._converts(node, last)
        if kind is None and isinstance(default, int | float):
            kind = "float" if isinstance(default, float) else "int"
        return (
            {"kind": kind} if kind else {"kind": "text", "held": f"its type {last or 'function'} is the script's own"}
        )

    def _converts(self, node: ast.expr, name: str) -> Kind | None:
        """The kind that the script's own converter makes, as far as the calls in its body tell."""
        body: ast.AST | None = node if isinstance(node, ast.Lambda) else self.module.functions.get(name)
        if body is None:
            return None
        used = {n.func.id for n in ast.walk(body) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        return "int" if "int" in used else "float" if "float" in used else None

    def _unread(self, node: ast.Call, what: str, why: str) -> None:
        self.found.unread.append(Unread(node.lineno, what, why))


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
