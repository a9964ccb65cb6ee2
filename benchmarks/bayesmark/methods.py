"""A method's name -> something that can be asked and told. All that knows how a `Tuner` is driven is here.

| name | method |
| --- | --- |
| `random`, `tpe`, `gp`, `botorch`, `smac` | a peer (see `peers.py`), after the five shared initial points |
| `PEER+recorded` | the same, after the five points of the recorded reply |
| `PEER+textbook` | the same, after five points of Tunewright's textbook, drawn with the run's seed |
| `tunewright:none` | Tunewright without a model, after the five shared initial points |
| `tunewright:ADVISOR` | Tunewright with a played model (see `advisors.py`), after the five shared initial points |
| `tunewright:local` | Tunewright with the small model of `tunewright setup-local`, after the same points |
| `tunewright:recorded` | Tunewright with the recorded model, no shared points: its own follow the textbook's guess |
| `tunewright:ADVISOR@K` | the same with another seed of the played model's own (K = 1, 2, ...); tables average over K |
| `llambo-recorded`, `smac-recorded`, ... | a curve published or measured before; read, not run |
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bayesmark import advisors, data
from benchmarks.bayesmark.peers import PEERS, Searcher
from benchmarks.bayesmark.tasks import Task
from benchmarks.bayesmark.truth import Truth

from tunewright_tools.base import Config

_NO_ADVISOR = {"none": None, "local": "local"}
"""Models that are not played, as a `Tuner` takes them."""
_OTHER_SEEDS = 1_000_000
_ROOT = Path(__file__).parents[2]
_OURS = "tunewright"


class Tunewright:
    """A study of Tunewright in a temporary SQLite file.

    Args:
        task: gives the card.
        model: a `Chat`, a model's name, or None for the surrogate alone.
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
    head, advisor, initial = _parts(method)
    if _model_seed(method) and not (head == _OURS and advisors.needs_truth(advisor)):
        raise ValueError(f"{method!r}: only a played model that draws has a seed of its own")
    if method in data.RECORDED or (head in PEERS and not advisor):
        return
    if head == _OURS and advisor and not initial:
        if advisor not in _NO_ADVISOR:
            advisors.advisor(advisor, _ANY_TASK, None, 0)
        return
    raise ValueError(
        f"{method!r} is no method; there are {', '.join(PEERS)} (each also with +recorded or +textbook), "
        f"{', '.join(f'{_OURS}:{a}' for a in (*_NO_ADVISOR, *advisors.NAMES))} and {', '.join(data.RECORDED)}"
    )


def searcher(method: str, task: Task, seed: int, trials: int, truth: Truth | None) -> Searcher:
    """The method, ready to be asked.

    Args:
        truth: the task's truth table; None for a method without need of one (`needs_truth`).
    """
    head, advisor, initial = _parts(method)
    if head != _OURS:
        return PEERS[head](task, _INITIAL[initial](task, seed), seed)
    own_seed = seed + _OTHER_SEEDS * _model_seed(method)
    model = _NO_ADVISOR[advisor] if advisor in _NO_ADVISOR else advisors.advisor(advisor, task, truth, own_seed)
    return Tunewright(task, model, () if advisor == "recorded" else data.design(task, seed), seed, trials)


def installed(method: str) -> None:
    """Raise ValueError, with the command that helps, when the library behind a method is not here."""
    library = {"botorch": "botorch", "smac": "smac"}.get(_parts(method)[0])
    if library is not None and find_spec(library) is None:
        raise ValueError(f"{method} needs {library}, which is not installed: pip install -e '.[bench]'")


def textbook_design(task: Task, seed: int) -> list[Config]:
    """Five points of Tunewright's textbook, from the task's card alone; no model is asked."""
    from tunewright.zero_shot import warmstart

    return warmstart(task.card(data.TRIALS), data.INITIAL, model=None, seed=seed).configs


def needs_truth(method: str) -> bool:
    """Whether the method looks at a truth table."""
    head, advisor, _ = _parts(method)
    return head == _OURS and advisors.needs_truth(advisor)


def code(method: str) -> str:
    """What the method's choices depend on: library versions, or a digest of the project's own source."""
    head, _, initial = _parts(method)
    label = "1"
    match head:
        case "tunewright":
            label = _digest(["agent/tunewright", "prompts/tunewright_prompts"], ".py", ".j2")
        case "tpe" | "gp":
            label = f"optuna {version('optuna')}"
        case "botorch" | "smac":
            label = f"{head} {version(head)}"
    return f"{label}, textbook {textbook_code()}" if initial == "textbook" else label


def textbook_code() -> str:
    """A digest of the textbook's entries."""
    return _digest(["prompts/tunewright_prompts"], ".yaml")


def _digest(folders: Sequence[str], *suffixes: str) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((_ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


_INITIAL: dict[str, Callable[[Task, int], list[Config]]] = {
    "": data.design,
    "recorded": lambda task, _: data.recorded_design(task),
    "textbook": textbook_design,
}
"""Where a peer's initial points are from."""


def with_model_seeds(method: str, count: int) -> list[str]:
    """The method with `count` seeds of its played model, or alone where that model draws nothing."""
    head, advisor, _ = _parts(method)
    drawn = head == _OURS and advisors.needs_truth(advisor) and "@" not in method
    return [method, *(f"{method}@{k}" for k in range(1, count))] if drawn else [method]


def without_model_seed(method: str) -> str:
    """The method's name without `@K`."""
    return method.partition("@")[0]


def _model_seed(method: str) -> int:
    """K of `@K`, or 0. Raises ValueError when K is no whole number from 1."""
    _, at, text = method.partition("@")
    if at and not (text.isdecimal() and int(text) > 0):
        raise ValueError(f"{method!r}: after the @ stands a seed of the played model, 1 or more")
    return int(text) if at else 0


def _parts(method: str) -> tuple[str, str, str]:
    """(peer or `tunewright`, advisor, a key of `_INITIAL`); empty ones when it is no such name."""
    head, plus, initial = without_model_seed(method).partition("+")
    name, _, advisor = head.partition(":")
    return (name, advisor, initial) if bool(plus) == bool(initial) and initial in _INITIAL else ("", "", "")


_ANY_TASK = Task("wine", "SVM")
