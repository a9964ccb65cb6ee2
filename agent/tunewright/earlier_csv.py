"""Read earlier trials from a CSV file: a table of one's own, Optuna's of a study, or what `export --to csv` writes."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from tunewright.card import TaskCard
from tunewright.card_earlier import EarlierCard
from tunewright.card_parts import shown
from tunewright.clean import listed
from tunewright.earlier import FAILED, Earlier, Row, fitting, parsed
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.parameters import Choice

_STATUS = ("status", "state")
_DONE = ("done", "complete", "completed", "ok", "finished", "success", "succeeded")
_FAILED = ("fail", "error", *FAILED)
_SILENT = ("pruned", "running", "waiting", "cancelled", "lost")
_SQLITE = b"SQLite format 3\0"
_OF_A_TABLE = ("number", "value", "datetime_start", "datetime_complete", "duration", "state", "source", "seconds")
"""Columns of Optuna's own table of a study, and of `export --to csv`, that are no parameters."""
_DECIMAL_COMMA = re.compile(r"[-+]?[\d.]*,\d[\d.,]*(?:e[-+]?\d+)?", re.I)


def from_csv(source: EarlierCard, card: TaskCard) -> Earlier:
    """The rows of a CSV file as a set of earlier trials.

    Raises:
        CardError, StudyError: the file cannot be read, or no column holds a metric of the card.
    """
    path = Path(str(source.csv))
    header, cells = _table(path)
    wanted = [m.name for m in card.metrics] + [c.metric for c in card.constraints]
    column = {name: name if name in header else f"metrics_{name}" for name in wanted}
    column |= {name: name for name in card.space.names if name in header}
    column |= {name: f"params_{name}" for name in card.space.names if name not in header}
    primary = card.primary.name
    if source.metric is not None:
        column[primary] = source.metric
    elif column[primary] not in header and len(card.metrics) == 1 and "value" in header and "value" not in card.space:
        column[primary] = "value"  # as Optuna's own table calls it
    column = {name: there for name, there in column.items() if there in header}
    for metric in card.metrics:
        if metric.name not in column:
            near = source.metric or metric.name
            raise CardError(
                f"{path} has no column {near!r}; its columns are {listed(header)}",
                f"{did_you_mean(near, header)}say which column holds {metric.name}: {{csv: {path}, metric: COLUMN}}",
            )
    status = next((name for name in _STATUS if name in header and name not in column.values()), None)
    known = {*column.values(), status, *(_OF_A_TABLE if any(h.startswith("params_") for h in header) else ())}
    unknown = [name for name in header if name not in known]
    notes = [f"columns that are not on the card were ignored: {listed(unknown)}"] if unknown else []
    for i, cell in enumerate(cells, start=2):
        for name, there in column.items():
            if _DECIMAL_COMMA.fullmatch(cell[there]) and not (
                name in card.space and isinstance(card.space[name], Choice)
            ):
                raise StudyError(
                    f"{path}: row {i} has {shown(cell[there])} as {there}, a number with a comma",
                    "write its numbers with a decimal point and nothing between the thousands, such as 1234.5",
                )
    rows = [_row(card, column, status, cell) for cell in cells]
    return fitting(source.name, card, rows, assume=source.assume, notes=notes)


def _table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                raise StudyError(f"{path} is a database, not a CSV file", f"write sqlite:///{path}")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = did_you_mean(path.name, [f.name for f in path.parent.glob("*.csv")]) if path.parent.is_dir() else ""
        raise StudyError(f"there is no file {path}", f"{near}give the path of a CSV file with past trials") from None
    except (OSError, UnicodeDecodeError) as e:
        raise StudyError(f"{path} cannot be read: {e}", "give a CSV file in UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        # as a file, not by `splitlines`: a form feed or a U+2028 in a cell ends no row
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header, *lines = [[cell.strip() for cell in line] for line in reader if line]
    except (ValueError, csv.Error) as e:
        reason = e if isinstance(e, csv.Error) else "it is empty"
        raise StudyError(
            f"{path} cannot be read: {reason}", "its first line names the columns, one trial a line"
        ) from None
    doubled = [name for name in header if name and header.count(name) > 1]
    if doubled:
        raise StudyError(f"{path} has two columns {doubled[0]!r}", "keep one of them")
    for i, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise StudyError(
                f"{path}: row {i} has {len(line)} cells, the header {len(header)}",
                "mend the row, quote its texts, or write its numbers with a decimal point where they have a comma",
            )
    return header, [dict(zip(header, line, strict=True)) for line in lines]


def _row(card: TaskCard, column: Mapping[str, str], status: str | None, cell: Mapping[str, str]) -> Row:
    values = {name: parsed(card.space[name], cell[there]) for name, there in column.items() if name in card.space}
    metrics = {}
    for name, there in column.items():
        if name not in card.space:
            try:
                metrics[name] = float(cell[there])
            except ValueError:
                continue  # an empty cell, or text: the row has no value
    word = cell[status].rpartition(".")[2].strip().lower() if status is not None else ""
    if not word:
        word = "done"
    if word in _DONE:
        return Row(values, metrics, "done")
    if word in _FAILED:
        return Row(values, metrics, word if word in FAILED else "failed")
    return Row(values, metrics, word if word in _SILENT else f"of the unknown status {word[:30]!r}")
