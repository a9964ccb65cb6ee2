import math
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from runs import SPACE, STEPS, curve, final

from tunewright import Tuner
from tunewright.card import TaskCard
from tunewright.errors import CardError, TunerError
from tunewright.pruning import open_pruner
from tunewright.pruning.early import EarlyStop
from tunewright.trial import Trial
from tunewright_tools.base import Point

MEDIAN = {"name": "median", "options": {"n_startup_trials": 1}}
RATES = [1e-2, 8e-2, 2e-3, 5e-5]


def card(**changes: Any) -> TaskCard:
    given = {"goal": "a toy", "name": "toy", "metric": "loss", "direction": "minimize", "space": SPACE}
    return TaskCard(**{**given, **changes})


def tuner(folder: Path, **changes: Any) -> Tuner:
    workers = changes.pop("workers", 1)
    return Tuner(
        card(**changes), None, storage=f"sqlite:///{folder}/s.db", folder=folder / "runs", seed=0, workers=workers
    )


def objective(config: dict[str, Any], ctx: Any) -> float:
    for p in curve(config):
        if ctx.report(p.step, **p.metrics):
            break
    return final(config)


def statuses(t: Tuner) -> list[str]:
    return [x.status for x in t.study.trials()]


def test_a_pruned_trial_has_its_curve_and_its_reason_and_no_value(tmp_path: Path) -> None:
    t = tuner(tmp_path, pruner=MEDIAN)
    t.enqueue([{"lr": lr} for lr in RATES])
    result = t.run(objective, trials=5)
    assert statuses(t) == ["done", "pruned", "pruned", "pruned", "pruned"]  # trial 0 is the best there is
    stopped = result.trials[2]
    assert stopped.outcome.metrics == {}
    assert 0 < len(stopped.outcome.curve) < STEPS
    assert stopped.outcome.detail.startswith("stopped early, median: loss = ")
    assert stopped.outcome.fault is None
    assert result.best.number == 0
    assert [x.values for x in t.study.optuna_study.trials][1:] == [None] * 4


def test_trial_0_and_the_default_run_to_their_end_however_bad(tmp_path: Path) -> None:
    t = tuner(tmp_path, pruner={"name": "threshold", "options": {"upper": 0.1}})
    t.enqueue([{"lr": 1e-2}])
    t.run(objective, trials=2)
    assert statuses(t) == ["done", "pruned"]
    other = tuner(tmp_path, name="other", start="none", pruner={"name": "threshold", "options": {"upper": 0.1}})
    other.enqueue([{"lr": 1e-2}, {"lr": 1e-4}, {"lr": 1e-3}])
    other.run(objective, trials=3)
    assert statuses(other) == ["done", "pruned", "done"]  # the last one is the default


def test_a_session_that_goes_on_stops_what_the_first_would_have_stopped(tmp_path: Path) -> None:
    ends = []
    for name, sessions in (("whole", [5]), ("parts", [2, 3, 5])):
        t = tuner(tmp_path, name=name, pruner=MEDIAN)
        t.enqueue([{"lr": lr} for lr in RATES])
        for trials in sessions:
            tuner(tmp_path, name=name, pruner=MEDIAN).run(objective, trials=trials)
        ends.append([(x.status, len(x.outcome.curve)) for x in t.study.trials()])
    assert ends[0] == ends[1]


def diverging(config: dict[str, Any], ctx: Any) -> float:
    for p in curve(config):
        nan = config["lr"] != 1e-3 and p.step == 4
        if ctx.report(p.step, loss=math.inf if nan else p.metrics["loss"]):
            break
    return final(config)


def test_a_metric_that_is_no_number_ends_the_run_as_diverged_with_and_without_a_pruner(tmp_path: Path) -> None:
    for name, pruner in (("plain", None), ("median", "median")):
        t = tuner(tmp_path, name=name, pruner=pruner)
        t.enqueue([{"lr": 1e-2}])
        bad = t.run(diverging, trials=2).trials[1]
        assert (bad.status, bad.outcome.fault, len(bad.outcome.curve)) == ("diverged", "config", 3)
        assert bad.outcome.detail.startswith("loss is inf at step 4")


def test_the_pruner_none_stops_nothing(tmp_path: Path) -> None:
    t = tuner(tmp_path, pruner="none")
    t.enqueue([{"lr": 1e-2}])
    t.run(diverging, trials=2)
    assert statuses(t) == ["done", "done"]


