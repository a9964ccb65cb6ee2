"""Statistics against numpy and scipy, and on tables without anything to measure."""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tunewright.data_statistics import statistics
from tunewright.data_table import from_arrays
from tunewright.errors import CardError

RNG = np.random.default_rng(0)


def facts(X: Any, y: Any = None, task: str | None = None) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return statistics(from_arrays(X, y), task)


def test_correlations_and_skewness_are_those_of_numpy_and_scipy() -> None:
    X = RNG.normal(size=(500, 4))
    X[:, 1] = X[:, 0] + 0.3 * X[:, 1]
    X[:, 3] = np.exp(X[:, 3])
    y = -2 * X[:, 2] + X[:, 0] + RNG.normal(size=500)
    found = facts(X, y)
    r = np.abs(np.corrcoef(X.T)[np.triu_indices(4, 1)])
    with_target = [np.corrcoef(X[:, j], y)[0, 1] for j in range(4)]
    assert found["strong_pairs"] == pytest.approx((r > 0.5).mean(), abs=1e-3)
    assert found["mean_correlation"] == pytest.approx(r.mean(), rel=1e-2)
    assert found["strongest"] == pytest.approx(sorted(with_target, key=abs, reverse=True)[:3], rel=1e-2)
    assert found["strongest"][0] < 0
    assert found["target_correlated"] == sum(abs(c) > 0.5 for c in with_target)
    assert found["skewed"] == 0.25
    assert found["task"] == "regression"
    assert found["target_mean"] == pytest.approx(y.mean(), rel=1e-2)
    assert found["target_std"] == pytest.approx(y.std(), rel=1e-2)
    assert found["target_skew"] == pytest.approx(stats.skew(y), rel=1e-2)


@pytest.mark.parametrize("unit", [1e-15, 1e12])
def test_mean_and_spread_of_a_target_in_any_unit_are_told(unit: float) -> None:
    y = unit * RNG.normal(3.0, 1.0, size=200)
    found = facts(RNG.normal(size=(200, 2)), y)
    assert found["target_mean"] == pytest.approx(y.mean(), rel=1e-2)
    assert found["target_std"] == pytest.approx(y.std(), rel=1e-2)
    level = facts(RNG.normal(size=(200, 2)), np.tile([1.0, -1.0], 100) * np.linspace(unit, 2 * unit, 200), "regression")
    assert abs(level["target_mean"]) < 0.01 * level["target_std"]
    assert facts(RNG.normal(size=(200, 2)), np.full(200, 0.1 * unit), "regression")["target_std"] == 0.0


def test_of_two_classes_the_correlation_ratio_is_the_absolute_correlation() -> None:
    X = RNG.normal(size=(300, 3))
    y = X[:, 1] + RNG.normal(size=300) < 0.4
    expected = np.abs([np.corrcoef(X[:, j], y)[0, 1] for j in range(3)])
    for labels in (y.astype(int), np.where(y, "yes", "no"), y):
        found = facts(X, labels)
        assert found["strongest"] == pytest.approx(np.sort(expected)[::-1], rel=1e-2)
        assert (found["task"], found["classes"]) == ("classification", 2)
        assert found["balance"] == pytest.approx(sorted([y.mean(), 1 - y.mean()], reverse=True), abs=1e-3)


def test_the_correlation_ratio_of_many_classes_is_the_share_that_they_explain() -> None:
    y = np.repeat([0, 1, 2], 100)
    X = np.column_stack([np.array([5.0, -1.0, 2.0])[y], RNG.normal(size=300)])
    groups = [X[y == k, 1] for k in range(3)]
    between = sum(len(g) * (g.mean() - X[:, 1].mean()) ** 2 for g in groups)
    found = facts(X, y)
    assert found["strongest"][0] == 1.0
    assert found["strongest"][1] == pytest.approx(np.sqrt(between / (300 * X[:, 1].var())), rel=1e-2)


def test_counts_missing_cells_repeats_and_categories() -> None:
    X = np.array([[1, "a", "x"], [2, "b", "x"], [1, "a", "x"], [4, "", "x"]] * 5, dtype=object)
    found = facts(X)
    assert (found["rows"], found["features"], found["numeric"], found["categorical"]) == (20, 3, 1, 2)
    assert found["categories"] == 3
    assert found["missing"] == pytest.approx(5 / 60, abs=1e-3)
    assert found["duplicates"] == 0.85
    assert "sampled_rows" not in found


def test_a_sample_says_so_and_counts_no_repeats() -> None:
    found = facts(np.zeros((60_000, 2)))
    assert (found["rows"], found["sampled_rows"]) == (60_000, 50_000)
    assert "duplicates" not in found


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((20, 3)),
        np.full((20, 3), np.nan),
        np.array([["a"]] * 20),
        np.full((20, 1), 1e308) * np.linspace(-1, 1, 20)[:, None],
        np.full((20, 2), 5e-324) * np.arange(20)[:, None],
        RNG.integers(0, 2, size=(20, 2)).astype(bool),
    ],
    ids=["constant", "missing", "text", "huge", "tiny", "bool"],
)
@pytest.mark.parametrize("y", [None, np.arange(20) % 2, np.linspace(0, 1, 20), np.ones(20), np.ones(20) * 0.5])
def test_tables_with_little_in_them_give_finite_numbers(X: Any, y: Any) -> None:
    for value in facts(X, y).values():
        for number in value if isinstance(value, tuple) else (value,):
            assert not isinstance(number, float) or np.isfinite(number)


def test_whole_numbers_are_classes_only_when_there_are_few() -> None:
    X = RNG.normal(size=(200, 2))
    assert facts(X, np.arange(200) % 30)["task"] == "classification"
    assert facts(X, np.arange(200) % 31)["task"] == "regression"
    assert facts(X, (np.arange(200) % 3) / 2)["task"] == "regression"
    assert facts(X, (np.arange(200) % 3) / 2, "classification")["classes"] == 3
    assert facts(X, np.arange(200) % 2, "regression")["target_mean"] == 0.5
    shares = facts(X, np.arange(200) % 20)["balance"]
    assert shares == (0.05,) * 10  # the largest ten


def test_rows_without_a_target_count_for_the_features_only() -> None:
    X = RNG.normal(size=(200, 1))
    y = X[:, 0].copy()
    y[:100], X[:100] = np.nan, X[:100] + 50
    found = facts(X, y)
    assert found["strongest"] == (1.0,)
    assert found["rows"] == 200


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        (np.full(20, np.nan), None, "holds nothing"),
        (np.where(np.arange(200) == 3, 52341.5, np.nan), None, "holds 1 values; statistics of fewer than 10"),
        (np.where(np.arange(20) < 9, np.arange(20) / 7, np.nan), "regression", "holds 9 values"),
        (np.array([f"name {i}" for i in range(20)]), None, "20 different values in 20 rows: no classes"),
        (np.array(["a", "b"] * 10), "regression", "holds text; task is regression"),
        (np.arange(20), "classification", "20 different values"),
    ],
)
def test_targets_that_are_none_are_refused(y: Any, task: str | None, message: str) -> None:
    with pytest.raises(CardError) as caught:
        facts(np.zeros((len(y), 2)), y, task)
    assert message in caught.value.message


def test_many_features_are_quick() -> None:
    found = facts(RNG.normal(size=(300, 2_000)), np.arange(300) % 3)
    assert found["features"] == 2_000
    assert found["strong_pairs"] == 0.0
