import math
from dataclasses import replace

import optuna
import pytest
from record_worker import card, config, start

from tunewright.errors import StudyError
from tunewright.rivals import AlreadyFinishedError, Withdrawn
from tunewright.space import Choice, Float, Int, Space
from tunewright.study import Study
from tunewright.trial import Interval, Proposal, Refusal, Verdict
from tunewright_tools.base import Outcome, Point, Telemetry

DONE = Outcome("done", {"loss": 0.5})


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
        Choice("flag", [True, 2, 2.5]),
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


def test_long_and_dirty_details_are_trimmed_in_the_middle(study):
    text = "ValueError: \x00bad\x1b[31m red\x1b[0m sk-proj-abcdef0123456789abcdef\n" + "x" * 9000 + "\nlast line"
    trial = study.finish(start(study, config(0), 0), Outcome("crashed", detail=text, fault="config"))
    detail = study.trials()[0].outcome.detail
    assert detail == trial.outcome.detail
    assert detail.startswith("ValueError: bad red [key removed]\nxxx")
    assert detail.endswith("\nlast line")
    assert "characters left out" in detail
    assert len(detail) < 4100


# -- resuming --------------------------------------------------------------------------------------------------------


def test_a_seed_below_0_is_refused_before_it_is_on_record(url):
    with pytest.raises(StudyError, match="the seed is -3"):
        Study.open(card(), url, seed=-3)
    assert Study.open(card(), url).seed == 0


def test_resuming_finds_the_same_study_and_its_seed(url):
    first = Study.open(card(), url, seed=3)
    study = Study.open(card(), url)
    assert (study.seed, study.name, study.space_revision) == (3, "toy", 0)
    with pytest.raises(StudyError, match="has seed 3, not 5"):
        Study.open(card(), url, seed=5)
    assert Study.names(url) == ["toy"]
    first.close()
    study.close()


def test_a_process_that_goes_on_learns_of_bounds_that_another_has_moved(study, url):
    def moved(high):
        return card(space=Space(Float("lr", 1e-5, high, log=True), Int("width", 1, 64)))

    other = Study.open(moved(0.5), url)
    theirs = start(other, {"lr": 0.3, "width": 8}, 0)
    mine = start(study, config(0), 1)  # is told apart from what runs in another space
    assert [(t.number, t.space_revision) for t in study.trials()] == [(0, 1), (1, 0)]
    assert study.space(theirs.space_revision) == other.card.space
    with pytest.raises(Withdrawn):
        start(other, dict(mine.config), 2)
    study.revise(moved(1.0))  # a number of its own, not that of the other's space
    assert study.space_revision == 2
    assert Study.load(url).space(1) == other.card.space
    other.close()


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


def test_finishing_again_after_a_broken_off_try_goes_through(study):
    trial = start(study, config(0), 0)
    told, study._table.storage.set_trial_state_values = study._table.storage.set_trial_state_values, broken
    with pytest.raises(ConnectionError):
        study.finish(trial, DONE)
    study._table.storage.set_trial_state_values = told
    with pytest.raises(AlreadyFinishedError):
        study.finish(trial, Outcome("crashed"))
    study.finish(trial, DONE)
    assert study.optuna_study.trials[0].values == [0.5]


def broken(*args, **kwargs):
    raise ConnectionError("the line is dead")
