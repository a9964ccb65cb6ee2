import math

import pytest
from runs import RATES, SPACE, STEPS, curve, final, run

from tunewright.pruning.base import Run
from tunewright.pruning.curve import CHECKS, CurvePruner
from tunewright_tools.base import Point


def told(sign: int = 1, rates: list[float] = RATES, **options: float) -> CurvePruner:
    pruner = CurvePruner(SPACE, "loss", sign, **options)
    for i, lr in enumerate(rates):
        pruner.tell(run(i, lr, sign=sign))
    return pruner


def stopped_at(pruner: CurvePruner, number: int, lr: float, sign: int = 1) -> float | None:
    for p in run(number, lr, sign=sign).curve:
        if pruner.stop(number, {"lr": lr}, p):
            return p.step
    return None


def test_a_hopeless_run_is_stopped_early_and_a_promising_one_never() -> None:
    pruner = told()
    assert stopped_at(pruner, 10, 8e-2) <= STEPS / 4
    assert stopped_at(pruner, 11, 1e-3) is None


def test_the_direction_counts() -> None:
    pruner = told(sign=-1)
    assert stopped_at(pruner, 10, 8e-2, sign=-1) <= STEPS / 4
    assert stopped_at(pruner, 11, 1e-3, sign=-1) is None


def test_the_prediction_is_near_the_end_and_says_how_sure_it_is() -> None:
    found = told().predict({"lr": 5e-3}, curve({"lr": 5e-3}, 10))
    assert found is not None
    assert found.low < found.final < found.high
    assert found.final == pytest.approx(final({"lr": 5e-3}), abs=0.3)
    assert found.p_best < 0.05


def test_the_reason_is_for_people() -> None:
    pruner = told()
    reasons = [r for p in curve({"lr": 8e-2}) if (r := pruner.stop(9, {"lr": 8e-2}, p))]
    assert reasons[0].startswith("curve: loss is predicted to end at ")
    assert "chance of beating the best 0.0" in reasons[0]


def test_nothing_is_stopped_before_enough_runs_have_ended() -> None:
    assert stopped_at(told(rates=RATES[:5]), 10, 8e-2) is None
    assert stopped_at(told(rates=RATES[:5], fewest=5), 10, 8e-2) is not None


def test_runs_that_were_stopped_or_break_a_constraint_are_never_the_best() -> None:
    pruner = CurvePruner(SPACE, "loss", 1)
    for i, lr in enumerate(RATES):
        one = run(i, lr)
        pruner.tell(Run(i, one.config, one.curve, one.final, feasible=False))
    assert stopped_at(pruner, 10, 8e-2) is None  # there is no best to beat
    pruner.tell(run(20, 9e-2))
    assert stopped_at(pruner, 11, 1e-3) is None  # better than the only feasible one
    before = told(rates=RATES[:5])
    before.tell(Run(6, {"lr": 1e-3}, curve({"lr": 1e-3}), None))
    assert before.predict({"lr": 1e-2}, curve({"lr": 1e-2}, 5)) is None  # still five full runs


def test_runs_of_different_lengths_are_compared_by_their_seconds() -> None:
    pruner = CurvePruner(SPACE, "loss", 1)
    for i, lr in enumerate(RATES):
        every = 1 + i % 3  # the same training, reported at other steps
        points = [Point(p.step * every, p.metrics, p.seconds) for p in curve({"lr": lr})]
        pruner.tell(Run(i, {"lr": lr}, points, points[-1].metrics["loss"]))
    steps = [p.seconds for p in curve({"lr": 8e-2}) if pruner.stop(9, {"lr": 8e-2}, p)]
    assert steps
    assert steps[0] <= 10 * STEPS / 4


def test_equal_losses_and_values_that_are_no_numbers_do_no_harm() -> None:
    pruner = CurvePruner(SPACE, "loss", 1)
    flat = [Point(float(s), {"loss": 1.0}, float(s)) for s in range(1, 11)]
    for i, lr in enumerate(RATES):
        pruner.tell(Run(i, {"lr": lr}, flat, 1.0))
    assert all(pruner.stop(9, {"lr": 5e-3}, p) is None for p in flat)
    assert pruner.stop(9, {"lr": 5e-3}, Point(11.0, {"loss": math.nan}, 11.0)) is None
    assert pruner.stop(9, {"lr": 5e-3}, Point(11.0, {"accuracy": 0.1}, 11.0)) is None


def test_a_run_that_reports_often_is_looked_at_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    pruner = CurvePruner(SPACE, "loss", 1)
    for i, lr in enumerate(RATES):
        long = [Point(float(s), {"loss": final({"lr": lr}) + 20 / s}, float(s)) for s in range(1, 1001)]
        pruner.tell(Run(i, {"lr": lr}, long, long[-1].metrics["loss"]))
    looks: list[float] = []
    monkeypatch.setattr(pruner, "_predict", lambda config, live: looks.append(live[-1].step))
    for s in range(1, 1001):
        pruner.stop(9, {"lr": 1e-3}, Point(float(s), {"loss": 1.0}, float(s)))
    assert len(looks) == CHECKS - 1


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"threshold": 1.0}, {"fewest": 3}, {"fewest": 6.5}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        CurvePruner(SPACE, "loss", 1, **options)  # type: ignore[arg-type]
