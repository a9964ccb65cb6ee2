import math
import re

import pytest
from runs import RATES, STEPS, curve, final, run

from tunewright.pruning.base import Run
from tunewright.pruning.curve import CHECKS, CurvePruner
from tunewright_tools.base import Point


def told(sign: int = 1, rates: list[float] = RATES, **options: float) -> CurvePruner:
    pruner = CurvePruner("loss", sign, **options)
    for i, lr in enumerate(rates):
        pruner.tell(run(i, lr, sign=sign))
    return pruner


def stopped_at(pruner: CurvePruner, number: int, lr: float, sign: int = 1) -> float | None:
    for p in run(number, lr, sign=sign).curve:
        if pruner.stop(number, p):
            return p.step
    return None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_hopeless_run_is_stopped_early_and_a_promising_one_never(sign: int) -> None:
    pruner = told(sign)
    assert stopped_at(pruner, 10, 8e-2, sign) <= STEPS / 4
    assert stopped_at(pruner, 11, 1e-3, sign) is None


def test_the_judgement_is_what_the_curves_say() -> None:
    found = told(rates=RATES[:3]).judge(curve({"lr": 1e-1}, 10))
    assert found is not None
    best = min(run(0, lr).final for lr in RATES[:3])  # type: ignore[type-var]
    assert found.needed == pytest.approx(min(p.metrics["loss"] for p in curve({"lr": 1e-1}, 10)) - best)
    rest = [curve({"lr": lr}) for lr in RATES[:3]]
    gains = [max(p.metrics["loss"] for p in points[9:]) - points[-1].metrics["loss"] for points in rest]
    own = curve({"lr": 1e-1}, 10)
    gains.append(own[4].metrics["loss"] - own[9].metrics["loss"])  # one doubling is left
    assert found.most == pytest.approx(max(gains))
    assert found.known == 4
    assert found.p_best == pytest.approx((max(gains) / found.needed) ** 4 / 5)


def test_the_reason_has_the_numbers() -> None:
    pruner = told()
    reason = next(r for p in curve({"lr": 8e-2}) if (r := pruner.stop(9, p)))
    said = re.fullmatch(
        r"curve: loss needs to gain (\S+) to equal the best, and of (\d+) gains from there on the largest is (\S+): "
        r"chance of beating the best (0\.0\d\d)",
        reason,
    )
    assert said
    assert float(said[1]) > float(said[3])
    assert int(said[2]) >= len(RATES)


def test_nothing_is_stopped_before_enough_runs_have_ended() -> None:
    assert stopped_at(told(rates=[]), 10, 8e-2) is None
    assert stopped_at(told(rates=RATES[:1]), 10, 8e-2) is not None
    assert stopped_at(told(rates=RATES[:4], fewest=5), 10, 8e-2) is None
    assert stopped_at(told(rates=RATES[:5], fewest=5), 10, 8e-2) is not None


def test_one_point_is_judged_from_three_full_runs_on() -> None:
    far = [Point(1.0, {"loss": 1e3}, 1.0)]
    assert told(rates=RATES[:2]).judge(far) is None
    found = told(rates=RATES[:3]).judge(far)
    assert found is not None
    assert found.known == 3


def test_a_run_that_still_falls_fast_goes_on_though_no_other_run_gained_so_late() -> None:
    pruner = CurvePruner("loss", 1)
    for i in range(4):
        early = [Point(float(s), {"loss": 1.0 if s > 2 else 5.0}, float(s)) for s in range(1, 21)]
        pruner.tell(Run(i, early, 1.0))
    slow = [3 - 0.6 * math.log2(s) for s in range(1, 21)]
    assert all(pruner.stop(8, Point(float(s), {"loss": z}, float(s))) is None for s, z in enumerate(slow, 1))
    flat = [3.0] * 20
    assert any(pruner.stop(9, Point(float(s), {"loss": z}, float(s))) for s, z in enumerate(flat, 1))


