"""Ask and tell: the record grows trial by trial, whoever runs them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import card, config, objective, points, tuner

from tunewright import Tuner
from tunewright.errors import CardError, StudyError, TunerError
from tunewright.lease import Lease
from tunewright.llm.scripted import Scripted
from tunewright.rows import LEASE
from tunewright.space import Choice, Space
from tunewright.trial import Trial
from tunewright_tools.base import Outcome, Point


def test_trial_0_is_the_default(tmp_path: Path) -> None:
    trial = tuner(tmp_path).ask()
    assert (trial.number, trial.source, trial.config) == (0, "default", card().space.default())


def test_start_none_leaves_the_default_out(tmp_path: Path) -> None:
    assert tuner(tmp_path, start="none").ask().source == "sobol"


def test_ask_and_tell_with_a_surrogate_alone(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    for _ in range(9):
        trial = t.ask()
        t.tell(trial, objective(trial.config))
    sources = [trial.source for trial in t.result().trials]
    assert sources == ["default"] + ["sobol"] * 4 + ["surrogate"] * 4
    assert t.result().best.outcome.metrics["loss"] == min(x.outcome.metrics["loss"] for x in t.result().trials)


@pytest.mark.parametrize("limited_by", ["card", "session", None])
def test_asking_for_the_last_trial_asks_no_model_for_another(tmp_path: Path, limited_by: str | None) -> None:
    asked = threading.Event()

    def reply(request: Any) -> dict[str, Any]:
        asked.set()
        return points(0.02)

    t = tuner(tmp_path, Scripted([reply]), budget={"trials": 2} if limited_by == "card" else {})
    if limited_by == "session":
        t.planner.limit = 2
    assert [x.source for x in t.ask(2)] == ["default", "textbook"]
    assert asked.wait(0.5 if limited_by else 30) is (limited_by is None)


def test_a_trial_of_another_study_is_told_to_none(tmp_path: Path) -> None:
    mine, other = tuner(tmp_path), tuner(tmp_path, name="other")
    first, _, third = mine.ask(3)
    running = other.ask()
    for foreign in (first, third, Trial(0, config(), "user")):  # a row of this number, a row that is not there, no row
        with pytest.raises(StudyError, match=r"is not in the study 'other' .*\n.*to the study that started it"):
            other.tell(foreign, 0.5)
    assert other.study.trials() == [running]


def test_what_is_left_is_given_where_the_study_ends_before_as_many_as_were_asked_for(tmp_path: Path) -> None:
    t = tuner(tmp_path, space=Space(Choice("a", ["x", "y"]), Choice("b", [1, 2, 3])))
    asked = [*t.ask(4), *t.ask(4)]
    assert [x.number for x in asked] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(StudyError, match="the study has ended: every configuration"):
        t.ask(4)
    assert t.ask(0) == []
    assert [x.number for x in t.study.trials()] == [0, 1, 2, 3, 4, 5]


def test_equal_points_in_line_run_at_once(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    t.enqueue([config(0.05), config(0.05), card().space.default()])
    asked = t.ask(4)
    assert [x.source for x in asked] == ["default", "user", "user", "user"]
    assert [t.tell(x, 1.0).status for x in asked] == ["done"] * 4


def test_a_cancelled_trial_runs_again_beside_an_equal_one(tmp_path: Path) -> None:
    t = tuner(tmp_path, workers=2)
    t.enqueue([config(0.05), config(0.05)])
    first, second = t.ask(3)[1:]
    t.study.requeue(t.tell(first, status="cancelled"))
    again = t.ask()
    assert (again.number, again.attempt, again.config) == (first.number, 2, second.config)


def test_a_trial_that_runs_again_keeps_its_story(tmp_path: Path) -> None:
    good = {"config": {**config(0.02), "shell": "unknown"}, "rationale": "why"}
    t = tuner(tmp_path, Scripted([{"proposals": [{"config": config(7.0)}, good]}]))
    for _ in range(2):
        t.tell(t.ask(), 1.0)
    first = t.ask()
    t.study.requeue(t.tell(first, status="cancelled"))
    again = t.ask()
    assert (first.turn, first.rationale, len(first.refused), first.verdict.ignored) == ("llm", "why", 1, ("shell",))
    assert first.asked == good["config"]
    mine = {"attempt": 2, "queue_id": again.queue_id, "record_id": again.record_id, "started": again.started}
    assert again == replace(first, **mine)


def test_a_trial_in_a_block_of_renewing_is_not_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunewright.ask_tell.HEARTBEAT_S", 0.01)
    t, calls, again = tuner(tmp_path), [], threading.Event()
    renew = t.study.renew

    def at_the_second_try(trials: Any) -> None:
        calls.append(trials)
        if len(calls) == 1:
            raise StudyError("the database is away", "wait")
        renew(trials)
        again.set()

    def until() -> float:
        (row,) = t.study.optuna_study.trials
        return Lease.from_json(row.user_attrs[LEASE]).until

    monkeypatch.setattr(t.study, "renew", at_the_second_try)
    trial = t.ask()
    before = until()
    with t.renewing(trial):
        assert again.wait(60)
    assert until() > before
    assert "lease of trial 0" not in {thread.name for thread in threading.enumerate()}


def test_enqueueing_an_impossible_point_names_its_faults_and_enqueues_none(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    with pytest.raises(CardError, match=r"lr = 3 is outside[\s\S]*no point was enqueued"):
        t.enqueue([config(), config(3)])
    assert t.study.queue() == []


def test_a_failed_trial_has_no_value(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    trial = t.tell(t.ask(), status="oom", telemetry={"peak_bytes": 10, "limit_bytes": 8})
    assert trial.outcome.metrics == {}
    assert t.result().best is None
    assert t.study.optuna_study.trials[0].values is None


def test_the_curve_of_an_outcome_stands_beside_points_that_were_reported(tmp_path: Path) -> None:
    t, mine = tuner(tmp_path), (Point(1, {"loss": 3.0}, 0.5), Point(2, {"loss": 2.0}, 1.0))
    first, second = t.ask(2)
    for trial in (first, second):
        t.report(trial, 7, {"loss": 4.0})
    assert t.tell(first, Outcome("done", {"loss": 2.0}, curve=mine)).outcome.curve == mine
    assert [p.step for p in t.tell(second, 2.0).outcome.curve] == [7.0]


def test_telling_twice_is_an_error(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    trial = t.ask()
    t.tell(trial, 1.0)
    with pytest.raises(TunerError):
        t.tell(trial, 2.0)


def test_only_failures_do_not_end_the_search(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    for _ in range(9):
        t.tell(t.ask(), status="diverged")
    assert [x.source for x in t.result().trials][1:] == ["sobol"] * 8


def test_threads_that_ask_at_once_get_different_trials_and_none_is_taken_back(tmp_path: Path) -> None:
    t = tuner(tmp_path, None, workers=4)
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda _: t.ask(), range(12)))
    assert sorted(trial.number for trial in asked) == list(range(12))
    assert len({t.card.space.key(trial.config) for trial in asked}) == 12
    assert len(t.study.optuna_study.trials) == 12


def test_what_is_no_card_no_trial_and_no_list_is_told_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"the card is 'tune.yaml'") as caught:
        Tuner("tune.yaml", None, f"sqlite:///{tmp_path}/a.db")  # type: ignore[arg-type]
    assert "TaskCard.load" in caught.value.hint
    t = tuner(tmp_path)
    with pytest.raises(CardError, match="is one configuration") as caught:
        t.enqueue(config(0.02))  # type: ignore[arg-type]
    assert "enqueue([" in caught.value.hint
    trial = t.ask()
    for wrong in (trial.config, trial.number):
        with pytest.raises(TunerError, match="is no trial") as refused:
            t.tell(wrong, 0.5)  # type: ignore[arg-type]
        assert "ask" in refused.value.hint


def test_a_seed_is_a_whole_number_also_numpys(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the seed is 1.5"):
        tuner(tmp_path, seed=1.5)
    tuner(tmp_path, seed=np.int64(3)).run(objective, trials=2)
    assert tuner(tmp_path).seed == 3
