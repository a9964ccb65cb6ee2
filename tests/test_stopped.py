"""Runs of y = |x - 0.8| + 1/step over 10 steps; those on the left are stopped at step 3."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy import card, done

from tunewright.acquisition import suggest
from tunewright.space import Float, Space
from tunewright.stopped import stopped_losses
from tunewright.surrogate import fit
from tunewright.targets import scale
from tunewright.trial import Trial
from tunewright_tools.base import Outcome, Point

SPACE = Space(Float("x", 0.0, 1.0))


def study(**changes: Any) -> Any:
    return card(space=SPACE, **changes)


def curve(x: float, steps: int, sign: int = 1, stride: float = 1.0, pace: float = 1.0) -> tuple[Point, ...]:
    """Points that stand `stride` steps and `pace` seconds apart."""
    loss = [sign * (abs(x - 0.8) + 1 / s) for s in range(1, steps + 1)]
    return tuple(Point(stride * s, {"loss": value}, pace * s) for s, value in enumerate(loss, 1))


def full(number: int, x: float, sign: int = 1, steps: int = 10, **apart: float) -> Trial:
    points = curve(x, steps, sign, **apart)
    value = points[-1].metrics["loss"]
    return done(number, {"x": x}, value, outcome=Outcome("done", {"loss": value}, points), record_id=number)


def cut(number: int, x: float, steps: int = 3, sign: int = 1, **apart: float) -> Trial:
    outcome = Outcome("pruned", {}, curve(x, steps, sign, **apart), detail="stopped early")
    return Trial(number, {"x": x}, "sobol", status="pruned", outcome=outcome, record_id=number)


FULL = [full(0, 0.5), full(1, 0.7), full(2, 0.9), full(3, 1.0), full(4, 0.62)]


def test_a_stopped_run_is_expected_where_its_curve_points() -> None:
    ((t, loss),) = stopped_losses(study(), [*FULL, cut(5, 0.1)])
    assert t.number == 5
    assert loss > max(x.outcome.metrics["loss"] for x in FULL)  # farther out than any full run
    worse = stopped_losses(study(), [*FULL, cut(5, 0.4), cut(6, 0.0)])
    assert worse[0][1] < worse[1][1]


def test_it_is_never_expected_to_beat_the_best() -> None:
    best = min(t.outcome.metrics["loss"] for t in FULL)
    assert stopped_losses(study(), [*FULL, cut(5, 0.8)])[0][1] == best
    feasible = study(constraints=["loss >= 0.3"])  # only the worst of the full runs keeps it
    assert stopped_losses(feasible, [*FULL, cut(5, 0.8)])[0][1] == FULL[0].outcome.metrics["loss"]

    unmet = study(constraints=["loss >= 9"])
    assert stopped_losses(unmet, [*FULL, cut(5, 0.8)])[0][1] == best


def test_what_the_full_runs_say_is_drawn_to_their_middle_by_one_run_that_shows_no_relation() -> None:
    finals = scale(np.array([t.outcome.metrics["loss"] for t in FULL]))
    ((_, loss),) = stopped_losses(study(), [*FULL, cut(5, 0.5)])  # as the first of the full runs was at its third step
    there = finals.forward(np.array([FULL[0].outcome.metrics["loss"]]))
    assert loss == pytest.approx(finals.back(there * 5 / 6)[0])


def test_runs_are_compared_at_the_same_step_and_where_their_steps_differ_at_the_same_time() -> None:
    ((_, loss),) = stopped_losses(study(), [*FULL, cut(5, 0.1)])
    slower = [full(i, t.config["x"], pace=1.0 + i) for i, t in enumerate(FULL)]
    assert stopped_losses(study(), [*slower, cut(5, 0.1, pace=9.0)])[0][1] == loss
    larger = [full(i, t.config["x"], stride=1.0 + i) for i, t in enumerate(FULL)]
    assert stopped_losses(study(), [*larger, cut(5, 0.1, stride=9.0)])[0][1] == loss
    stepless = [full(i, t.config["x"], stride=0.0) for i, t in enumerate(FULL)]
    assert stopped_losses(study(), [*stepless, cut(5, 0.1, stride=0.0)])[0][1] == loss


def test_only_full_runs_that_were_there_too_tell_where_a_curve_points() -> None:
    late = replace(FULL[4].outcome, curve=FULL[4].outcome.curve[4:])  # it has no point where the others were stopped
    assert stopped_losses(study(), [*FULL[:4], replace(FULL[4], outcome=late), cut(5, 0.1)]) == [
        (cut(5, 0.1), stopped_losses(study(), [*FULL[:4], cut(5, 0.1)])[0][1])
    ]
    shorter = [*FULL[:3], full(3, 1.0, steps=9), full(4, 0.9, steps=9)]
    assert stopped_losses(study(), [*shorter, cut(5, 0.1, steps=10)]) == [
        (cut(5, 0.1, steps=10), stopped_losses(study(), [*FULL[:3], cut(5, 0.1, steps=10)])[0][1])
    ]


def test_points_without_the_metric_are_passed_over() -> None:
    stopped = cut(5, 0.1)
    more = replace(stopped.outcome, curve=(*stopped.outcome.curve, Point(8.0, {"lr": 0.1}, 8.0)))
    assert (
        stopped_losses(study(), [*FULL, replace(stopped, outcome=more)])[0][1]
        == (stopped_losses(study(), [*FULL, stopped])[0][1])
    )


def test_a_larger_metric_may_be_the_better_one() -> None:
    up = study(direction="maximize")
    trials = [full(t.number, t.config["x"], -1) for t in FULL]
    mirrored = stopped_losses(up, [*trials, cut(5, 0.1, sign=-1)])
    assert mirrored[0][1] == pytest.approx(stopped_losses(study(), [*FULL, cut(5, 0.1)])[0][1])


def test_without_enough_curves_it_is_a_middling_run() -> None:
    plain = [done(i, {"x": 0.1 * i}, float(i)) for i in range(5)]
    assert stopped_losses(study(), [*plain, cut(5, 0.1)])[0][1] == 2.0
    assert stopped_losses(study(), [*FULL, cut(5, 0.1, steps=0)])[0][1] == np.median(
        [t.outcome.metrics["loss"] for t in FULL]
    )
    assert stopped_losses(study(), [*FULL[:2], cut(5, 0.1)])[0][1] == np.median(
        [t.outcome.metrics["loss"] for t in FULL[:2]]
    )
    assert stopped_losses(study(), [cut(5, 0.1)]) == []


def test_several_metrics_learn_nothing_from_it() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    assert stopped_losses(study(metrics=metrics, metric=None, direction=None), [*FULL, cut(5, 0.1)]) == []


# -- the surrogate ------------------------------------------------------------------------------------------------

NARROW = [full(0, 0.55), full(1, 0.6), full(2, 0.65), full(3, 0.7)]
"""Getting better to the right; nothing is known of the left half."""
LEFT = [cut(4, 0.05), cut(5, 0.15), cut(6, 0.25), cut(7, 0.35)]


def test_the_surrogate_leaves_a_region_whose_runs_were_stopped() -> None:
    left = [{"x": v} for v in (0.1, 0.2, 0.3)]
    blind, told = (fit(study(), trials, seed=0) for trials in (NARROW, NARROW + LEFT))
    assert told.predict(left).mean.min() > blind.predict(left).mean.max()
    assert told.predict(left).std.max() < blind.predict(left).std.min()
    promise = [s.log_acquisition(left).max() - s.log_acquisition([{"x": 0.8}])[0] for s in (blind, told)]
    assert promise[1] < promise[0] - 1
    assert all(p.config["x"] > 0.5 for p in suggest(told, study(), NARROW + LEFT, n=2, seed=0))


def test_a_stopped_run_is_never_the_incumbent_nor_counted() -> None:
    near = [cut(8, 0.8), cut(9, 0.79)]  # they would have been the best
    told = fit(study(), NARROW + near, seed=0)
    assert told.incumbent.number == 3
    assert told.n_done == 4
    assert told._best is not None
    means = told._value.posterior(told._value.X)[0]
    assert (told._best == means[:, :4].min(1).values).all()


def test_the_same_record_gives_the_same_surrogate() -> None:
    configs = [{"x": v} for v in (0.1, 0.5, 0.9)]
    means = [fit(study(), NARROW + LEFT, seed=3).predict(configs).mean for _ in range(2)]
    assert (means[0] == means[1]).all()
