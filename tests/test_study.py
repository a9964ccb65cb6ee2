import math
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import optuna
import pytest
from record_worker import at_once, card, config, die, start

from tunewright.errors import StudyError
from tunewright.space import Choice, Float, Int, Space
from tunewright.study import AlreadyFinishedError, Study, Withdrawn
from tunewright.trial import Interval, Proposal, Refusal, Verdict
from tunewright.waiting import ATTEMPTS
from tunewright_tools.base import Outcome, Point, Telemetry

DONE = Outcome("done", {"loss": 0.5})


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'tune.db'}"


@pytest.fixture
def study(url):
    made = Study.open(card(), url)
    yield made
    made.close()


# -- a trial's way through the record --------------------------------------------------------------------------------


def test_a_trial_comes_back_as_it_was(study, url):
    call = Proposal({"lr": 0.5, "width": "64"}, "llm", "too bold", Interval(1.0, 0.5, 2.0), "0000-first_round-0", 1)
    refusal = Refusal(call, Verdict(False, "invalid: lr = 0.5", {"p": math.inf}, ("heads",)))
    proposal = Proposal({"lr": 0.01, "width": 8}, "llm", "moderate", Interval(0.5, 0.1, 0.9), "0000-first_round-0", 0)
    trial = study.start(
        proposal,
        number=0,
        seed=11,
        turn="llm",
        verdict=Verdict(True, "", {"margin": math.nan}),
        asked={"lr": 0.0100001, "width": 8.0, "heads": [1, None]},
        refused=[refusal],
    )
    assert (trial.status, trial.record_id, trial.attempt) == ("running", 0, 1)
    assert trial.environment["packages"]["optuna"]
    outcome = Outcome(
        "done",
        {"loss": 0.5, "latency": 3.0},
        (Point(1, {"loss": math.nan}, 0.5), Point(2.0, {"loss": 0.5}, 1.0)),
        Telemetry(1.5, peak_bytes=10),
        "fine",
    )
    told = study.finish(trial, outcome)
    again = Study.load(url)
    (read,) = again.trials()
    assert repr(read) == repr(told)  # NaN is not equal to itself
    assert (read.config, read.asked, read.refused[0].verdict.numbers) == (
        {"lr": 0.01, "width": 8},
        {"lr": 0.0100001, "width": 8.0, "heads": [1, None]},
        {"p": math.inf},
    )
    assert read.finished is not None
    assert read.finished >= read.started > 0
    assert type(read.config["width"]) is int
    assert again.card == study.card
    again.close()


@pytest.mark.parametrize(
    ("status", "state"),
    [("oom", "FAIL"), ("crashed", "FAIL"), ("cancelled", "FAIL"), ("lost", "FAIL"), ("pruned", "PRUNED")],
)
def test_a_run_without_a_value_has_none_in_optuna_either(study, status, state):
    study.finish(start(study, config(0), 0), Outcome(status, curve=(Point(1, {"loss": 1.0}, 1.0),), detail="why"))
    row = study.optuna_study.trials[0]
    assert (row.state.name, row.values, row.intermediate_values) == (state, None, {})
    (trial,) = study.trials()
    assert (trial.status, trial.outcome.detail) == (status, "why")
    assert study.best() is None
    assert study.front() == []