def test_a_program_that_prints_nan_is_ended_at_once(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, time\n"
        "print('step: 1 loss: 2.0', flush=True)\n"
        "print('step: 2 loss: nan', flush=True)\n"
        "time.sleep(0.0 if sys.argv[1] == '0.001' else 60)\n"
        "print('loss: 1.0')\n"
    )
    t = tuner(tmp_path, tool={"command": [sys.executable, str(script), "{lr}"]})
    t.enqueue([{"lr": 1e-2}])
    trials = t.run(trials=2).trials
    assert [x.status for x in trials] == ["done", "diverged"]
    assert trials[1].outcome.telemetry.seconds < 30
    assert trials[1].outcome.detail.startswith("loss is nan at step 2\n")


def test_ask_and_tell_with_reports(tmp_path: Path) -> None:
    t = tuner(tmp_path, pruner=MEDIAN)
    t.enqueue([{"lr": lr} for lr in RATES])
    for _ in range(3):
        trial = t.ask()
        stop = any(t.report(trial, p.step, p.metrics) for p in curve(trial.config))
        t.tell(trial, status="pruned") if stop else t.tell(trial, final(trial.config))
    assert statuses(t) == ["done", "pruned", "pruned"]
    assert t.study.trials()[1].outcome.detail.startswith("stopped early, median: ")
    assert len(t.study.trials()[0].outcome.curve) == STEPS
    trial = t.ask()
    assert not t.report(trial, 1, {"loss": 0.6})
    assert t.report(trial, 2, {"loss": math.nan})
    assert t.tell(trial, status="pruned").status == "diverged"


@pytest.mark.parametrize(("step", "metrics"), [(math.nan, {"loss": 1}), (-1, {"loss": 1}), (1, {"loss": "low"})])
def test_a_report_that_cannot_be_read_is_refused(tmp_path: Path, step: float, metrics: Any) -> None:
    t = tuner(tmp_path)
    with pytest.raises(TunerError, match="trial 0"):
        t.report(t.ask(), step, metrics)


def test_workers_share_one_pruner(tmp_path: Path) -> None:
    t = tuner(tmp_path, pruner={"name": "successive_halving", "options": {"min_resource": 1}}, workers=4)
    t.enqueue([{"lr": 10 ** (-4.8 + 0.4 * i)} for i in range(9)])
    result = t.run(objective, trials=10)
    assert len(result.trials) == 10
    assert {"done", "pruned"} == set(statuses(t))


def test_runs_of_several_threads_are_stopped_where_each_alone_would_be() -> None:
    from toy import done

    from tunewright_tools.base import Outcome

    early = EarlyStop(card(pruner={"name": "curve", "options": {"fewest": 4}}))
    full = [{"lr": lr} for lr in (1e-3, 2e-3, 3e-3, 3e-4)]
    ran = [Outcome("done", {"loss": final(c)}, tuple(curve(c))) for c in full]
    early.learn([done(i, c, final(c), outcome=o, record_id=i) for i, (c, o) in enumerate(zip(full, ran, strict=True))])

    def stopped_at(number: int) -> float | None:
        rate = {"lr": 2e-2 if number % 2 else 8e-2}
        return next((p.step for p in curve(rate) if early.stop(number, rate, p)), None)

    alone, together = [stopped_at(4), stopped_at(5)], {}
    threads = [threading.Thread(target=lambda n: together.update({n: stopped_at(n)}), args=(n,)) for n in range(6, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in alone
    assert [together[n] for n in range(6, 12)] == alone * 3


def test_a_cancelled_run_teaches_nothing_and_its_second_attempt_does() -> None:
    from toy import done

    from tunewright_tools.base import Outcome

    told: list[int] = []
    early = EarlyStop(card(pruner="median"))
    early._pruner.tell = lambda run: told.append(run.number)  # type: ignore[union-attr,method-assign]
    points = (Point(1.0, {"loss": 1.0}, 1.0),)
    cut = Trial(1, {"lr": 1e-2}, "user", status="cancelled", outcome=Outcome("cancelled", {}, points), record_id=1)
    early.learn([done(0, {"lr": 1e-3}, 1.0, record_id=0), cut])
    assert told == [0]
    early.learn([done(0, {"lr": 1e-3}, 1.0, record_id=0), done(1, {"lr": 1e-2}, 2.0, record_id=2, attempt=2)])
    assert told == [0, 1]


def test_names_and_options_are_checked_before_anything_runs(tmp_path: Path) -> None:
    assert open_pruner(card()) is None
    assert open_pruner(card(pruner="none")) is None
    with pytest.raises(CardError, match=r"the pruner curve refuses \{'threshold': 2\}"):
        tuner(tmp_path, pruner={"name": "curve", "options": {"threshold": 2}})
    with pytest.raises(CardError, match="the pruner hyperband refuses"):
        tuner(tmp_path, pruner={"name": "hyperband", "options": {"bracket": 2}})