def test_stopped_runs_that_came_as_far_are_evidence_and_never_the_best() -> None:
    pruner = told(rates=RATES[:3])
    before = pruner.judge(curve({"lr": 8e-2}, 5))
    pruner.tell(Run(6, curve({"lr": 1e-3}, 4), None))  # not as far as 5
    assert pruner.judge(curve({"lr": 8e-2}, 5)) == before
    pruner.tell(Run(7, curve({"lr": 1e-3}, 19), None))
    pruner.tell(Run(8, curve({"lr": 1e-3}, 5), None))
    after = pruner.judge(curve({"lr": 8e-2}, 5))
    assert before is not None
    assert after is not None
    assert (after.known, after.needed) == (before.known + 2, before.needed)


def test_a_second_attempt_is_judged_by_its_own_curve() -> None:
    pruner = told()
    assert not any(pruner.stop(9, p) for p in curve({"lr": 1e-3}, 12))
    pruner.tell(Run(9, [], None))  # its worker was lost
    at = stopped_at(pruner, 9, 8e-2)
    assert at is not None
    assert at == stopped_at(told(), 9, 8e-2)


def test_points_of_an_ended_run_that_are_no_numbers_or_of_other_metrics_are_passed_over() -> None:
    pruner = CurvePruner("loss", 1)
    for i, lr in enumerate(RATES):
        one = run(i, lr)
        odd = [Point(12.5, {"loss": math.nan}, 125.0), Point(12.7, {"accuracy": 0.5}, 127.0)]
        pruner.tell(Run(i, [*one.curve[:12], *odd, *one.curve[12:]], one.final))
    far = [Point(1.0, {"loss": 1e3}, 1.0)]  # without a pace of its own: what the others gained decides
    assert pruner.judge(far) == told().judge(far)


def test_a_full_run_counts_from_two_points_on() -> None:
    pruner = told(rates=RATES[:2])
    pruner.tell(Run(2, curve({"lr": 1e-2})[-1:], final({"lr": 1e-2})))
    assert pruner.judge([Point(1.0, {"loss": 1e3}, 1.0)]) is None
    pruner.tell(Run(3, curve({"lr": 1e-2})[-2:], final({"lr": 1e-2})))
    assert pruner.judge([Point(1.0, {"loss": 1e3}, 1.0)]) is not None


def test_runs_that_break_a_constraint_are_never_the_best() -> None:
    pruner = CurvePruner("loss", 1)
    for i, lr in enumerate(RATES):
        one = run(i, lr)
        pruner.tell(Run(i, one.curve, one.final, feasible=False))
    assert stopped_at(pruner, 10, 8e-2) is None  # there is no best to beat
    pruner.tell(run(20, 9e-2))
    assert stopped_at(pruner, 11, 1e-3) is None  # better than the only feasible one


def test_equal_losses_and_values_that_are_no_numbers_do_no_harm() -> None:
    pruner = CurvePruner("loss", 1)
    flat = [Point(float(s), {"loss": 1.0}, float(s)) for s in range(1, 11)]
    for i in range(8):
        pruner.tell(Run(i, flat, 1.0))
    assert all(pruner.stop(9, p) is None for p in flat)
    assert pruner.stop(9, Point(11.0, {"loss": math.nan}, 11.0)) is None
    assert pruner.stop(9, Point(11.0, {"accuracy": 0.1}, 11.0)) is None
    pruner.tell(Run(9, [], None))
    assert pruner.judge([]) is None


@pytest.mark.parametrize("growing", [0, 1])  # with steps of different sizes the points are counted
def test_a_run_that_reports_often_is_looked_at_a_few_times(growing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pruner = CurvePruner("loss", 1)
    for i, lr in enumerate(RATES):
        size = 1.0 + growing * i
        long = [Point(size * s, {"loss": final({"lr": lr}) + 20 / s}, float(s)) for s in range(1, 101)]
        pruner.tell(Run(i, long, long[-1].metrics["loss"]))
    looks: list[float] = []
    monkeypatch.setattr(pruner, "_judge", lambda live: looks.append(live[-1].step))
    for s in range(1, 101):
        pruner.stop(9, Point(float(s), {"loss": 1.0}, float(s)))
    assert len(looks) == CHECKS - 1


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"threshold": 1.0}, {"fewest": 0}, {"fewest": 6.5}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        CurvePruner("loss", 1, **options)  # type: ignore[arg-type]