def test_optuna_sees_params_values_directions_names_and_constraints(url):
    two = card(
        metric=None,
        direction=None,
        metrics=[{"name": "acc", "direction": "maximize"}, {"name": "loss", "direction": "minimize"}],
        constraints=["latency <= 50", "acc >= 0.2"],
    )
    study = Study.open(two, url)
    study.finish(start(study, config(0), 0), Outcome("done", {"acc": 0.9, "loss": 0.1, "latency": 60.0}))
    study.finish(start(study, config(1), 1), Outcome("done", {"acc": 0.5, "loss": 0.2, "latency": 50.0}))
    inner = study.optuna_study
    assert [d.name for d in inner.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert inner.metric_names == ["acc", "loss"]
    assert [t.params for t in inner.trials] == [config(0), config(1)]
    assert inner.trials[0].values == [0.9, 0.1]
    assert list(inner.trials[0].constraints.values()) == [10.0, pytest.approx(-0.7)]
    assert [t.number for t in inner.best_trials] == [1]
    assert [t.number for t in study.front()] == [1]
    assert study.best().number == 1
    study.close()


def test_best_is_the_first_of_equals_and_the_front_keeps_what_nothing_beats(url):
    study = Study.open(card(metric="acc", direction="maximize"), url)
    for k, value in enumerate([-3.0, -1.0, -1.0, -2.0]):
        study.finish(start(study, config(k), k), Outcome("done", {"acc": value}))
    assert study.best().number == 1
    assert [t.number for t in study.front()] == [1]
    study.close()
    metrics = [{"name": "a", "direction": "minimize"}, {"name": "b", "direction": "maximize"}]
    study = Study.open(card(name="two", metric=None, direction=None, metrics=metrics), url)
    for k, (a, b) in enumerate([(1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.5, -1.0)]):
        study.finish(start(study, config(k), k), Outcome("done", {"a": a, "b": b}))
    assert [t.number for t in study.front()] == [0, 1, 3, 4]
    assert study.best().number == 4
    study.close()


def test_telling_twice_is_an_error_and_changes_nothing(study):
    trial = study.finish(start(study, config(0), 0), DONE)
    with pytest.raises(AlreadyFinishedError, match="trial 0 has ended as done before"):
        study.finish(trial, Outcome("crashed"))
    assert study.trials() == [trial]


def test_telling_what_was_never_started_is_an_error(study):
    trial = start(study, config(0), 0)
    with pytest.raises(StudyError, match="trial 4 is not in"):
        study.finish(replace(trial, number=4), DONE)


@pytest.mark.parametrize("metrics", [{}, {"other": 1.0}, {"loss": math.nan}, {"loss": math.inf}])
def test_done_needs_a_finite_value_for_every_metric(study, metrics):
    trial = start(study, config(0), 0)
    with pytest.raises(StudyError, match="trial 0 is done, with"):
        study.finish(trial, Outcome("done", metrics))
    assert study.trials()[0].running


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"lr": 0.5, "width": 4}, "lr = 0.5 is outside"),
        ({"lr": 0.01}, "width"),
        ({"lr": 0.01, "width": 4, "heads": 2}, "heads is not in the space"),
    ],
)
def test_what_the_space_does_not_hold_is_not_recorded(study, bad, said):
    with pytest.raises(StudyError, match=said):
        start(study, bad, 0)
    assert study.attempts() == []


def test_conditions_choices_and_steps_go_through_optuna(url):
    space = Space(
        Choice("optimizer", ["adamw", "sgd"]),
        Choice("nesterov", [True, False], when={"optimizer": "sgd"}),
        Choice("flag", [True, 1, 2.5]),
        Float("momentum", 0.5, 0.99, logit=True, when={"optimizer": "sgd"}),
        Float("drop", 0.0, 0.35, step=0.1),
        Int("batch", 12, 300, rounding="power_of_two", log=True),
        Int("steps", 100, 1050, step=100),
    )
    study = Study.open(card(space=space), url)
    for k, c in enumerate(space.sample(24, seed=0)):
        assert start(study, c, k).config == c
    read = Study.load(url)
    assert [t.config for t in read.trials()] == space.sample(24, seed=0)
    assert [repr(t.config["flag"]) for t in read.trials()] == [repr(c["flag"]) for c in space.sample(24, seed=0)]
    read.close()
    study.close()


def test_rows_of_others_are_not_trials(study):
    study.optuna_study.enqueue_trial({"lr": 0.01})
    start(study, config(0), 0)
    assert [t.number for t in study.trials()] == [0]
    assert study.sweep() == []


def test_long_and_dirty_details_are_trimmed_in_the_middle(study):
    text = "ValueError: \x00bad\x1b[31m red\x1b[0m sk-proj-abcdef0123456789abcdef\n" + "x" * 9000 + "\nlast line"
    trial = study.finish(start(study, config(0), 0), Outcome("crashed", detail=text, fault="config"))
    detail = study.trials()[0].outcome.detail
    assert detail == trial.outcome.detail
    assert detail.startswith("ValueError: bad red [key removed]\nxxx")
    assert detail.endswith("\nlast line")
    assert "characters left out" in detail
    assert len(detail) < 4100


