"""A draft as the YAML of a card, with a comment for where each part is from; what is not tuned stands there too."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from tunewright.errors import CardError
from tunewright.init.command import GIVEN, Argument, Item
from tunewright.init.draft import SNIPPET, Draft
from tunewright.init.purpose import SEED
from tunewright.init.reading import one_line

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/.-]*( [A-Za-z0-9_/.-]+)*")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")  # of YAML 1.1 and 1.2
_LONGEST_COMMENT = 220
_MOST_TOLD = 60


def to_yaml(draft: Draft) -> str:
    """The card's text. It loads with `TaskCard.load` once `draft.todo` is empty."""
    blocks = [
        _head(draft),
        _goal(draft),
        _metrics(draft),
        _tool(draft),
        _space(draft),
        _left_out(draft),
        [f"budget:\n  trials: {draft.trials}  # assumed; say what you can afford"] if draft.trials is not None else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def write(draft: Draft, path: Path, *, force: bool = False) -> None:
    """Write the card's text to a file, whole or not at all.

    Raises:
        CardError: the file is there and `force` is not given; the folder is not there or cannot be written.
    """
    check_free(path, force=force)
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(to_yaml(draft))
        try:
            os.chmod(file.name, 0o666 & ~_umask())
            if force:
                os.replace(file.name, path)
            else:
                os.link(file.name, path)  # unlike a rename, it never takes the place of a file made meanwhile
        finally:
            Path(file.name).unlink(missing_ok=True)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as e:
        raise CardError(f"{path} cannot be written: {e.strerror}", "name a file in a folder of yours: --out") from None


def check_free(path: Path, *, force: bool = False) -> None:
    """Raise `CardError` where the card could not be written: it is there already, or its folder is not."""
    if not path.absolute().parent.is_dir():
        raise CardError(f"{path} is in a folder that does not exist", "make the folder, or name another file: --out")
    if path.is_dir() or (not force and (path.exists() or path.is_symlink())):
        raise _taken(path)


def _taken(path: Path) -> CardError:
    if path.is_dir():
        return CardError(f"{path} is a folder", "name a file: --out tune.yaml")
    return CardError(f"{path} is there already", "name another file with --out, or give --force to replace it")


def summary(draft: Draft, path: Path) -> str:
    """What was written, what is yet to be said, and the next step: lines for people."""
    left = len(draft.items) - len(draft.tuned)
    lines = [f"wrote {path}: {len(draft.tuned)} parameters of {draft.reading.path}, {left} options left out"]
    for item in draft.tuned:
        assert item.parameter is not None
        lines.append(f"  {item.option.label}: {item.parameter.accepts()} ({one_line(item.origin, 70)})")
    if draft.target.name:
        direction = draft.target.direction or "direction unknown"
        said = draft.target.direction_origin
        lines.append(f"  metric: {draft.target.name}, {direction}{f' ({said})' if said else ''}; {draft.target.origin}")
    lines += [f"  note: {note}" for note in draft.notes]
    answer = draft.answer
    if answer is not None:
        cost = "price unknown" if answer.cost_usd is None else f"{answer.cost_usd:.4f} USD"
        lines.append(
            f"  model: {answer.model}, 1 request, {answer.tokens_in} tokens in, {answer.tokens_out} out, "
            f"{answer.seconds:.1f} s, {cost}"
        )
    lines += [f"to do: {text}" for text in draft.todo]
    next_step = f"next: look through {path}, then `tunewright run {path} --dry-run`"
    return "\n".join([*lines, next_step])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def quoted(value: Any) -> str:
    """A value as YAML that reads back as the same value, in YAML 1.1 and 1.2."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return re.sub(r"^(-?\d+)e", r"\1.0e", text)  # YAML 1.1 takes 1e-05 for text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(quoted, value))}]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and len(text) <= _LONGEST_COMMENT:
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    # what JSON leaves as it is, but YAML takes for a line break or refuses
    return "".join(c if c.isprintable() else _escape(c) for c in escaped)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _comment(text: str, indent: str = "") -> str:
    return f"{indent}# {one_line(text, _LONGEST_COMMENT)}"


def _head(draft: Draft) -> list[str]:
    reading = draft.reading
    lines = [
        _comment(f"Made by `tunewright init` from {reading.path}, which was read, not run. Yours to edit."),
        "# Comments say where each range is from; what is `assumed` is a guess to be checked first.",
    ]
    lines += [_comment(f"TO DO: {text}") for text in draft.todo]
    lines += [_comment(f"Note: {text}") for text in draft.notes]
    if reading.needs_config:
        lines += ["# Put this into the script, below its constants:", *(f"#     {row}" for row in SNIPPET)]
    return lines


def _goal(draft: Draft) -> list[str]:
    lines = [f"name: {quoted(draft.name)}"]
    if not draft.goal_stated:
        lines.append("# assumed; say what is trained, on which data and hardware, and what matters: models read this")
    return [*lines, f"goal: {quoted(one_line(draft.goal, 2000))}"]


def _metrics(draft: Draft) -> list[str]:
    aim = draft.target
    if not aim.name:
        return [
            "# TO DO: no line of the script prints a metric in a form that counts. Print it on a line of its own,",
            '#     print(f"NAME: {value}")',
            "# and name it here; the card does not load before.",
            "# metrics:",
            "#   - {name: NAME, direction: minimize or maximize}",
        ]
    lines = ["metrics:", _comment(aim.origin, "  "), f"  - name: {quoted(aim.name)}"]
    if aim.direction is None:
        return [*lines, "    # TO DO: direction: minimize or maximize"]
    said = f"  # {aim.direction_origin}" if aim.direction_origin else ""
    return [*lines, f"    direction: {aim.direction}{said}"]


def _tool(draft: Draft) -> list[str]:
    head = [
        "# {python} is the Python that runs Tunewright; any program may stand in its place. Paths are relative to the",
        "# folder in which `tunewright run` is started.",
    ]
    if not draft.command:
        passed = [a for item in draft.items if (a := item.option.argument) and item.tuned]
        rows = [f"#     - {quoted(text)}" for text in ["{python}", "PROGRAM.py", *passed]]
        return [*head, "# TO DO: name the program.", "# tool:", "#   command:", *rows]
    return [*head, "tool:", "  command:", *(_argument(argument) for argument in draft.command)]


def _argument(argument: Argument) -> str:
    row = f"- {quoted(argument.text)}"
    if argument.active:
        return f"    {row}"
    assert argument.item is not None
    option = argument.item.option
    if argument.item.reason == SEED:
        seed = option.argument.replace(f"{{{option.name}}}", "{seed}")
        return f"    # - {quoted(seed)}  # gives each trial a seed of its own"
    required = "; the script requires it" if option.required else ""
    return f"    # {row}  # not tuned: {one_line(argument.item.reason, 90)}{required}"


def _space(draft: Draft) -> list[str]:
    lines = ["space:"]
    for item in draft.items:
        if item.tuned:
            lines += _parameter(item)
    return lines


def _parameter(item: Item) -> list[str]:
    assert item.parameter is not None
    option = item.option
    lines = [_comment(f"{option.label} ({option.where}). {item.origin}", "  ")]
    if item.parameter.assumed:
        lines.append("  # no default in the script: trial 0 starts in the middle")
    start = "  - "
    for key, value in item.parameter.to_json().items():
        lines.append(f"{start}{key}: {quoted(value)}")
        start = "    "
    return lines


def _left_out(draft: Draft) -> list[str]:
    lines = []
    others = [item for item in draft.items if not item.tuned and (item.parameter is None or item.reason == GIVEN)]
    ready = [item for item in draft.items if not item.tuned and item not in others]
    if ready:
        lines.append(
            "# Not tuned unless you say so: move an entry into space, and uncomment its argument in the command."
        )
        for item in ready:
            lines += [_comment(f"{item.reason}."), *(f"#{row}" for row in _parameter(item))]
    told = [f"{item.option.label} ({item.option.where}): {item.reason}" for item in others]
    told += [f"{u.what} ({u.where}): {u.why}" for u in draft.reading.unread]
    if told:
        told = list(dict.fromkeys(told))
        lines += ["# Left out:", *(_comment(f"- {text}") for text in told[:_MOST_TOLD])]
    if len(told) > _MOST_TOLD:
        lines.append(f"# and {len(told) - _MOST_TOLD} more, which `tunewright init --json` lists")
    return lines
