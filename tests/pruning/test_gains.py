import math

import numpy as np
import pytest

from tunewright.pruning.gains import Curve, chance, common_axis
from tunewright_tools.base import Point
from tunewright_tools.contract import MAX_POINTS


def made(losses: list[float], step: float = 1.0, seconds: float = 1.0) -> Curve:
    points = [Point(step * i, {}, seconds * i) for i in range(1, len(losses) + 1)]
    return Curve(points, losses)


def test_the_chance_is_that_of_an_even_spread_with_an_unknown_limit() -> None:
    random = np.random.default_rng(0)
    n, m, needed = 3, 2.0, 3.0
    limits = m / random.uniform(size=200_000) ** (1 / n)  # Pareto, what three gains up to m say of the limit
    drawn = random.uniform(0, limits)
    gains = [0.5, m, 1.0]
    assert chance(needed, gains) == pytest.approx((drawn > needed).mean(), abs=0.005)
    assert chance(1.0, gains) == pytest.approx((drawn > 1.0).mean(), abs=0.005)
    assert chance(m, gains) == pytest.approx(1 / (n + 1))
    assert chance(0.0, gains) == 1.0
    assert chance(0.1, [0.0, -1.0]) == 0.0


def test_more_gains_make_surer() -> None:
    assert chance(2.0, [1.0] * 8) < chance(2.0, [1.0] * 2) < chance(2.0, [1.0])


def test_gains_from_a_place_on() -> None:
    curve = made([4.0, 2.0, 3.0, 1.0], step=10)
    assert curve.gain_to(1.0, "step", 10) == 3.0
    assert curve.gain_to(1.0, "step", 20) == 2.0  # it was worse later
    assert curve.gain_to(0.5, "step", 35) == 2.5  # what stood at 35 was the point at 30
    assert curve.gain_to(1.0, "step", 5) == 3.0  # nothing stood there yet
    assert curve.gain_to(1.0, "seconds", 2) == curve.gain_to(1.0, "points", 2) == 2.0


def test_the_gain_at_its_pace() -> None:
    curve = made([4.0, 2.0, 1.5, 1.0])
    assert curve.gain_at_pace("step", 8) == pytest.approx(1.0)
    assert curve.gain_at_pace("step", 6) == pytest.approx(math.log2(1.5))
    assert curve.gain_at_pace("step", 4) == curve.gain_at_pace("step", 3) == 0.0
    assert curve.gain_beyond("step", 3, 8) == pytest.approx(0.5 + 1.0)
    assert made([1.0, 2.0]).gain_at_pace("step", 10) == 0.0
    assert made([4.0, 2.0], step=0.0).gain_at_pace("step", 10) == 0.0  # at step 0 nothing is known of a pace


def test_the_pace_of_a_curve_that_begins_late_is_that_of_the_part_that_it_shows() -> None:
    steps = [5000.0, 5200.0, 5400.0]
    losses = [10 - math.log2(step) for step in steps]  # each doubling of the way brings 1
    curve = Curve([Point(step, {"loss": 0.0}, step) for step in steps], losses)
    assert curve.gain_at_pace("step", 10_800) == pytest.approx(1.0)
    assert curve.gain_at_pace("step", 21_600) == pytest.approx(2.0)
    assert Curve([Point(5.0, {"loss": 0.0}, 5.0)] * 2, [2.0, 1.0]).gain_at_pace("step", 10) == 0.0  # no way at all


def test_the_axis_on_which_full_runs_end_together() -> None:
    losses = [1.0] * 10
    assert common_axis([made(losses), made([*losses, 1.0])]) == "step"
    assert common_axis([made(losses, step=MAX_POINTS), made([1.0] * 5, step=2 * MAX_POINTS)]) == "step"
    assert common_axis([made(losses), made(losses, step=4.0)]) == "points"
    assert common_axis([made(losses), made([1.0] * 5, step=4.0)]) == "seconds"
    long = [1.0] * MAX_POINTS
    assert common_axis([made(long), made(long, step=4.0)]) == "seconds"
    assert common_axis([made(losses, step=0.0)]) == "points"
