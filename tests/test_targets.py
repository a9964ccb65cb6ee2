"""Standardising values: order kept, bad tail tamed, good half kept apart, and back."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.targets import scale

_LOSSES = st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=1, max_size=30)


@given(_LOSSES)
@settings(max_examples=200, deadline=None)
def test_order_is_kept_and_the_way_back_leads_home(losses: list[float]) -> None:
    y = np.array(losses)
    s = scale(y)
    z = s.forward(y)
    assert np.isfinite(z).all()
    assert ((y[:, None] < y) <= (z[:, None] < z)).all()
    assert ((y[:, None] == y) <= (z[:, None] == z)).all()
    np.testing.assert_allclose(s.back(z), y, rtol=1e-6, atol=1e-6 * max(1.0, np.ptp(y)))


@given(_LOSSES.filter(lambda v: len(set(v)) > 1))
@settings(max_examples=100, deadline=None)
def test_mean_0_and_variance_1(losses: list[float]) -> None:
    z = scale(np.array(losses)).forward(np.array(losses))
    assert z.mean() == pytest.approx(0, abs=1e-6)
    assert z.std() == pytest.approx(1, abs=1e-6)


def test_a_bad_tail_does_not_squeeze_the_good_half() -> None:
    mild = np.array([0.10, 0.11, 0.12, 0.13, 0.5, 0.6, 0.7, 9.0])
    wild = np.array([0.10, 0.11, 0.12, 0.13, 0.5, 0.6, 0.7, 1e9])
    a, b = scale(mild).forward(mild), scale(wild).forward(wild)
    assert b[3] - b[0] == pytest.approx(a[3] - a[0], rel=0.1)
    assert (np.diff(b) > 0).all()
    assert b[-1] < 4


@pytest.mark.parametrize("shift", [0.0, 50.0, -50.0])
def test_up_to_two_units_above_the_median_losses_keep_their_distances_and_none_goes_beyond_four(shift: float) -> None:
    y = np.array([-2.0, -1.0, -1.0, 0.0, 1.0, 2.0, 4.0, 1e12, 1e15]) + shift
    unit = np.sqrt(np.mean((y[:5] - y[4]) ** 2))  # the spread of the better half
    z = scale(y).forward(y)
    units = (z - z[4]) / (z[1] - z[0]) / unit
    np.testing.assert_allclose(units[:7], (y[:7] - y[4]) / unit, atol=1e-6)
    assert 2 < units[7] < units[8] <= 4 + 1e-6


@pytest.mark.parametrize("value", [-3.0, 0.0, 5.0, 1e-12, -1e12])
def test_constant_values_have_no_spread(value: float) -> None:
    s = scale(np.full(4, value))
    assert s.forward(np.full(2, value)).tolist() == [0.0, 0.0]
    assert s.back(np.zeros(1)).tolist() == [value]
    assert s.back(np.array([1.0]))[0] > value > s.back(np.array([-1.0]))[0]


def test_most_values_tie_with_the_best() -> None:
    y = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 5.0])
    z = scale(y).forward(y)
    assert len(set(z[:4])) == 1
    assert z[5] > z[4] > z[0]
    np.testing.assert_allclose(scale(y + 50).forward(y + 50), z)


@pytest.mark.parametrize("tie", [2.302585092994046, 1e10, -0.1])
def test_most_values_tie_with_the_worst_and_the_best_is_less_by_a_rounding_error(tie: float) -> None:
    y = np.array([np.nextafter(tie, -np.inf), tie, tie, tie])
    s = scale(y)
    z = s.forward(y)
    assert np.isfinite(z).all()
    assert z[0] < z[1] == z[2] == z[3]
    np.testing.assert_allclose(s.back(z), y)


@pytest.mark.parametrize("factor", [1e300, -1e300, 1e-300, 1e160, 1e-160])
def test_values_of_any_size_are_standardised(factor: float) -> None:
    y = np.array([0.3, 1.0, 0.7, 0.9, 0.4]) * factor
    s = scale(y)
    np.testing.assert_allclose(s.forward(y), scale(y / abs(factor)).forward(y / abs(factor)), rtol=1e-9)
    np.testing.assert_allclose(s.back(s.forward(y)), y)


@pytest.mark.parametrize("penalty", [1e300, sys.float_info.max])
def test_the_largest_number_there_is_as_a_penalty_is_only_bad(penalty: float) -> None:
    y = np.array([1e-9, 2e-9, 3e-9, 4e-9, penalty])
    s = scale(y)
    z = s.forward(y)
    assert (np.diff(z) > 1e-3).all()
    assert z[-1] < 3
    assert np.isfinite(s.back(np.array([-3.0, 0.0, 5.0]))).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "losses",
    [
        [0.3, *[sys.float_info.max] * 3],
        [-1.7e308, -1.2e308],
        [-1.7e308, 0.5, 1.5e308, 1.7e308],
        [5e-324, 0.0, 0.0],
        [5e-324, 5e-324, 0.0],
        [1e-320, 3e-320, 2e-320],
    ],
)
def test_losses_at_the_ends_of_the_floats_are_standardised(losses: list[float]) -> None:
    y = np.array(losses)
    s = scale(y)
    z = s.forward(y)
    assert z.mean() == pytest.approx(0, abs=1e-6)
    assert z.std() == pytest.approx(1, abs=1e-6)
    assert ((y[:, None] < y) == (z[:, None] < z)).all()
    np.testing.assert_allclose(s.back(z), y, rtol=1e-12)
    assert np.isfinite(s.back(np.array([-50.0, 0.0, 50.0]))).all()


def test_beyond_the_ends_the_map_goes_on() -> None:
    y = np.array([1.0, 2.0, 3.0, 10.0])
    s = scale(y)
    beyond = np.array([-5.0, 0.0, 1.0, 10.0, 50.0])
    z = s.forward(beyond)
    assert (np.diff(z) > 0).all()
    assert z[1] - z[0] == pytest.approx(5 * (s.forward(y)[1] - z[2]))
    np.testing.assert_allclose(s.back(s.forward(beyond)), beyond, atol=1e-12)
