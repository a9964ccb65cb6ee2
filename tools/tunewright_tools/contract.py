"""The output contract: what a run prints on stdout becomes metric values, a learning curve and its own status.

Three forms of line count, and a line counts only when all of it has that form:

- `name: value` or `name=value`;
- several of those, separated by spaces, commas, semicolons or `|`: `step=3 val_loss=0.5`;
- one JSON object, or one Python dict as `print` writes it (so does the `Trainer` of transformers; 5.23 in four digits):
  `{"epoch": 2, "val_loss": 0.5}`, `{'val_loss': 0.5, 'epoch': 2.0}`.

Only declared names, `step`, `epoch`, `status` and the names of `SELF_REPORTED` are read; others are passed over.
Prose is never searched, because `best val_loss: 0.3 so far` says something else than `val_loss: 0.3`; such near misses
are kept in `notes`, so that a person can be told why a metric was not seen.

A line with `step` or `epoch` (`step` where both stand) and a finite declared value is a point of the curve; what is not
finite is handed on with the point, for whoever stops a run that diverges, and is not kept in the curve. A line
with `epoch` alone is no point and marks nothing: whether the lines around it belong to it cannot be known, and the
final summary must not become one. `\\n` and `\\r` both end a line, so a progress bar's updates are lines.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from .base import Point, ToolSetupError
from .diagnosis import shortened

Direction = Literal["minimize", "maximize"]
RESERVED = ("step", "epoch", "status")
SELF_REPORTED = ("tokens_per_second", "samples_per_second", "peak_gpu_bytes", "total_gpu_bytes")
"""What a run may say of itself beside its metrics; it goes into its telemetry, and the last finite value counts."""
MAX_LINE = 1 << 20
"""Characters of a line that are kept; a longer line is passed over and noted."""
MAX_POINTS = 2000
"""Points of a curve that are kept: a longer curve is thinned evenly, and keeps its first and its last point."""
MAX_NOTES = 5

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_ENDING = re.compile(r"[\r\n]")


def declared(metrics: Iterable[tuple[str, str]]) -> dict[str, Direction]:
    """Metric name -> direction, in the order given.

    Raises:
        ToolSetupError: no metric, a name twice or reserved, or a direction that is not one.
    """
    found: dict[str, Direction] = {}
    for name, direction in metrics:
        if direction not in ("minimize", "maximize"):
            raise ToolSetupError(f"metric {name!r} has direction {direction!r}", "say minimize or maximize")
        if name in found or not name.strip():
            raise ToolSetupError(f"metric name {name!r} is empty or declared twice", "give each metric its own name")
        if name in RESERVED:
            raise ToolSetupError(f"a metric cannot be named {name!r}", f"{', '.join(RESERVED)} have their own meaning")
        found[name] = cast(Direction, direction)
    if not found:
        raise ToolSetupError("no metric is declared", "declare at least one metric with its direction")
    return found


def to_number(value: object) -> float | None:
    """The number that a printed value stands for (`nan` and `inf` included); None where it is none."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Curve:
    """Points in the order they came, at most `MAX_POINTS` of them kept."""

    def __init__(self) -> None:
        self._kept: list[Point] = []
        self._last: Point | None = None
        self._seen = 0
        self._stride = 1

    def add(self, point: Point) -> None:
        """Append a point; thins what is kept once there are too many."""
        if self._seen % self._stride == 0:
            self._kept.append(point)
            if len(self._kept) >= MAX_POINTS:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1
        self._last = point

    def points(self) -> tuple[Point, ...]:
        """The kept points, the last one always among them."""
        if self._last is None or (self._kept and self._kept[-1] is self._last):
            return tuple(self._kept)
        return (*self._kept, self._last)


class Values:
    """Declared names and what was last, and on the curve best, reported for them.

    `last value wins` holds for NaN too: a run whose last word on a declared name is NaN or infinite has diverged,
    one that recovered has not.
    """

    def __init__(
        self,
        metrics: Mapping[str, Direction],
        extra_names: Sequence[str],
        best_of_curve: bool,
        beside: Sequence[str] = (),
    ) -> None:
        self.names = tuple(dict.fromkeys((*metrics, *extra_names)))
        self.beside = tuple(name for name in dict.fromkeys(beside) if name not in self.names)
        """Names that need not be reported; their last finite value goes into the next point of the curve."""
        self._beside: dict[str, float] = {}
        self._directions = metrics
        self._best_of_curve = best_of_curve
        self._last: dict[str, float] = {}
        self._best: dict[str, float] = {}
        self._curve = Curve()

    def report(self, values: Mapping[str, float], step: float | None, seconds: float) -> Point | None:
        """Take in values reported together; the point that they make, None where they make none.

        The point has all declared values, finite or not; one without a finite value is not kept in the curve.
        """
        known = {name: value for name, value in values.items() if name in self.names}
        self._beside |= {n: value for n, value in values.items() if n in self.beside and math.isfinite(value)}
        self._last.update(known)
        finite = {name: value for name, value in known.items() if math.isfinite(value)}
        if step is None or not math.isfinite(step) or not known:
            return None
        for name, value in finite.items():
            if name in self._directions:
                better: Callable[..., float] = min if self._directions[name] == "minimize" else max
                self._best[name] = better(value, self._best.get(name, value))
        if finite:
            self._curve.add(Point(step, finite | self._beside, seconds))
        point = Point(step, known | self._beside, seconds)
        self._beside = {}
        return point

    def final(self) -> dict[str, float]:
        """Name -> value that counts: the last one, or each metric's own best of the curve (where it has a curve)."""
        if not self._best_of_curve:
            return dict(self._last)
        return {name: self._best.get(name, value) for name, value in self._last.items()}

    def missing(self) -> tuple[str, ...]:
        """Declared names that were never reported."""
        return tuple(name for name in self.names if name not in self._last)

    def not_finite(self) -> dict[str, float]:
        """Declared names whose last value is NaN or infinite, with that value."""
        return {name: value for name, value in self._last.items() if not math.isfinite(value)}

    def curve(self) -> tuple[Point, ...]:
        """The learning curve so far."""
        return self._curve.points()


