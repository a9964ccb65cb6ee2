"""Every model call and what became of it; what each source of proposals contributed and cost."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from tunewright.card import TaskCard
from tunewright.redact import redact_all
from tunewright.trial import Proposal, Source, Trial, Verdict
from tunewright.trial_json import proposal_from_json, proposal_to_json, to_plain

_KEY = "call/"


@dataclass(frozen=True)
class Call:
    """One call of a model, as it was made and answered."""

    id: str
    """Made of the trial number, the purpose and a count, so that a study that goes on finds its own calls again; and
    of something random where several processes asked the same at once."""
    number: int
    """The trial that it was asked for."""
    purpose: str
    model: str
    template: str
    template_hash: str
    prompt: str
    reply: str = ""
    proposals: tuple[Proposal, ...] = ()
    """The configurations in the reply, as the model gave them."""
    prior: dict[str, Any] = field(default_factory=dict)
    derived: dict[str, Any] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    """None: no price is known for the model; 0.0: free."""
    finish: str = ""
    error: str = ""
    """Why there is no reply; empty when there is one."""
    started: float = 0.0
    """Unix seconds."""


@dataclass(frozen=True)
class Fate:
    """What became of one proposal of a call."""

    call_id: str
    index: int
    fate: Literal["ran", "refused", "unused"]
    trial_number: int | None = None
    """The trial that it became, or on the way to which it was refused."""
    reason: str = ""
    """The guard's reason, for a refused one."""


@dataclass(frozen=True)
class Contribution:
    """What one source gave a study."""

    source: Source
    turns: int = 0
    """Trials that were this source's turn."""
    ran: int = 0
    """Trials whose configuration came from it."""
    done: int = 0
    """Those of them that gave a value."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Its proposals that the guard refused, counted by the kind of reason (`repeat`, `invalid`, ...)."""
    incumbents: int = 0
    """Its trials that were the best feasible one so far when they ended; of several metrics, on the front so far."""
    gain: float = 0.0
    """By how much, in all, they improved the first metric, in its own unit; the very first improves nothing. Of
    several metrics, by how much they let the front's hypervolume grow, as a share of what it is now."""


@dataclass(frozen=True)
class Totals:
    """What the model calls of a study cost, and what came of them."""

    calls: int
    failed_calls: int
    tokens_in: int
    tokens_out: int
    seconds: float
    """Time spent waiting for the models, seconds; part of it while trials ran."""
    cost_usd: float
    """Of the calls with a known price."""
    unpriced_calls: int
    """Calls whose model has no known price; they are missing from `cost_usd`."""
    sources: tuple[Contribution, ...]


class Store(Protocol):
    """What the ledger needs of a study."""

    card: TaskCard

    def set(self, key: str, value: Any) -> None:
        """Write one attribute."""

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        """Whether the attribute was written, only where it holds `before`."""

    def attributes(self, prefix: str, known: Collection[str] = ()) -> dict[str, Any]:
        """All attributes whose key starts with the prefix, but for those of known keys."""

    def trials(self) -> list[Trial]:
        """The latest attempt of each trial."""

    def attempts(self) -> list[Trial]:
        """Every attempt."""


class Ledger:
    """The model calls of a study; kept in its record, one attribute a call. API keys are removed on the way in."""

    def __init__(self, study: Store) -> None:
        self._study = study
        self._read: dict[str, Call] = {}  # in order of their ids

    def record(self, call: Call) -> None:
        """Write a call down; the same id again replaces it.

        Raises:
            StudyError: the record cannot be written, or the call holds something other than plain data.
        """
        self._study.set(f"{_KEY}{call.id}", _data(call))
        self._read.pop(call.id, None)

    def record_first(self, call: Call) -> bool:
        """Whether the call was written down: not where another process has written one of its id.

        Raises:
            StudyError: as for `record`.
        """
        return self._study.swap(f"{_KEY}{call.id}", _data(call))

    def calls(self) -> list[Call]:
        """All calls, by id, numbers in it counted as numbers."""
        read = dict(self._read)  # of this look alone: the model is asked in a thread of its own
        new = self._study.attributes(_KEY, {_KEY + id_ for id_ in read})
        if new:
            read |= {key.removeprefix(_KEY): _call(data) for key, data in new.items()}
            self._read = read = {id_: read[id_] for id_ in sorted(read, key=_natural)}
        return list(read.values())

    def get(self, id_: str) -> Call | None:
        """The call of that id; None when it was not made."""
        if id_ not in self._read:
            self.calls()
        return self._read.get(id_)

    def fates(self) -> list[Fate]:
        """What became of each proposal of each call, in the calls' order; derived from the trials."""
        found: dict[tuple[str, int], Fate] = {}
        attempts = self._study.attempts()
        for t in attempts:
            for refusal in t.refused:
                p = refusal.proposal
                if p.call_id is not None and p.index is not None:
                    found[p.call_id, p.index] = Fate(p.call_id, p.index, "refused", t.number, refusal.verdict.reason)
        for t in attempts:  # after the refusals: a proposal that was refused for one trial may have become another
            if t.call_id is not None and t.call_index is not None:
                found[t.call_id, t.call_index] = Fate(t.call_id, t.call_index, "ran", t.number)
        return [
            found.get((call.id, i), Fate(call.id, i, "unused"))
            for call in self.calls()
            for i in range(len(call.proposals))
        ]

    def totals(self) -> Totals:
        """What the calls cost and what each source contributed."""
        calls = self.calls()
        return Totals(
            calls=len(calls),
            failed_calls=sum(bool(c.error) for c in calls),
            tokens_in=sum(c.tokens_in for c in calls),
            tokens_out=sum(c.tokens_out for c in calls),
            seconds=sum(c.seconds for c in calls),
            cost_usd=sum(c.cost_usd or 0.0 for c in calls),
            unpriced_calls=sum(c.cost_usd is None and not c.error for c in calls),
            sources=tuple(contributions(self._study.card, self._study.trials()).values()),
        )


