"""What a card says of the data: statistics, computed from a dataframe, arrays or a CSV file, or stated by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunewright.card_parts import Part, build, items, refuse_unknown, shown
from tunewright.errors import CardError

if TYPE_CHECKING:
    from tunewright.data_table import Table

Context = Literal["full", "partial", "none"]
Task = Literal["classification", "regression"]

_LONGEST_NAME = 40
_LONGEST_CELL = 24
_LONGEST_ROW = 160
_LISTS = ("balance", "strongest", "strongest_names", "feature_names", "sample")
_COUNTS = {"rows", "sampled_rows", "features", "numeric", "categorical", "categories", "missing", "duplicates"}
_LABELS = {"task", "classes", "balance"}
_READ = ("csv", "target", "separator", "name", "task", "context", "share_content")


class Dataset(Part):
    """Facts about the data. They are what a card keeps and a model may be told; of the content, at most `sample`.

    `context` decides what is told, after the three cards of LLAMBO (Liu et al. 2024, arXiv 2402.03921): `full`
    everything here; `partial` counts and classes, without any name and without spreads and correlations; `none`
    nothing. The card's goal is told in each case.

    Raises:
        CardError: a value that cannot be, or facts that contradict each other.
    """

    name: str = ""
    """What the dataset is called, where that may be told."""
    rows: int | None = Field(default=None, gt=0)
    """Examples."""
    sampled_rows: int | None = Field(default=None, gt=0)
    """Of how many of them, drawn at random, the statistics are; None means of all."""
    features: int | None = Field(default=None, gt=0)
    """Columns beside the target."""
    numeric: int | None = Field(default=None, ge=0)
    """Those of them that hold numbers."""
    categorical: int | None = Field(default=None, ge=0)
    """Those of them that hold anything else: texts, dates, true and false."""
    categories: int | None = Field(default=None, ge=0)
    """Different values in all categorical columns: the width of a one-hot encoding."""
    missing: float | None = Field(default=None, ge=0, le=1)
    """Share of the features' cells that hold nothing, or no finite number."""
    duplicates: float | None = Field(default=None, ge=0, le=1)
    """Share of rows that repeat an earlier one; unknown where only a sample was looked at."""
    skewed: float | None = Field(default=None, ge=0, le=1)
    """Share of the numeric features with a skewness beyond 1 or -1."""
    strong_pairs: float | None = Field(default=None, ge=0, le=1)
    """Share of the pairs of numeric features with a correlation beyond 0.5 or -0.5."""
    mean_correlation: float | None = Field(default=None, ge=0, le=1)
    """Mean absolute correlation over those pairs."""
    target: str = ""
    """Name of the target."""
    task: Task | None = None
    """`classification` or `regression`."""
    classes: int | None = Field(default=None, gt=0)
    """Classes of the target."""
    balance: tuple[float, ...] = ()
    """Their shares, largest first, of the largest ten."""
    target_mean: float | None = None
    """Mean of a target that is a number."""
    target_std: float | None = Field(default=None, ge=0)
    """Its standard deviation."""
    target_skew: float | None = None
    """Its skewness."""
    target_correlated: int | None = Field(default=None, ge=0)
    """Numeric features whose correlation with the target is beyond 0.5 or -0.5; with classes, the correlation ratio."""
    strongest: tuple[float, ...] = ()
    """The strongest of these correlations, strongest first."""
    strongest_names: tuple[str, ...] = ()
    """The features that they belong to; empty where those have no names."""
    feature_names: tuple[str, ...] = ()
    """Names of features, the first eight."""
    context: Context = "full"
    """How much of this is told: `full`, `partial` or `none`."""
    share_content: bool = False
    """Whether rows may be told; false means that statistics alone are kept and told."""
    sample: tuple[str, ...] = ()
    """A few rows, cell by cell, the target last; only where `share_content` is true."""

    def __init__(self, **data: Any) -> None:
        for key in _LISTS:
            if key in data:
                longest = _LONGEST_ROW if key == "sample" else _LONGEST_NAME
                data[key] = tuple(_one_line(item, longest) for item in items(data[key], key))
        for key in ("name", "target"):
            if key in data:
                data[key] = _one_line(data[key], _LONGEST_NAME)
        super().__init__(**data)
        self._check()

    def _check(self) -> None:
        if self.features is not None and (self.numeric or 0) + (self.categorical or 0) > self.features:
            raise CardError(
                f"{self.numeric} numeric and {self.categorical} categorical features are more than {self.features}",
                "count each feature once, without the target",
            ).at("features")
        if any(not 0 <= share <= 1 for share in self.balance) or sum(self.balance) > 1.01:  # rounded shares
            raise CardError(f"balance is {shown(self.balance)}", "give the classes' shares, which add up to 1").at(
                "balance"
            )
        if any(not -1 <= r <= 1 for r in self.strongest):
            raise CardError(f"strongest is {shown(self.strongest)}", "give correlations from -1 to 1").at("strongest")
        if self.strongest_names and len(self.strongest_names) != len(self.strongest):
            raise CardError(
                f"there are {len(self.strongest_names)} strongest_names for {len(self.strongest)} values of strongest",
                "give one name for each",
            ).at("strongest_names")
        if self.sample and not self.share_content:
            raise CardError("sample holds rows, but share_content is false", "leave sample out, or share").at("sample")
        if self.share_content and self.context == "none":
            raise CardError("share_content is true, but context is none", "choose one of the two").at("share_content")

    def told(self) -> "Dataset | None":
        """What of this a model is told, by `context`; None for nothing."""
        fields = type(self).model_fields
        facts = set(fields) - {"context", "share_content"}
        kept = {"full": facts, "partial": {"sample", *_COUNTS, *_LABELS}, "none": set()}[self.context]
        shown = self.model_copy(update={key: field.default for key, field in fields.items() if key not in kept})
        return None if shown == Dataset() else shown

    def to_json(self) -> dict[str, Any]:
        """As plain data, what is unknown left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def of(
        cls,
        X: Any,
        y: Any = None,
        *,
        target: str | None = None,
        name: str = "",
        task: Task | None = None,
        context: Context = "full",
        share_content: bool = False,
    ) -> "Dataset":
        """The statistics of a pandas dataframe or an array (rows, features), and of its target.

        Of more than 50,000 rows, or 20 million cells, rows are drawn at random, and `sampled_rows` says so.

        Args:
            y: the target, one value a row; or `target`, the dataframe's column that is the target.
            task: what the target is; judged by its values unless given (see `data_statistics.statistics`).
            name, context, share_content: as the fields.

        Raises:
            CardError: the data cannot be read as a table, or has fewer than 10 rows.
        """
        from tunewright.data_table import from_arrays

        blank = cls(name=name, task=task, context=context, share_content=share_content)
        return blank._filled(from_arrays(X, y, target))

    @classmethod
    def read(
        cls,
        csv: str | Path,
        target: str | None = None,
        *,
        separator: str = ",",
        name: str = "",
        task: Task | None = None,
        context: Context = "full",
        share_content: bool = False,
    ) -> "Dataset":
        """The same of a CSV file (UTF-8) whose first line names the columns; paths count from the current folder."""
        from tunewright.data_table import from_csv

        blank = cls(name=name, task=task, context=context, share_content=share_content)
        return blank._filled(from_csv(str(csv), target, separator))

    def _filled(self, table: "Table") -> "Dataset":
        from tunewright.data_statistics import statistics

        rows = (", ".join(_one_line(cell, _LONGEST_CELL) for cell in row) for row in table.sample)
        sample = tuple(rows) if self.share_content else ()
        return type(self)(**{**self.model_dump(), "sample": sample, **statistics(table, self.task)})


def read_data(data: Any) -> Dataset | None:
    """The data of a card, from any form in which people give it.

    Args:
        data: a `Dataset`; a mapping with `csv` and what `Dataset.read` takes, or with facts; a pandas dataframe, an
            array, or a pair (X, y).

    Raises:
        CardError: it is none of these, placed under `data`.
    """
    if data is None or isinstance(data, Dataset):
        return data
    try:
        if isinstance(data, Mapping) and data.get("csv") is not None:
            return _read_mapping(data)
        if isinstance(data, tuple) and len(data) == 2:
            return Dataset.of(*data)
        if hasattr(data, "iloc") or hasattr(data, "__array__"):
            return Dataset.of(data)
    except CardError as e:
        raise e.at("data") from None
    if isinstance(data, Mapping):
        return build(Dataset, data, "data")
    raise CardError(
        f"data is {shown(data)}",
        "give facts ({rows: 50000, features: 30}), {csv: FILE, target: COLUMN}, a dataframe, or a pair (X, y)",
    ).at("data")


def _read_mapping(data: Mapping[str, Any]) -> Dataset:
    refuse_unknown(data, _READ)
    given: dict[str, Any] = {
        key: str(value) if isinstance(value, Path) else value for key, value in data.items() if value is not None
    }
    for key in ("csv", "target", "separator"):
        if not isinstance(given.get(key, ""), str):
            raise CardError(f"{key} is {shown(given[key])}", 'give text; put "quotes" around a number').at(key)
    return Dataset.read(**given)


def _one_line(text: Any, longest: int) -> Any:
    """Foreign text without line breaks and what cannot be printed, cut to `longest` characters; not text: as it is."""
    if not isinstance(text, str):
        return text
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"
