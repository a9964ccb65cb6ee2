from toy import card, config, done, failed

from tunewright.brief import BEST, brief, short
from tunewright.trial import Trial


def test_the_best_come_first_whatever_the_direction() -> None:
    trials = [done(i, config(), float(i)) for i in range(20)]
    assert [t.number for t in brief(card(), trials).history.best] == list(range(BEST))
    best = brief(card(direction="maximize"), trials).history.best
    assert [t.number for t in best] == list(range(19, 19 - BEST, -1))


def test_infeasible_trials_rank_behind_feasible_ones() -> None:
    trials = [done(0, config(), 0.1), done(1, config(), 0.9)]
    assert brief(card(constraints=["loss >= 0.5"]), trials).history.best[0].number == 1


def test_no_trial_is_told_twice() -> None:
    trials = [done(i, config(), float(i)) for i in range(30)] + [failed(30, config()), Trial(31, config(), "llm")]
    history = brief(card(), trials).history
    shown = [t.number for part in (history.best, history.latest, history.failed, history.running) for t in part]
    assert len(shown) == len(set(shown))
    assert {30, 31} <= set(shown)


def test_failures_for_outer_reasons_teach_the_model_nothing() -> None:
    trials = [failed(0, config(), "crashed", fault="host"), failed(1, config(), "lost", fault="host")]
    assert brief(card(), trials).history.failed == ()


def test_assumed_defaults_are_marked() -> None:
    from tunewright.space import Float, Space

    told = brief(card(space=Space(Float("lr", 1e-4, 1e-2, log=True))), []).space.parameters[0]
    assert told.assumed
    assert told.default == 1e-3
    assert told.scale == "log"


def test_derived_quantities_are_formulas() -> None:
    told = brief(card(derived={"cost": {"width": 2, "lr": 1}}), [])
    assert told.task.derived == {"cost": "width^2 * lr"}


def test_numbers_are_told_in_four_digits() -> None:
    assert short(0.123456789) == 0.1235
