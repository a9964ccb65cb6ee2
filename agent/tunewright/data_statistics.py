"""Statistics of a table that help to choose hyperparameters and that tell no cell of it.

Symbols: z, a numeric column with mean 0 and standard deviation 1, a missing value at the mean; r = mean(z_i * z_j)
(Pearson); skewness = mean(z^3); eta = sqrt(sum over classes of share_k * mean_k(z)^2), the correlation ratio, which
for two classes is |r|.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunewright.data_table import FEWEST, Column, Table
from tunewright.errors import CardError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STRONG = 0.5
"""Correlations above this count as strong, as in LLAMBO (Liu et al. 2024, arXiv 2402.03921)."""
SKEWED = 1.0
MOST_SHARES = 10
MOST_NAMES = 8
STRONGEST = 3
_MOST_CLASSES_OF_NUMBERS = 30
_MOST_PAIRED = 500


def statistics(table: Table, task: str | None) -> dict[str, Any]:
    """The facts of a table, as the fields of `Dataset`.

    Args:
        task: "classification" or "regression"; None judges by the target: texts are classes, and so are whole numbers
            with at most 30 different values.

    Raises:
        CardError: the target holds nothing or fewer than ten values, or cannot be what `task` says.
    """
    numeric = [c for c in table.features if c.numeric]
    facts = _features(table) | _pairs(_standardised(numeric)[0])
    if table.target is not None:
        facts |= _target(table.target, numeric, task)
    return {key: value for key, value in facts.items() if value is not None}


def _features(table: Table) -> dict[str, Any]:
    import numpy as np

    numeric = [c for c in table.features if c.numeric]
    others = [c for c in table.features if not c.numeric]
    skews = [abs(skew) for c in numeric if (skew := _skewness(c.values)) is not None]
    whole = table.drawn == table.rows
    return {
        "rows": table.rows,
        "sampled_rows": None if whole else table.drawn,
        "features": len(table.features),
        "numeric": len(numeric),
        "categorical": len(others),
        "categories": sum(len(np.unique(c.values[~c.missing])) for c in others) if others else None,
        "missing": _short(float(np.mean([c.missing.mean() for c in table.features]))),
        "duplicates": _duplicates(table) if whole else None,  # a sample holds fewer twins than the whole
        "skewed": _short(float(np.mean([skew > SKEWED for skew in skews]))) if skews else None,
        "feature_names": tuple(c.name for c in table.features[:MOST_NAMES] if c.name),
    }


def _duplicates(table: Table) -> float:
    """The share of rows that repeat an earlier one, the target included."""
    import numpy as np

    columns = [*table.features, *([table.target] if table.target else [])]
    matrix = np.column_stack([np.where(c.missing, np.nan, c.values + 0.0) for c in columns])  # + 0.0: -0.0 is 0.0
    rows = {row.tobytes() for row in matrix}
    return _short(1 - len(rows) / len(matrix))


def _standardised(columns: Sequence[Column]) -> "tuple[NDArray[np.float64], list[Column]]":
    """Of each column that varies z, shape (rows, columns), and those columns."""
    import numpy as np

    found = [(c, z) for c in columns if (z := _z(c.values)) is not None]
    return np.column_stack([z for _, z in found]) if found else np.empty((0, 0)), [c for c, _ in found]


def _z(values: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
    """None for a column without two different numbers."""
    import numpy as np

    present = values[~np.isnan(values)]
    if len(present) == 0 or present.min() == present.max():
        return None
    scaled = values / np.abs(present).max()  # no square can overflow
    filled = np.where(np.isnan(scaled), np.nanmean(scaled), scaled)
    centred = filled - filled.mean()
    spread = np.sqrt(np.mean(centred**2))
    return centred / spread if spread > 0 else None


def _skewness(values: "NDArray[np.float64]") -> float | None:
    import numpy as np

    z = _z(values[~np.isnan(values)])
    return None if z is None else float(np.mean(z**3))


def _pairs(z: "NDArray[np.float64]") -> dict[str, Any]:
    """Over all pairs of numeric features, or over those of 500 features drawn at random."""
    import numpy as np

    count = z.shape[1]
    if count < 2:
        return {}
    if count > _MOST_PAIRED:
        z = z[:, np.random.default_rng(0).choice(count, size=_MOST_PAIRED, replace=False)]
    r = np.abs(z.T @ z / len(z))[np.triu_indices(z.shape[1], k=1)]
    return {"strong_pairs": _short(float(np.mean(r > STRONG))), "mean_correlation": _short(float(min(r.mean(), 1.0)))}


def _target(target: Column, numeric: Sequence[Column], task: str | None) -> dict[str, Any]:
    """Facts of the target, over the rows that have one."""
    import numpy as np

    there = ~target.missing
    if not there.any():
        raise CardError(f"the target {target.name!r} holds nothing", "name another column").at("target")
    if there.sum() < FEWEST:  # the mean of one is its value, and mean and spread of two are both
        raise CardError(
            f"the target {target.name!r} holds {there.sum()} values; statistics of fewer than {FEWEST} would tell them",
            "name another column, or leave the target out",
        ).at("target")
    values = target.values[there]
    z, columns = _standardised([Column(c.name, c.values[there], True) for c in numeric])
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    whole = bool(np.all(distinct == np.round(distinct)))
    if task is None:
        few = whole and len(distinct) <= _MOST_CLASSES_OF_NUMBERS
        task = "classification" if few or not target.numeric else "regression"
    facts: dict[str, Any] = {"target": target.name, "task": task}
    if task == "classification":
        if len(distinct) * 2 > len(values):
            raise CardError(
                f"the target {target.name!r} has {len(distinct)} different values in {len(values)} rows: no classes",
                "name another column, or state task: regression",
            ).at("target")
        facts["classes"] = len(distinct)
        facts["balance"] = tuple(_short(float(c)) for c in np.sort(counts)[::-1][:MOST_SHARES] / len(values))
        strength = _eta(z, codes, counts)
    else:
        if not target.numeric:
            raise CardError(
                f"the target {target.name!r} holds text; task is regression", "state task: classification"
            ).at("task")
        size = float(np.abs(values).max())
        facts |= {"target_mean": _short(float(values.mean()), size), "target_std": _short(float(values.std()), size)}
        skew, goal = _skewness(values), _z(values)
        facts["target_skew"] = None if skew is None else _short(skew)
        strength = np.empty(0) if goal is None or not len(z) else z.T @ goal / len(z)
    if len(strength) and len(distinct) > 1:
        strongest = np.argsort(-np.abs(strength), kind="stable")[:STRONGEST]
        names = tuple(columns[i].name for i in strongest)
        facts["target_correlated"] = int(np.sum(np.abs(strength) > STRONG))
        facts["strongest"] = tuple(_short(float(np.clip(strength[i], -1, 1))) for i in strongest)
        facts["strongest_names"] = names if all(names) else ()
    return facts


def _eta(z: "NDArray[np.float64]", codes: "NDArray[np.intp]", counts: "NDArray[np.intp]") -> "NDArray[np.float64]":
    import numpy as np

    if not len(z):
        return np.empty(0)
    order = np.argsort(codes, kind="stable")
    sums = np.add.reduceat(z[order], np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=0)
    return np.asarray(np.sqrt((sums**2 / counts[:, None]).sum(axis=0) / len(z)))


def _short(value: float, size: float = 1.0) -> float:
    """Three significant digits; what is left of rounding numbers of this size is 0."""
    return 0.0 if abs(value) < 1e-12 * size else float(f"{value:.3g}")
