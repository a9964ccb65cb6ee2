"""Tables for `sklearn_cv`: a CSV file with a header, a NumPy archive with the arrays X and y, or scikit-learn's own."""

import csv
import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes")


class InputError(Exception):
    """Something on the command line that cannot be used; the message says what would be."""


def read_data(name: str, target: str | None) -> tuple["Array", "Array"]:
    """Features (n, d) as floats, and targets (n,).

    Raises:
        InputError: the file cannot be read, or a feature is not a number.
    """
    import numpy as np
    from sklearn import datasets

    if name in BUILT_IN:
        features, targets = getattr(datasets, f"load_{name}")(return_X_y=True)
        return features, targets
    try:
        if name.endswith(".npz"):
            with open(name, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                if isinstance(file, np.ndarray):
                    raise ValueError("it is a single array")
                features, targets = file["X"], file["y"]
            if not features.ndim or features.shape[:1] != targets.shape[:1]:
                raise ValueError(f"X is {features.shape} and y {targets.shape}; each row of X needs its target")
            if targets.dtype.kind == "f" and (lacking := int((~np.isfinite(targets)).sum())):
                raise ValueError(f"y has NaN or infinity in {lacking} places; take those rows out")
            return features, targets
        if name.endswith(".csv"):
            return _read_csv(name, target)
    except (OSError, EOFError, KeyError, TypeError, ValueError, csv.Error, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"--data {name} cannot be read: {error}") from None
    raise InputError(f"--data {name} is none of {', '.join(BUILT_IN)}, and no .csv or .npz (with arrays X and y)")


def _read_csv(path: str, target: str | None) -> tuple["Array", "Array"]:
    import numpy as np

    with open(path, newline="", encoding="utf-8-sig") as file:
        names, *rows = list(csv.reader(file)) or [[]]
    if not names:
        raise ValueError("its first line, the header, is empty")
    target = names[-1] if target is None else target
    if target not in names:
        raise ValueError(f"it has no column {target!r}, only {', '.join(names)}")
    if ragged := [number for number, row in enumerate(rows, 2) if len(row) != len(names)]:
        raise ValueError(f"line {ragged[0]} does not have {len(names)} cells")
    if len(set(names)) < len(names) or len(names) < 2 or not rows:
        raise ValueError(
            f"it has {len(rows)} rows and the columns {', '.join(names)}; it needs rows, each column once, and one "
            f"beside the target {target!r}"
        )
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    labels = columns.pop(target)
    try:
        targets = np.array([float(cell) if cell.strip() else math.nan for cell in labels])
    except ValueError:
        targets = np.array(labels)
    # Not handed on: to scikit-learn an empty cell among words is one more class, and NaN reads as a divergence.
    unknown = [not cell.strip() for cell in labels] if targets.dtype.kind == "U" else ~np.isfinite(targets)
    if lines := [line for line, lacks in enumerate(unknown, 2) if lacks]:
        cell = labels[lines[0] - 2]
        raise ValueError(f"the target {target!r} of line {lines[0]} is {cell!r}; take the row out or fill it in")
    features = []
    for name, cells in columns.items():
        try:
            features.append([float(cell) if cell.strip() else math.nan for cell in cells])
        except ValueError as error:
            raise ValueError(f"column {name!r} is not of numbers ({error}); encode it first") from None
    return np.array(features).T, targets
