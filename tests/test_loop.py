import threading
import time
from pathlib import Path
from typing import Any

import pytest
from toy import AtOnce, card, config, objective, points, tuner

from tunewright import Tuner
from tunewright.errors import CardError, ModelError, StudyError, ToolError
from tunewright.events import Finished, Progress, Resumed, Silenced, Started, Stopped, Unanswered
from tunewright.executors.base import Report
from tunewright.lease import Lease
from tunewright.llm.scripted import Scripted
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright_tools.base import Outcome


def test_no_configuration_runs_twice(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    t.run(objective, trials=14)
    keys = [t.card.space.key(trial.config) for trial in t.result().trials]
    assert len(set(keys)) == 14


def test_the_same_seed_gives_the_same_study_and_another_seed_another(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        runs.append([x.config for x in tuner(tmp_path / name, seed=seed).run(objective, trials=8).trials])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_models_zero_shot_points_run_in_its_order(tmp_path: Path) -> None:
    t = tuner(tmp_path, Scripted([points(0.02, 0.003, 0.05, 0.007, 0.03)], repeat_last=True))
    trials = t.run(objective, trials=7).trials
    assert [x.source for x in trials] == ["default", "textbook", *["llm"] * 5]
    assert [x.config["lr"] for x in trials[2:]] == [0.02, 0.003, 0.05, 0.007, 0.03]
    assert trials[2].rationale == "try 0.02"
    assert trials[2].call_id == "00002-first_round-0"


def test_a_refused_proposal_does_not_run_and_the_stand_in_has_its_own_name(tmp_path: Path) -> None:
    t = tuner(tmp_path, Scripted([points(0.02, 7.0, 0.02), points()], repeat_last=True))
    trials = t.run(objective, trials=5).trials
    assert [x.source for x in trials[:3]] == ["default", "textbook", "llm"]
    assert trials[3].turn == "llm"
    assert trials[3].source == "sobol"
    reasons = [r.verdict.reason.split(":")[0] for x in trials for r in x.refused]
    assert sorted(reasons) == ["invalid", "repeat"]
    fates = {f.fate for f in t.result().ledger.fates()}
    assert fates == {"ran", "refused"}


def test_garbage_is_asked_again_once_and_the_study_goes_on(tmp_path: Path) -> None:
    model = Scripted(["I would rather talk about the weather"], repeat_last=True)
    t = tuner(tmp_path, model)
    trials = t.run(objective, trials=8).trials
    assert all(x.done for x in trials)
    assert not any(x.source == "llm" for x in trials)
    purposes = [call.purpose for call in t.result().ledger.calls()]
    assert purposes[:2] == ["first_round", "repair"]
    assert "weather" in t.result().ledger.calls()[0].reply


def test_a_model_that_repeats_one_row_gets_it_once(tmp_path: Path) -> None:
    t = tuner(tmp_path, Scripted([points(0.02)], repeat_last=True))
    trials = t.run(objective, trials=12).trials
    assert sum(x.source == "llm" for x in trials) == 1
    assert len({t.card.space.key(x.config) for x in trials}) == 12


def test_the_last_trial_is_not_run_by_two_processes_that_choose_at_once(tmp_path: Path) -> None:
    other = tuner(tmp_path, textbook=False)

    def reply(request: Any) -> dict[str, Any]:
        other.tell(other.ask(), 1.0)
        return points(0.02)

    found = tuner(tmp_path, Scripted([reply], repeat_last=True), textbook=False).run(objective, trials=2)
    assert [x.number for x in found.trials] == [0, 1]
    assert found.stopped is not None
    assert found.stopped.kind == "trials"


def test_a_failing_model_is_silenced_and_said_so(tmp_path: Path) -> None:
    t = tuner(tmp_path, Scripted([points(0.02, 0.01, 0.005, 0.03, 0.001)]))  # every later call fails
    events = list(t.events(objective, trials=40))
    silenced = [e for e in events if isinstance(e, Silenced)]
    assert len(silenced) == 1
    assert "failed 3 times in a row" in silenced[0].reason
    calls = t.result().ledger.calls()
    assert [bool(c.error) for c in calls] == [False, True, True, True]
    assert len(t.result().trials) == 40
    told = [e.reason for e in events if isinstance(e, Unanswered)]
    assert told == ["scripted: all 1 scripted replies are used up; script more, or repeat_last=True"] * 3
    assert events.index(silenced[0]) > [isinstance(e, Unanswered) for e in events].index(True)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (ModelError("HTTP 404: no such model", "check the model's name"), "no such model; check the model's name"),
        ("I cannot help with that.", "scripted: neither reply held a configuration"),
    ],
)
def test_a_question_that_came_to_nothing_is_told_in_a_short_run_too(tmp_path: Path, reply: Any, told: str) -> None:
    events = list(tuner(tmp_path, Scripted([reply], repeat_last=True)).events(objective, trials=3))
    assert [told in e.reason for e in events if isinstance(e, Unanswered)] == [True]
    assert isinstance(events[-1], Stopped)