class Reader:
    """Reads stdout in pieces of any size.

    Args:
        metrics: metric name -> direction.
        extra_names: names of constraints, read like metrics; their last value counts.
        best_of_curve: a metric's value is its best point of the curve instead of its last value.
        beside: names that join the curve's points where the run prints them, and need not appear.
    """

    def __init__(
        self,
        metrics: Mapping[str, Direction],
        extra_names: Sequence[str] = (),
        best_of_curve: bool = False,
        beside: Sequence[str] = (),
    ) -> None:
        self.values = Values(metrics, extra_names, best_of_curve, beside)
        self.status: Literal["oom", "diverged"] | None = None
        """What the run's last `status` line says; any other word (`status: running`) takes an earlier one back."""
        self.notes: list[str] = []
        """Up to five lines that name a declared value in a form that does not count, each with the reason."""
        self.reported: dict[str, float] = {}
        """What the run said of itself, by the names of `SELF_REPORTED`."""
        self._rest = ""
        self._overlong = False
        known = {*self.values.names, *self.values.beside, *RESERVED, *SELF_REPORTED}
        names = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
        self._mentioned = re.compile(f"(?:{names})")
        own = "|".join(map(re.escape, self.values.names)) or "(?!)"
        self._near_miss = re.compile(rf"(?<![\w.])(?:{own})[\"']?\s*[=:]\s*\S")
        self._pair = re.compile(
            rf"[\s,;|]*(?P<name>(?:{names})(?=\s*[=:])|[^\s:=,;|]+)\s*[=:]\s*"
            r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;|]+)[\s,;|]*"
        )

    def feed(self, text: str, seconds: float) -> list[Point]:
        """The points of the curve that this piece of output completes; `seconds` since the run began."""
        *lines, rest = _ENDING.split(text)
        points = []
        for line in lines:
            whole, self._rest = self._rest if self._overlong else self._rest + line, ""
            if self._overlong or len(whole) > MAX_LINE:
                self._overlong = False
                self._note("a line was longer than can be read", whole)
            elif point := self._line(whole, seconds):
                points.append(point)
        if not self._overlong:
            self._rest += rest
            if len(self._rest) > MAX_LINE:
                self._rest, self._overlong = shortened(self._rest, 200), True
        return points

    def close(self, seconds: float) -> list[Point]:
        """The points that a last line without a line ending makes."""
        return self.feed("\n", seconds)

    def _line(self, line: str, seconds: float) -> Point | None:
        line = line.strip()
        if not self._mentioned.search(line):
            return None
        found = _mapping(line) if line.startswith("{") else self._pairs(line)
        if found is None:
            if self._near_miss.search(line):
                self._note("not a line of `name: value` pairs or a JSON object alone", line)
            return None
        if "status" in found:
            self.status = found["status"] if found["status"] in ("oom", "diverged") else None
        values = {}
        for name in self.values.names:
            if name in found:
                number = to_number(found[name])
                if number is None:
                    self._note(f"the value of {name} is not a number", line)
                else:
                    values[name] = number
        for name in self.values.beside:
            number = to_number(found.get(name))
            if number is not None:
                values[name] = number
        for name in SELF_REPORTED:
            number = to_number(found.get(name))
            if number is not None and math.isfinite(number):
                self.reported[name] = number
        step = to_number(found["step"] if "step" in found else found.get("epoch"))
        return self.values.report(values, step, seconds)

    def _pairs(self, line: str) -> dict[str, Any] | None:
        pairs, at = {}, 0
        while at < len(line):
            found = self._pair.match(line, at)
            if found is None:
                return None
            pairs[found["name"]] = found["value"].strip("\"'")
            at = found.end()
        return pairs

    def _note(self, reason: str, line: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(f"{reason}: {shortened(line, 200)}")


def _mapping(line: str) -> dict[str, Any] | None:
    """The JSON object or the Python dict that the line is; of the latter its values as they are written."""
    try:
        found = json.loads(line)
    except RecursionError:
        return None
    except ValueError:
        return _python_dict(line)
    return found if isinstance(found, dict) else None


def _python_dict(line: str) -> dict[str, Any] | None:
    try:
        node = ast.parse(line, mode="eval").body
        if not isinstance(node, ast.Dict):
            return None
        names = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        # nothing is evaluated: `nan` would be a name, and is a number here
        return {name: ast.unparse(value).strip("'") for name, value in zip(names, node.values, strict=True)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
