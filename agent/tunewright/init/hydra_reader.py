"""Options of Hydra and OmegaConf: the YAML that the script names, composed by its list of defaults, and its groups."""

import ast
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.errors import CardError
from tunewright.init import yaml_values
from tunewright.init.dataclass_reader import NO_WAY_IN
from tunewright.init.options import LIST, option
from tunewright.init.reading import Option, Source, Unread
from tunewright.init.syntax import UNKNOWN, Module
from tunewright.init.yaml_values import Leaf

_MOST_FILES = 50
_DEEPEST = 8
_MOST_CHOICES = 50
_INTERPOLATION = "an interpolation (${...}): it follows another value"
_MISSING = "it must be given (???)"
_GROUP = "a group of configurations: the values below it change with it"
_RANGE = re.compile(r"parameters\..+\.(?:min|max|values?|distribution)")
_SEARCHES = ("grid", "random", "bayes")
"""What `method` is in a sweep of Weights & Biases."""
_OWN = ("_target_", "_recursive_", "_convert_", "_partial_", "_args_")


@dataclass
class Configs:
    """What a script's configuration files hold."""

    options: list[Option] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Names of the classes that the files build."""


def read(module: Module, script: Path, root: Path | None) -> Configs:
    """The options in the files that `hydra.main` or `OmegaConf.load` name.

    Args:
        root: nothing outside this folder is read; without it, nothing outside the script's folder, or the folder above
            the one that `config_path` names with `..`.
    """
    found = Configs()
    folder = script.absolute().parent
    for function in module.functions.values():
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and module.called(decorator.func) == "hydra.main":
                _hydra(module, decorator, folder, root, found)
    from_line = any(module.called(c.func).endswith("OmegaConf.from_cli") for c in module.calls)
    for call in module.calls:
        if module.called(call.func).endswith("OmegaConf.load") and call.args:
            name = module.value(call.args[0])
            if not isinstance(name, str):
                found.unread.append(Unread(call.lineno, "OmegaConf.load", "the file's name is made at run time"))
                continue
            leaves = _Composer(folder, root or folder, found).leaves(folder / name, call.lineno)
            _take(leaves, found, "omegaconf", passable=from_line)
    return found


def read_file(path: Path, shown: str) -> Configs:
    """The options in a YAML file on its own, passed as `name=value`.

    Raises:
        CardError: the file cannot be read, or holds the ranges of a sweep in place of values.
    """
    found = Configs()
    tree = yaml_values.read(path, shown)  # an error of the file that a person named is theirs to see
    _refuse_sweep(tree.leaves, shown)
    folder = path.absolute().parent
    composer = _Composer(folder, folder, found)
    leaves = composer.leaves(path.absolute(), 1)
    _take(leaves, found, "hydra" if composer.composed else "omegaconf", passable=True)
    return found


def _refuse_sweep(leaves: Mapping[str, Leaf], shown: str) -> None:
    """Read as a configuration, the ends of a sweep's ranges would be what is tuned."""
    method = leaves.get("method")
    if method is not None and method.value in _SEARCHES and any(map(_RANGE.fullmatch, leaves)):
        raise CardError(
            f"{shown} is a sweep of Weights & Biases: it holds ranges, not what a program takes",
            "name its program, `tunewright init SCRIPT.py`, and write the sweep's ranges into the card's `space`, "
            "such as {name: lr, type: float, low: 1e-4, high: 0.1, log: true}",
        )


def _hydra(module: Module, call: ast.Call, folder: Path, root: Path | None, found: Configs) -> None:
    given: dict[str, ast.expr] = dict(zip(("config_path", "config_name"), call.args, strict=False))
    given |= module.keywords(call)
    where = module.value(given["config_path"]) if "config_path" in given else None
    name = module.value(given["config_name"]) if "config_name" in given else None
    if not isinstance(name, str) or not (where is None or isinstance(where, str)):
        told = "it names no configuration" if name is None else "its names are made at run time"
        found.unread.append(Unread(call.lineno, "hydra.main", told))
        return
    configs = Path(os.path.normpath(folder / (where or ".")))
    allowed = root or (folder if configs.is_relative_to(folder) else configs.parent)
    if Path(where or ".").is_absolute() and root is None:
        found.unread.append(Unread(call.lineno, f"the folder {where}", "it is not beside the script"))
        return
    file = configs / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not file.exists():
        from_class = any("ConfigStore" in origin for origin in module.imported.values())
        if not from_class:
            found.unread.append(Unread(call.lineno, "hydra.main", f"there is no file {_shown(file, folder)}"))
        return
    leaves = _Composer(configs, allowed, found).leaves(file, call.lineno)
    _take(leaves, found, "hydra", passable=True)


def _shown(file: Path, folder: Path) -> str:
    return os.path.relpath(file, folder)