def test_attributes_keep_plain_data_with_nan(study, url):
    study.set("surrogate/3", {"lengthscales": [0.1, math.inf], "noise": -math.inf})
    assert study.get("surrogate/3") == {"lengthscales": [0.1, math.inf], "noise": -math.inf}
    assert study.get("surrogate/4", 5) == 5
    with pytest.raises(StudyError, match="the record cannot keep"):
        study.set("x", object())
    raw = sqlite3.connect(url.removeprefix("sqlite:///"))
    text = "".join(row[0] for row in raw.execute("select value_json from study_user_attributes"))
    raw.close()
    assert "Infinity" not in text
    assert "NaN" not in text


# -- resuming --------------------------------------------------------------------------------------------------------


def test_resuming_finds_the_same_study_and_its_seed(url):
    first = Study.open(card(), url, seed=3)
    study = Study.open(card(), url)
    assert (study.seed, study.name, study.space_revision) == (3, "toy", 0)
    with pytest.raises(StudyError, match="has seed 3, not 5"):
        Study.open(card(), url, seed=5)
    assert Study.names(url) == ["toy"]
    first.close()
    study.close()


def test_moved_bounds_are_a_new_revision_and_texts_are_not(study, url):
    start(study, config(0), 0)
    told = card(goal="another goal", space=Space(Float("lr", 1e-5, 1e-1, log=True, about="rate"), Int("width", 1, 64)))
    again = Study.open(told, url)
    assert again.space_revision == 0
    again.close()
    wider = card(space=Space(Float("lr", 1e-6, 1.0, log=True), Int("width", 2, 128)))
    again = Study.open(wider, url)
    trial = start(again, {"lr": 0.9, "width": 128}, 1)
    assert [t.space_revision for t in again.trials()] == [0, 1]
    assert (again.space(0)["lr"].high, again.space(1)["lr"].high) == (0.1, 1.0)
    assert trial.space_revision == 1
    again.close()
    loaded = Study.load(url)
    assert (loaded.card, loaded.space_revision) == (wider, 1)
    loaded.close()
    back = Study.open(card(), url)
    assert back.space_revision == 0
    back.close()


def test_another_card_under_the_name_is_refused_and_changes_nothing(study, url):
    with pytest.raises(StudyError, match="study 'toy' is on record with another card") as e:
        Study.open(card(metric="acc"), url)
    assert "another `name`" in e.value.hint
    assert study.get("card") == card().to_json()


def test_load_says_what_there_is(study, url, tmp_path):
    Study.open(card(name="other"), url).close()
    with pytest.raises(StudyError, match="holds 2 studies: toy, other"):
        Study.load(url)
    with pytest.raises(StudyError, match="no study 'tox'") as e:
        Study.load(url, "tox")
    assert "toy" in e.value.hint
    with pytest.raises(StudyError, match="there is no record at"):
        Study.load(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StudyError, match="no record"):
        Study.names(f"sqlite:///{tmp_path / 'none.db'}")
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).execute("create table t(x)").connection.close()
    with pytest.raises(StudyError, match="holds no study"):
        Study.load(f"sqlite:///{empty}")


def test_a_study_that_is_not_ours_is_left_alone(url):
    theirs = optuna.create_study(storage=url, study_name="toy")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyError, match="Tunewright did not make"):
        Study.open(card(), url)
    with pytest.raises(StudyError, match="holds no studies"):
        Study.load(url)
    theirs._storage._backend.engine.dispose()


def test_a_study_left_empty_by_a_process_that_died_making_it_is_taken_over(url):
    made = optuna.create_study(storage=url, study_name="toy")
    study = Study.open(card(), url, seed=4)
    assert study.seed == 4
    study.close()
    made._storage._backend.engine.dispose()


def test_a_record_of_a_newer_format_is_refused(study, url):
    study.set("tunewright", {"format": 99})
    with pytest.raises(StudyError, match="is of format 99"):
        Study.open(card(), url)


