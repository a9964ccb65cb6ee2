"""Tables from arrays, CSV files and dataframes; what is no table is refused with a way on."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.data_table import MOST_ROWS, from_arrays, from_csv
from tunewright.errors import CardError

RNG = np.random.default_rng(0)


def write(path: Path, names: list[str], rows: list[list[Any]], separator: str = ",") -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows([names, *rows])
    return str(path)


def rows(count: int = 20) -> list[list[Any]]:
    return [[i, f"t{i % 3}", "" if i == 4 else i / 2, i % 2] for i in range(count)]


NAMES = ["age", "town", "income", "label"]


def test_a_csv_file_has_typed_columns_and_the_target_apart(tmp_path: Path) -> None:
    table = from_csv(write(tmp_path / "a.csv", NAMES, rows()), "label")
    assert [(c.name, c.numeric) for c in table.features] == [("age", True), ("town", False), ("income", True)]
    assert table.target is not None
    assert (table.target.name, table.target.values.tolist()) == ("label", [0.0, 1.0] * 10)
    assert table.rows == table.drawn == 20
    assert table.features[2].missing.nonzero()[0].tolist() == [4]
    assert table.features[1].values[:4].tolist() == [0, 1, 2, 0]
    assert table.sample[1] == ("1", "t1", "0.5", "1")


def test_quotes_separators_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["a;b", "x"], [[f"one\ntwo; {i}", i] for i in range(12)], ";")
    table = from_csv(path, separator=";")
    assert [(c.name, len(np.unique(c.values))) for c in table.features] == [("a;b", 12), ("x", 12)]
    Path(path).write_bytes(b"\xef\xbb\xbf" + Path(path).read_bytes())
    assert from_csv(path, separator=";").features[0].name == "a;b"


@pytest.mark.parametrize(
    ("texts", "numeric", "missing"),
    [
        (["1", " 2.5 ", "-3e4", "NA", "?", "nan", "", "None"], True, 5),
        (["1", "2", "3 kg", "", "", "", "", ""], False, 5),
        (["inf", "1", "2", "3", "4", "5", "6", "7"], True, 1),
        (["", "NA", "null", "", "", "", "", ""], False, 8),
        (["true", "false"] * 4, False, 0),
    ],
)
def test_texts_are_numbers_only_when_all_of_them_are(
    tmp_path: Path, texts: list[str], numeric: bool, missing: int
) -> None:
    path = write(tmp_path / "a.csv", ["x", "y"], [[text, 1] for text in texts + texts])
    column = from_csv(path).features[0]
    assert (column.numeric, int(column.missing.sum())) == (numeric, 2 * missing)


def test_columns_may_be_numbered(tmp_path: Path) -> None:
    for first, names in enumerate((["", "0", "1"], ["0", "1", "2"], ["1", "2", "3"])):
        path = write(tmp_path / f"{first}.csv", names, [[1, 2, 3]] * 12)
        assert [c.name for c in from_csv(path).features] == names


def test_of_a_large_file_rows_are_drawn_and_the_same_ones_each_time(tmp_path: Path) -> None:
    count = MOST_ROWS + 5_000
    path = write(tmp_path / "a.csv", ["x", "y"], [[i, 1] for i in range(count)])
    table = from_csv(path, "y")
    drawn = table.features[0].values
    assert (table.rows, table.drawn) == (count, MOST_ROWS)
    assert len(set(drawn)) == MOST_ROWS  # none twice
    assert abs(drawn.mean() - count / 2) < 0.01 * count  # from everywhere
    assert np.array_equal(drawn, from_csv(path, "y").features[0].values)


def test_arrays() -> None:
    X = RNG.normal(size=(20, 3))
    X[3, 1], X[4, 1] = np.nan, np.inf
    table = from_arrays(X, [0, 1] * 10)
    assert [c.name for c in table.features] == ["", "", ""]
    assert table.features[1].missing.nonzero()[0].tolist() == [3, 4]
    assert table.target is not None
    assert table.target.values.tolist() == [0.0, 1.0] * 10
    assert from_arrays(X.tolist(), np.zeros((20, 1))).rows == 20
    assert len(from_arrays(RNG.normal(size=(12, 4, 5))).features) == 20
    texts = from_arrays(np.array([["1", "a"], ["2", "b"]] * 6), np.array([True, False] * 6))
    assert [c.numeric for c in texts.features] == [True, False]
    assert texts.target is not None
    assert not texts.target.numeric


def test_of_a_large_array_rows_are_drawn() -> None:
    X = np.arange(MOST_ROWS + 1_000)[:, None]
    table = from_arrays(X, X[:, 0] * 2)
    assert (table.rows, table.drawn) == (MOST_ROWS + 1_000, MOST_ROWS)
    assert table.target is not None
    assert np.array_equal(table.target.values, 2 * table.features[0].values)  # rows stay together


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.zeros(5),), "the shape (5,)"),
        ((np.zeros((0, 3)),), "the shape (0, 3)"),
        ((3,), "the shape ()"),
        (([[1, 2], [3]],), "array"),
        ((np.zeros((20, 2), dtype=complex),), "complex"),
        ((np.zeros((20, 2)), np.zeros(19)), "20 rows and 19 targets"),
        ((np.zeros((20, 2)), np.zeros((20, 2))), "the target has the shape (20, 2)"),
        ((np.zeros((20, 2)), [[1], [1, 2]] * 10), "the target cannot be made an array"),
        ((np.zeros((9, 2)),), "fewer than 10 would tell the rows"),
        ((np.zeros((20, 2)), np.zeros(20), "y"), "both y and the name"),
        ((np.zeros((20, 2)), None, "y"), "no column is called 'y'"),
    ],
)
def test_what_is_no_table_is_refused(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CardError) as caught:
        from_arrays(*given)
    assert message in caught.value.message
    assert caught.value.hint


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    good = write(tmp_path / "good.csv", NAMES, rows())
    twice = write(tmp_path / "twice.csv", ["a", "a", "b"], [[1, 2, 3]] * 12)
    ragged = write(tmp_path / "ragged.csv", NAMES, [*rows(), [1, 2]])
    (tmp_path / "latin.csv").write_bytes("a,b\nMünchen,1\n".encode("latin-1"))
    for path, target, message, hint in (
        (str(tmp_path / "none.csv"), None, "is no file", "where Tunewright was started"),
        (good, "labels", "no column is called 'labels'", "did you mean 'label'?"),
        (twice, "a", "2 columns are called 'a'", "rename one"),
        (ragged, None, "row 21 of", "each row"),
        (str(tmp_path / "latin.csv"), None, "is not UTF-8", "UTF-8"),
        (write(tmp_path / "one.csv", ["a;b"], [["1;2"]] * 12), None, "1 column(s)", "separator: ';'"),
        (write(tmp_path / "few.csv", NAMES, rows(9)), None, "9 rows", "by hand"),
        (write(tmp_path / "headless.csv", rows()[5], rows()), None, "holds '5', which is no name", "name the columns"),
        (write(tmp_path / "empty.csv", [], []), None, "0 column(s)", "first line"),
    ):
        with pytest.raises(CardError) as caught:
            from_csv(path, target)
        assert message in caught.value.message
        assert hint in caught.value.hint
    with pytest.raises(CardError, match="give one character"):
        from_csv(good, separator=", ")


def test_a_pandas_dataframe_gives_the_same_table_as_its_csv_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = write(tmp_path / "a.csv", NAMES, rows())
    frame = pandas.read_csv(path)
    by_name, from_file = from_arrays(frame, target="label"), from_csv(path, "label")
    for mine, other in zip([*by_name.features, by_name.target], [*from_file.features, from_file.target], strict=True):
        assert mine is not None
        assert other is not None
        assert (mine.name, mine.numeric) == (other.name, other.numeric)
        assert np.array_equal(mine.values, other.values, equal_nan=True)
    apart = from_arrays(frame.drop(columns="label").sample(frac=1, random_state=0), frame["label"])
    assert apart.target is not None
    assert apart.target.name == "label"
    typed = frame.astype({"age": "Int64", "town": "category", "label": "boolean"})
    typed.loc[3, "age"] = pandas.NA
    typed["day"] = pandas.Timestamp("2024-01-01")
    table = from_arrays(typed, target="label")
    assert [(c.name, c.numeric, int(c.missing.sum())) for c in table.features] == [
        ("age", True, 1),
        ("town", False, 0),
        ("income", True, 1),
        ("day", False, 0),
    ]
