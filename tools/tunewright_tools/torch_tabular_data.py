"""Tables for `torch_tabular`: a CSV file with a header, or one of scikit-learn's own, as numbers and category codes.

A column whose cells are all numbers (empty ones aside) is numeric unless it is named as categorical; the others are
categories. Everything that is fitted (means, quantiles, lists of categories) is fitted on the training rows alone.
"""

import csv
import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .torch_errors import TrainingError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BUILT_IN = ("breast_cancer", "iris", "wine", "diabetes")
MOST_CLASSES = 20
"""A target of whole numbers with at most so many values is taken for classes."""
_LEAST_SPREAD = 1e-15
"""Of standardized targets: the square of less is 0 in float32, and `val_r2` divides by their variance."""


@dataclass(frozen=True)
class Part:
    """Some rows: numbers (n, columns) as float32, codes (n, columns) as int64, targets (n,) as int64 or float32.

    A missing number is 0, which is its column's mean, and has a column of its own that says so where training rows
    have missing numbers. Code 0 is a category that the training rows do not have.
    """

    numbers: "Array"
    codes: "Array"
    targets: "Array"


@dataclass(frozen=True)
class Table:
    """A table that is ready for a network."""

    origin: str
    classes: tuple[str, ...] | None
    """None for regression."""
    sizes: tuple[int, ...]
    """For each categorical column how many codes there are, the 0 included."""
    target_mean: float
    target_std: float
    """By which targets of regression were standardized."""
    train: Part
    validation: Part

    @property
    def digest(self) -> str:
        """The first 12 digits of the SHA-256 of all that is trained and measured on."""
        whole = hashlib.sha256(repr((self.classes, self.sizes)).encode())
        for part in (self.train, self.validation):
            for array in (part.numbers, part.codes, part.targets):
                whole.update(repr(array.shape).encode() + array.tobytes())
        return whole.hexdigest()[:12]


