"""A card file of the project. Named by a model, it may only point at files inside the project."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewright.card import TaskCard
from tunewright.card_yaml import read
from tunewright.errors import CardError


def load_card(root: Path, path: Path, *, own: bool) -> TaskCard:
    """The card in a file.

    Args:
        own: whether a person named it; else each file and folder that it points at must lie inside `root`, since
            reading the card opens them.

    Raises:
        CardError: it cannot be read, or points elsewhere.
    """
    if not own:
        for key, text in _pointed_at(read(path).data):
            if not _inside(root, text):
                raise CardError(
                    f"its {key} is {text!r}, outside the project", "a person can set it up, with the same path"
                )
    return TaskCard.load(path)


def _pointed_at(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The files and folders that a card names, unchecked as they are."""
    tool, dataset = data.get("tool"), data.get("data")
    if isinstance(tool, dict) and isinstance(tool.get("cwd"), str):
        yield "tool.cwd", tool["cwd"]
    if isinstance(dataset, dict) and isinstance(dataset.get("csv"), str):
        yield "data.csv", dataset["csv"]
    sources = data.get("earlier")
    for i, source in enumerate(sources if isinstance(sources, list) else []):
        found = source if isinstance(source, dict) else {"csv": source}
        for key in ("csv", "storage"):
            if isinstance(found.get(key), str):
                yield f"earlier[{i}].{key}", found[key]


def _inside(root: Path, text: str) -> bool:
    """Whether a path, or the address of an SQLite file (`NAME@sqlite:///FILE`), lies inside; no server does."""
    scheme, separator, rest = text.rpartition("://")
    if separator:
        if scheme.rpartition("@")[2] != "sqlite" or not rest.startswith("/") or "?" in rest:
            return False
        text = rest.removeprefix("/")
    return Path(os.path.expanduser(text)).resolve().is_relative_to(root)
