"""A method's name -> something that can be asked and told. All that knows how a `Tuner` is driven is here.

| name | method |
| --- | --- |
| `random`, `tpe`, `gp`, `botorch` | a peer (see `peers.py`), after the five shared initial points |
| `PEER+recorded` | the same, after the five points of the recorded reply |
| `tunewright:none` | Tunewright without a model, after the five shared initial points |
| `tunewright:ADVISOR` | Tunewright with a played model (see `advisors.py`), after the five shared initial points |
| `tunewright:recorded` | Tunewright with the recorded model alone, no shared points: trials 1 to 5 are its reply's |
| `llambo-recorded`, `smac-recorded`, ... | a curve published or measured before; read, not run |
"""

import hashlib
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bayesmark import advisors, data
from benchmarks.bayesmark.peers import PEERS, Searcher
from benchmarks.bayesmark.tasks import Task
from benchmarks.bayesmark.truth import Truth

from tunewright_tools.base import Config

_ROOT = Path(__file__).parents[2]
_OURS = "tunewright"


class Tunewright:
    """A study of Tunewright in a temporary SQLite file.

    Args:
        task: gives the card.
        model: a `Chat`, or None for the surrogate alone.
        design: configurations enqueued before the first ask.
        seed: of the study.
        trials: as stated on the card.
    """

    def __init__(self, task: Task, model: Any, design: Sequence[Config], seed: int, trials: int) -> None:
        from tunewright.loop import Tuner

        self._folder = tempfile.TemporaryDirectory(prefix="tunewright-benchmark-")
        storage = f"sqlite:///{self._folder.name}/study.db"
        self._tuner = Tuner(task.card(trials), model=model, storage=storage, seed=seed, folder=self._folder.name)
        self._tuner.enqueue(design)
        self._trial: Any = None
        self._sources: list[str] = []
        self._turns: list[str] = []

    def ask(self) -> Config:
        self._trial = self._tuner.ask()
        self._sources.append(self._trial.source)
        self._turns.append(self._trial.turn)
        return dict(self._trial.config)

    def tell(self, config: Config, score: float | None) -> None:
        if score is None:
            self._tuner.tell(self._trial, status="crashed", detail="a fit failed")
        else:
            self._tuner.tell(self._trial, score)

    def notes(self) -> dict[str, Any]:
        trials = self._tuner.study.trials()
        return {
            "sources": self._sources,
            "turns": self._turns,
            "refused": [[r.verdict.reason for r in t.refused] for t in trials],
            "calls": len(self._tuner.study.ledger.calls()),
        }

    def close(self) -> None:
        self._tuner.close()
        self._folder.cleanup()


def check(method: str) -> None:
    """Raise ValueError, with what there is, when no method has this name."""
    head, advisor, recorded = _parts(method)
    if method in data.RECORDED or (head in PEERS and not advisor):
        return
    if head == _OURS and advisor and not recorded:
        if advisor != "none":
            advisors.advisor(advisor, _ANY_TASK, None, 0)
        return
    raise ValueError(
        f"{method!r} is no method; there are {', '.join(PEERS)} (each also with +recorded), {_OURS}:none, "
        f"{', '.join(f'{_OURS}:{a}' for a in advisors.NAMES)} and {', '.join(data.RECORDED)}"
    )


def searcher(method: str, task: Task, seed: int, trials: int, truth: Truth | None) -> Searcher:
    """The method, ready to be asked.

    Args:
        truth: the task's truth table; None for a method without need of one (`needs_truth`).
    """
    head, advisor, recorded = _parts(method)
    if head != _OURS:
        return PEERS[head](task, data.recorded_design(task) if recorded else data.design(task, seed), seed)
    model = None if advisor == "none" else advisors.advisor(advisor, task, truth, seed)
    return Tunewright(task, model, () if advisor == "recorded" else data.design(task, seed), seed, trials)


def needs_truth(method: str) -> bool:
    """Whether the method looks at a truth table."""
    head, advisor, _ = _parts(method)
    return head == _OURS and advisors.needs_truth(advisor)


def code(method: str) -> str:
    """What the method's choices depend on: library versions, or a digest of the project's own source."""
    head, _, _ = _parts(method)
    match head:
        case "tunewright":
            digest = hashlib.sha256()
            for folder in ("agent/tunewright", "prompts/tunewright_prompts"):
                for path in sorted((_ROOT / folder).rglob("*")):
                    if path.suffix in (".py", ".j2"):
                        digest.update(path.read_bytes())
            return digest.hexdigest()[:10]
        case "tpe" | "gp":
            return f"optuna {version('optuna')}"
        case "botorch":
            return f"botorch {version('botorch')}"
    return "1"


def _parts(method: str) -> tuple[str, str, bool]:
    """(peer or `tunewright`, advisor, whether the recorded points are the initial design)."""
    head, plus, tail = method.partition("+")
    name, _, advisor = head.partition(":")
    return (name, advisor, bool(plus)) if not plus or tail == "recorded" else ("", "", False)


_ANY_TASK = Task("wine", "SVM")
