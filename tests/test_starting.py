from typing import Any

import pytest
from toy import card, config, done, failed

from tunewright.earlier import Earlier, Row, fitting
from tunewright.space import Float, Space
from tunewright.starting import EARLIER, TEXTBOOK, of_earlier, of_textbook, worth_more
from tunewright.trial import Trial


def past(name: str, *losses_and_rates: tuple[float, float], **more: Any) -> Earlier:
    rows = [Row(config(lr), {"loss": value}, "done") for value, lr in losses_and_rates]
    return fitting(name, card(), rows, **more)


def rates(*sets: Earlier, **changes: Any) -> list[float]:
    return [p.config["lr"] for p in of_earlier(card(**changes), sets)]


def test_the_best_comes_first_and_the_others_are_far_from_it() -> None:
    crowd = [(0.1 + 0.001 * k, 0.01 * (1 + 0.01 * k)) for k in range(6)]
    one = past("a", *crowd, (0.2, 1e-4), (0.3, 0.09), *[(5.0, 1e-5 * (1 + k)) for k in range(32)])
    found = rates(one)
    assert found[0] == 0.01
    assert sorted(found[1:]) == [1e-4, 0.09]
    points = of_earlier(card(), [one])
    assert {p.source for p in points} == {"earlier"}
    assert points[0].rationale == "loss 0.1 in a"


def test_sets_take_turns_and_no_point_comes_twice() -> None:
    a, b = past("a", (1.0, 0.01), (2.0, 0.02)), past("b", (7.0, 0.01), (8.0, 0.03))
    assert rates(a, b) == [0.01, 0.03, 0.02]
    assert len(rates(*[past(str(k), (1.0, 0.01 + 0.001 * k)) for k in range(5)])) == EARLIER


def test_of_the_very_same_task_only_the_best_is_run_again() -> None:
    assert rates(past("a", (1.0, 0.01), (2.0, 0.02), same_task=True)) == [0.01]


def test_what_cannot_run_and_the_default_are_no_starting_points() -> None:
    assert rates(past("a", (0.1, 0.5), (0.2, 1e-3), (0.3, 0.01))) == [0.01]
    assert rates(past("a", (0.2, 1e-3)), start="none") == [1e-3]


def test_earlier_trials_that_failed_are_no_starting_points() -> None:
    rows = [Row(config(0.02), {}, "oom"), Row(config(0.01), {"loss": 1.0}, "done"), Row(config(0.03), {}, "crashed")]
    assert rates(fitting("a", card(), rows)) == [0.01]


def test_a_trial_that_breaks_a_constraint_is_no_starting_point() -> None:
    bounded = card(constraints=["seconds <= 10"])
    rows = [
        Row(config(lr), {"loss": lr, **({"seconds": s} if s else {})}, "done")
        for lr, s in ((0.01, 99), (0.02, 5), (0.03, 0))
    ]
    found = of_earlier(bounded, [fitting("a", bounded, rows)])
    assert [p.config["lr"] for p in found] == [0.02, 0.03]


def test_a_larger_value_is_better_where_the_card_says_so() -> None:
    up = card(direction="maximize")
    assert of_earlier(up, [past("a", (1.0, 0.01), (2.0, 0.02))])[0].config["lr"] == 0.02


@pytest.mark.parametrize(
    ("default", "earlier", "more"),
    [
        (1.0, [], True),
        (1.0, [0.5], True),
        (1.0, [1.0], False),
        (1.0, [2.0, 0.5], True),  # the best of them counts
        (1.0, [None], True),  # a failure shows nothing of the others
        (None, [2.0], True),  # nothing to measure them by
    ],
)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_more_of_the_earlier_trials_run_unless_the_first_were_no_better_than_the_default(
    direction: str, default: float | None, earlier: list[float | None], more: bool
) -> None:
    def ended(number: int, value: float | None, source: str) -> Trial:
        if value is None:
            return failed(number, config(), source=source)
        return done(number, config(), value if direction == "minimize" else -value, source=source)

    trials = [ended(0, default, "default"), *(ended(i, v, "earlier") for i, v in enumerate(earlier, start=1))]
    assert worth_more(card(direction=direction), trials) is more


@pytest.mark.parametrize("seed", [0, 1])
def test_the_textbook_gives_points_where_it_knows_most_parameters(seed: int) -> None:
    found = of_textbook(card(), seed)
    assert len(found) == TEXTBOOK
    assert {p.source for p in found} == {"textbook"}
    assert "width" in found[0].rationale
    assert "lr" not in found[0].rationale  # which optimizer it belongs to is not said
    unknown = Float("zeta_7", 0.0, 1.0)
    assert of_textbook(card(space=Space(unknown)), seed) == []
    assert of_textbook(card(space=Space(unknown, Float("dropout", 0.0, 0.5))), seed) == []  # half is not enough
