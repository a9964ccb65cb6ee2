"""A card's YAML file as plain data, with the line of every key; scalars as in YAML 1.2, no tags, no surprises."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from tunewright.errors import CardError, did_you_mean

_LARGEST = 256_000
_MOST_VALUES = 20_000
_DEEPEST = 50
_LONGEST_NUMBER = 300
_TEXT = "tag:yaml.org,2002:str"
_FLOAT = "tag:yaml.org,2002:float"
_INT = "tag:yaml.org,2002:int"
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"


class _Loader(yaml.SafeLoader):
    """PyYAML with the scalars of YAML 1.2: 1e-5 is a number, yes/no/on/off and dates are text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own name)


# the core schema of YAML 1.2.2, section 10.3.2; octal 0o17 and hexadecimal are left out: a card needs none
_PATTERNS = {
    tag: re.compile(rf"(?:{pattern})\Z")
    for tag, pattern in (
        (_NULL, r"~|null|Null|NULL|"),
        (_BOOL, r"true|True|TRUE|false|False|FALSE"),
        (_INT, r"[-+]?[0-9]+"),
        (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    )
}
for _tag, _first in (
    (_NULL, [*"~nN", ""]),
    (_BOOL, [*"tTfF"]),
    (_INT, [*"-+0123456789"]),
    (_FLOAT, [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(_tag, _PATTERNS[_tag], _first)


@dataclass(frozen=True)
class Document:
    """What a file holds, and where."""

    file: str
    data: dict[str, Any]
    lines: dict[tuple[str | int, ...], int]
    """Line (from 1) of each key path; `("metrics", 0, "direction")` is one."""

    def where(self, path: Sequence[str | int]) -> str:
        """`file:line` of a key path, or of the nearest key above it that the file has."""
        parts = tuple(path)
        while parts not in self.lines:
            parts = parts[:-1]
        return f"{self.file}:{self.lines[parts]}"


def read(path: str | PathLike[str]) -> Document:
    """The mapping in a YAML file.

    Raises:
        CardError: no such file, no YAML, no mapping, a key twice, tags or aliases out of proportion;
            the message opens with the file and the line.
    """
    if not isinstance(path, str | PathLike):
        raise CardError(f"{path!r:.80} is no path of a card", "give one, for example tune.yaml")
    file = Path(path)
    text = _text(file)
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as e:
        raise _unreadable(str(path), text, e) from None
    except yaml.reader.ReaderError as e:
        line = text[: e.position].count("\n") + 1
        raise CardError(f"{path}:{line}: character {e.character:#x} is not text", "take it out") from None
    except RecursionError:
        raise CardError(f"{path} is nested too deeply", f"keep it within {_DEEPEST} levels") from None
    if root is None:
        raise CardError(f"{path} is empty", "a card needs goal, metrics (or metric and direction) and space")
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else f"the single value {root.value!r}"
        raise CardError(
            f"{path}:{root.start_mark.line + 1}: the file holds {kind}",
            "write keys with values, such as goal: a sentence",
        )
    reader = _Reader(str(path))
    return Document(str(path), reader.value(root, ()), reader.lines)


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes() if file.stat().st_size <= _LARGEST else None
    except FileNotFoundError:
        near = ""
        if file.parent.is_dir():
            near = did_you_mean(file.name, [f.name for f in file.parent.glob("*.y*ml")])
        raise CardError(f"there is no file {file}", f"{near}give the path of a card, for example tune.yaml") from None
    except OSError as e:
        raise CardError(f"{file} cannot be read: {e.strerror}", "give the path of a readable YAML file") from None
    if file.suffix == ".py":
        raise CardError(f"{file} is a script, and no card", f"`tunewright init {file}` writes a card for it")
    if raw is None:
        raise CardError(f"{file} has more than {_LARGEST:,} bytes", "give a card; data belongs into files of its own")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise CardError(f"{file}:{line}: byte {raw[e.start]:#x} is not UTF-8", "save the file as UTF-8 text") from None


def _unreadable(file: str, text: str, e: yaml.MarkedYAMLError) -> CardError:
    lines = text.splitlines()
    marks = [mark for mark in (e.problem_mark, e.context_mark) if mark and mark.line < len(lines)]
    line = marks[0].line if marks else 0  # what never ends (an open quote) is found at the end; its start helps more
    problem = ", ".join(part for part in (e.context, e.problem) if part)
    seen = lines[line].strip() if line < len(lines) else ""
    hint = f"the line is {seen!r}; check its indentation, colons, brackets and quotes"
    if any("\t" in row[: len(row) - len(row.lstrip())] for row in lines[max(0, line - 1) : line + 1]):
        hint = "YAML is indented by spaces: replace the tab"
    return CardError(f"{file}:{line + 1}: {problem}", hint)


class _Reader:
    """Turns nodes into values and notes the line of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        self.count += 1  # counted where used, so that an alias costs what it stands for
        if self.count > _MOST_VALUES or len(path) > _DEEPEST:
            raise self.fault(
                node, f"more than {_MOST_VALUES:,} values or {_DEEPEST} levels", "write fewer aliases (*name)"
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case yaml.ScalarNode():
                return self.scalar(node)
            case yaml.SequenceNode() if node.tag == "tag:yaml.org,2002:seq":
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            case yaml.MappingNode() if node.tag == "tag:yaml.org,2002:map":
                return self.mapping(node, path)
            case _:
                raise self.fault(node, f"the tag {node.tag!r} is not known", "take the tag (!...) out")

    def scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if node.tag == _TEXT:
            return text
        # a tag may be written out (!!float abc), and Python refuses to read whole numbers of thousands of digits
        if node.tag not in _PATTERNS or not _PATTERNS[node.tag].match(text) or len(text) > _LONGEST_NUMBER:
            raise self.fault(node, f"{text[:40]!r} cannot be read", "write plain text, a number, true or false")
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        if node.tag == _INT:
            return int(text)
        value = float(text) if text.lower().lstrip("+-") not in (".inf", ".nan") else math.nan
        if not math.isfinite(value):
            raise self.fault(node, f"{text} is not a finite number", "give a finite number, or leave the key out")
        return value

    def mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key in made:
                first = self.lines[(*path, key)]
                raise self.fault(key_node, f"{key!r} is there twice (first on line {first})", "keep one of them")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            made[key] = self.value(value_node, (*path, key))
        return made

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.fault(node, "a key is not text", "put {placeholders} and [lists] in quotes")
        if node.value == "<<" and node.style is None:
            raise self.fault(node, "merge keys (<<) are not part of YAML 1.2", "write the keys out")
        value = self.scalar(node)
        if not isinstance(value, str):
            raise self.fault(node, f"the key {node.value} is not text", f'write "{node.value}" in quotes')
        return value

    def fault(self, node: yaml.Node, message: str, hint: str) -> CardError:
        return CardError(f"{self.file}:{node.start_mark.line + 1}: {message}", hint)