def contributions(card: TaskCard, trials: Iterable[Trial]) -> dict[Source, Contribution]:
    """What each source gave, by source, in the order of their first turn or proposal.

    Args:
        card: whose metrics and constraints decide what the best so far is.
        trials: the latest attempt at each, such as `Study.trials`. What was the best so far goes by when they ended:
            of several that run at once a later one may end first.
    """
    found: dict[Source, dict[str, Any]] = {}

    def of(source: Source) -> dict[str, Any]:
        empty = {"turns": 0, "ran": 0, "done": 0, "refused": {}, "incumbents": 0, "gain": 0.0}
        return found.setdefault(source, empty)

    trials = list(trials)
    for t in trials:
        of(t.turn or t.source)["turns"] += 1
        for refusal in t.refused:
            kinds = of(refusal.proposal.source)["refused"]
            kind = reason_kind(refusal.verdict)
            kinds[kind] = kinds.get(kind, 0) + 1
        of(t.source)["ran"] += 1
        of(t.source)["done"] += t.done
    best: float | None = None
    feasible: list[tuple[dict[str, Any], list[float]]] = []
    for t in sorted(trials, key=_ended):
        if not t.done or t.outcome is None or not card.feasible(t.outcome.metrics):
            continue
        mine = of(t.source)
        if len(card.metrics) > 1:
            feasible.append((mine, [m.loss(t.outcome.metrics[m.name]) for m in card.metrics]))
            continue
        loss = card.primary.loss(t.outcome.metrics[card.primary.name])
        if best is None or loss < best:
            mine["incumbents"] += 1
            mine["gain"] += 0.0 if best is None else best - loss
            best = loss
    if feasible:
        _share_the_front(feasible)
    return {source: Contribution(source, **counts) for source, counts in found.items()}


def _ended(trial: Trial) -> tuple[float, int]:
    return trial.started if trial.finished is None else trial.finished, trial.number


def _share_the_front(feasible: list[tuple[dict[str, Any], list[float]]]) -> None:
    """Count for each source its trials that joined the front, and the hypervolume that they added."""
    import numpy as np

    from tunewright.hypervolume import Front, added, reference, scaled, volume

    Y, _ = scaled(np.array([losses for _, losses in feasible]))
    r = reference(Y)
    total, front = volume(Y, r), Front(Y.shape[1])
    for (mine, _), row in zip(feasible, Y, strict=True):
        if front.covers(row):
            continue
        mine["incumbents"] += 1
        mine["gain"] += added(front.rows, row, r) / total if len(front.rows) else 0.0
        front.add(row)


def reason_kind(verdict: Verdict) -> str:
    """The first words of a reason, up to its colon: `repeat`, `invalid`, `likely to fail`, `not promising`."""
    return verdict.reason.partition(":")[0].strip()


def _data(call: Call) -> Any:
    data = {f.name: getattr(call, f.name) for f in fields(Call)}
    data["proposals"] = [proposal_to_json(p) for p in call.proposals]
    return redact_all(to_plain(data))


def _call(data: Mapping[str, Any]) -> Call:
    values = {f.name: data[f.name] for f in fields(Call) if f.name in data}
    values["proposals"] = tuple(proposal_from_json(p) for p in values["proposals"])
    return Call(**values)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]
