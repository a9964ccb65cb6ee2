"""A result is copied, pickled and shown as it was when the study ended."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from toy import card, config, objective

from tunewright import Result, Tuner
from tunewright.errors import StudyError
from tunewright.ledger import Call
from tunewright.llm.scripted import Scripted

REPLY = {"proposals": [{"rationale": "try it", "config": {**config(0.02), "momentum": None}}]}


def tuned(folder: Path, trials: int = 4, **changes: Any) -> tuple[Tuner, Result]:
    tuner = Tuner(
        card(**changes),
        Scripted([REPLY], repeat_last=True),
        storage=f"sqlite:///{folder}/study.db",
        folder=folder / "runs",
    )
    return tuner, tuner.run(objective, trials=trials)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))])
def test_a_result_is_copied_with_its_ledger(tmp_path: Path, again: Any) -> None:
    _, result = tuned(tmp_path)
    copied = again(result)
    assert copied.trials == result.trials
    assert copied.ledger.calls() == result.ledger.calls() != []
    assert copied.ledger.totals() == result.ledger.totals()
    assert copied.ledger.fates() == result.ledger.fates() != []


def test_the_ledger_of_a_result_stays_as_its_trials_are(tmp_path: Path) -> None:
    tuner, result = tuned(tmp_path, trials=3)
    before = result.ledger.totals()
    tuner.run(objective, trials=5)
    assert sum(s.ran for s in result.ledger.totals().sources) == len(result.trials) == 3
    assert result.ledger.totals() == before


def test_nothing_is_written_into_a_result(tmp_path: Path) -> None:
    _, result = tuned(tmp_path)
    with pytest.raises(StudyError, match="a result is read alone"):
        result.ledger.record(Call("0009-propose-0", 9, "propose", "m", "", "", ""))


def test_the_trials_of_a_result_have_their_value_of_the_first_metric(tmp_path: Path) -> None:
    told = Tuner(card(metric="loss", constraints=["memory <= 400"]), None, storage=f"sqlite:///{tmp_path}/study.db")
    result = told.run(lambda config: {"memory": 300, "loss": objective(config)}, trials=3)
    assert result.best is not None
    assert result.best.outcome is not None
    assert result.best.value == result.best.outcome.metrics["loss"]
    assert result.default is not None
    assert result.default.value == objective(result.default.config)
    assert result.front == (result.best,)
    assert result.best in result.trials
    assert list(result.trials) == told.study.trials()
    assert result.trials[0] != told.study.trials()[1]


def test_a_trial_that_failed_has_no_value(tmp_path: Path) -> None:
    tuner = Tuner(card(), None, storage=f"sqlite:///{tmp_path}/study.db")
    tuner.tell(tuner.ask(), status="oom")
    default = tuner.result().default
    assert default is not None
    assert default.value is None


def test_a_result_is_shown_on_a_few_lines(tmp_path: Path) -> None:
    _, result = tuned(tmp_path)
    shown = repr(result).splitlines()
    assert result.best is not None
    assert shown[0] == "Result("
    assert shown[1].startswith(f"  best: trial {result.best.number} ({result.best.source}): loss=")
    assert repr(result.best.config) in shown[1]
    assert shown[2].startswith("  default: trial 0 (default): loss=")
    assert shown[3:] == ["  trials: 4, with a value: 4", "  stopped: all 4 trials of the study have been started", ")"]


def test_a_result_without_a_value_says_none(tmp_path: Path) -> None:
    tuner = Tuner(card(start="none"), None, storage=f"sqlite:///{tmp_path}/study.db")
    trial = tuner.ask()
    tuner.tell(trial, status="oom")
    assert repr(tuner.result()).splitlines()[1:-1] == ["  best: none", "  trials: 1, with a value: 0"]
