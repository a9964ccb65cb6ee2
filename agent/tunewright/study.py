"""The record of a study: its card, every trial from the moment it starts, the queue. An Optuna study underneath."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tunewright.card import TaskCard
from tunewright.environment import environment as seen_environment
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.founding import FORMAT, found_or_made, ours
from tunewright.lease import Lease
from tunewright.ledger import Ledger
from tunewright.redact import redact
from tunewright.revision import check_card, same_region
from tunewright.rows import CONSTRAINTS, LEASE, LOST, OUTCOME, START, WITHDRAWN, Row, in_optuna, rival_of, to_trial
from tunewright.space import Space
from tunewright.storage import Address, connect, quiet, speaking
from tunewright.trial import Proposal, Refusal, Source, Trial, Verdict
from tunewright.trial_json import clean_outcome, from_plain, outcome_to_json, to_plain, trial_to_json
from tunewright.waiting import ATTEMPTS, QueueEntry, rerun_id, waiting
from tunewright_tools.base import Config, Outcome

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage, RDBStorage


class Withdrawn(Exception):  # noqa: N818 (no error: the caller asks again)
    """Another process got there first: the trial just added was taken back.

    Args:
        number: the trial that was not started.
        rival: the older trial that has its number, its queue entry or its configuration.
    """

    def __init__(self, number: int, rival: Trial) -> None:
        super().__init__(f"trial {number} was taken back: trial {rival.number} of another process came first")
        self.number = number
        self.rival = rival


class AlreadyFinishedError(StudyError):
    """A trial that was told before, or closed as lost while its worker was silent."""


class Study:
    """A study's record; `Study.open` to work on it, `Study.load` to look at it. Several processes may share one.

    All methods raise `StudyError` when the database fails them (disk full, server gone).
    """

    def __init__(self, address: Address, storage: "BaseStorage", rdb: "RDBStorage", study_id: int, name: str) -> None:
        self.storage = address.shown
        """The address, without a password."""
        self.name = name
        self._address = address
        self._storage = storage
        self._rdb = rdb
        self._id = study_id
        self._clock: Callable[[], float] = time.time
        self._kept: dict[int, Trial | None] = {}  # finished rows never change
        self._last_queued = 0
        attributes = self.attributes("")
        written = attributes["tunewright"]["format"]
        if written > FORMAT:
            raise StudyError(
                f"study {name!r} in {self.storage} is of format {written}, this version reads up to {FORMAT}",
                "upgrade: pip install -U tunewright",
            )
        try:
            self.card = TaskCard.from_json(attributes["card"])
        except CardError as e:
            raise StudyError(
                f"the card of study {name!r} in {self.storage} cannot be read: {e.message}",
                "use the version of Tunewright that wrote it",
            ) from e
        self.seed: int = attributes["seed"]
        self.space_revision: int = attributes["space revision"]
        """Number of the space that new trials are recorded under."""
        self._spaces = {
            int(key.removeprefix("space/")): Space.from_json(value)
            for key, value in attributes.items()
            if key.startswith("space/")
        }

    # -- opening -------------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        card: TaskCard,
        storage: str = "sqlite:///tunewright.db",
        *,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Study":
        """The study named `card.name`, made where it is not there yet.

        Args:
            card: may differ from the one on record in its bounds, relations, constraints, budget and texts.
            storage: `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.
            seed: of a new study, 0 unless given; where the study exists it must be the recorded one, or None.
            clock: what `started` and `finished` are read from, in Unix seconds.

        Raises:
            StudyError: the record cannot be opened or written, is not ours, or does not fit the card or the seed.
        """
        address = Address.of(storage)
        base, rdb = connect(address, create=True)
        try:
            with speaking(address, "be opened"), quiet():
                study_id = found_or_made(base, address, card, 0 if seed is None else seed)
                study = cls(address, base, rdb, study_id, card.name)
                study._clock = clock
                if seed is not None and seed != study.seed:
                    raise StudyError(
                        f"study {card.name!r} in {address.shown} has seed {study.seed}, not {seed}",
                        "leave the seed out to go on with it, or give the card another `name`",
                    )
                study._take_card(card)
                study._settle()
        except BaseException:
            rdb.engine.dispose()
            raise
        return study

    @classmethod
    def load(cls, storage: str, name: str | None = None) -> "Study":
        """A study on record, its card too.

        Args:
            storage: as for `open`.
            name: None for the only one there.

        Raises:
            StudyError: it is not there, there are several, or the record cannot be opened.
        """
        address = Address.of(storage)
        base, rdb = connect(address, create=False)
        try:
            with speaking(address, "be opened"):
                found = ours(base)
                if name is None and len(found) == 1:
                    name = next(iter(found))
                if name is None:
                    raise StudyError(
                        f"{address.shown} holds {len(found) or 'no'} studies{': ' if found else ''}{', '.join(found)}",
                        "say which one" if found else "start one with `run`",
                    )
                if name not in found:
                    raise StudyError(
                        f"{address.shown} holds no study {name!r}",
                        f"{did_you_mean(name, found)}it holds {', '.join(found) or 'none yet'}",
                    )
                return cls(address, base, rdb, found[name], name)
        except BaseException:
            rdb.engine.dispose()
            raise

    @staticmethod
    def names(storage: str) -> list[str]:
        """The names of the studies on record there, oldest first.

        Raises:
            StudyError: there is no record, or it cannot be opened.
        """
        address = Address.of(storage)
        base, rdb = connect(address, create=False)
        try:
            with speaking(address, "be read"):
                return list(ours(base))
        finally:
            rdb.engine.dispose()

    def close(self) -> None:
        """Let go of the database's connections; the study opens new ones when it is used again."""
        self._rdb.engine.dispose()

    @cached_property
    def optuna_study(self) -> "optuna.Study":
        """The Optuna study underneath, for Optuna's own plots, importances and dashboards."""
        import optuna

        return optuna.load_study(study_name=self.name, storage=self._storage)

    @cached_property
    def ledger(self) -> Ledger:
        """The study's model calls."""
        return Ledger(self)

    def _take_card(self, card: TaskCard) -> None:
        check_card(self.card, card)
        if not same_region(self.card.space, card.space):
            known = [revision for revision, space in self._spaces.items() if same_region(space, card.space)]
            revision = known[0] if known else max(self._spaces) + 1
            self._spaces[revision] = card.space
            self.set(f"space/{revision}", card.space.to_json())
            self.set("space revision", revision)
            self.space_revision = revision
        if card.to_json() != self.card.to_json():
            self.set("card", card.to_json())
        self.card = card

    def revise(self, card: TaskCard) -> None:
        """Put a changed card on record; trials that start from now on are of it. Its name must be the study's own.

        Raises:
            StudyError: it differs in more than a study may change, or the record cannot be written.
        """
        if card.name != self.name:
            raise StudyError(f"the card is of study {card.name!r}, not {self.name!r}", "rename the study instead")
        self._take_card(card)

    def rename(self, name: str) -> None:
        """Give the study another name; it and its card are renamed at once. Call it while nothing runs.

        Raises:
            CardError: the name could not be a folder on every system.
            StudyError: a trial runs, there is a study of that name, or the record cannot be written.
        """
        import json

        import sqlalchemy

        card = TaskCard.from_json({**self.card.to_json(), "name": name})
        self._refuse_running("renamed")
        with self._speaking("rename the study"):
            if name in ours(self._storage):
                raise StudyError(f"{self.storage} holds a study {name!r} already", "choose another name")
            with self._rdb.engine.begin() as connection:  # Optuna cannot rename: its two tables, in one transaction
                connection.execute(
                    sqlalchemy.text("UPDATE studies SET study_name = :name WHERE study_id = :id"),
                    {"name": name, "id": self._id},
                )
                connection.execute(
                    sqlalchemy.text(
                        "UPDATE study_user_attributes SET value_json = :card WHERE study_id = :id AND \"key\" = 'card'"
                    ),
                    {"card": json.dumps(to_plain(card.to_json())), "id": self._id},
                )
        self.card, self.name = card, name
        self.__dict__.pop("optuna_study", None)

    def delete(self) -> None:
        """Remove the study from the record for good, its trials and model calls too. Files of trials stay.

        Raises:
            StudyError: a trial runs, or the record cannot be written.
        """
        self._refuse_running("deleted")
        with self._speaking("delete the study"):
            self._storage.delete_study(self._id)

    def _refuse_running(self, done: str) -> None:
        self.sweep()
        running = [str(t.number) for t in self.trials() if t.running]
        if running:
            raise StudyError(
                f"study {self.name!r} cannot be {done} while trial {', '.join(running)} runs", "stop its run first"
            )

    def space(self, revision: int) -> Space:
        """The space of a revision; `Trial.space_revision` names a trial's own."""
        return self._spaces[revision]

    # -- attributes ----------------------------------------------------------------------------------------------

    def set(self, key: str, value: Any) -> None:
        """Write one attribute of the study; plain data, NaN and infinities included."""
        with self._speaking(f"write {key}"):
            self._storage.set_study_user_attr(self._id, key, to_plain(value))

    def get(self, key: str, default: Any = None) -> Any:
        """One attribute of the study, or the default."""
        return self.attributes(key).get(key, default)

    def attributes(self, prefix: str) -> dict[str, Any]:
        """All attributes of the study whose key starts with the prefix."""
        with self._speaking("be read"):
            found = self._storage.get_study_user_attrs(self._id)
        return {key: from_plain(value) for key, value in found.items() if key.startswith(prefix)}

    def _speaking(self, doing: str) -> Any:
        return speaking(self._address, doing)

    # -- trials --------------------------------------------------------------------------------------------------

    def attempts(self) -> list[Trial]:
        """Every attempt at every trial, lost ones included, in the order in which they started.

        One that its process is about to take back is left out already, so that all processes see the same record.
        """
        found: list[Trial] = []
        for t in self._parsed():
            if not t.running or rival_of(t, found, self._key) is None:
                found.append(t)
        return found

    def _parsed(self) -> list[Trial]:
        parsed: list[Trial | None] = []
        for row in self._rows():
            if row.number in self._kept:
                parsed.append(self._kept[row.number])
                continue
            parsed.append(to_trial(row))
            if row.state.is_finished():
                self._kept[row.number] = parsed[-1]
        return [t for t in parsed if t is not None]

    def trials(self) -> list[Trial]:
        """The latest attempt at each trial, by number; what is not finished has the status "running"."""
        latest: dict[int, Trial] = {}
        for t in self.attempts():
            if t.number not in latest or t.attempt > latest[t.number].attempt:
                latest[t.number] = t
        return [latest[number] for number in sorted(latest)]

    def _rows(self) -> list[Row]:
        with self._speaking("be read"):
            return self._storage.get_all_trials(self._id, deepcopy=False)

    def _row_id(self, record_id: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, record_id)

    def best(self) -> Trial | None:
        """The feasible trial with the best first metric, the first of equals; None while there is none."""
        primary = self.card.primary
        return min(self._feasible(), key=lambda t: primary.loss(_metrics(t)[primary.name]), default=None)

    def front(self) -> list[Trial]:
        """The feasible trials that no other one beats in every metric, by number; with one metric: the best alone."""
        if len(self.card.metrics) == 1:
            best = self.best()
            return [] if best is None else [best]
        feasible = self._feasible()
        losses = [[m.loss(_metrics(t)[m.name]) for m in self.card.metrics] for t in feasible]
        return [t for t, mine in zip(feasible, losses, strict=True) if not any(_beats(other, mine) for other in losses)]

    def _feasible(self) -> list[Trial]:
        return [t for t in self.trials() if t.done and self.card.feasible(_metrics(t))]

    # -- starting and finishing ----------------------------------------------------------------------------------

    def start(
        self,
        proposal: Proposal,
        *,
        number: int,
        seed: int,
        turn: Source,
        verdict: Verdict,
        asked: Config,
        attempt: int = 1,
        refused: Sequence[Refusal] = (),
        queue_id: str | None = None,
    ) -> Trial:
        """A new trial, on record as running, leased to this process.

        Args:
            proposal: its `config` is what runs: complete, rounded, without inactive parameters.
            number: of the trial; a re-run keeps the number.
            seed: of the run.
            turn: the source whose turn it was.
            verdict: the guard's.
            asked: the configuration as it was proposed.
            attempt: 2 for the first re-run.
            refused: proposals that were refused on the way to this one.
            queue_id: the queue entry that it uses up.

        Raises:
            Withdrawn: an older trial, of another process, has its number, its queue entry or its configuration.
            StudyError: the configuration is not one of the space; the record cannot be written.
        """
        self._check_runnable(proposal.config)
        trial = Trial(
            number=number,
            config=dict(proposal.config),
            source=proposal.source,
            attempt=attempt,
            seed=seed,
            turn=turn,
            asked=dict(asked),
            rationale=redact(proposal.rationale),
            verdict=verdict,
            refused=tuple(refused),
            predicted=proposal.predicted,
            call_id=proposal.call_id,
            call_index=proposal.index,
            queue_id=queue_id,
            space_revision=self.space_revision,
            started=self._clock(),
            environment=seen_environment(self.card.tool.cwd if self.card.tool is not None else None),
        )
        trial = self._insert(trial)
        rival = rival_of(trial, self.attempts(), self._key)
        if rival is not None:
            self._withdraw(trial.record_id, rival)
            raise Withdrawn(number, rival)
        return trial

    def _check_runnable(self, config: Config) -> None:
        checked = self.card.space.check(config)
        faults = [fault.text for fault in checked.faults]
        faults += [f"{name} is not in the space or not active" for name in checked.ignored]
        if faults:
            raise StudyError(f"{config!r} cannot be recorded: {'; '.join(faults)}", "give what `Space.check` returns")

    def _insert(self, trial: Trial) -> Trial:
        from optuna.trial import TrialState, create_trial

        from tunewright.distributions import distributions

        known = distributions(self.card.space)
        attributes = {START: trial_to_json(trial), LEASE: Lease.mine().to_json()}
        template = create_trial(
            state=TrialState.RUNNING,
            params=trial.config,
            distributions={name: known[name] for name in trial.config},
            user_attrs=attributes,
        )
        with self._speaking(f"take up trial {trial.number}"):
            row_id = self._storage.create_new_trial(self._id, template)
            record_id = self._storage.get_trial_number_from_id(row_id)
        return replace(trial, record_id=record_id)

    def _key(self, trial: Trial) -> str:
        return self._spaces[trial.space_revision].key(trial.config)

    def _withdraw(self, record_id: int, rival: Trial) -> None:
        from optuna.trial import TrialState

        self._close(record_id, {WITHDRAWN: rival.record_id}, TrialState.FAIL)

    def _close(
        self, record_id: int, attributes: dict[str, Any], state: Any, values: Sequence[float] | None = None
    ) -> bool:
        """Write attributes, then the state that makes them final; False when another process closed the row first."""
        from optuna.exceptions import UpdateFinishedTrialError

        with self._speaking(f"close trial row {record_id}"):
            row_id = self._row_id(record_id)
            try:
                for key, value in attributes.items():
                    if key == CONSTRAINTS:
                        self._storage.set_trial_system_attr(row_id, key, value)
                    else:
                        self._storage.set_trial_user_attr(row_id, key, value)
                return self._storage.set_trial_state_values(row_id, state, values)
            except UpdateFinishedTrialError:
                return False

    def finish(self, trial: Trial, outcome: Outcome) -> Trial:
        """The finished trial; its outcome is on disk when this returns.

        A process that dies in here leaves either a running trial or a finished one: what the outcome's attribute
        holds counts, and the next `open` or `sweep` brings Optuna's own state in line.

        Raises:
            AlreadyFinishedError: it was told before, or closed as lost after its lease ran out.
            StudyError: a `done` outcome without a finite value for each of the card's metrics.
        """
        self._check_metrics(trial, outcome)
        outcome = clean_outcome(outcome)
        record: dict[str, Any] = {"finished": self._clock(), "outcome": outcome_to_json(outcome)}
        with self._speaking(f"be read for trial {trial.number}"):
            row = self._storage.get_trial(self._row_id(trial.record_id))
        before = to_trial(row)
        if before is None or before.record_id != trial.record_id or before.number != trial.number:
            raise StudyError(f"trial {trial.number} is not in {self.storage}", "finish what `start` returned")
        if before.outcome is not None:
            if row.state.is_finished() or outcome_to_json(before.outcome) != record["outcome"]:
                raise _told_before(before)
            record["finished"] = before.finished  # an earlier try broke off after the outcome was written
        state, values, constraints = in_optuna(self.card, outcome)
        if not self._close(trial.record_id, {**constraints, OUTCOME: to_plain(record)}, state, values):
            raise _told_before(next(t for t in self.attempts() if t.record_id == trial.record_id))
        return replace(trial, status=outcome.status, outcome=outcome, finished=record["finished"])

    def _check_metrics(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.status != "done":
            return
        missing = [m.name for m in self.card.metrics if m.name not in outcome.metrics]
        odd = {name: value for name, value in outcome.metrics.items() if not abs(value) < float("inf")}
        if missing or odd:
            raise StudyError(
                f"trial {trial.number} is done, "
                + (f"without {', '.join(missing)}" if missing else f"with {odd}")
                + f"; its metrics are {outcome.metrics!r}",
                "a run without a finite value for every metric is diverged or crashed",
            )

    # -- leases --------------------------------------------------------------------------------------------------

    def renew(self, trials: Iterable[Trial]) -> None:
        """Say that this process still runs these trials; once a minute is enough. Closed ones are passed over."""
        from optuna.exceptions import UpdateFinishedTrialError

        lease = Lease.mine().to_json()
        for trial in trials:
            with self._speaking(f"renew the lease of trial {trial.number}"):
                try:
                    self._storage.set_trial_user_attr(self._row_id(trial.record_id), LEASE, lease)
                except UpdateFinishedTrialError:
                    continue  # `finish` says so, to whoever has the outcome

    def sweep(self) -> list[Trial]:
        """The trials whose worker is gone, closed as `lost`; `queue` has a re-run of each, up to `ATTEMPTS`."""
        from optuna.trial import TrialState

        self._settle()
        attempts = self.attempts()
        parsed = {t.record_id: t for t in self._parsed()}
        closed: list[int] = []
        for row in self._rows():
            if row.state.is_finished() or START not in row.user_attrs or OUTCOME in row.user_attrs:
                continue
            lease = Lease.from_json(row.user_attrs[LEASE])
            mine = parsed.get(row.number)
            if mine is None or not lease.stale():
                continue
            rival = rival_of(mine, attempts, self._key)
            if rival is not None:  # its process died before it could take the trial back
                self._withdraw(row.number, rival)
                continue
            more = (
                f"it is queued as attempt {mine.attempt + 1}" if mine.attempt < ATTEMPTS else "it is not queued again"
            )
            detail = f"{lease.holder()} ended without an outcome; attempt {mine.attempt} of {ATTEMPTS}, {more}"
            if self._close(row.number, {LOST: {"finished": self._clock(), "detail": detail}}, TrialState.FAIL):
                closed.append(row.number)
        return [t for t in self.attempts() if t.record_id in closed]

    def _settle(self) -> None:
        """Close rows whose process died between two writes: what was meant is on record."""
        from optuna.trial import TrialState

        for row in self._rows():
            attributes = row.user_attrs
            if row.state.is_finished() or LEASE not in attributes or not Lease.from_json(attributes[LEASE]).stale():
                continue
            trial = to_trial(row)
            if WITHDRAWN in attributes:
                self._close(row.number, {}, TrialState.FAIL)
            elif trial is not None and trial.outcome is not None:
                state, values, constraints = in_optuna(self.card, trial.outcome)
                self._close(row.number, constraints, state, values)

    # -- the queue -----------------------------------------------------------------------------------------------

    def enqueue(self, config: Config, *, source: Source = "user", rationale: str = "") -> str:
        """The id of a new entry at the queue's end; it waits on record until a trial with its id starts."""
        self._last_queued = max(self._last_queued + 1, time.time_ns())
        entry = f"{self._last_queued:020d}-{uuid4().hex[:6]}"
        self.set(f"queue/{entry}", {"config": config, "source": source, "rationale": redact(rationale)})
        return entry

    def requeue(self, trial: Trial) -> str:
        """The id of the queue entry that runs a failed trial once more, under its number; calling again adds none."""
        if trial.running or trial.done:
            raise StudyError(f"trial {trial.number} is {trial.status}", "only a trial that failed can run again")
        self.set(rerun_id(trial), True)
        return rerun_id(trial)

    def drop(self, entry_id: str, reason: str) -> None:
        """Take an entry out of the queue without running it, such as one that the guard refuses."""
        self.set(f"dropped/{entry_id}", reason)

    def queue(self) -> list[QueueEntry]:
        """What waits to run: re-runs by number, then a person's points in the order in which they came.

        A lost trial that no longer fits the space, since its bounds moved, stays lost.
        """
        fits = [t for t in self.trials() if not self.card.space.check(t.config).faults]
        return waiting(self.attributes(""), self.attempts(), fits)


def _metrics(trial: Trial) -> dict[str, float]:
    assert trial.outcome is not None
    return trial.outcome.metrics


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def _told_before(trial: Trial) -> AlreadyFinishedError:
    if trial.status == "lost":
        return AlreadyFinishedError(
            f"trial {trial.number} was closed as lost while its worker was silent",
            "renew its lease once a minute while it runs (`Study.renew`)",
        )
    return AlreadyFinishedError(f"trial {trial.number} has ended as {trial.status} before", "tell each trial once")