def test_a_spent_budget_silences_the_model(tmp_path: Path) -> None:
    from tunewright.llm.base import Reply

    reply = Reply(text="", data=points(0.02, 0.01, 0.005, 0.03, 0.002), tokens_in=10, tokens_out=5, cost_usd=0.5)
    t = tuner(tmp_path, Scripted([reply], repeat_last=True), budget={"usd": 0.4})
    events = list(t.events(objective, trials=8))
    assert [e.reason for e in events if isinstance(e, Silenced)] == [
        "the model's budget of 0.4 USD is spent (0.5000 USD)"
    ]
    assert len(t.result().ledger.calls()) == 1


def test_a_stated_prior_becomes_a_source(tmp_path: Path) -> None:
    reply = points(0.02, 0.01, 0.005, 0.03, 0.002) | {"prior": {"lr": {"guess": 0.01, "low": 0.005, "high": 0.02}}}
    t = tuner(tmp_path, Scripted([reply], repeat_last=True))
    trials = t.run(objective, trials=30).trials
    assert any(x.source == "prior" for x in trials)


def test_enqueued_points_run_next_after_trial_0(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    t.enqueue([config(0.05), config(0.06)])
    trials = t.run(objective, trials=3).trials
    assert [x.source for x in trials] == ["default", "user", "user"]
    assert [x.config["lr"] for x in trials[1:]] == [0.05, 0.06]


def test_a_finite_space_ends_when_it_is_exhausted(tmp_path: Path) -> None:
    from tunewright.space import Choice, Space

    small = Space(Choice("a", ["x", "y"]), Choice("b", [1, 2, 3]))
    t = tuner(tmp_path, space=small)
    result = t.run(lambda c: float(c["b"]), trials=50)
    assert len(result.trials) == 6
    assert result.stopped.kind == "exhausted"
    with pytest.raises(StudyError, match="every configuration"):
        t.ask()


def test_a_target_stops_the_run(tmp_path: Path) -> None:
    result = tuner(tmp_path, stop={"target": 1e9}).run(objective, trials=50)
    assert result.stopped.kind == "target"
    assert len(result.trials) == 1


def test_no_expected_gain_stops_the_run(tmp_path: Path) -> None:
    result = tuner(tmp_path, stop={"no_gain": 0.5}).run(objective, trials=60)
    assert result.stopped.kind == "no_gain"
    assert 10 <= len(result.trials) < 60


def test_a_resumed_study_goes_on_exactly(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    whole = tuner(tmp_path / "a").run(objective, trials=10).trials
    tuner(tmp_path / "b").run(objective, trials=4)
    tuner(tmp_path / "b").run(objective, trials=7)
    parts = tuner(tmp_path / "b").run(objective, trials=10).trials
    assert [(x.config, x.source, x.seed) for x in parts] == [(x.config, x.source, x.seed) for x in whole]


def test_events_tell_the_story(tmp_path: Path) -> None:
    def curved(c: dict[str, Any], ctx: Any) -> float:
        ctx.report(1, loss=2.0)
        return objective(c)

    events = list(tuner(tmp_path).events(curved, trials=2))
    assert [type(e) for e in events] == [Started, Progress, Finished, Started, Progress, Finished, Stopped]
    assert isinstance(next(iter(tuner(tmp_path).events(curved, trials=3))), Resumed)


def test_closing_the_events_cancels_what_runs_and_the_next_session_runs_it(tmp_path: Path) -> None:
    def slow(c: dict[str, Any], ctx: Any) -> float:
        for i in range(200):
            time.sleep(0.02)
            ctx.report(i, loss=1.0)
        return 1.0

    t = tuner(tmp_path)
    events = t.events(slow, trials=3)
    while not isinstance(next(events), Progress):
        pass
    events.close()
    assert [x.status for x in t.study.trials()] == ["cancelled"]
    again = tuner(tmp_path).run(objective, trials=3).trials
    assert [(x.number, x.attempt, x.status) for x in again] == [(0, 2, "done"), (1, 1, "done"), (2, 1, "done")]


def lease_elsewhere(study: Study, trial: Trial, *, until: float) -> None:
    lease = {**Lease.mine().to_json(), "host": "a container that is gone", "until": until}
    study._table.storage.set_trial_user_attr(study._table.row_id(trial.record_id), "tunewright:lease", lease)


def test_a_trial_whose_lease_runs_out_during_the_session_runs_again_in_it(tmp_path: Path) -> None:
    killed = tuner(tmp_path)
    trial = killed.ask()
    lease = {**Lease.mine().to_json(), "host": "a container that is gone", "until": time.time() + 1}
    killed.study._table.storage.set_trial_user_attr(
        killed.study._table.row_id(trial.record_id), "tunewright:lease", lease
    )

    def waiting(c: dict[str, Any]) -> float:
        time.sleep(max(0.0, lease["until"] - time.time()))
        return objective(c)

    found = tuner(tmp_path).run(waiting, trials=2).trials
    assert [(x.number, x.attempt, x.status) for x in found] == [(0, 2, "done"), (1, 1, "done")]


def test_a_run_that_was_given_up_meanwhile_is_run_again_and_ends_nothing(tmp_path: Path) -> None:
    given_up: list[int] = []

    def held_up(c: dict[str, Any], ctx: Any) -> float:
        if ctx.number == 1 and not given_up:
            other = Study.open(card(), f"sqlite:///{tmp_path}/study.db")
            lease_elsewhere(other, other.trials()[1], until=0.0)
            given_up.extend(x.number for x in other.sweep())
            other.close()
        return objective(c)

    t = tuner(tmp_path)
    ended = [(e.trial.number, e.trial.attempt, e.trial.status) for e in t.events(held_up, 3) if isinstance(e, Finished)]
    assert ended == [(0, 1, "done"), (1, 1, "lost"), (1, 2, "done"), (2, 1, "done")]
    assert given_up == [1]


def test_the_leases_of_what_runs_are_renewed_once_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(AtOnce):
        clock = began = time.time()

        def now(self) -> float:
            return self.clock

        def wait(self, seconds: float) -> list[Report]:
            self.clock += 25
            return super().wait(seconds) if self.clock - self.began == 250 else []

    executor = Slow(2, Outcome("done", {"loss": 1.0}))
    t = tuner(tmp_path, workers=2, tool=objective, executor=executor)
    renewed, renew = [], t.study.renew

    def noted(trials: list[Trial]) -> None:
        renew(trials)
        renewed.append((executor.clock - executor.began, [x.number for x in trials]))

    monkeypatch.setattr(t.study, "renew", noted)
    t.run(trials=2)
    assert renewed == [(25, [0, 1]), (100, [0, 1]), (175, [0, 1])]


def test_workers_run_at_once_on_different_points(tmp_path: Path) -> None:
    meeting, started, lock = threading.Barrier(3), 0, threading.Lock()

    def together(c: dict[str, Any]) -> float:
        nonlocal started
        with lock:
            started += 1
            first_three = started <= 3
        if first_three:
            meeting.wait(timeout=60)  # breaks, and fails the trial, unless three run at once
        return objective(c)

    t = tuner(tmp_path, Scripted([points(0.02, 0.01, 0.005, 0.03, 0.002)], repeat_last=True), workers=3)
    trials = t.run(together, trials=15).trials
    assert all(x.done for x in trials)
    assert len({t.card.space.key(x.config) for x in trials}) == 15


def test_a_crash_of_trial_0_stops_with_its_log_and_the_next_session_tries_it_again(tmp_path: Path) -> None:
    def broken(c: dict[str, Any]) -> float:
        raise RuntimeError("no such file: data.csv")

    with pytest.raises(ToolError, match=r"first trial crashed[\s\S]*data\.csv"):
        tuner(tmp_path).run(broken, trials=5)
    trials = tuner(tmp_path).run(objective, trials=2).trials
    assert [(x.number, x.attempt, x.status) for x in trials] == [(0, 2, "done"), (1, 1, "done")]


def test_a_program_that_is_not_found_is_told_with_the_folder_in_which_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    tool = {"command": ["{python}", "gone.py", "{config}"], "cwd": str(tmp_path / "project")}
    with pytest.raises(ToolError, match=r"first trial crashed") as error:
        Tuner(card(tool=tool), None, storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs").run(trials=2)
    assert f"relative paths count from {tmp_path / 'project'}" in error.value.hint
    with pytest.raises(ToolError, match=r"first trial crashed") as error:
        tuner(tmp_path, name="function").run(lambda c: 1 / 0, trials=2)
    assert "paths" not in error.value.hint


def test_without_a_default_a_first_configuration_that_crashes_does_not_end_the_study(tmp_path: Path) -> None:
    crashing: list[float] = []

    def picky(c: dict[str, Any]) -> float:
        if len(crashing) < 2:  # the program refuses the first two points that it is given
            crashing.append(c["lr"])
        if c["lr"] in crashing:
            raise ValueError("these values do not go together")
        return objective(c)

    trials = tuner(tmp_path, start="none").run(picky, trials=4).trials
    assert [x.status for x in trials] == ["crashed", "crashed", "done", "done"]


def test_what_other_workers_had_begun_runs_again_with_a_crashed_trial_0(tmp_path: Path) -> None:
    def broken(c: dict[str, Any], ctx: Any) -> float:
        while ctx.number > 0:
            time.sleep(0.01)
            if ctx.report(0, loss=1.0):
                break
        raise RuntimeError("no such file: data.csv")

    with pytest.raises(ToolError, match="first trial crashed"):
        tuner(tmp_path, workers=2).run(broken, trials=5)
    trials = tuner(tmp_path).run(objective, trials=3).trials
    assert [(x.number, x.attempt, x.status) for x in trials] == [(0, 2, "done"), (1, 2, "done"), (2, 1, "done")]


def test_a_run_whose_folder_cannot_be_made_runs_in_the_next_session(tmp_path: Path) -> None:
    in_the_way = tmp_path / "runs" / card().name / "00000-1"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    began = time.monotonic()
    with pytest.raises(CardError, match=r"folder .*00000-1 of the runs cannot be made: File exists"):
        tuner(tmp_path).run(objective, trials=2)
    assert time.monotonic() - began < 10  # nothing runs that it could wait for
    in_the_way.unlink()
    assert [x.status for x in tuner(tmp_path).run(objective, trials=2).trials] == ["done", "done"]


def test_the_hours_of_an_attempt_that_was_cut_short_are_hours_of_the_budget(tmp_path: Path) -> None:
    t = tuner(tmp_path, budget={"hours": 1})
    t.study._clock = lambda: 0.0
    first = t.ask()
    t.study._clock = lambda: 3600.0
    t.study.requeue(t.tell(first, status="cancelled"))
    t.study._clock = time.time
    result = t.run(objective, trials=2)
    assert (result.stopped.kind, [x.status for x in result.trials]) == ("hours", ["cancelled"])


def test_a_cancelled_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """A program that keeps its step in a file: cut short after three, its next attempt begins with the fourth."""
    program = tmp_path / "train.py"
    program.write_text(
        "import os, pathlib, time\n"
        "kept = pathlib.Path(os.environ['TUNEWRIGHT_CHECKPOINT'])\n"
        "begun = int(kept.read_text()) if kept.exists() else 0\n"
        "for step in range(begun + 1, 7):\n"
        "    print(f'step={step} loss={1 / step}', flush=True)\n"
        "    kept.write_text(str(step))\n"
        "    time.sleep(0.05 if begun else 0.5)\n"
        "print('begun:', begun)\n"
    )
    shown = {"command": ["{python}", str(program)]}

    def opened() -> Tuner:
        return Tuner(card(tool=shown), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs")

    events = opened().events(trials=1)
    for event in events:
        if isinstance(event, Progress) and event.point.step == 3:
            break
    events.close()
    (kept,) = (tmp_path / "runs" / card().name).glob("00000.checkpoint-*")
    assert int(kept.read_text()) >= 3
    (trial,) = opened().run(trials=1).trials
    assert (trial.status, trial.attempt) == ("done", 2)
    assert trial.outcome is not None
    assert trial.outcome.curve[0].step >= 4
    assert not kept.exists()


def test_closing_at_the_start_of_a_trial_cancels_it(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    events = t.events(lambda c, ctx: next(i for i in range(9999) if time.sleep(0.01) or ctx.report(i, loss=1.0)))
    assert isinstance(next(events), Started)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 10
    assert [x.status for x in t.study.trials()] == ["cancelled"]


def test_a_run_that_is_to_end_at_once_is_not_let_go_on_by_one_that_asks_for_less(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    events = t.events(lambda c, ctx: next(i for i in range(9999) if time.sleep(0.01) or ctx.report(i, loss=1.0)))
    assert isinstance(next(events), Started)
    t.finish(now=True)
    t.finish()
    assert [e.kind for e in events if isinstance(e, Stopped)] == ["cancelled"]
    assert [x.status for x in t.study.trials()] == ["cancelled"]


def test_what_has_ended_when_the_study_stops_is_on_record(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="first trial crashed"):
        tuner(
            tmp_path, tool=objective, workers=3, executor=AtOnce(3, Outcome("crashed", detail="boom", fault="config"))
        ).run(trials=5)
    assert [x.status for x in tuner(tmp_path).study.trials()] == ["crashed", "done", "done"]


def test_every_job_comes_to_its_end_where_the_record_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    def slow(c: dict[str, Any], ctx: Any) -> float:
        while not ctx.report(0, loss=1.0):
            time.sleep(0.01)
        time.sleep(0.2 * ctx.number)
        ended.append(ctx.number)
        return 1.0

    t = tuner(tmp_path, workers=3)
    events = t.events(slow)
    assert [next(e.trial.number for e in events if isinstance(e, Started)) for _ in range(3)] == [0, 1, 2]

    def full(*_: Any) -> None:
        raise StudyError("the disk is full", "free some space")

    monkeypatch.setattr(t.study, "finish", full)
    with pytest.raises(StudyError, match="the disk is full"):
        events.close()
    assert ended == [0, 1, 2]


def test_several_objectives_and_constraints_fit_the_record(tmp_path: Path) -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    t = tuner(tmp_path, metrics=metrics, metric=None, direction=None, constraints=["memory <= 400"])
    result = t.run(lambda c: {"loss": objective(c), "speed": 1.0 / c["width"], "memory": float(c["width"])}, trials=12)
    assert result.best.outcome.metrics["memory"] <= 400
    assert len(result.front) >= 1
    front = [(x.outcome.metrics["loss"], -x.outcome.metrics["speed"]) for x in result.front]
    assert not any(a != b and a[0] <= b[0] and a[1] <= b[1] for a in front for b in front)


def test_a_tool_is_needed_to_run_but_not_to_ask(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    t.ask()
    with pytest.raises(ToolError, match="names no tool"):
        tuner(tmp_path).run(trials=3)
