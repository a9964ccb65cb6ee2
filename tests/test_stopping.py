import pytest
from toy import card, config, done, failed

from tunewright.stopping import busy_seconds, share_used, stop_reason
from tunewright.trial import Trial


def test_no_rule_no_end() -> None:
    assert stop_reason(card(), [done(i, config(), 1.0) for i in range(50)], None, 0) is None


@pytest.mark.parametrize(
    ("changes", "limit", "n", "ends"),
    [
        ({"budget": {"trials": 3}}, None, 3, True),
        ({"budget": {"trials": 3}}, None, 2, False),
        ({"budget": {"trials": 3}}, 5, 3, False),
        ({"budget": {"trials": 30}}, 3, 3, True),
        ({"stop": {"trials": 2}}, 5, 2, True),
    ],
)
def test_trials_of_the_whole_study(changes: dict, limit: int | None, n: int, ends: bool) -> None:
    reason = stop_reason(card(**changes), [done(i, config(), 1.0) for i in range(n)], limit, 0)
    assert (reason is not None) is ends
    assert reason is None or reason.kind == "trials"


@pytest.mark.parametrize(
    ("direction", "target", "ends"), [("minimize", 0.5, True), ("maximize", 0.5, True), ("minimize", 0.1, False)]
)
def test_a_target_follows_the_direction(direction: str, target: float, ends: bool) -> None:
    values = [0.9, 0.5] if direction == "minimize" else [0.1, 0.5]
    trials = [failed(0, config()), *(done(i, config(), v) for i, v in enumerate(values, start=1))]
    reason = stop_reason(card(direction=direction, stop={"target": target}), trials, None, 0)
    assert (reason is not None and reason.kind == "target") is ends


def test_a_target_reached_against_a_constraint_does_not_count() -> None:
    reason = stop_reason(card(stop={"target": 0.5}, constraints=["loss >= 0.4"]), [done(0, config(), 0.3)], None, 0)
    assert reason is None


def test_hours_are_those_in_which_something_ran_over_all_sessions() -> None:
    trials = [
        done(0, config(), 1.0, started=0.0, finished=3600.0),
        done(1, config(), 1.0, started=1800.0, finished=5400.0),  # overlaps: two workers
        done(2, config(), 1.0, started=2000.0, finished=3000.0),  # within both
        done(3, config(), 1.0, started=100_000.0, finished=101_800.0),  # the next day
        Trial(4, config(), "llm", started=101_800.0),  # runs now
    ]
    busy = busy_seconds(trials, 103_600.0)
    assert busy == 5400 + 1800 + 1800
    assert stop_reason(card(budget={"hours": 2.5}), trials, None, busy) is not None
    assert stop_reason(card(budget={"hours": 2.6}), trials, None, busy) is None
    assert stop_reason(card(budget={"hours": 2.6}, stop={"hours": 2.5}), trials, None, busy) is not None
    assert busy_seconds(trials[::-1], 103_600.0) == busy


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 0.0),
        ({"budget": {"trials": 8}}, 0.5),
        ({"budget": {"trials": 8}, "stop": {"trials": 5}}, 0.8),
        ({"budget": {"hours": 4}}, 0.75),
        ({"budget": {"trials": 5, "hours": 4}}, 0.8),
        ({"budget": {"trials": 8, "hours": 4}}, 0.75),
    ],
)
def test_the_share_used_is_of_the_cards_trials_or_of_the_hours_that_ended_trials_took(
    changes: dict, share: float
) -> None:
    ended = [done(i, config(), 1.0, started=3600.0 * i, finished=3600.0 * (i + 1)) for i in range(3)]
    assert share_used(card(**changes), [*ended, Trial(3, config(), "llm", started=10_800.0)]) == share
