"""The record of a study: its card, every trial from the moment it starts, the queue. An Optuna study underneath."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunewright.attempts import Attempts, best, front, latest
from tunewright.card import TaskCard
from tunewright.environment import environment as seen_environment
from tunewright.errors import StudyError
from tunewright.founding import FOUNDED, card_on_record, found, found_or_made, names, spaces_on_record
from tunewright.ledger import Ledger
from tunewright.parameter import unboxed
from tunewright.redact import redact
from tunewright.revision import check_card, same_region
from tunewright.rivals import AlreadyFinishedError, Withdrawn
from tunewright.rows import OUTCOME, WITHDRAWN, check_done, in_optuna, to_trial
from tunewright.space import Space
from tunewright.storage import Address, connect, quiet, speaking
from tunewright.sweeping import close_lost, settle
from tunewright.table import Table
from tunewright.trial import Proposal, Refusal, Source, Trial, Verdict
from tunewright.trial_json import clean_outcome, outcome_to_json, to_plain
from tunewright.waiting import Queue, QueueEntry
from tunewright_tools.base import Config, Outcome

if TYPE_CHECKING:
    import optuna


class Study:
    """A study's record; `Study.open` to work on it, `Study.load` to look at it. Several processes may share one.

    All methods raise `StudyError` when the database fails them (disk full, server gone).
    """

    def __init__(self, table: Table, name: str) -> None:
        self.storage = table.shown
        """The address, without a password."""
        self.name = name
        self._table = table
        self._clock: Callable[[], float] = time.time
        attributes = table.attributes((FOUNDED, "card", "seed", "space"))
        self.card = card_on_record(attributes, name, table.shown)
        self.seed: int = attributes["seed"]
        self.space_revision: int = attributes["space revision"]
        """Number of the space that new trials are recorded under."""
        self._spaces = spaces_on_record(attributes)
        self._attempts = Attempts(table, self.space)
        self._queue = Queue(table)

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
        seed = unboxed(seed)
        if seed is not None and (type(seed) is not int or seed < 0):  # on record, it would end each later run
            raise StudyError(f"the seed is {seed!r}", "give a whole number of 0 or more")
        address = Address.of(storage)
        base, rdb = connect(address, create=True)
        try:
            with speaking(address, "be opened"), quiet():
                study_id = found_or_made(rdb, address, card, 0 if seed is None else seed)
                study = cls(Table(address, base, rdb, study_id), card.name)
                study._clock = clock
                if seed is not None and seed != study.seed:
                    raise StudyError(
                        f"study {card.name!r} in {address.shown} has seed {study.seed}, not {seed}",
                        "leave the seed out to go on with it, or give the card another `name`",
                    )
                study._take_card(card)
                settle(study._table, card)
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
                name, study_id = found(rdb, address, name)
                return cls(Table(address, base, rdb, study_id), name)
        except BaseException:
            rdb.engine.dispose()
            raise

    @staticmethod
    def names(storage: str) -> list[str]:
        """The names of the studies on record there, oldest first.

        Raises:
            StudyError: there is no record, or it cannot be opened.
        """
        return names(storage)

    def close(self) -> None:
        """Let go of the database's connections; the study opens new ones when it is used again."""
        self._table.release()

    def space(self, revision: int) -> Space:
        """The space of a revision; `Trial.space_revision` names a trial's own."""
        if revision not in self._spaces:  # another process has moved the bounds since this one looked
            self._spaces |= spaces_on_record(self.attributes("space/"))
        return self._spaces[revision]

    @property
    def optuna_study(self) -> "optuna.Study":
        """The Optuna study underneath, for Optuna's own plots, importances and dashboards."""
        return self._table.in_optuna()

    @cached_property
    def ledger(self) -> Ledger:
        """The study's model calls."""
        return Ledger(self)

    def _take_card(self, card: TaskCard) -> None:
        check_card(self.card, card)
        if not same_region(self.card.space, card.space):
            self._spaces |= spaces_on_record(self.attributes("space/"))
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
        card = TaskCard.from_json({**self.card.to_json(), "name": name})
        self._refuse_running("renamed")
        self._table.rename(card)
        self.card, self.name = card, name

    def delete(self) -> None:
        """Remove the study from the record for good, its trials and model calls too. Files of trials stay.

        Raises:
            StudyError: a trial runs, or the record cannot be written.
        """
        self._refuse_running("deleted")
        self._table.delete()

    def _refuse_running(self, done: str) -> None:
        self.sweep()
        running = ", ".join(str(t.number) for t in self.trials() if t.running)
        if running:
            raise StudyError(f"study {self.name!r} cannot be {done} while trial {running} runs", "stop its run first")

    # -- attributes ----------------------------------------------------------------------------------------------

    def set(self, key: str, value: Any) -> None:
        """Write one attribute of the study; plain data, NaN and infinities included."""
        self._table.set(key, value)

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        """Whether the attribute was written: only where it still holds `before`, so that of several processes one does.

        Args:
            before: what `get` gave; None where the attribute is not there.
        """
        return self._table.swap(key, value, before=before)

    def get(self, key: str, default: Any = None) -> Any:
        """One attribute of the study, or the default."""
        return self.attributes(key).get(key, default)

    def attributes(self, prefix: str, known: Collection[str] = ()) -> dict[str, Any]:
        """All attributes of the study whose key starts with the prefix, but for those of known keys."""
        return self._table.attributes(prefix, known)

    # -- trials --------------------------------------------------------------------------------------------------

    def attempts(self) -> list[Trial]:
        """Every attempt at every trial, lost ones included, in the order in which they started."""
        return self._attempts.all()

    def trials(self) -> list[Trial]:
        """The latest attempt at each trial, by number; what is not finished has the status "running"."""
        return latest(self.attempts())

    def one_look(self) -> AbstractContextManager[None]:
        """A block in which this thread reads the trials once; what it starts is seen, what it finishes is not."""
        return self._attempts.one_look()

    def best(self) -> Trial | None:
        """The feasible trial with the best first metric, the first of equals; None while there is none."""
        return best(self.card, self.trials())

    def front(self) -> list[Trial]:
        """The feasible trials that no other one beats in every metric, by number; with one metric: the best alone."""
        return front(self.card, self.trials())

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
        if objections := self.card.space.check(proposal.config).objections():
            raise StudyError(
                f"{proposal.config!r} cannot be recorded: {'; '.join(objections)}", "give what `Space.check` returns"
            )
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
        # where many processes choose at once most come second, and each row that is taken back stays, as a failed one
        rival = self._attempts.rival(trial, self._attempts.all(anew=True))
        if rival is not None:
            raise Withdrawn(number, rival)
        trial = replace(trial, record_id=self._table.add(trial, self.card.space))
        rival = self._attempts.rival(trial, self._attempts.all(anew=True))
        if rival is not None:
            self._table.close(trial.record_id, {WITHDRAWN: rival.record_id})
            raise Withdrawn(number, rival)
        return trial

    def finish(self, trial: Trial, outcome: Outcome) -> Trial:
        """The finished trial; its outcome is on disk when this returns.

        A process that dies in here leaves either a running trial or a finished one: what the outcome's attribute
        holds counts, and the next `open` or `sweep` brings Optuna's own state in line.

        Raises:
            AlreadyFinishedError: it was told before, or closed as lost after its lease ran out.
            StudyError: a `done` outcome without a finite value for each of the card's metrics; a trial of another
                study.
        """
        check_done(self.card, trial, outcome)
        outcome = clean_outcome(outcome)
        record: dict[str, Any] = {"finished": self._clock(), "outcome": outcome_to_json(outcome)}
        row = self._table.row(trial)
        before = None if row is None else to_trial(row)
        # another study has a row of this number too; no two trials started at the same moment
        if row is None or before is None or (before.number, before.started) != (trial.number, trial.started):
            raise StudyError(
                f"trial {trial.number} is not in the study {self.name!r} in {self.storage}",
                "tell a trial to the study that started it",
            )
        if before.outcome is not None:
            if row.state.is_finished() or outcome_to_json(before.outcome) != record["outcome"]:
                raise AlreadyFinishedError.of(before)
            record["finished"] = before.finished  # an earlier try broke off after the outcome was written
        state, values, constraints = in_optuna(self.card, outcome)
        if not self._table.close(trial.record_id, {**constraints, OUTCOME: to_plain(record)}, state, values):
            raise AlreadyFinishedError.of(next(t for t in self.attempts() if t.record_id == trial.record_id))
        return replace(trial, status=outcome.status, outcome=outcome, finished=record["finished"])

    # -- leases --------------------------------------------------------------------------------------------------

    def renew(self, trials: Iterable[Trial]) -> None:
        """Say that this process still runs these trials; once a minute is enough. Closed ones are passed over."""
        for trial in trials:
            self._table.renew(trial)

    def sweep(self) -> list[Trial]:
        """The trials whose worker is gone, closed as `lost`; `queue` has a re-run of each, up to `ATTEMPTS`."""
        settle(self._table, self.card)
        closed = close_lost(self._table, self._attempts, self._clock())
        return [t for t in self._attempts.all(anew=True) if t.record_id in closed]

    # -- the queue -----------------------------------------------------------------------------------------------

    def enqueue(self, config: Config, *, source: Source = "user", rationale: str = "") -> str:
        """The id of a new entry at the queue's end; it waits on record until a trial with its id starts."""
        return self._queue.add(config, source, rationale)

    def requeue(self, trial: Trial) -> str:
        """The id of the queue entry that runs a failed trial once more, under its number; calling again adds none."""
        return self._queue.add_rerun(trial)

    def drop(self, entry_id: str, reason: str) -> None:
        """Take an entry out of the queue without running it, such as one that the guard refuses."""
        self._queue.drop(entry_id, reason)

    def queue(self) -> list[QueueEntry]:
        """What waits to run: re-runs by number, then a person's points in the order in which they came.

        A lost trial that no longer fits the space, since its bounds moved, stays lost.
        """
        attempts = self.attempts()
        failed = [t for t in latest(attempts) if not (t.running or t.done)]
        entries = self._queue.entries(attempts, failed)
        return [e for e in entries if e.number is None or not self.card.space.check(e.config).faults]
