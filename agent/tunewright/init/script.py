"""Read a script without running it: which options it takes, how they are passed, which metrics it prints."""

import ast
import re
from dataclasses import replace
from os import PathLike
from pathlib import Path

from tunewright.errors import CardError
from tunewright.init import (
    argparse_reader,
    click_reader,
    constants_reader,
    dataclass_reader,
    hydra_reader,
    metrics_reader,
    signature_reader,
)
from tunewright.init.reading import Option, ScriptReading, Unread, one_line
from tunewright.init.syntax import MOST_OPTIONS, Module, parse

_MOST_WORDS = 4_000
_MOST_SHOWN = 8
_YAML = (".yaml", ".yml")


def read_script(path: str | PathLike[str], *, root: str | PathLike[str] | None = None) -> ScriptReading:
    """What a Python script, or a Hydra or OmegaConf file, takes and prints. Nothing is imported or run.

    Args:
        path: the script, or a YAML file.
        root: no configuration file outside this folder is read; see `hydra_reader.read` for what holds without it.

    Raises:
        CardError: no such file, a syntax error with its line, a file too large or too nested.
    """
    file, shown = Path(path), str(path)
    try:
        if file.suffix in _YAML:
            return _configuration(file, shown)
        if file.suffix == ".ipynb":
            raise CardError(f"{shown} is a notebook", "export it as a script, and let it take options")
        module = parse(file, shown)
        return _script(module, file, shown, Path(root) if root is not None else None)
    except RecursionError:
        raise CardError(f"{shown} is nested too deeply to be read", "name a script that a person wrote") from None


def _configuration(file: Path, shown: str) -> ScriptReading:
    found = hydra_reader.read_file(file, shown)
    return ScriptReading(
        shown,
        _unique(found.options),
        unread=tuple(found.unread),
        words=_apart(" ".join(found.words)),
        runs=False,
    )


def _script(module: Module, file: Path, shown: str, root: Path | None) -> ScriptReading:
    parsed = argparse_reader.read(module)
    clicked = click_reader.read(module)
    typed = signature_reader.read(module)
    fields = dataclass_reader.read(module)
    configs = hydra_reader.read(module, file, root)
    printed = metrics_reader.read(module)
    options = [*parsed.options, *clicked.options, *typed.options, *configs.options]
    # a class that nothing passes on is told of only where the script has no other way in
    passable = [o for o in fields.options if o.argument or o.held_back != dataclass_reader.NO_WAY_IN]
    options += passable if options else fields.options
    constants = constants_reader.read(module)
    by_arguments = any(option.argument for option in options)
    if not by_arguments:
        options += constants.options
    unread = [*parsed.unread, *clicked.unread, *typed.unread, *fields.unread, *configs.unread, *printed.unread]
    if by_arguments and constants.options:
        names = [o.label for o in constants.options]
        listed = ", ".join(names[:_MOST_SHOWN]) + (" and more" if len(names) > _MOST_SHOWN else "")
        unread.append(
            Unread(constants.options[0].line, f"constants ({listed})", "the card's values go in as arguments")
        )
    if len(options) > MOST_OPTIONS:
        unread.append(Unread(options[MOST_OPTIONS].line, f"{len(options) - MOST_OPTIONS} options", "too many to tune"))
    needs = bool(options) and not by_arguments and not constants.reads_config
    return ScriptReading(
        shown,
        _unique(options[:MOST_OPTIONS]),
        metrics=tuple(printed.printed),
        unread=tuple(sorted(unread, key=lambda u: (u.file, u.line))),
        commands=tuple(dict.fromkeys([*parsed.commands, *clicked.commands, *typed.commands])),
        description=_description(module, parsed.description or clicked.description or typed.description),
        words=_words(module, configs.words),
        needs_config=needs,
    )


def _unique(options: "list[Option]") -> tuple[Option, ...]:
    """The options with names of their own: a name that is there twice in one command gets a number."""
    taken: dict[str, set[str]] = {}
    found = []
    for option in options:
        names = taken.setdefault(option.command, set())
        if option.command:
            names = names | taken.get("", set())
        name, count = option.name, 2
        while name in names:
            name, count = f"{option.name}_{count}", count + 1
        taken[option.command].add(name)
        argument = option.argument.replace(f"{{{option.name}}}", f"{{{name}}}")
        found.append(replace(option, name=name, argument=argument))
    return tuple(found)


def _description(module: Module, stated: str) -> str:
    docstring = (ast.get_docstring(module.tree) or "").strip().split("\n\n")[0]
    return one_line(stated or docstring, 200)


def _words(module: Module, classes: list[str]) -> str:
    """Names of what the script imports and builds, also in their parts: `RandomForestClassifier` is a forest."""
    roots = {origin.split(".")[0] for origin in module.imported.values()}
    names = list(dict.fromkeys(module.imported.values()))
    called = dict.fromkeys(module.called(call.func) for call in module.calls)
    names += [name for name in called if name.split(".")[0] in roots]
    return _apart(" ".join([*names, *classes])[:_MOST_WORDS])


def _apart(text: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", " ", text)
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", words)
    return words if split == words else f"{words} {split}"
