"""Scores already measured, in one SQLite file that several processes may use at once."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bayesmark.tasks import Task

from tunewright_tools.base import Config

_SCHEMA = """
create table if not exists evaluation (
    task text not null, config text not null, score real, seconds real not null, primary key (task, config)
) without rowid
"""


def _key(config: Config) -> str:
    return json.dumps(config, sort_keys=True)


class Evaluations:
    """Scores by task and exact configuration; a failed fit is stored as null.

    Args:
        path: of the SQLite file; it and its folder are made when missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=normal")
        self._connection.execute(_SCHEMA)

    def score(self, task: Task, config: Config) -> float | None:
        """The score of a configuration, measured now unless it was before."""
        row = self._connection.execute(
            "select score from evaluation where task = ? and config = ?", (task.name, _key(config))
        ).fetchone()
        if row is not None:
            return None if row[0] is None else float(row[0])
        started = time.perf_counter()
        score = task.evaluate(config)
        self._connection.execute(
            "insert or ignore into evaluation values (?, ?, ?, ?)",
            (task.name, _key(config), score, time.perf_counter() - started),
        )
        return score

    def missing(self, task: Task, configs: list[Config]) -> list[Config]:
        """The configurations that are not stored."""
        stored = {
            text for (text,) in self._connection.execute("select config from evaluation where task = ?", (task.name,))
        }
        return [c for c in configs if _key(c) not in stored]

    def fill(self, task: Task, configs: list[Config], said: Callable[[str], None]) -> list[float | None]:
        """The scores of all configurations; `said` hears about once in ten seconds how far it is."""
        left = self.missing(task, configs)
        started = last = time.monotonic()
        for i, config in enumerate(left):
            self.score(task, config)
            now = time.monotonic()
            if now - last > 10:
                last = now
                ahead = (now - started) / (i + 1) * (len(left) - i - 1)
                said(f"{task.name}: {len(configs) - len(left) + i + 1} of {len(configs)}, about {ahead:.0f} s left")
        return [self.score(task, c) for c in configs]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
