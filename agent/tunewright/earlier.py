"""Trials of an earlier study, checked against a card and kept in a new study's record: read-only, counted, named.

They are never trials of the new study: they have no number, no turn, and cannot be its best. A row that does not fit is
left out and said; a value beyond the bounds, or off the grid, is learned from where it is, never moved.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tunewright.card import TaskCard
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.numeric import logit
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright_tools.base import Config

MOST = 5000
"""Trials that one set may hold."""
LEARNED = 400
"""Those of one set that the surrogate learns from: half of these are the best ones, the rest spread over the others."""
FAILED = ("failed", "oom", "diverged", "timeout", "crashed")
"""Ends of a trial that was started and gave no value; kept and counted, not learned from."""
_CHUNK = 200
_BEYOND = 1.0
"""How far outside the bounds a value may lie and still be learned from, in widths of the parameter's range."""


@dataclass(frozen=True)
class Row:
    """One trial as its source has it."""

    values: Mapping[str, Any]
    """By parameter; None where the source says nothing."""
    metrics: Mapping[str, float]
    status: str
    """`done`, one of `FAILED`, or anything else for a trial that says nothing (pruned, running)."""


@dataclass(frozen=True)
class Past:
    """One trial that was taken in."""

    config: Config
    """Complete for the card's space; a value may lie outside its bounds unless `runnable`."""
    metrics: dict[str, float]
    """Of a done one: a finite value for each of the card's metrics."""
    status: str
    runnable: bool
    """Whether it could run in this space as it is; one that could not is only learned from."""

    @property
    def done(self) -> bool:
        """Whether it has a value."""
        return self.status == "done"


@dataclass(frozen=True)
class Earlier:
    """The trials of one earlier study, as far as they fit; made by `fitting` or by `earlier_sources.read`."""

    name: str
    trials: tuple[Past, ...]
    given: int
    """Trials in the source."""
    notes: tuple[str, ...] = field(default=())
    """What was left out, ignored or assumed, with counts, a sentence each."""
    same_task: bool = False
    """Whether it measured the very same task, as the parent of a branch did: it is believed until results disagree."""

    @property
    def n_done(self) -> int:
        """Trials with a value."""
        return sum(t.done for t in self.trials)

    def summary(self) -> str:
        """What was taken in, for a person, on one line."""
        beyond = sum(t.done and not t.runnable for t in self.trials)
        parts = [f"{self.n_done} with a value"]
        parts += [f"at most {LEARNED} of them modelled"] if self.n_done > LEARNED else []
        parts += [f"{beyond} of them only learned from"] if beyond else []
        parts += [f"{len(self.trials) - self.n_done} failed"] if self.n_done < len(self.trials) else []
        text = f"earlier trials of {self.name}: {len(self.trials)} of {self.given} taken in ({', '.join(parts)})"
        return "; ".join([text, *self.notes])


# -- checking ----------------------------------------------------------------------------------------------------------


def fitting(
    name: str,
    card: TaskCard,
    rows: Sequence[Row],
    *,
    assume: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    same_task: bool = False,
) -> Earlier:
    """The rows that fit the card, and sentences about those that do not.

    Args:
        name: under which a study keeps and reports them.
        card: the task that is tuned now.
        rows: all of the source.
        assume: values with which the earlier trials ran, of parameters that the source does not have.
        notes: what the source's reader has to say.
        same_task: whether the source measured the very same task.

    Raises:
        CardError: `assume` names no parameter, or a value that it cannot take.
        StudyError: nothing fits, or there are more than `MOST` rows.
    """
    if len(rows) > MOST:
        raise StudyError(f"{name} holds {len(rows)} trials, more than {MOST}", "keep those that matter most")
    assume = dict(assume or {})
    _check_assumed(card, assume)
    said = _Said()
    kept = [past for row in rows if (past := _past(card, row, assume, said)) is not None]
    if not any(t.done for t in kept):
        reasons = "; ".join([*notes, *said.sentences()]) or "it has no trials"
        raise StudyError(
            f"no trial of {name} can be used here: {reasons}",
            "name its columns as the card names its parameters and metrics; state what a missing parameter was, on the "
            "card: `earlier: [{csv: past.csv, assume: {NAME: VALUE}}]`; or leave these trials out",
        )
    return Earlier(name, tuple(kept), len(rows), (*notes, *said.sentences()), same_task)


def _check_assumed(card: TaskCard, assume: Mapping[str, Any]) -> None:
    for name, value in assume.items():
        if name not in card.space:
            raise CardError(
                f"assume names {name!r}, which is not in the space",
                f"{did_you_mean(name, card.space.names)}the parameters are {', '.join(card.space.names)}",
            )
        fault = card.space[name].fault(value)
        if fault:
            raise CardError(f"assume says {name} = {value!r}, which {fault}", card.space[name].accepts())


