"""Five points for a task from each source, with every request that was made for them; kept as JSON lines.

| source | its points | seeds |
| --- | --- | --- |
| `random` | uniform on each parameter's scale | any number |
| `textbook` | `warmstart(card, 5, model=None)` | any number; the first point is the same for all |
| `recorded` | `warmstart` with a frontier model's recorded reply | one reply |
| `local+textbook` | `warmstart(card, 5, model="local")`, the textbook's lines in the prompt | asked once |
| `local` | the same with `textbook=False` | asked once |
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bayesmark import advisors, data, methods
from benchmarks.bayesmark.runs import complete_lines
from benchmarks.bayesmark.tasks import TASKS, Task

from tunewright.llm.base import Chat
from tunewright_tools.base import Config

LOCAL = ("local+textbook", "local")
SOURCES = ("recorded", "textbook", *LOCAL, "random")


@dataclass(frozen=True, order=True)
class Key:
    """What tells one set of points from another."""

    task: str
    source: str
    seed: int
    code: str
    """What the points depend on: the textbook, the model's file, the prompts."""


@dataclass(frozen=True)
class Asked:
    """One request to a model and what came back."""

    purpose: str
    prompt: str
    reply: str
    proposals: list[Config]
    """As the model gave them, unchecked."""
    tokens_in: int
    tokens_out: int
    seconds: float
    error: str


@dataclass(frozen=True)
class Record:
    """The points of one source for one task."""

    key: Key
    configs: list[Config]
    """In the order in which they would run."""
    filled_by: list[str]
    """Who chose each point: llm, textbook, default, sobol or random."""
    asked: list[Asked]
    notes: list[str]


def seeds(source: str, count: int) -> range:
    """The seeds of a source when `count` draws are wanted of those that can be drawn again."""
    if source == "random":
        return range(data.FIRST_OWN_SEED, data.FIRST_OWN_SEED + count)
    return range(count if source == "textbook" else 1)


def code(source: str, task: Task, weights: str = "") -> str:
    """A label of what the points of a source depend on, beside the task and the seed.

    Args:
        weights: the local model's, from `local_weights`.
    """
    match source:
        case "textbook":
            return f"textbook {methods.textbook_code()}"
        case "recorded":
            return _short((data.FOLDER / "warmstart.json").read_bytes())
        case "local" | "local+textbook":
            return f"{weights}, prompt {_short(first_prompt(task, source == 'local+textbook').encode())}"
    return "1"


def local_weights() -> str:
    """Name and checksum of the local model's file.

    Raises:
        ModelError: there is none; the error says what to run.
    """
    from tunewright.llm.setup_local import find_weights

    path = find_weights().path
    return f"{path.stem} {_short(path.read_bytes())}"


def first_prompt(task: Task, textbook: bool) -> str:
    """What a small model is asked first; it is not asked here."""
    from tunewright.zero_shot import warmstart

    chat = advisors.advisor("silent", task, None, 0)
    chat.trusted_tools = False
    return warmstart(task.card(data.TRIALS), 1, model=chat, textbook=textbook).requests[0].prompt


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:10]


def make(key: Key) -> Record:
    """Get the points now; a local model is asked.

    Raises:
        ModelError: the local model cannot be asked; the error says what to run first.
    """
    from tunewright.zero_shot import warmstart

    task = TASKS[key.task]
    if key.source == "random":
        configs = data.design(task, key.seed)
        return Record(key, configs, ["random"] * len(configs), [], [])
    card, n = task.card(data.TRIALS), data.INITIAL
    match key.source:
        case "textbook":
            found = warmstart(card, n, model=None, seed=key.seed)
        case "recorded":
            found = warmstart(card, n, model=advisors.advisor("recorded", task, None, key.seed), seed=key.seed)
        case "local+textbook":
            found = warmstart(card, n, model="local", seed=key.seed)
        case "local":
            found = warmstart(card, n, model="local", textbook=False, seed=key.seed)
        case _:
            raise ValueError(f"{key.source!r} is no source; there are {', '.join(SOURCES)}")
    return Record(key, found.configs, [p.source for p in found], [_asked(c) for c in found.requests], list(found.notes))


def cost(task: Task, model: Chat) -> tuple[int, int]:
    """(requests, characters of their prompts) of a warmstart with this model."""
    from tunewright.zero_shot import warmstart

    found = warmstart(task.card(data.TRIALS), data.INITIAL, model=model)
    return found.calls, sum(len(c.prompt) for c in found.requests)


def read(path: Path) -> dict[Key, Record]:
    """The records in the file, the last of each key, in the order written; none where there is no file."""
    found: dict[Key, Record] = {}
    for line in complete_lines(path):
        record: dict[str, Any] = json.loads(line)
        key = Key(**record.pop("key"))
        found.pop(key, None)
        found[key] = Record(key=key, asked=[Asked(**a) for a in record.pop("asked")], **record)
    return found


def missing(tasks: list[Task], wanted: list[str], count: int, done: dict[Key, Record]) -> list[Key]:
    """What is not on record yet, all tasks of one source and seed before the next."""
    weights = local_weights() if set(wanted) & set(LOCAL) else ""
    keys = [
        Key(t.name, source, seed, code(source, t, weights))
        for source in wanted
        for seed in seeds(source, count)
        for t in tasks
    ]
    return [k for k in keys if k not in done]


def _asked(call: Any) -> Asked:
    names = {f.name for f in dataclasses.fields(Asked)} - {"proposals"}
    return Asked(proposals=[dict(p.config) for p in call.proposals], **{name: getattr(call, name) for name in names})
