from toy import card, config, done, failed

from tunewright.brief_history import BEST, history, short
from tunewright.trial import Trial


def test_the_best_come_first_whatever_the_direction() -> None:
    trials = [done(i, config(), float(i)) for i in range(20)]
    assert [t.number for t in history(card(), trials, BEST).best] == list(range(BEST))
    best = history(card(direction="maximize"), trials, BEST).best
    assert [t.number for t in best] == list(range(19, 19 - BEST, -1))


def test_infeasible_trials_rank_behind_feasible_ones() -> None:
    trials = [done(0, config(), 0.1), done(1, config(), 0.9)]
    assert history(card(constraints=["loss >= 0.5"]), trials, BEST).best[0].number == 1


def test_no_trial_is_told_twice() -> None:
    trials = [done(i, config(), float(i)) for i in range(30)] + [failed(30, config()), Trial(31, config(), "llm")]
    told = history(card(), trials, BEST)
    shown = [t.number for part in (told.best, told.latest, told.failed, told.running) for t in part]
    assert len(shown) == len(set(shown))
    assert {30, 31} <= set(shown)


def test_failures_for_outer_reasons_teach_the_model_nothing() -> None:
    trials = [failed(0, config(), "crashed", fault="host"), failed(1, config(), "lost", fault="host")]
    assert history(card(), trials, BEST).failed == ()


def test_numbers_are_told_in_four_digits() -> None:
    assert short(0.123456789) == 0.1235


def test_values_that_differ_behind_the_fourth_digit_are_told_apart() -> None:
    values = [0.99991, 0.99993, 0.5, 0.1 + 0.2, 0.3, 123456.0, 123457.5]
    told = history(card(direction="maximize"), [done(i, config(), v) for i, v in enumerate(values)], BEST).best
    assert {t.number: t.metrics["loss"] for t in told} == {
        0: 0.99991,
        1: 0.99993,
        2: 0.5,
        3: 0.3,
        4: 0.3,  # an error of rounding is no difference
        5: 123456.0,
        6: 123458.0,
    }


def test_the_latest_are_told_apart_from_the_best_and_each_metric_by_itself() -> None:
    from dataclasses import replace

    from tunewright_tools.base import Outcome

    values = [0.99991 + 0.01 * i for i in range(BEST)] + [1.06993]
    trials = [
        replace(done(i, config(), v), outcome=Outcome("done", {"loss": v, "ms": 12.3456})) for i, v in enumerate(values)
    ]
    told = history(card(), trials, BEST)
    assert told.best[-1].metrics == {"loss": 1.06991, "ms": 12.35}
    assert told.latest[0].metrics == {"loss": 1.06993, "ms": 12.35}