class _Composer:
    """Puts a file and those of its defaults list together, in Hydra's order."""

    def __init__(self, folder: Path, allowed: Path, found: Configs) -> None:
        self.folder = folder
        self.allowed = allowed.resolve()
        self.found = found
        self.files = 0
        self.composed = False

    def leaves(self, file: Path, line: int, prefix: str = "", depth: int = 0) -> dict[str, Leaf]:
        """Dotted name -> value; what cannot be read goes to `unread`."""
        shown = _shown(file, self.folder)
        fault = self._fault(file, depth)
        if fault:
            self.found.unread.append(Unread(line, shown, fault))
            return {}
        self.files += 1
        try:
            tree = yaml_values.read(file, shown)
        except CardError as e:
            self.found.unread.append(Unread(line, shown, e.message))
            return {}
        if tree.package is not None and prefix:
            prefix = "" if tree.package == "_global_" else prefix if tree.package == "_group_" else f"{tree.package}."
        own = {f"{prefix}{name}": leaf for name, leaf in tree.leaves.items() if not name.startswith("hydra.")}
        # without _self_ in the list, a file's own values come last and win (Hydra since 1.1)
        listed = any(entry == "_self_" for entry, _ in tree.defaults)
        merged: dict[str, Leaf] = {}
        for entry, place in tree.defaults:
            self.composed = True
            merged |= own if entry == "_self_" else self._entry(entry, place, file, shown, depth)
        return merged if listed else merged | own

    def _fault(self, file: Path, depth: int) -> str:
        if depth > _DEEPEST or self.files >= _MOST_FILES:
            return "the files name too many others"
        try:
            resolved = file.resolve()
            if not resolved.is_relative_to(self.allowed):
                return "it lies outside the folder, or is a link that leads out of it"
            return "" if resolved.is_file() else "there is no such file"
        except (OSError, RuntimeError) as e:
            return f"it cannot be read ({e})"

    def _entry(self, entry: Any, line: int, file: Path, shown: str, depth: int) -> dict[str, Leaf]:
        """What one entry of a defaults list brings."""
        group, name = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if group is None and isinstance(name, str):
            return self.leaves(_yaml(file.parent / name), line, "", depth + 1)
        if not isinstance(group, str):
            self._unread(line, "an entry of defaults", "it cannot be read", shown)
            return {}
        group = group.removeprefix("optional ")
        if group.startswith(("override ", "hydra/")):
            return {}
        group, _, package = group.partition("@")
        base = self.folder if group.startswith("/") else file.parent
        group = group.lstrip("/")
        if name is None:
            return {}
        if not isinstance(name, str) or "${" in name or name == "???":
            why = _MISSING if name == "???" else "it is no plain name of a file"
            self._unread(line, f"the group {group}", why, shown)
            return {}
        self._group(group, name, base, line, shown, depth)
        inner = package or group.replace("/", ".")
        return self.leaves(_yaml(base / group / name), line, "" if inner == "_global_" else f"{inner}.", depth + 1)

    def _group(self, group: str, name: str, base: Path, line: int, shown: str, depth: int) -> None:
        """The choice of a group's file as an option of its own."""
        folder = base / group
        if depth or not folder.is_dir() or not folder.resolve().is_relative_to(self.allowed):
            return
        names = sorted(f.stem for f in folder.iterdir() if f.suffix in (".yaml", ".yml"))[:_MOST_CHOICES]
        if not re.fullmatch(r"[\w/-]+", group) or any(o.label == group for o in self.found.options):
            return
        self.found.options.append(
            option(
                label=group.replace("/", "."),
                source="hydra",
                line=line,
                kind="text",
                default=name,
                choices=names,
                argument=f"{group}={{}}",
                held=_GROUP,
                file=shown,
            )
        )

    def _unread(self, line: int, what: str, why: str, shown: str) -> None:
        self.found.unread.append(Unread(line, what, why, shown))


def _yaml(path: Path) -> Path:
    return path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")


def _take(leaves: dict[str, Leaf], found: Configs, source: Source, *, passable: bool) -> None:
    for name, leaf in leaves.items():
        last = name.rpartition(".")[2]
        if last in _OWN:
            found.words += [str(leaf.value)] if last == "_target_" else []
            continue
        if not re.fullmatch(r"[A-Za-z0-9_./-]+", name):
            found.unread.append(Unread(leaf.line, name, "its name is not one that can be passed", leaf.file))
            continue
        found.options.append(_option(name, leaf, source, passable))


def _option(name: str, leaf: Leaf, source: Source, passable: bool) -> Option:
    value, held = leaf.value, "" if passable else NO_WAY_IN
    required = False
    if isinstance(value, str) and "${" in value:
        value, held = None, _INTERPOLATION
    elif value == "???":
        value, held, required = None, held or _MISSING, True
    elif value is UNKNOWN:
        held = "it cannot be read as a plain value"
    elif isinstance(value, list | dict):
        value, held = None, LIST
    return option(
        label=name,
        source=source,
        line=leaf.line,
        kind=None,
        default=value,
        argument=f"{name}={{}}" if passable else "",
        required=required,
        held=held,
        file=leaf.file,
    )
