import numpy as np
from toy import space

from tunewright.prior import candidates
from tunewright.space import Int, Space


def test_draws_fall_around_the_guess_on_the_parameters_scale() -> None:
    drawn = candidates(space(), {"lr": {"guess": 1e-3, "low": 3e-4, "high": 3e-3}}, 2000, np.random.default_rng(0))
    logs = np.log10([c["lr"] for c in drawn])
    assert abs(np.median(logs) + 3) < 0.05
    inside = np.mean((logs > np.log10(3e-4)) & (logs < np.log10(3e-3)))
    assert 0.75 < inside < 0.85


def test_draws_are_cut_at_the_bounds_not_piled_on_them() -> None:
    drawn = candidates(space(), {"lr": {"guess": 1e-5, "low": 1e-7, "high": 1e-2}}, 500, np.random.default_rng(0))
    assert all(not space().check(c).faults for c in drawn)
    assert np.mean([c["lr"] == 1e-5 for c in drawn]) < 0.05


def test_parameters_without_a_view_are_uniform() -> None:
    drawn = candidates(space(), {}, 2000, np.random.default_rng(0))
    assert 0.45 < np.mean([c["optimizer"] == "sgd" for c in drawn]) < 0.55


def test_relations_hold() -> None:
    s = Space(Int("width", 8, 64), Int("heads", 1, 8), relations=["width % heads == 0"])
    drawn = candidates(s, {"width": {"guess": 33, "low": 20, "high": 50}}, 200, np.random.default_rng(0))
    assert drawn
    assert all(c["width"] % c["heads"] == 0 for c in drawn)
