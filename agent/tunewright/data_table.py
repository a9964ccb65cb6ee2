"""A dataset as typed columns: from a dataframe, arrays or a CSV file; of a large one, rows drawn at random."""

import csv
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.card_parts import shown
from tunewright.errors import CardError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ROWS = 50_000
"""Of more rows than these, so many are drawn at random (always the same ones)."""
_MOST_CELLS = 20_000_000
_FEWEST_DRAWN = 1_000
FEWEST = 10
"""Statistics of fewer rows would tell the rows themselves."""
_MISSING = frozenset({"", "na", "n/a", "nan", "<na>", "nat", "null", "none", "?"})
_SAMPLE = 3
_BY_HAND = "state the facts by hand: data: {rows: 50000, features: 30, classes: 10}"


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """Empty where it has none."""
    values: "NDArray[np.float64]"
    """Numbers, NaN where one is missing or not finite; or, where not `numeric`, 0, 1, ... for each different text."""
    numeric: bool

    @property
    def missing(self) -> "NDArray[np.bool_]":
        """Which cells hold nothing."""
        import numpy as np

        return np.isnan(self.values)


@dataclass(frozen=True)
class Table:
    """Features and target, row by row."""

    features: tuple[Column, ...]
    target: Column | None
    rows: int
    """Rows of the whole dataset; the columns may hold fewer of them."""
    sample: tuple[tuple[str, ...], ...]
    """Some rows as texts, the target last."""

    @property
    def drawn(self) -> int:
        """Rows that the columns hold."""
        return len(self.features[0].values)


def from_arrays(X: Any, y: Any = None, target: str | None = None) -> Table:
    """The table of a pandas dataframe, or of an array of shape (rows, features), and of a target.

    Args:
        X: a dataframe; or what numpy makes an array of: (rows, features), or (rows, ...) with features of more axes.
        y: the target, one value a row.
        target: in place of `y`, the name of the dataframe's column that is the target.

    Raises:
        CardError: what was given is neither, or the two do not belong together.
    """
    import numpy as np

    names, columns = _frame_columns(X) if hasattr(X, "iloc") else _array_columns(X)
    goal, goal_name = None, str(getattr(y, "name", None) or "")
    if target is not None:
        if y is not None:
            raise CardError("data has both y and the name of a target column", "give one of the two")
        place = _place(names, target)
        goal, goal_name = columns.pop(place), names.pop(place)
    elif y is not None:
        try:
            goal = np.asarray(y) if not hasattr(y, "isna") else y
        except (ValueError, TypeError) as e:
            raise CardError(f"the target cannot be made an array: {e}", "give one value a row: shape (rows,)") from None
        if goal.ndim == 2 and goal.shape[1] == 1:
            goal = goal.iloc[:, 0] if hasattr(goal, "iloc") else goal[:, 0]
        if goal.ndim != 1:
            raise CardError(f"the target has the shape {goal.shape}", "give one value a row: shape (rows,)")
    if not columns:
        raise CardError("data has no features", "give at least one column beside the target")
    rows = len(columns[0])
    if goal is not None and len(goal) != rows:
        raise CardError(f"data has {rows} rows and {len(goal)} targets", "give one target a row")
    _check_rows(rows)
    every = [*columns, *([] if goal is None else [goal])]
    kept = np.arange(rows)
    limit = _limit(len(every))
    if rows > limit:
        kept = np.sort(np.random.default_rng(0).choice(rows, size=limit, replace=False))
    taken = [_rows(c, kept) for c in every]
    sample = tuple(zip(*(map(_text, _rows(c, kept[:_SAMPLE])) for c in every), strict=True))
    typed = [_column(name, values) for name, values in zip([*names, goal_name], taken, strict=False)]
    last = typed.pop() if goal is not None else None
    return Table(tuple(typed), last, rows, sample)


def from_csv(path: str, target: str | None = None, separator: str = ",") -> Table:
    """The table of a CSV file whose first line names the columns (UTF-8).

    Args:
        path: relative to where Tunewright was started.
        target: the name of the target's column; None for a table without one.
        separator: between two values.

    Raises:
        CardError: the file cannot be read, or is no such table.
    """
    file = Path(path)
    if not file.is_file():
        raise CardError(f"{shown(path)} is no file", f"paths count from where Tunewright was started: {Path.cwd()}").at(
            "csv"
        )
    if len(separator) != 1:
        raise CardError(f"separator is {shown(separator)}", "give one character").at("separator")
    lines = _lines(file, separator)
    names = next(lines, [])
    if len(names) < 2:
        raise CardError(
            f"{path} has {len(names)} column(s) with the separator {separator!r}",
            "state another one, for example separator: ';', or check that its first line names the columns",
        ).at("csv")
    _check_names(names, path)
    place = None if target is None else _place(names, target)
    rows, kept = _drawn(lines, len(names), path)
    _check_rows(rows)
    columns = [list(column) for column in zip(*kept, strict=True)]
    if place is not None:
        names.append(names.pop(place))
        columns.append(columns.pop(place))
    typed = [_text_column(name, values) for name, values in zip(names, columns, strict=True)]
    last = typed.pop() if place is not None else None
    return Table(tuple(typed), last, rows, tuple(zip(*(column[:_SAMPLE] for column in columns), strict=True)))