class _Said:
    """Reasons, each counted, with the first value that was seen."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, str]] = {}

    def add(self, reason: str, example: object = None) -> None:
        shown = "" if example is None else f", such as {str(example)[:40]!r}"
        count, first = self._counts.get(reason, (0, shown))
        self._counts[reason] = (count + 1, first)

    def sentences(self) -> list[str]:
        return [f"{count} {reason}{example}" for reason, (count, example) in self._counts.items()]


def _past(card: TaskCard, row: Row, assume: Mapping[str, Any], said: _Said) -> Past | None:
    """The row as a past trial; None, with the reason said, where it cannot be used."""
    if row.status != "done" and row.status not in FAILED:
        said.add(f"left out: {row.status}")
        return None
    metrics = {name: float(value) for name, value in row.metrics.items() if math.isfinite(value)}
    missing = [m.name for m in card.metrics if m.name not in metrics]
    if row.status == "done" and missing:
        said.add(f"left out: without a finite {missing[0]}")
        return None
    space = card.space
    full = {name: row.values.get(name) for name in space.names}
    assumed = [name for name in assume if full[name] is None]
    full |= {name: assume[name] for name in assumed}
    active = space.active(full)
    config: Config = {}
    reasons: list[tuple[str, Any]] = []
    for name in active:
        value, p = full[name], space[name]
        if value is None:
            said.add(f"left out: {name} is missing")
            return None
        if p.fault(value) is None and _same(p.round(value), value):
            config[name] = p.round(value)
            if name in space.held and not space.held[name].allows(config[name]):
                reasons.append((f"only learned from: {name} is {space.accepts(name)} now", value))
        elif position(p, value) is not None:
            config[name] = value
            where = "off its grid" if p.low <= value <= p.high else "outside its bounds"  # type: ignore[attr-defined]
            reasons.append((f"only learned from: {name} is {where}", value))
        else:
            said.add(f"left out: {name} {p.fault(value)}", value)
            return None
    if not reasons and not space.fulfils(config):
        broken = next(r.text for r in space.relations if not r.holds(config))
        reasons.append((f"only learned from: {broken} does not hold", None))
    for reason in reasons[:1]:
        said.add(*reason)
    for name in assumed:
        if name in config:
            said.add(f"taken to have run with {name} = {assume[name]!r}")
    for name in space.names:
        if name not in active and full[name] is not None and name not in assumed:
            said.add(f"with a value for {name} where it is not active: that value was ignored")
    return Past(config, metrics if row.status == "done" else {}, row.status, not reasons)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(a == b)


def position(p: Parameter, value: Any) -> float | None:
    """`place` of a value that may be learned from: None also where it is farther outside than `_BEYOND` widths."""
    u = place(p, value)
    return u if u is not None and -_BEYOND <= u <= 1 + _BEYOND else None


def place(p: Parameter, value: Any) -> float | None:
    """Where a value lies on a numeric parameter's scale, 0 to 1 inside its bounds, also off its grid and beyond them.

    None for what the scale cannot hold: a choice that is not there, 0 on a log scale.
    """
    if not isinstance(p, Float | Int) or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    ends = [p.round(p.low), p.round(p.high)]
    try:
        low, high, here = (_on_scale(p, v) for v in (*ends, float(value)))
    except (ValueError, OverflowError):  # the logarithm of what has none; a whole number beyond all floats
        return None
    if high <= low or not math.isfinite(here):
        return None
    first, last = (float(u) for u in p.to_unit(ends))
    return first + (here - low) / (high - low) * (last - first)


def _on_scale(p: Float | Int, value: float) -> float:
    if p.log or getattr(p, "rounding", None):
        return math.log(value)
    if getattr(p, "logit", False):
        return logit(value)
    return float(value)


# -- the record --------------------------------------------------------------------------------------------------------


class Store(Protocol):
    """What is needed of a study."""

    def set(self, key: str, value: Any) -> None:
        """Write one attribute."""

    def attributes(self, prefix: str) -> dict[str, Any]:
        """All attributes whose key starts with the prefix."""


def record(study: Store, sets: Iterable[Earlier]) -> None:
    """Write sets into the study's record, in pieces; one whose name is on record already stays as it is."""
    known = [one.name for one in recorded(study)]
    for order, one in enumerate((one for one in sets if one.name not in known), start=len(known)):
        key = f"earlier/{hashlib.sha256(one.name.encode()).hexdigest()[:12]}"
        for start in range(0, len(one.trials), _CHUNK):
            piece = [[t.config, t.metrics, t.status, t.runnable] for t in one.trials[start : start + _CHUNK]]
            study.set(f"{key}/{start:05d}", piece)
        about = {"name": one.name, "given": one.given, "notes": one.notes, "same_task": one.same_task}
        # last: a set without it is not there
        study.set(key, {**about, "order": order})


def recorded(study: Store) -> list[Earlier]:
    """The sets on record, in the order in which they were given."""
    found = study.attributes("earlier/")
    heads = {key: value for key, value in found.items() if key.count("/") == 1}
    sets = []
    for key, head in sorted(heads.items(), key=lambda item: (item[1]["order"], item[0])):
        pieces = [found[k] for k in sorted(found) if k.startswith(f"{key}/")]
        trials = tuple(Past(*fields) for piece in pieces for fields in piece)
        sets.append(Earlier(head["name"], trials, head["given"], tuple(head["notes"]), head["same_task"]))
    return sets


def refitted(one: Earlier, card: TaskCard, assume: Mapping[str, Any] | None = None) -> Earlier:
    """The set as it fits a card that has changed since it was taken in, with what that leaves out among its notes.

    `assume` is as for `fitting`.
    """
    said = _Said()
    rows = [Row(t.config, t.metrics, t.status) for t in one.trials]
    kept = [past for row in rows if (past := _past(card, row, assume or {}, said)) is not None]
    notes = dict.fromkeys([*one.notes, *said.sentences()])
    return replace(one, trials=tuple(kept), notes=tuple(notes))


def parsed(p: Parameter, text: str) -> Any:
    """The parameter's value that a text stands for; None for an empty cell, the text itself where it is none."""
    text = text.strip()
    if not text:
        return None
    number = _number(text)
    if isinstance(p, Choice):  # first: "none" may be one of the choices
        for choice in p.choices:
            if str(choice).lower() == text.lower() if isinstance(choice, bool) else str(choice) == text:
                return choice
        for choice in p.choices:  # only now: beside 1 there may be a choice "1e0"
            if number is not None and not isinstance(choice, bool | str) and choice == number:
                return choice
    if text.lower() in ("nan", "none", "null"):
        return None
    return text if number is None or isinstance(p, Choice) else number


def _number(text: str) -> float | int | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