def test_opening_says_nothing_and_keeps_optunas_own_loudness(url, capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    Study.open(card(), url).close()
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert capfd.readouterr() == ("", "")


def test_the_clock_can_be_somebody_elses(url):
    study = Study.open(card(), url, clock=lambda: 1234.0)
    trial = study.finish(start(study, config(0), 0), DONE)
    assert (trial.started, trial.finished) == (1234.0, 1234.0)
    study.close()


# -- the queue -------------------------------------------------------------------------------------------------------


def test_the_queue_keeps_order_and_is_used_up_by_starting(study, url):
    ids = [study.enqueue(config(k), rationale=f"point {k}") for k in range(12)]
    assert ids == sorted(ids)
    assert [(e.id, e.config, e.source, e.number) for e in study.queue()] == [
        (i, config(k), "user", None) for k, i in enumerate(ids)
    ]
    start(study, config(0), 0, queue_id=ids[0])
    study.drop(ids[1], "refused: it does not fit the memory")
    again = Study.open(card(), url)
    assert [e.id for e in again.queue()] == ids[2:]
    assert again.queue()[0].proposal == Proposal(config(2), "user", "point 2")
    again.close()


def test_a_queue_entry_runs_once_only(study, url):
    entry = study.enqueue(config(0))
    other = Study.open(card(), url)
    study.finish(start(study, config(0), 0, queue_id=entry), DONE)
    with pytest.raises(Withdrawn):
        start(other, config(0), 1, queue_id=entry)
    other.close()


def test_a_failed_trial_can_be_queued_again_by_hand(study):
    trial = study.finish(start(study, config(0), 0), Outcome("crashed", detail="no module", fault="config"))
    assert study.requeue(trial) == study.requeue(trial)
    (entry,) = study.queue()
    assert (entry.number, entry.attempt, entry.seed, entry.config) == (0, 2, trial.seed, trial.config)
    second = start(study, entry.config, 0, attempt=2, seed=entry.seed, queue_id=entry.id)
    assert study.queue() == []
    study.finish(second, DONE)
    with pytest.raises(StudyError, match="trial 0 is done"):
        study.requeue(study.trials()[0])
    assert [(t.number, t.attempt, t.status) for t in study.attempts()] == [(0, 1, "crashed"), (0, 2, "done")]
    assert [t.attempt for t in study.trials()] == [2]


# -- several processes -----------------------------------------------------------------------------------------------


def test_the_younger_of_two_equal_running_trials_is_withdrawn(study, url):
    other = Study.open(card(), url)
    first = start(study, config(0), 0)
    with pytest.raises(Withdrawn) as same_config:
        start(other, config(0), 1)
    assert same_config.value.rival == first
    with pytest.raises(Withdrawn):
        start(other, config(5), 0)  # the number is taken
    assert study.trials() == other.trials() == other.attempts() == [first]
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING", "FAIL", "FAIL"]
    start(other, config(5), 1)
    assert [t.number for t in study.trials()] == [0, 1]
    other.close()


def test_the_number_stays_taken_when_its_trial_is_over(study, url):
    study.finish(start(study, config(0), 0), DONE)
    other = Study.open(card(), url)
    with pytest.raises(Withdrawn):
        start(other, config(3), 0)
    start(other, config(0), 1)  # a repeat, one after the other, is the guard's business
    other.close()


def test_two_processes_never_run_the_same_trial(url):
    Study.open(card(), url).close()
    printed = at_once("race", url, 2, 30)
    won = [int(text.split()[0]) for text in printed]
    study = Study.load(url)
    trials = study.trials()
    assert [t.number for t in trials] == list(range(30))
    assert len(study.attempts()) == 30
    assert sum(won) == 30
    assert all(t.done and t.config == config(t.number) for t in trials)
    assert len({t.environment["host"] for t in trials}) == 1
    study.close()


def test_two_processes_share_a_queue(study, url):
    for k in range(12):
        study.enqueue(config(k))
    ran = sorted(int(line) for text in at_once("drain", url, 2) for line in text.split())
    assert ran == list(range(12))
    assert sorted(t.config["lr"] for t in study.trials()) == sorted(config(k)["lr"] for k in range(12))


def test_four_processes_make_one_new_study(url):
    assert at_once("open_only", url, 4) == ["0\n"] * 4
    assert Study.names(url) == ["toy"]


def test_a_trial_of_a_killed_process_is_lost_and_queued_again_but_not_for_ever(study, url):
    die("die_running", url, 0)
    assert study.trials()[0].running
    for attempt in range(1, ATTEMPTS + 1):
        (lost,) = study.sweep()
        assert (lost.number, lost.attempt, lost.status, lost.outcome.fault) == (0, attempt, "lost", "host")
        assert f"attempt {attempt} of {ATTEMPTS}" in lost.outcome.detail
        assert study.sweep() == []
        if attempt < ATTEMPTS:
            (entry,) = study.queue()
            assert (entry.number, entry.attempt, entry.seed, entry.config) == (0, attempt + 1, 7, config(0))
            assert (entry.source, entry.rationale) == ("sobol", "why not")
            again = start(study, entry.config, 0, attempt=entry.attempt, seed=entry.seed, queue_id=entry.id)
            assert study.queue() == []
            forget_worker(study, again)
    assert study.queue() == []
    assert [t.attempt for t in study.attempts()] == list(range(1, ATTEMPTS + 1))
    assert [t.attempt for t in study.trials()] == [ATTEMPTS]


def forget_worker(study, trial):
    """Make the trial's lease that of a process which is really gone."""
    p = subprocess.Popen([sys.executable, "-c", ""])
    p.wait()
    row = study._row_id(trial.record_id)
    lease = study._storage.get_trial(row).user_attrs["tunewright:lease"]
    study._storage.set_trial_user_attr(row, "tunewright:lease", {**lease, "pid": p.pid})


def test_a_living_process_keeps_its_trials(study, url):
    trial = start(study, config(0), 0)
    other = Study.open(card(), url)
    assert other.sweep() == []
    assert other.trials() == [trial]
    other.close()


def test_two_sweeps_at_once_queue_one_rerun(study, url):
    for k in range(3):
        die("die_running", url, k)
    at_once("sweep", url, 2)
    assert [(t.number, t.status) for t in study.attempts()] == [(k, "lost") for k in range(3)]
    assert [(e.number, e.attempt) for e in study.queue()] == [(k, 2) for k in range(3)]


def test_an_outcome_written_before_the_kill_counts(study, url):
    die("die_telling", url, 0)
    assert study.optuna_study.trials[0].state.name == "RUNNING"
    assert study.trials()[0].outcome == Outcome("done", {"loss": 0.25})
    again = Study.open(card(), url)
    row = again.optuna_study.trials[0]
    assert (row.state.name, row.values) == ("COMPLETE", [0.25])
    assert again.sweep() == []
    assert again.queue() == []
    with pytest.raises(AlreadyFinishedError):
        study.finish(study.trials()[0], DONE)
    again.close()


def test_finishing_again_after_a_broken_off_try_goes_through(study):
    trial = start(study, config(0), 0)
    told, study._storage.set_trial_state_values = study._storage.set_trial_state_values, broken
    with pytest.raises(ConnectionError):
        study.finish(trial, DONE)
    study._storage.set_trial_state_values = told
    with pytest.raises(AlreadyFinishedError):
        study.finish(trial, Outcome("crashed"))
    study.finish(trial, DONE)
    assert study.optuna_study.trials[0].values == [0.5]


def broken(*args, **kwargs):
    raise ConnectionError("the line is dead")


def test_a_duplicate_whose_process_died_before_taking_it_back_is_not_run_again(study, url):
    start(study, config(0), 0)
    die("die_withdrawing", url, 0)
    assert study.sweep() == []
    assert [(t.number, t.status) for t in study.attempts()] == [(0, "running")]
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING", "FAIL"]


def test_a_worker_that_comes_back_after_it_was_given_up_is_told_so(study, url):
    trial = start(study, config(0), 0)
    forget_worker(study, trial)
    other = Study.open(card(), url)
    assert [t.number for t in other.sweep()] == [0]
    study.renew([trial])
    with pytest.raises(AlreadyFinishedError, match="closed as lost while its worker was silent"):
        study.finish(trial, DONE)
    assert [t.status for t in study.trials()] == ["lost"]
    other.close()


def test_renewing_moves_the_lease(study):
    trial = start(study, config(0), 0)
    before = study.optuna_study.trials[0].user_attrs["tunewright:lease"]["until"]
    time.sleep(0.01)
    study.renew([trial])
    after = study.optuna_study.trials[0].user_attrs["tunewright:lease"]["until"]
    assert before < after <= time.time() + 180


# -- speed -----------------------------------------------------------------------------------------------------------