def _lines(file: Path, separator: str) -> Iterator[list[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            yield from (row for row in csv.reader(opened, delimiter=separator) if row)
    except UnicodeDecodeError as e:
        raise CardError(f"{file} is not UTF-8 ({e.reason} at byte {e.start})", "save it as UTF-8").at("csv") from None
    except (OSError, csv.Error) as e:
        raise CardError(f"{file} cannot be read: {e}", f"give a CSV file, or {_BY_HAND}").at("csv") from None


def _drawn(lines: Iterator[list[str]], width: int, path: str) -> tuple[int, list[list[str]]]:
    """How many rows there are, and at most so many of them as count, each with the same chance (reservoir sampling,
    Vitter 1985, algorithm R).
    """
    limit, rng, rows = _limit(width), random.Random(0), 0
    kept: list[list[str]] = []
    for row in lines:
        if len(row) != width:
            raise CardError(
                f"row {rows + 1} of {path} has {len(row)} values, its first line names {width} columns",
                f"give each row as many, or {_BY_HAND}",
            ).at("csv")
        rows += 1
        if len(kept) < limit:
            kept.append(row)
        elif (place := rng.randrange(rows)) < limit:
            kept[place] = row
    return rows, kept


def _limit(columns: int) -> int:
    return min(MOST_ROWS, max(_FEWEST_DRAWN, _MOST_CELLS // max(columns, 1)))


def _check_rows(rows: int) -> None:
    if rows < FEWEST:
        raise CardError(f"data has {rows} rows; statistics of fewer than {FEWEST} would tell the rows", _BY_HAND)


def _check_names(names: Sequence[str], path: str) -> None:
    """Refuse a first line with numbers, unless they count the columns: without names it would be a row, and be told."""
    for i, name in enumerate(names):
        if _number(name) is not None and name not in (str(i - 1), str(i), str(i + 1)):
            raise CardError(
                f"the first line of {path} holds {shown(name)}, which is no name of a column",
                f"let the first line name the columns, or {_BY_HAND}",
            ).at("csv")


def _place(names: Sequence[str], target: str) -> int:
    found = [i for i, name in enumerate(names) if name == target]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    if found:
        raise CardError(
            f"{len(found)} columns are called {shown(target)}", f"rename one of them; the columns are {listed}"
        ).at("target")
    raise CardError(
        f"no column is called {shown(target)}", f"{did_you_mean(target, names)}name one of the columns: {listed}"
    ).at("target")


# -- columns -----------------------------------------------------------------------------------------------------------


def _frame_columns(frame: Any) -> tuple[list[str], list[Any]]:
    if frame.ndim != 2:
        raise CardError(f"data is a {type(frame).__name__} with {frame.ndim} axis", "give a dataframe")
    return [str(name) for name in frame.columns], [frame.iloc[:, i] for i in range(frame.shape[1])]


def _array_columns(X: Any) -> tuple[list[str], list[Any]]:
    import numpy as np

    try:
        array = np.asarray(X)
    except (ValueError, TypeError) as e:
        raise CardError(f"data cannot be made an array: {e}", _BY_HAND) from None
    if array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "iufbOUSMm":
        raise CardError(
            f"data has the shape {array.shape} and the type {array.dtype}",
            "give real numbers or texts of shape (rows, features), a pandas dataframe, or " + _BY_HAND[6:],
        )
    flat = array.reshape(len(array), -1)
    return [""] * flat.shape[1], list(flat.T)


def _column(name: str, values: Any) -> Column:
    """A column of an array or of a dataframe."""
    import numpy as np

    kind = getattr(values.dtype, "kind", "O")
    if kind in "iuf":
        numbers = values.to_numpy(dtype=float, na_value=np.nan) if hasattr(values, "isna") else values.astype(float)
        return Column(name, np.where(np.isfinite(numbers), numbers, np.nan), True)
    return _text_column(name, [_text(v) for v in (values.astype(object) if kind != "O" else values)])


def _rows(values: Any, places: "NDArray[np.intp]") -> Any:
    return values.iloc[places] if hasattr(values, "iloc") else values[places]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def _text_column(name: str, texts: Sequence[str]) -> Column:
    """A column of texts: numeric when all that is not missing reads as numbers."""
    import numpy as np

    held = [text.strip() for text in texts]
    present = [text.lower() not in _MISSING for text in held]
    numbers = [_number(text) if there else math.nan for text, there in zip(held, present, strict=True)]
    if any(present) and all(number is not None for number in numbers):
        values = np.array(numbers, dtype=float)
        return Column(name, np.where(np.isfinite(values), values, np.nan), True)
    codes: dict[str, int] = {}
    coded = [codes.setdefault(t, len(codes)) if there else math.nan for t, there in zip(held, present, strict=True)]
    return Column(name, np.array(coded, dtype=float), False)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
