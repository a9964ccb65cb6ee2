"""What a resource holds of a study: enough to reason about it, whatever its runs and models have written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunewright.card import TaskCard
from tunewright.ledger import Call
from tunewright.mcp_server import resources
from tunewright.space import Float, Space
from tunewright.study import Study
from tunewright.trial import Proposal, Verdict
from tunewright.verbs.session import Session
from tunewright_tools.base import Outcome, Point


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(tmp_path, model=None) as opened:
        yield opened


def grown(folder: Path, name: str, metrics: tuple[str, ...], points: int) -> None:
    card = TaskCard(
        name=name,
        goal="a toy",
        metrics=[{"name": m, "direction": "minimize"} for m in metrics],
        space=Space(Float("lr", 0.0, 1.0)),
    )
    study = Study.open(card, f"sqlite:///{folder / 'tunewright.db'}")
    for number, lr in enumerate((0.5, 0.25, 0.125)):
        config = {"lr": lr}
        source: Any = "llm" if number else "default"
        trial = study.start(
            Proposal(config, source), number=number, seed=0, turn=source, verdict=Verdict(True), asked=config
        )
        values = dict.fromkeys(metrics, lr)
        study.finish(trial, Outcome("done", values, tuple(Point(i, values, i) for i in range(points))))
        prompt = "question " * points
        study.ledger.record(Call(f"{number}-propose-0", number, "propose", "m", "t", "h", prompt, reply=prompt))
    study.close()


def held(session: Session, name: str) -> Any:
    return json.loads(resources.read(session, f"tunewright://study/{name}").text)


@pytest.mark.parametrize("metrics", [("loss",), ("loss", "seconds")])
def test_a_study_is_as_long_as_its_trials_are_many_not_its_curves_and_prompts(
    session: Session, tmp_path: Path, metrics: tuple[str, ...]
) -> None:
    grown(tmp_path, "one", metrics, points=1)
    grown(tmp_path, "two", metrics, points=300)
    short, long = (held(session, name) for name in ("one", "two"))
    assert len(json.dumps(short)) == len(json.dumps(long))
    assert [t["metrics"]["loss"] for t in long["trials"]] == [0.5, 0.25, 0.125]
    assert long["report"]["best"]["trial"] == 2
    assert long["report"]["default"]["trial"] == 0
    assert long["report"]["totals"]["calls"] == 3
    assert long["card"]["goal"] == "a toy"
    front = long["report"]["front"]
    assert front is None if len(metrics) == 1 else [t["trial"] for t in front["trials"]] == [2]


def test_of_very_many_trials_the_latest_are_listed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(tmp_path, "one", ("loss",), points=1)
    monkeypatch.setattr(resources, "MOST_TRIALS", 2)
    found = held(session, "one")
    assert ([t["trial"] for t in found["trials"]], found["trials_in_all"]) == ([1, 2], 3)
