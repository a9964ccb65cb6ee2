import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from quick import card_file
from toy import AtOnce, card, config, objective
from typer.testing import CliRunner

from tunewright import Tuner
from tunewright.cli import app
from tunewright.confirm import confirming
from tunewright.confirmation import arms_of, confirmation, on_record
from tunewright.errors import CardError, StudyError, ToolError
from tunewright.lease import Lease
from tunewright.report import report
from tunewright.space import Space
from tunewright.study import Study
from tunewright_tools.base import Outcome
from tunewright_tools.process import created


def tuner(folder: Path, **changes: Any) -> Tuner:
    workers = changes.pop("workers", 1)
    storage = f"sqlite:///{folder}/s.db"
    return Tuner(card(**changes), None, storage=storage, folder=folder / "runs", seed=0, workers=workers)


def noisy(c: dict[str, Any], ctx: Any) -> float:
    """The toy with a spread that the seed decides."""
    return objective(c) + 0.01 * (ctx.seed * 2_654_435_761 % 2**32 / 2**32)


def studied(folder: Path, **changes: Any) -> Tuner:
    t = tuner(folder, **changes)
    t.enqueue([config(0.011, 128), config(0.05, 128), config(0.1, 16)])
    t.run(noisy, trials=4)
    return t


def test_the_winner_is_told_apart_from_the_default_on_seeds_that_no_trial_had(tmp_path: Path) -> None:
    t = studied(tmp_path)
    before, best = t.study.trials(), t.result().best
    found = t.confirm(4, top=2, objective=noisy)
    assert (found.winner, found.default, [a.label for a in found.arms]) == ("1", "0", ["1", "2", "0"])
    seeds = {seed for arm in found.arms for seed in arm.seeds}
    assert len(seeds) == 4
    assert seeds.isdisjoint(x.seed for x in before)
    winner, default = found.arms[0], found.arms[-1]
    assert winner.values == tuple(pytest.approx(noisy(winner.config, Seeded(s))) for s in winner.seeds)
    assert winner.mean == pytest.approx(sum(winner.values) / 4)
    assert found.verdict.told_apart is True
    assert found.verdict.low < found.verdict.difference < found.verdict.high
    assert found.verdict.difference == pytest.approx(default.mean - winner.mean)
    assert found.verdict.text.startswith("The winner is told apart from the default: ")
    # they are no trials and change nothing
    assert t.study.trials() == before
    assert t.result().best == best
    assert t.run(noisy, trials=4).trials == tuple(before)


