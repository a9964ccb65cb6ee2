"""What is fitted: who has a value, what was stopped early goes last, several metrics in one target."""

import math
from dataclasses import replace

import numpy as np
from toy import card, done, failed

from tunewright.space import Float, Space
from tunewright.surrogate import fit
from tunewright.surrogate_values import values_of
from tunewright.trial import Trial
from tunewright_tools.base import Outcome


def trials(n: int) -> list[Trial]:
    return [done(i, c, float(i)) for i, c in enumerate(card().space.sample(n, 1))]


def test_only_done_trials_with_every_metric_count() -> None:
    rng = np.random.default_rng(0)
    broken = replace(trials(5)[4], outcome=Outcome("done", {"loss": math.nan}))
    known = values_of(card(), [*trials(4), broken, failed(5, card().space.default())], rng)
    assert known is not None
    assert [t.number for t in known.done] == [0, 1, 2, 3]
    assert (known.left_out, known.n_stopped) == (1, 0)
    assert known.X.shape == (4, known.encoding.n_columns)
    assert list(np.argsort(known.target)) == [0, 1, 2, 3]
    assert values_of(card(), trials(1), rng) is None


def test_of_several_metrics_the_target_weighs_all_by_weights_that_are_drawn() -> None:
    metrics = [{"name": name, "direction": "minimize"} for name in ("loss", "size")]
    both = card(metric=None, direction=None, metrics=metrics)
    found = [
        replace(t, outcome=Outcome("done", {"loss": float(t.number), "size": float(-t.number)})) for t in trials(6)
    ]
    targets = [values_of(both, found, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert all(known is not None and known.z.shape == (6, 2) for known in targets)
    first, again, other = (known.target for known in targets if known is not None)
    assert (first == again).all()
    assert (first != other).any()


def test_a_value_outside_moved_bounds_is_not_taken_for_one_at_the_bound() -> None:
    wide, narrow = ([Float("lr", 1e-5, high, log=True), Float("b", 0.0, 1.0)] for high in (1.0, 1e-2))
    trials = [done(i, c, abs(math.log10(c["lr"]) + 2)) for i, c in enumerate(Space(*wide).sample(16, 0))]
    found = fit(card(space=Space(*narrow)), trials, seed=0)
    assert found is not None
    assert found.predict([{"lr": 1e-2, "b": 0.5}]).mean[0] < 0.3
