"""The front and its volume, against brute force and, where it is installed, BoTorch."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewright import hypervolume
from tunewright.hypervolume import Front, added, growth, on_front, reference, scaled, volume

Array = NDArray[np.float64]


def _covered(points: Array, P: Array) -> NDArray[np.bool_]:
    """Which points some row of P equals or beats in every loss."""
    return np.asarray((P[None, :, :] <= points[:, None, :]).all(-1).any(1))


def _rows(k: int, m: int, seed: int, *, ties: bool = False) -> Array:
    Y = np.random.default_rng(seed).random((k, m))
    return np.round(Y * 4) / 4 if ties else Y


def test_the_front_is_what_no_row_beats() -> None:
    Y = np.array([[0.0, 3.0], [1.0, 1.0], [1.0, 1.0], [1.0, 2.0], [3.0, 0.0], [0.0, 4.0], [2.0, 2.0]])
    assert on_front(Y).tolist() == [True, True, True, False, True, False, False]
    assert on_front(np.zeros((0, 2))).tolist() == []


def _lost_without(P: Array, r: Array) -> list[float]:
    """By how much the volume shrinks without each row."""
    return [volume(P, r) - volume(np.delete(P, i, axis=0), r) for i in range(len(P))]


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_volume_agrees_with_counting_points(m: int, ties: bool) -> None:
    P, r = _rows(12, m, seed=m, ties=ties), np.full(m, 0.9)
    points = np.random.default_rng(9).random((40_000, m)) * 1.2 - 0.2
    below = (points < r).all(1)
    share = float((_covered(points, P) & below).mean())
    assert volume(P, r) == pytest.approx(share * 1.2**m, abs=4 * 1.2**m * math.sqrt(share * (1 - share) / 40_000))


def test_volume_by_hand() -> None:
    P, r = np.array([[1.0, 3.0], [2.0, 1.0], [2.5, 2.5], [5.0, 0.0]]), np.array([4.0, 4.0])
    assert volume(P, r) == 3 * 1 + 2 * 3 - 2 * 1
    assert volume(P[3:], r) == 0.0
    assert _lost_without(P, r) == [1.0, 3.25, 0.0, 0.0]
    assert volume(P[[0, 0, 1]], r) == volume(P, r)


@pytest.mark.parametrize("m", [2, 3])
def test_volume_agrees_with_botorch(m: int) -> None:
    pytest.importorskip("botorch")
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    P, r = _rows(30, m, seed=3), np.ones(m)
    theirs = Hypervolume(ref_point=torch.as_tensor(-r)).compute(torch.as_tensor(-P[on_front(P)]))
    assert volume(P, r) == pytest.approx(theirs, rel=1e-9)


def test_the_reference_point_lies_beyond_the_worst_of_the_front() -> None:
    even = np.array([[float(i), 4.0 - i] for i in range(5)])
    np.testing.assert_allclose(reference(even), [5.0, 5.0])  # 1 / (k - 1) of the range: an end counts as an inner point
    np.testing.assert_allclose(_lost_without(even, reference(even)), np.ones(5))
    many = np.array([[i / 99, 1 - i / 99] for i in range(100)])
    np.testing.assert_allclose(reference(many), [1.1, 1.1])
    np.testing.assert_allclose(reference(np.vstack([even, [[100.0, 100.0]]])), [5.0, 5.0])  # dominated: no say
    np.testing.assert_allclose(reference(np.array([[0.0, 0.0], [2.0, 1.0]])), [2.0, 1.0])  # one point on the front
    np.testing.assert_allclose(reference(np.array([[3.0, 3.0]])), [4.0, 4.0])
    simplex = np.array([[a, b, 3 - a - b] for a in range(4) for b in range(4 - a)], dtype=float)
    np.testing.assert_allclose(reference(simplex), [4.0, 4.0, 4.0])  # ten points: three steps a side


@pytest.mark.parametrize("constant", [1e18, -1e18, 1e300])
def test_a_large_loss_that_never_varies_leaves_the_others_their_shares(constant: float) -> None:
    small, large = (np.array([[3.0, c], [2.0, c], [4.0, c], [1.5, c]]) for c in (7.0, constant))
    assert reference(large)[1] > constant
    for n in (1, 2, 3):
        (gain, had), (same, before) = growth(small[:n], small[n]), growth(large[:n], large[n])
        assert same / (same + before) == pytest.approx(gain / (gain + had), rel=1e-6)


def test_growth_by_hand() -> None:
    one = np.array([[1.0, 3.0]])
    assert growth(one, np.array([1.5, 2.0])) == (0.5, 1.0)  # against (2, 4)
    assert growth(one, one[0]) == (0.0, 1.0)
    assert growth(one, one[0] + 0.1)[0] == 0.0
    for seed in range(50):  # exactly nothing, also where the two volumes differ by a rounding error
        *Y, more = _rows(7, 4, seed)
        assert growth(np.array(Y), Y[0] + 0.3 * more)[0] == 0.0


def test_scale_and_shift_of_a_loss_change_no_share() -> None:
    Y = _rows(20, 3, seed=5)
    Z = Y * np.array([1e3, 1e-2, 7.0]) + np.array([5.0, -1.0, 100.0])
    shares = [np.divide(*growth(rows[:-1], rows[-1])) for rows in (Y, Z)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)
    assert (reference(Y) > Y[on_front(Y)].max(0)).all()


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_rows_that_come_one_after_another_have_the_same_front_and_growth(m: int, ties: bool) -> None:
    Y, front = _rows(16, m, seed=m, ties=ties), Front(m)
    front.add(Y[0])
    for i in range(1, len(Y)):
        covered = bool((Y[:i] <= Y[i]).all(1).any())
        assert front.covers(Y[i]) == covered
        r = reference(Y[: i + 1])
        grown, had = volume(Y[: i + 1], r) - volume(Y[:i], r), volume(Y[:i], r)
        if not covered:
            assert front.growth(Y[i]) == pytest.approx((grown, had), rel=1e-9)
        assert added(Y[:i], Y[i], r) == pytest.approx(grown, abs=1e-9 * had)
        front.add(Y[i])
        assert {tuple(row) for row in front.rows} == {tuple(row) for row in Y[: i + 1][on_front(Y[: i + 1])]}


def test_a_row_beyond_the_reference_adds_nothing() -> None:
    assert added(np.zeros((0, 3)), np.array([2.0, 2.0, 0.0]), np.ones(3)) == 0.0


def test_the_work_for_a_volume_does_not_explode_with_the_number_of_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    P, calls = _rows(30, 5, seed=1), []

    def counted(P: Array, r: Array) -> float:
        calls.append(len(P))
        return volume(P, r)

    monkeypatch.setattr(hypervolume, "volume", counted)
    counted(P, np.ones(5))
    assert len(calls) < 3000


@pytest.mark.parametrize("unit", [1e200, 1e307, 1e-200, 1e-300])
def test_losses_near_the_ends_of_the_floats_keep_their_shares(unit: float) -> None:
    Y = _rows(12, 3, seed=2)
    for other in (np.full(3, unit), np.array([unit, 1.0, 1.0])):
        there = Y * other
        expected, found = growth(Y[:-1], Y[-1]), growth(there[:-1], there[-1])
        assert found[0] / found[1] == pytest.approx(expected[0] / expected[1], rel=1e-9)


def test_losses_of_usual_size_are_left_as_they_are() -> None:
    Y = np.array([[1e-30, 5.0, 0.0], [1e30, -3.0, 0.0]])
    same, exponents = scaled(Y)
    assert (same == Y).all()
    assert exponents.tolist() == [0, 0, 0]
    two = np.array([[-1.5e308, 3.0], [1.5e308, 4.0]])
    made, exponents = scaled(two)
    assert exponents.tolist() == [1024, 0]
    assert (np.ldexp(made, exponents) == two).all()