class Seeded:
    def __init__(self, seed: int) -> None:
        self.seed = seed


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy's, of values without a spread
@pytest.mark.parametrize("one", [(0.91, 0.93, 0.92, 0.95), (0.92, 0.92, 0.92, 0.92)])
def test_welch_is_scipys(one: tuple[float, ...]) -> None:
    from scipy.stats import ttest_ind

    from tunewright.card import Metric
    from tunewright.confirmation import Arm, _verdict

    def arm(label: str, *values: float) -> Arm:
        import statistics

        return Arm(label, "llm", {}, None, values, (), (), statistics.fmean(values), statistics.stdev(values))

    metric = Metric(name="accuracy", direction="maximize")
    other = (0.90, 0.92, 0.89)
    got = _verdict(metric, "3", arm("3", *one), arm("0", *other), False)
    theirs = ttest_ind(one, other, equal_var=False)
    assert got.p == pytest.approx(theirs.pvalue)
    interval = theirs.confidence_interval()
    assert (got.low, got.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert got.told_apart is False
    assert re.search(r"About \d+ seeds would tell", got.text)
    assert ", 3 seeds)" in got.text  # as many as both have at least
    worse = _verdict(metric, "3", arm("3", 0.1, 0.11, 0.12), arm("0", 0.9, 0.91, 0.92), False)
    assert worse.told_apart is True
    assert worse.difference < 0
    assert worse.text.startswith("The winner is worse than the default")
    better = _verdict(metric, "3", arm("3", 0.9, 0.91, 0.92), arm("0", 0.1, 0.11, 0.12), False)
    assert better.text.startswith("The winner is told apart from the default")
    unclear = _verdict(metric, "3", arm("3", *other), arm("0", *one), False)
    assert unclear.told_apart is False
    assert unclear.text.endswith("3 seeds).")  # no number of seeds would show the worse one to be better


@pytest.mark.parametrize("spreads", [(1.0, 1.0), (1.0, 0.3)])
@pytest.mark.parametrize("difference", [0.5, 1.0, 2.0])
def test_as_many_seeds_as_are_named_tell_the_difference_four_times_in_five(
    difference: float, spreads: tuple[float, float]
) -> None:
    import numpy as np
    from scipy.stats import ttest_ind

    from tunewright.confirmation import _welch

    one, other = spreads
    found = re.search(r"About (\d+) seeds would tell", _welch("loss", difference, (one, 2), (other, 2), 2).text)
    assert found is not None
    rng = np.random.default_rng(0)

    def power(n: int) -> float:
        a, b = (s * rng.standard_normal((4000, n)) for s in (one, other))
        return float((ttest_ind(a + difference, b, axis=1, equal_var=False).pvalue < 0.05).mean())

    n = int(found[1])
    assert power(n - 1) - 0.02 < 0.8 < power(n) + 0.02


@pytest.mark.parametrize("difference", [1e-200, 1e-160, 1e-3])
def test_a_difference_that_no_number_of_seeds_would_tell_is_said_to_be_one(difference: float) -> None:
    from tunewright.confirmation import _welch

    text = _welch("loss", difference, (1.0, 5), (1.0, 5), 5).text
    assert text.endswith("More than 10000 seeds are needed to tell a difference of this size.")


@pytest.mark.parametrize("factor", [1e200, 1e80, 1e-90, 1e-200])
def test_the_verdict_does_not_hang_on_the_metrics_unit(factor: float) -> None:
    import statistics

    from tunewright.card import Metric
    from tunewright.confirmation import Arm, Comparison, _verdict

    def found(unit: float) -> Comparison:
        arms = []
        for values in ((0.30, 0.31, 0.29), (0.31, 0.30, 0.33)):
            scaled = tuple(v * unit for v in values)
            arms.append(Arm("3", "llm", {}, None, scaled, (), (), statistics.fmean(scaled), statistics.stdev(scaled)))
        return _verdict(Metric(name="loss", direction="minimize"), "3", *arms, False)

    plain, large = found(1.0), found(factor)
    assert large.p == pytest.approx(plain.p)
    assert (large.low / factor, large.high / factor) == (pytest.approx(plain.low), pytest.approx(plain.high))
    assert large.text.partition("About")[2] == plain.text.partition("About")[2] != ""


def test_a_winner_that_is_worse_without_a_spread_is_said_to_be_worse() -> None:
    from tunewright.card import Metric
    from tunewright.confirmation import Arm, _verdict

    def arm(label: str, value: float, std: float | None) -> Arm:
        values = (value,) if std is None else (value, value)
        return Arm(label, "llm", {}, None, values, (), (), value, std)

    for std in (None, 0.0):
        got = _verdict(Metric(name="acc", direction="maximize"), "3", arm("3", 0.25, std), arm("0", 0.75, std), False)
        assert got.difference == -0.5
        assert "the winner is worse by 0.5" in got.text


def test_a_configuration_without_a_value_or_a_spread_on_fresh_seeds_is_told_apart_from_nothing() -> None:
    from tunewright.card import Metric
    from tunewright.confirmation import Arm, _verdict

    metric = Metric(name="acc", direction="maximize")
    many = Arm("0", "default", {}, None, (0.5, 0.7), (), (), 0.6, 0.1)
    one = Arm("3", "llm", {}, None, (0.75,), (), ("oom",), 0.75, None)
    none = Arm("3", "llm", {}, None, (), (), ("oom", "diverged"), None, None)
    said = "has no value on fresh seeds: oom, diverged."
    for arms, text in (
        ((none, many), f"The winner {said}"),
        ((many, none), f"The default {said}"),
        ((one, many), "On one fresh seed the winner is better by 0.15;"),
        ((many, one), "On one fresh seed the winner is worse by 0.15;"),
        ((None, many), "On fresh seeds trial 3, the best by now, has not run yet."),
        ((many, None), "On fresh seeds the default has not run yet."),
    ):
        got = _verdict(metric, "3", *arms, False)
        assert got.told_apart is None
        assert got.text.startswith(text)


def test_one_seed_says_little_and_says_so(tmp_path: Path) -> None:
    found = studied(tmp_path).confirm(1, objective=noisy)
    assert found.verdict.told_apart is None
    assert "use 5 seeds or more" in found.verdict.text
    assert all(a.std is None for a in found.arms)


def test_what_ran_the_trials_runs_the_final_evaluation_where_the_card_names_no_tool(tmp_path: Path) -> None:
    t = studied(tmp_path)
    winner = t.confirm(2, top=1).arms[0]
    assert winner.values == tuple(pytest.approx(noisy(winner.config, Seeded(s))) for s in winner.seeds)
    (tmp_path / "again").mkdir()
    again = studied(tmp_path / "again")
    again.run(lambda c, ctx: noisy(c, ctx) + 1.0, trials=5)
    winner = again.confirm(2, top=1).arms[0]  # what ran last, as by a corrected objective
    assert winner.values == tuple(pytest.approx(noisy(winner.config, Seeded(s)) + 1.0) for s in winner.seeds)
    with pytest.raises(ToolError, match="names no tool") as e:  # a session that ran nothing knows of none
        tuner(tmp_path).confirm(3)
    assert "objective=" in e.value.hint


def test_runs_that_do_not_use_the_seed_are_noticed(tmp_path: Path) -> None:
    found = studied(tmp_path).confirm(3, objective=objective)
    assert found.verdict.told_apart is True
    assert found.verdict.text.startswith("Every seed gave the same value")


def test_a_second_call_runs_only_what_is_missing(tmp_path: Path) -> None:
    t = studied(tmp_path)
    events = t.confirming(3, top=1, objective=noisy)
    first = [next(events), next(events), next(events)]
    events.close()
    assert [(e.label, e.index) for e in first] == [("1", 0), ("0", 0), ("1", 1)]
    kept = on_record(t.study)
    rest = list(t.confirming(3, top=1, objective=noisy))
    assert [(e.label, e.index) for e in first + rest][:3] == [(e.label, e.index) for e in first]
    assert len(rest) == 6 - sum(map(len, kept.values()))
    assert list(t.confirming(3, top=1, objective=noisy)) == []
    assert len(list(t.confirming(4, top=1, objective=noisy))) == 2


def test_a_run_without_a_value_is_counted_and_leaves_the_others(tmp_path: Path) -> None:
    def fragile(c: dict[str, Any], ctx: Any) -> float:
        return float("nan") if ctx.seed % 2 and c["lr"] == 0.011 else noisy(c, ctx)

    found = studied(tmp_path).confirm(4, top=1, objective=fragile)
    assert len(found.arms[0].values) == 2
    assert found.arms[0].without_value == ("diverged", "diverged")
    assert found.verdict.told_apart is not None
    assert found.verdict.text.endswith("But the winner has no value on 2 of 4 fresh seeds: diverged.")


def test_a_winner_that_fails_on_all_fresh_seeds_is_said_to_once(tmp_path: Path) -> None:
    def failing(c: dict[str, Any], ctx: Any) -> float:
        return float("nan") if c["lr"] == 0.011 else noisy(c, ctx)

    text = studied(tmp_path).confirm(2, top=1, objective=failing).verdict.text
    assert text == "The winner has no value on fresh seeds: diverged, diverged."


def test_a_configuration_that_fails_on_all_fresh_seeds_is_told_last(tmp_path: Path) -> None:
    def failing(c: dict[str, Any], ctx: Any) -> float:
        return float("nan") if c["lr"] == 0.05 else noisy(c, ctx)

    found = studied(tmp_path).confirm(1, top=2, objective=failing)
    assert [(a.label, a.mean is None) for a in found.arms] == [("1", False), ("0", False), ("2", True)]


def test_a_broken_program_stops_it_and_is_not_recorded(tmp_path: Path) -> None:
    t = studied(tmp_path)
    with pytest.raises(ToolError, match="outside its configuration"):
        t.confirm(2, objective=lambda c: "no number")
    assert confirmation(t.study) is None
    assert t.confirm(2, objective=noisy).verdict.told_apart is True


def test_what_has_ended_when_a_broken_host_stops_it_is_on_record(tmp_path: Path) -> None:
    t = studied(tmp_path)
    with pytest.raises(ToolError, match="disk full"):
        list(
            confirming(
                t.study, AtOnce(4, Outcome("crashed", detail="disk full", fault="host")), tmp_path / "runs", k=1, top=4
            )
        )
    assert sum(len(runs) for runs in on_record(t.study).values()) == 3  # of four


def test_workers_run_at_once(tmp_path: Path) -> None:
    import threading

    meeting = threading.Barrier(3)

    def together(c: dict[str, Any], ctx: Any) -> float:
        meeting.wait(timeout=60)
        return noisy(c, ctx)

    t = studied(tmp_path, workers=1)
    t.workers = 3
    assert all(len(a.values) == 3 for a in t.confirm(3, top=1, objective=together).arms)


def test_no_run_of_the_final_evaluation_is_stopped_early(tmp_path: Path) -> None:
    def curved(c: dict[str, Any], ctx: Any) -> float:
        for step in range(5):
            assert not (ctx.dir.parent.name == "confirm" and ctx.report(step, loss=9.0))
        return noisy(c, ctx)

    t = studied(tmp_path, pruner={"name": "threshold", "options": {"upper": 0.5}})
    assert all(len(a.values) == 2 for a in t.confirm(2, objective=curved).arms)


def test_a_default_that_no_trial_ran_runs_all_the_same(tmp_path: Path) -> None:
    found = studied(tmp_path, start="none").confirm(2, top=1, objective=noisy)
    assert found.default == "default"
    assert [a.label for a in found.arms][1:] == ["default"]
    assert found.arms[1].config == card().space.default()


def test_a_default_that_has_moved_runs_anew_and_keeps_no_values_of_the_one_before(tmp_path: Path) -> None:
    studied(tmp_path, start="none").confirm(2, top=1, objective=noisy)
    moved = Space(*(replace(p, default=0.05) if p.name == "lr" else p for p in card().space))
    t = tuner(tmp_path, start="none", space=moved)
    assert [a.label for a in confirmation(t.study).arms] == ["0"]  # type: ignore[union-attr]
    found = t.confirm(2, top=1, objective=noisy)
    winner, default = found.arms
    assert (winner.label, default.label, default.config["lr"]) == ("0", "default", 0.05)
    assert default.values == tuple(noisy(default.config, Seeded(s)) for s in default.seeds)


def test_the_default_as_the_winner(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    t.run(noisy, trials=1)
    found = t.confirm(2, objective=noisy)
    assert [a.label for a in found.arms] == ["0"]
    assert "there is nothing to tell apart" in found.verdict.text


def test_a_configuration_that_ran_again_is_one_of_the_best_few(tmp_path: Path) -> None:
    t = studied(tmp_path)
    t.enqueue([config(0.011, 128), config(0.011, 128), t.card.space.default()])
    t.run(noisy, trials=7)
    labels = [label for label, _ in arms_of(t.study, 3)]
    assert labels[0] in ("1", "4", "5")  # whichever of the three had the best seed
    assert labels[1:] == ["2", "0"]
    assert [label for label, _ in arms_of(t.study, 1)] == [labels[0], "0"]


def test_the_default_once_more_as_the_winner(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    values = iter([0.5, 0.4, 0.7, 0.6])
    t.enqueue([t.card.space.default()])
    t.run(lambda c: next(values), trials=2)
    assert t.study.best() is not None
    found = t.confirm(2, objective=lambda c: next(values))
    assert (found.winner, found.default, [a.label for a in found.arms]) == ("0", "0", ["0"])
    assert "there is nothing to tell apart" in found.verdict.text


def test_a_study_that_went_on_says_that_its_new_best_has_not_run(tmp_path: Path) -> None:
    t = studied(tmp_path)
    t.confirm(2, top=1, objective=noisy)
    t.enqueue([config(0.01, 128)])
    t.run(noisy, trials=5)
    found = report(t.study).confirmation
    assert found is not None
    assert found.verdict.text == "On fresh seeds trial 4, the best by now, has not run yet."
    assert t.confirm(2, top=1, objective=noisy).winner == "4"


def test_what_cannot_be_confirmed_is_said(tmp_path: Path) -> None:
    t = tuner(tmp_path)
    with pytest.raises(StudyError, match="no trial of 'toy' has a value"):
        t.confirm(2, objective=noisy)
    t.run(noisy, trials=1)
    with pytest.raises(CardError, match="k is 0"):
        t.confirm(0, objective=noisy)


def test_a_study_whose_values_all_break_a_constraint_says_so(tmp_path: Path) -> None:
    t = tuner(tmp_path, constraints=["latency_ms <= 50"])
    t.run(lambda c: {"loss": 1.0, "latency_ms": 60.0}, trials=2)
    with pytest.raises(StudyError, match="no trial of 'toy' has a value that keeps all constraints yet"):
        t.confirm(2, objective=noisy)
    shown = CliRunner().invoke(app, ["best", "--storage", f"sqlite:///{tmp_path}/s.db"])
    assert "no trial of 'toy' has a value that keeps all constraints yet" in str(shown.exception)


def test_only_one_process_at_a_time(tmp_path: Path) -> None:
    t = studied(tmp_path)
    parent = {**Lease.mine().to_json()}
    parent |= {"pid": os.getppid(), "created": created(psutil.Process(os.getppid()))}
    t.study.set("confirming", parent)
    with pytest.raises(StudyError, match="runs the final evaluation"):
        t.confirm(2, objective=noisy)


def test_of_two_processes_that_look_at_once_one_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    t = studied(tmp_path)
    look = t.study.get

    def look_as_another_begins(key: str) -> Any:
        seen = look(key)
        monkeypatch.undo()
        parent = Lease.mine().to_json()
        parent |= {"pid": os.getppid(), "created": created(psutil.Process(os.getppid()))}
        t.study.set(key, parent)
        return seen

    monkeypatch.setattr(t.study, "get", look_as_another_begins)
    with pytest.raises(StudyError, match=f"process {os.getppid()} on .* runs the final evaluation"):
        t.confirm(2, objective=noisy)
    assert t.study.get("confirming")["pid"] == os.getppid()  # and keeps it


def test_one_that_another_process_took_over_ends_and_leaves_it_to_that(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tunewright.confirm.HEARTBEAT_S", 0.0)
    t = studied(tmp_path)
    running = t.confirming(2, top=1, objective=noisy)
    next(running)
    parent = Lease.mine().to_json()
    parent |= {"pid": os.getppid(), "created": created(psutil.Process(os.getppid()))}
    t.study.set("confirming", parent)
    with pytest.raises(StudyError, match=f"process {os.getppid()} on .* runs the final evaluation"):
        list(running)
    assert t.study.get("confirming") == parent


def test_a_process_with_our_number_in_another_container_is_another_one(tmp_path: Path) -> None:
    t = studied(tmp_path)
    t.study.set("confirming", {**Lease.mine().to_json(), "host": "another", "machine": "another", "boot": "another"})
    with pytest.raises(StudyError, match="on another runs the final evaluation"):
        t.confirm(2, objective=noisy)
    t.study.set("confirming", Lease.mine().to_json())  # left by a thread of ours that was cut short
    assert t.confirm(2, objective=noisy).verdict.told_apart is not None


def test_one_whose_machine_is_silent_for_as_long_as_its_lease_is_taken_over(tmp_path: Path) -> None:
    t = studied(tmp_path)
    gone = {**Lease.mine().to_json(), "host": "another", "machine": "another", "boot": "another", "until": 1.0}
    t.study.set("confirming", gone)
    assert t.confirm(2, objective=noisy).verdict.told_apart is not None
    assert t.study.get("confirming") is None


def test_constraints_choose_among_what_keeps_them(tmp_path: Path) -> None:
    t = studied(tmp_path, constraints=["loss >= 0.3"])
    chosen = [label for label, _ in arms_of(t.study, 1)]
    assert chosen == [str(t.study.best().number), "0"]


def unsteady(c: dict[str, Any], ctx: Any) -> dict[str, float]:
    """The toy with a latency that trials keep below 50 ms and a width of 128 does not, on odd fresh seeds."""
    late = ctx.seed >= 2**30 and ctx.seed % 2 and c["width"] == 128
    return {"loss": noisy(c, ctx), "latency_ms": 60.0 if late else 40.0}


def test_a_winner_that_breaks_a_constraint_on_fresh_seeds_is_said_to(tmp_path: Path) -> None:
    from tunewright.commands.common import plain_console
    from tunewright.report import confirmation_json
    from tunewright.tables import confirmation_table

    t = tuner(tmp_path, constraints=["latency_ms <= 50", "loss >= 0"])
    t.enqueue([config(0.011, 128)])
    t.run(unsteady, trials=2)
    found = t.confirm(4, top=1, objective=unsteady)
    assert found.verdict.told_apart is True
    assert found.verdict.text.endswith("But the winner does not keep latency_ms <= 50 on 2 of 4 fresh seeds.")
    odd = [seed for seed in found.arms[0].seeds if seed % 2]
    assert found.arms[0].broken == dict.fromkeys(odd, ("latency_ms <= 50",))
    assert found.arms[1].broken == {}
    console = plain_console(120)
    with console.capture() as shown:
        console.print(confirmation_table(found))
    rows = [[cell.strip() for cell in line.split("│")] for line in shown.get().splitlines() if "│" in line]
    assert "constraint broken" in shown.get()
    assert [(row[1], row[6]) for row in rows] == [("trial 1, user", "2"), ("default", "-")]
    assert confirmation_json(t.study)["arms"][0]["broken"] == found.arms[0].broken


def test_a_default_that_breaks_a_constraint_as_the_winner_is_said_to(tmp_path: Path) -> None:
    def late(c: dict[str, Any], ctx: Any) -> dict[str, float]:
        return {"loss": noisy(c, ctx), "latency_ms": 60.0 if ctx.seed >= 2**30 else 40.0}

    t = tuner(tmp_path, constraints=["latency_ms <= 50"])
    t.run(late, trials=1)
    text = t.confirm(2, objective=late).verdict.text
    assert text.endswith("nothing to tell apart. But the winner does not keep latency_ms <= 50 on 2 of 2 fresh seeds.")


def test_people_see_each_run_the_table_and_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tunewright.commands.common import print_report
    from tunewright.live import PlainLines

    t = studied(tmp_path)
    PlainLines().show(t.confirming(2, top=1, objective=noisy))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"trial {n} again, seed {2**30 + i}" for i in range(2) for n in (1, 0)
    ]
    assert all(" loss=" in line for line in lines)
    print_report(t.study)
    said = capsys.readouterr().out
    assert "On fresh seeds: loss" in said
    assert "The winner is told apart from the default" in " ".join(said.split())


@pytest.mark.slow
def test_the_command_runs_it_reports_it_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    file = card_file(tmp_path, seconds=0.4)
    command = [sys.executable, "-m", "tunewright.cli", "run", str(file), "--model", "none", "--trials", "2"]
    command += ["--confirm", "3", "--json"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["event"] == "reran":
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    study = Study.load(f"sqlite:///{tmp_path}/tunewright.db")
    kept = sum(map(len, on_record(study).values()))
    assert 1 <= kept < 6
    time.sleep(0.1)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert sum(e["event"] == "reran" for e in events) == 6 - kept
    assert events[-1]["event"] == "confirmation"
    assert {arm["label"] for arm in events[-1]["arms"]} == {"0", "1"}
    assert all(len(arm["values"]) == 3 for arm in events[-1]["arms"])
    assert len(study.trials()) == 2
    shown = subprocess.run(
        [sys.executable, "-m", "tunewright.cli", "show"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "On fresh seeds: loss" in shown
    assert "Every seed gave the same value" in shown
    assert list(itertools.islice((tmp_path / "runs" / "quick" / "confirm").iterdir(), 1))
