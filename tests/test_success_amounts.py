"""Amounts: a fixed part beside a product, runs that were cut short."""

import numpy as np
import pytest

from tunewright.success_amounts import Amount

LIMIT = 16e9


def _rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (8 idle columns, one log product) and what a run needs: 1 GB beside the product."""
    rng = np.random.default_rng(seed)
    columns, log_product = rng.random((n, 8)) - 0.5, rng.standard_normal(n)
    return np.column_stack([columns, log_product]), 1e9 + np.exp(2.5 * log_product + np.log(8e9))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_fixed_part_and_runs_cut_short_at_the_limit(seed: int) -> None:
    F, needed = _rows(20, seed)
    model = Amount(F, np.minimum(needed, LIMIT), needed > LIMIT, 8, fixed=True)
    at, truth = _rows(1000, 77)
    p = model.below(at, LIMIT)
    clear = np.abs(np.log(truth / LIMIT)) > 0.25
    assert ((p > 0.5) == (truth < LIMIT))[clear].mean() > 0.99
    assert truth[p > 0.9].max() < 1.1 * LIMIT
    assert model.fixed < needed.min()


def test_without_a_fixed_part_none_is_made_up() -> None:
    F, needed = _rows(40, 0)
    noisy = (needed - 1e9) * np.exp(0.03 * np.random.default_rng(1).standard_normal(40))
    assert Amount(F, noisy, np.zeros(40, dtype=bool), 8, fixed=True).fixed < 0.6 * noisy.min()
    assert Amount(F, noisy, np.zeros(40, dtype=bool), 8, fixed=False).fixed == 0


def test_a_limit_below_the_fixed_part_lets_nothing_run() -> None:
    F, needed = _rows(40, 0)
    model = Amount(F, needed, np.zeros(40, dtype=bool), 8, fixed=True)
    assert model.fixed > 5e8
    assert model.below(F, 5e8) == pytest.approx(np.zeros(40))
