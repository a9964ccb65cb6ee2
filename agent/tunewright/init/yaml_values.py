"""A configuration file as dotted names with values and lines, read as OmegaConf reads YAML; bounded, no tags obeyed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunewright.errors import CardError
from tunewright.init.syntax import UNKNOWN, one_row, source_text

_MOST = 5_000
_DEEPEST = 20
_LONGEST_NUMBER = 60
_TAG = "tag:yaml.org,2002:"
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/-]*")


class _Loader(yaml.SafeLoader):
    """PyYAML's scalars, with 1e-3 a number and dates as text: what OmegaConf 2.3 makes of a file."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag not in (f"{_TAG}timestamp", f"{_TAG}float")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class Leaf:
    """A value at the end of a dotted name."""

    value: Any
    """A number, text, true/false, None, a list, or `UNKNOWN`."""
    line: int
    file: str


@dataclass(frozen=True)
class Tree:
    """A file's values, its list of defaults, and where its values go."""

    leaves: dict[str, Leaf]
    defaults: tuple[tuple[Any, int], ...] = ()
    """Entries of `defaults`, each a text or a mapping, with its line."""
    package: str | None = None
    """What `# @package` at its head says."""


def read(path: Path, shown: str) -> Tree:
    """The values in a YAML file.

    Raises:
        CardError: it cannot be read, is no YAML mapping, or is too large; the message has the line.
    """
    text = source_text(path, shown)
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            return _tree(loader, root, text, shown)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise CardError(
            f"{shown}:{line}: {e.problem or e.context}", f"the line is {one_row(text, line)!r}; it must be YAML"
        ) from None
    except yaml.YAMLError as e:
        raise CardError(f"{shown} cannot be read: {str(e).splitlines()[0]}", "give a YAML file of plain text") from None
    except RecursionError:
        raise CardError(f"{shown} is nested too deeply", "give a file that a person wrote") from None


def _tree(loader: _Loader, root: yaml.Node | None, text: str, shown: str) -> Tree:
    package = re.search(r"\A(?:\s*#[^\n]*\n)*?\s*#\s*@package\s+(\S+)", text)
    if root is None:
        return Tree({}, package=package[1] if package else None)
    if not isinstance(root, yaml.MappingNode):
        raise CardError(
            f"{shown}:{root.start_mark.line + 1}: the file is no mapping", "give a configuration: names with values"
        )
    walk = _Walk(loader, shown)
    walk.mapping(root, "", 0)
    return Tree(walk.leaves, tuple(walk.defaults), package[1] if package else None)


class _Walk:
    def __init__(self, loader: _Loader, file: str) -> None:
        self.loader = loader
        self.file = file
        self.leaves: dict[str, Leaf] = {}
        self.defaults: list[tuple[Any, int]] = []
        self.count = 0

    def mapping(self, node: yaml.MappingNode, prefix: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise CardError(f"{self.file}:{node.start_mark.line + 1}: nested too deeply", "name a smaller file")
        for key_node, value in node.value:
            self.count += 1  # counted where used: an alias costs what it stands for
            if self.count > _MOST:
                raise CardError(f"{self.file} has more than {_MOST:,} values", "name a smaller file")
            key = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else UNKNOWN
            line = key_node.start_mark.line + 1
            if key == "defaults" and not prefix and isinstance(value, yaml.SequenceNode):
                self.defaults = [(self.plain(item), item.start_mark.line + 1) for item in value.value[:100]]
            elif not isinstance(key, str) or not _KEY.fullmatch(key):
                self.leaves[f"{prefix}{key_node.value if isinstance(key_node, yaml.ScalarNode) else '?'}"] = Leaf(
                    UNKNOWN, line, self.file
                )
            elif isinstance(value, yaml.MappingNode):
                self.mapping(value, f"{prefix}{key}.", depth + 1)
            else:
                self.leaves[f"{prefix}{key}"] = Leaf(self.plain(value), line, self.file)

    def plain(self, node: yaml.Node) -> Any:
        """A scalar's value; of a list that it is one; of a small mapping its pairs."""
        match node:
            case yaml.ScalarNode():
                return self.scalar(node)
            case yaml.SequenceNode():
                return []
            case yaml.MappingNode() if len(node.value) == 1:
                key, value = node.value[0]
                if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                    return {self.scalar(key): self.scalar(value)}
        return UNKNOWN

    def scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return node.value
        if kind not in ("int", "float", "bool", "null") or len(node.value) > _LONGEST_NUMBER:
            return UNKNOWN
        try:
            return self.loader.construct_object(node)
        except (ValueError, KeyError, yaml.YAMLError):
            return UNKNOWN
