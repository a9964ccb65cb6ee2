"""Expected improvement against BoTorch's; the margin while nothing gains."""

import numpy as np
import pytest
import torch

from tunewright.improvement import log_expected_improvement, margin


def test_log_expected_improvement_agrees_with_botorch_and_never_underflows() -> None:
    from botorch.acquisition.analytic import _log_ei_helper

    u = torch.tensor([-1e6, -300.0, -40.0, -5.0, -1.0, -0.5, 0.0, 3.0, 50.0], dtype=torch.double)
    std = torch.full_like(u, 0.7)
    ours = log_expected_improvement(torch.zeros_like(u), std, u * std)
    torch.testing.assert_close(ours, _log_ei_helper(u) + std.log(), rtol=1e-6, atol=1e-6)


def test_log_expected_improvement_has_a_gradient_everywhere() -> None:
    mean = torch.tensor([-60.0, -1.0, 0.0, 1.0, 60.0, 1e5], dtype=torch.double, requires_grad=True)
    one, zero = torch.ones(6, dtype=torch.double), torch.zeros(6, dtype=torch.double)
    (gradient,) = torch.autograd.grad(log_expected_improvement(mean, one, zero).sum(), mean)
    assert bool(torch.isfinite(gradient).all())
    assert bool((gradient < 0).all())


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ([], 0.0),
        ([0.0], 0.0),
        ([3.0, 2.0, 1.0, 0.0], 0.0),
        ([0.0, 1.0, 1.0], 0.0),
        ([0.0, 1.0, 1.0, 1.0], 0.02),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 0.04),
        ([-1.0, *[0.0] * 50], 0.2),
    ],
)
def test_the_margin_grows_with_trials_that_gain_nothing(z: list[float], expected: float) -> None:
    assert margin(np.array(z)) == pytest.approx(expected)


def test_trials_that_did_not_know_the_best_do_not_raise_the_margin() -> None:
    z = np.array([0.0, *[1.0] * 7])
    assert margin(z) == pytest.approx(0.1)
    assert margin(z, unaware=7) == margin(z[:1]) == 0.0
    assert margin(z, unaware=2) == pytest.approx(0.06)


def test_the_boldest_of_several_aims_further() -> None:
    z = np.array([3.0, 2.0, 1.0, 0.0])
    assert [margin(z, boldness=b) for b in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 0.025, 0.05])
    assert margin(z[:0], boldness=1.0) == 0.0