def read(given: Any) -> Table:
    """The table that the options `data`, `target`, `categorical`, `task`, `transform`, `validation_share` describe.

    Raises:
        TrainingError: it cannot be read, or a column is not what it is said to be.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    columns, target = _columns(given.data, given.target)
    wanted = [name.strip() for name in (given.categorical or "").split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(columns)):
        raise TrainingError(f"--categorical names {unknown[0]!r}, which is no column; columns: {', '.join(columns)}")
    if empty := [row for row, cell in enumerate(target, 2) if not cell.strip()]:
        raise TrainingError(f"the target of line {empty[0]} of {given.data} is empty; take the row out or fill it in")
    numeric = {name: _numbers(cells) for name, cells in columns.items() if name not in wanted}
    labels, classes = _target(target, given.task, given.data)
    try:
        train, validation = train_test_split(
            np.arange(len(labels)),
            test_size=given.validation_share,
            random_state=given.data_seed,
            stratify=labels if classes else None,
        )
    except ValueError as error:
        raise TrainingError(
            f"{given.data} cannot be split with --validation-share {given.validation_share}: {error}"
        ) from None
    mean, std = 0.0, 1.0
    if classes is None:
        mean, std = float(labels[train].mean()), float(labels[train].std())
        # Not by the deviation alone: of equal numbers that is often not quite 0.
        same = not std or not np.ptp(labels[train])
        labels = ((labels - mean) / (std or 1.0)).astype(np.float32)
        if same or np.ptp(labels[validation]) < _LEAST_SPREAD:
            raise TrainingError(
                f"the target of {given.data} is the same in all rows of a part, or seems so beside far larger ones; it "
                "needs more rows, or outliers that are no measurements taken out"
            )
    numbers = []
    for name, cells in numeric.items():
        if cells is not None:
            with np.errstate(all="ignore"):  # what overflows is looked for right after
                numbers.append(_scaled(cells, train, given.transform))
                finite = np.isfinite(numbers[-1].astype(np.float32)).all()
            if not finite:
                raise TrainingError(
                    f"the column {name!r} of {given.data} has numbers up to {np.nanmax(np.abs(cells)):g}, too large to "
                    "be scaled; put right or empty what is no measurement, or take --transform quantile"
                )
    coded = [_coded(cells, train) for name, cells in columns.items() if numeric.get(name) is None]
    whole = np.concatenate([*numbers, np.zeros((len(labels), 0))], axis=1).astype(np.float32)
    codes = np.stack([codes for codes, _ in coded], axis=1) if coded else np.zeros((len(labels), 0), np.int64)
    train_part, validation_part = (Part(whole[rows], codes[rows], labels[rows]) for rows in (train, validation))
    return Table(given.data, classes, tuple(size for _, size in coded), mean, std, train_part, validation_part)


def _columns(data: str, target: str | None) -> tuple[dict[str, list[str]], list[str]]:
    """Cells as text by column, and those of the target."""
    if data in BUILT_IN:
        from sklearn import datasets

        loaded = getattr(datasets, f"load_{data}")()
        names = [*map(str, loaded.feature_names), "target"]
        rows = [[repr(float(cell)) for cell in row] for row in loaded.data]
        rows = [[*row, f"{label:g}"] for row, label in zip(rows, loaded.target, strict=True)]
    else:
        try:
            with open(data, newline="", encoding="utf-8-sig") as file:
                names, *rows = list(csv.reader(file)) or [[]]
            if not names:
                raise ValueError("its first line, the header, is empty")
        except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
            built_in = ", ".join(BUILT_IN)
            raise TrainingError(f"--data {data} is no CSV that can be read ({error}) and none of {built_in}") from None
    if ragged := [line for line, row in enumerate(rows, 2) if len(row) != len(names)]:
        raise TrainingError(f"row {ragged[0]} of {data} does not have {len(names)} cells, as its header has")
    target = names[-1] if target is None else target
    if target not in names or len(set(names)) < len(names) or len(names) < 2 or not rows:
        raise TrainingError(
            f"{data} has {len(rows)} rows and the columns {', '.join(names)}; it needs rows, each column once, the "
            f"target {target!r} and at least one other"
        )
    columns = {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    labels = columns.pop(target)
    return columns, labels


def _numbers(cells: list[str]) -> "Array | None":
    """The column as floats, NaN where a cell is empty; None where it is not of finite numbers."""
    import numpy as np

    try:
        found = np.array([float(cell) if cell.strip() else math.nan for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(found).any() or np.isnan(found).all() else found


def _target(cells: list[str], task: str, data: str) -> tuple["Array", tuple[str, ...] | None]:
    """Class numbers with the classes' names, or the numbers themselves with None."""
    import numpy as np

    numbers = _numbers(cells)
    names = sorted(set(cells))
    if task == "regression" and numbers is None:
        raise TrainingError(f"the target of {data} is not of numbers; take --task classification")
    whole = numbers is not None and bool((numbers == numbers.round()).all()) and len(names) <= MOST_CLASSES
    if task == "regression" or (task == "auto" and numbers is not None and not whole):
        assert numbers is not None
        if missing := [row for row, number in enumerate(numbers.tolist()) if math.isnan(number)]:
            raise TrainingError(
                f"the target of line {missing[0] + 2} of {data} is {cells[missing[0]]!r}, no number as the others are; "
                "take the row out or fill it in"
            )
        return numbers, None
    if len(names) < 2:
        raise TrainingError(f"the target of {data} is {names[0]!r} in all rows; there is nothing to learn")
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[cell] for cell in cells], np.int64), tuple(names)


def _scaled(cells: "Array", train: "Array", transform: str) -> "Array":
    """One column (n, 1) with mean 0, or two (n, 2) with whether it was missing; missing numbers are 0."""
    import numpy as np
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    missing = np.isnan(cells)
    known = train[~missing[train]]
    scaled = np.zeros((len(cells), 1))
    if len(known):
        scaler: Any = StandardScaler()
        if transform == "quantile":
            scaler = QuantileTransformer(
                output_distribution="normal", n_quantiles=min(1000, len(known)), random_state=0
            )
        scaler.fit(cells[known, None])
        scaled[~missing] = scaler.transform(cells[~missing, None])
    return np.concatenate([scaled, missing[:, None]], axis=1) if missing[train].any() else scaled


def _coded(cells: list[str], train: "Array") -> tuple["Array", int]:
    """Codes from 1 of the categories of the training rows, 0 for others; and how many codes there are."""
    import numpy as np

    place = {name: number for number, name in enumerate(sorted({cells[row] for row in train}), 1)}
    return np.array([place.get(cell, 0) for cell in cells], np.int64), len(place) + 1
