"""One run of one method on one task, and the file that keeps them: a JSON line for each that is complete."""

import fcntl
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bayesmark import methods
from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.tasks import TASKS
from benchmarks.bayesmark.truth import truth

from tunewright_tools.base import Config


@dataclass(frozen=True, order=True)
class Key:
    """What tells one run from another."""

    task: str
    method: str
    seed: int
    trials: int
    code: str


@dataclass(frozen=True)
class Run:
    """What a method did on a task."""

    key: Key
    configs: list[Config]
    scores: list[float | None]
    """None where the fit failed."""
    seconds: list[float]
    """Of each ask and tell together, without the evaluation between them."""
    notes: dict[str, Any] = field(default_factory=dict)


def run(key: Key, evaluations: Evaluations, said: Callable[[str], None]) -> Run:
    """The run, done now."""
    task = TASKS[key.task]
    found = Run(key, [], [], [])
    # measured before the run: a tuner asks its model in a thread of its own, where this connection cannot be used
    played = truth(task, evaluations, said) if methods.needs_truth(key.method) else None
    search = methods.searcher(key.method, task, key.seed, key.trials, played)
    try:
        for _ in range(key.trials):
            started = time.perf_counter()
            config = search.ask()
            asked = time.perf_counter()
            score = evaluations.score(task, config)
            measured = time.perf_counter()
            search.tell(config, score)
            found.configs.append(config)
            found.scores.append(score)
            found.seconds.append(time.perf_counter() - measured + asked - started)
        found.notes.update(search.notes())
    finally:
        search.close()
    return found


def append(path: Path, made: Any) -> None:
    """Add a record, such as a run, to the file; safe while another process does the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(made)) + "\n")


def read(path: Path) -> dict[Key, Run]:
    """The runs in the file, the last of each key, in the order written; none where there is no file."""
    found: dict[Key, Run] = {}
    for line in complete_lines(path):
        record = json.loads(line)
        key = Key(**record.pop("key"))
        found.pop(key, None)
        found[key] = Run(key=key, **record)
    return found


def complete_lines(path: Path) -> Iterable[str]:
    """The lines of a file that were written to their end; none where there is no file."""
    if path.exists():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be cut where a process was killed
                yield line
