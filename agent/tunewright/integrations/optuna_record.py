"""An Optuna study as the record that the planner and the ledger read and write."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from tunewright.card import TaskCard
from tunewright.integrations.define_by_run import Learned
from tunewright.ledger import Ledger
from tunewright.trial import Trial
from tunewright.trial_json import from_plain, to_plain, trial_from_json
from tunewright_tools.base import Outcome, Status, Telemetry

PLAN = "tunewright"
"""System attribute of a trial: what was decided for it, before it ran."""
_FAULTS: dict[str, Any] = {"oom": "config", "diverged": "config", "timeout": "config", "crashed": "config"}
_FAULTS |= {"cancelled": None, "lost": "host"}


class OptunaRecord:
    """The part of an Optuna study that one space describes.

    Args:
        constraints: metric of a constraint -> the name under which the script sets it.
        scope: the prefix of this space's calls of a model among the study's attributes.
    """

    def __init__(
        self, study: optuna.Study, card: TaskCard, learned: Learned, constraints: Mapping[str, str], scope: str
    ) -> None:
        self.card = card
        self._study = study
        self._constraints = constraints
        self._learned = learned
        self._prefix = f"tunewright:{scope}:"
        self._trials: list[Trial] = []
        self.ledger = Ledger(self)

    def look(self, rows: Sequence[FrozenTrial], learned: Learned, number: int) -> None:
        """Take in the study's trials as they stand; trial `number` is the one to be decided and does not count."""
        self._learned = learned
        retried = {n for row in rows for n in row.system_attrs.get("retry_history", ())}
        found = [self._trial(row, retried) for row in rows if row.number != number]
        # one that has asked for nothing yet, failed on the way, or was enqueued out of bounds tells nothing
        self._trials = [t for t in found if self._complete(t)]

    def trials(self) -> list[Trial]:
        """The trials whose configuration is known, by number."""
        return self._trials

    def attempts(self) -> list[Trial]:
        """As `trials`: an Optuna study runs each of them once."""
        return self._trials

    def set(self, key: str, value: Any) -> None:
        """Write one attribute of the study."""
        self._study.set_user_attr(self._prefix + key, to_plain(value))

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        """Whether the attribute was written, as it held `before`; a study of Optuna's can only be looked at first."""
        if self.get(key) != before:
            return False
        self.set(key, value)
        return True

    def get(self, key: str, default: Any = None) -> Any:
        """One of this space's attributes of the study, or the default."""
        return self.attributes(key).get(key, default)

    def attributes(self, prefix: str, known: Collection[str] = ()) -> dict[str, Any]:
        """Attributes of the study, this space's own, whose key starts with the prefix, but for those of known keys."""
        found = self._study._storage.get_study_user_attrs(self._study._study_id)
        own = {key.removeprefix(self._prefix): value for key, value in found.items() if key.startswith(self._prefix)}
        return {key: from_plain(own[key]) for key in own if key.startswith(prefix) and key not in known}

    def _complete(self, trial: Trial) -> bool:
        space = self._learned.space
        inside = all(space[name].fault(value) is None for name, value in trial.config.items())
        return inside and all(name in trial.config for name in space.active(trial.config))

    def _trial(self, row: FrozenTrial, retried: Collection[int]) -> Trial:
        plan = row.system_attrs.get(PLAN)
        trial = trial_from_json(plan) if plan is not None else Trial(row.number, {}, _source(row))
        config = self._learned.config(row.params)
        if row.state in (TrialState.RUNNING, TrialState.FAIL):  # it may not have asked for everything yet
            space = self._learned.space
            known = {n: v for n, v in trial.config.items() if n in space and not space[n].fault(v)}
            config = known | config
            config = {name: config[name] for name in space.active(config) if name in config}
        outcome = self._outcome(row, row.number in retried)
        return replace(
            trial,
            number=row.number,
            config=config,
            status=outcome.status if outcome is not None else "running",
            outcome=outcome,
            started=row.datetime_start.timestamp() if row.datetime_start else 0.0,
            finished=row.datetime_complete.timestamp() if row.datetime_complete else None,
        )

    def _outcome(self, row: FrozenTrial, retried: bool) -> Outcome | None:
        """How a trial ended, or None while it runs."""
        telemetry = Telemetry(seconds=row.duration.total_seconds()) if row.duration is not None else None
        match row.state:
            case TrialState.COMPLETE:
                metrics = dict(zip((m.name for m in self.card.metrics), row.values, strict=True))
                metrics |= self._constrained(row.constraints)
                if all(math.isfinite(v) for v in metrics.values()):
                    return Outcome("done", metrics, telemetry=telemetry)
                return Outcome("diverged", telemetry=telemetry, detail=f"values {row.values}", fault="config")
            case TrialState.PRUNED:
                return Outcome("pruned", telemetry=telemetry)
            case TrialState.FAIL:
                told = row.user_attrs.get("status")
                status: Status = "lost" if retried else told if told in _FAULTS else "crashed"
                return Outcome(status, telemetry=telemetry, fault=_FAULTS[status])
        return None

    def _constrained(self, beyond: Mapping[str, float]) -> dict[str, float]:
        """The metrics under constraints, from how far a trial is beyond each bound."""
        found: dict[str, float] = {}
        for c in self.card.constraints:
            name = self._constraints[c.metric]
            if name in beyond:
                found[c.metric] = c.bound + beyond[name] if c.op == "<=" else c.bound - beyond[name]
        return found


def planned(row: FrozenTrial) -> bool:
    """Whether a configuration was decided for a trial that has not ended."""
    return row.state == TrialState.RUNNING and (PLAN in row.system_attrs or bool(row.params))


def _source(row: FrozenTrial) -> str:
    if "source" in row.user_attrs:
        return str(row.user_attrs["source"])
    return "user" if "fixed_params" in row.system_attrs else "sampler:optuna"
