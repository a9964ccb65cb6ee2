"""One study's part of the database: its attributes and the rows of its trials. What goes wrong comes out in words."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.founding import FOUNDED, ours
from tunewright.lease import Lease
from tunewright.rows import CONSTRAINTS, LEASE, START, Row
from tunewright.space import Space
from tunewright.storage import Address, speaking
from tunewright.trial import Trial
from tunewright.trial_json import from_plain, to_plain, trial_to_json

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import TrialState
    from sqlalchemy.engine import Connection

_ATTRIBUTES = "FROM study_user_attributes WHERE study_id = :id"
_AT_ONCE = 500
"""Keys in one query: databases limit the number of its parameters."""


class Table:
    """The study with Optuna's id `study_id`, read and written through Optuna.

    All methods raise `StudyError` when the database fails them.

    Args:
        address: of the database.
        storage: with Optuna's cache of finished trials.
        rdb: the one beneath it.
    """

    def __init__(self, address: Address, storage: "BaseStorage", rdb: "RDBStorage", study_id: int) -> None:
        self.shown = address.shown
        """The address, without a password."""
        self.storage = storage
        self.rdb = rdb
        self._address = address
        self._id = study_id
        self._founded: Any = None

    @contextmanager
    def speaking(self, doing: str) -> Iterator[None]:
        """A block in which the database's errors are said in words; `doing` ends "the record could not ..."."""
        try:
            with speaking(self._address, doing):
                yield
        except KeyError:  # what Optuna raises for a row that is not there
            raise StudyError(
                f"the record {self.shown} could not {doing}: the study is there no more",
                "somebody has deleted it meanwhile; `run` with its card starts it anew",
            ) from None

    # -- attributes of the study ---------------------------------------------------------------------------------

    def set(self, key: str, value: Any) -> None:
        """Write one attribute; plain data, NaN and infinities included."""
        self.attributes(FOUNDED)  # raises where the study is gone and its number another one's
        with self.speaking(f"write {key}"):
            self.storage.set_study_user_attr(self._id, key, to_plain(value))

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        """Write one attribute where it still holds `before`; None: where it is not there, or holds nothing.

        Returns:
            False when another process wrote it first: of several at once, one gets True.
        """
        import sqlalchemy

        self.attributes(FOUNDED)
        at = {"id": self._id, "key": key, "value": json.dumps(to_plain(value))}
        with self.speaking(f"write {key}"), self.rdb.engine.begin() as connection:  # Optuna's `set` asks nothing
            swapped = connection.execute(
                sqlalchemy.text(
                    'UPDATE study_user_attributes SET value_json = :value WHERE study_id = :id AND "key" = :key'
                    " AND value_json = :before"
                ),
                {**at, "before": json.dumps(to_plain(before))},
            )
            if swapped.rowcount == 0 and before is None:
                swapped = connection.execute(
                    sqlalchemy.text(
                        'INSERT INTO study_user_attributes (study_id, "key", value_json) VALUES (:id, :key, :value)'
                        " ON CONFLICT DO NOTHING"
                    ),
                    at,
                )
            return swapped.rowcount == 1

    def attributes(self, prefix: str | tuple[str, ...], known: Collection[str] = ()) -> dict[str, Any]:
        """All attributes whose key starts with the prefix, or with one of them; but for those of known keys.

        Optuna reads all of a study's attributes at once, and a thousand calls of a model are tens of megabytes.
        """
        prefixes = (prefix,) if isinstance(prefix, str) else prefix
        with self.speaking("be read"), self.rdb.engine.connect() as connection:
            if known:
                keys = _starting(connection, self._id, prefixes, '"key"').keys() - set(known)
                found = _named(connection, self._id, [FOUNDED, *keys])
            else:
                found = _starting(connection, self._id, (FOUNDED, *prefixes), "value_json")
            founded = json.loads(found.get(FOUNDED, "null"))
            self._founded = self._founded or founded
            if founded is None or founded != self._founded:
                raise KeyError(self._id)  # it is gone, or the number is another study's now
        wanted = {key: text for key, text in found.items() if key.startswith(prefixes) and key not in known}
        return {key: from_plain(json.loads(text)) for key, text in wanted.items()}

    # -- rows ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Every row, in the order in which they were added; not to be changed."""
        with self.speaking("be read"):
            return self.storage.get_all_trials(self._id, deepcopy=False)

    def row(self, trial: Trial) -> "Row | None":
        """The row of a trial, read anew; None where this study has none of its record id."""
        with self.speaking(f"be read for trial {trial.number}"):
            try:
                return self.storage.get_trial(self.row_id(trial.record_id))
            except KeyError:
                self.attributes(FOUNDED)  # raises where the study is gone
                return None

    def row_id(self, record_id: int) -> int:
        """Optuna's own id of a row."""
        return self.storage.get_trial_id_from_study_id_trial_number(self._id, record_id)

    def add(self, trial: Trial, space: Space) -> int:
        """The record id of the new row of a trial that runs in this process; one insert."""
        from optuna.trial import TrialState, create_trial

        from tunewright.distributions import distributions

        if self._address.path is not None and not self._address.path.exists():
            # SQLite would go on writing to the file that has no name any more, and all of it would be lost
            raise StudyError(
                f"the record {self.shown} is gone: its file was removed or moved", "put it back, or run anew"
            )
        known = distributions(space)
        template = create_trial(
            state=TrialState.RUNNING,
            params=trial.config,
            distributions={name: known[name] for name in trial.config},
            user_attrs={START: trial_to_json(trial), LEASE: Lease.mine().to_json()},
        )
        with self.speaking(f"take up trial {trial.number}"):
            row_id = self.storage.create_new_trial(self._id, template)
            return self.storage.get_trial_number_from_id(row_id)

    def close(
        self,
        record_id: int,
        attributes: Mapping[str, Any],
        state: "TrialState | None" = None,
        values: Sequence[float] | None = None,
    ) -> bool:
        """Write attributes, then the state that makes them final (failed unless given).

        Returns:
            False when another process closed the row first.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with self.speaking(f"close trial row {record_id}"):
            row_id = self.row_id(record_id)
            try:
                for key, value in attributes.items():
                    if key == CONSTRAINTS:
                        self.storage.set_trial_system_attr(row_id, key, value)
                    else:
                        self.storage.set_trial_user_attr(row_id, key, value)
                return self.storage.set_trial_state_values(row_id, TrialState.FAIL if state is None else state, values)
            except UpdateFinishedTrialError:
                return False

    def renew(self, trial: Trial) -> None:
        """Lease a trial to this process from now on; one that is closed stays as it is."""
        from optuna.exceptions import UpdateFinishedTrialError

        with self.speaking(f"renew the lease of trial {trial.number}"):
            try:
                self.storage.set_trial_user_attr(self.row_id(trial.record_id), LEASE, Lease.mine().to_json())
            except UpdateFinishedTrialError:
                return  # `finish` says so, to whoever has the outcome

    # -- the study as a whole ------------------------------------------------------------------------------------

    def rename(self, card: TaskCard) -> None:
        """Give the study the card's name, and the card in one transaction with it.

        Raises:
            StudyError: there is a study of that name.
        """
        import sqlalchemy

        with self.speaking("rename the study"):
            if card.name in ours(self.rdb):
                raise StudyError(f"{self.shown} holds a study {card.name!r} already", "choose another name")
            with self.rdb.engine.begin() as connection:  # Optuna cannot rename: its two tables, in one transaction
                connection.execute(
                    sqlalchemy.text("UPDATE studies SET study_name = :name WHERE study_id = :id"),
                    {"name": card.name, "id": self._id},
                )
                connection.execute(
                    sqlalchemy.text(
                        "UPDATE study_user_attributes SET value_json = :card WHERE study_id = :id AND \"key\" = 'card'"
                    ),
                    {"card": json.dumps(to_plain(card.to_json())), "id": self._id},
                )

    def delete(self) -> None:
        """Remove the study with all its rows, for good."""
        with self.speaking("delete the study"):
            self.storage.delete_study(self._id)

    def in_optuna(self) -> "optuna.Study":
        """The study as Optuna's own, under the name that it has by now."""
        import optuna

        self.attributes(FOUNDED)
        with self.speaking("be read"):
            name = self.rdb.get_study_name_from_id(self._id)  # the cache above keeps the first one
            return optuna.load_study(study_name=name, storage=self.storage)

    def release(self) -> None:
        """Let go of the database's connections; new ones are made at the next use."""
        self.rdb.engine.dispose()


def _starting(connection: "Connection", study_id: int, prefixes: Sequence[str], column: str) -> dict[str, str]:
    """Key and column of each attribute whose key starts with one of the prefixes."""
    import sqlalchemy

    starts = " OR ".join(f'substr("key", 1, {len(p)}) = :p{i}' for i, p in enumerate(prefixes))
    query = sqlalchemy.text(f'SELECT "key", {column} {_ATTRIBUTES} AND ({starts})')
    given = {"id": study_id} | {f"p{i}": p for i, p in enumerate(prefixes)}
    return {row[0]: row[1] for row in connection.execute(query, given)}


def _named(connection: "Connection", study_id: int, keys: Sequence[str]) -> dict[str, str]:
    """Key and value of each of these attributes that is there."""
    import sqlalchemy

    query = sqlalchemy.text(f'SELECT "key", value_json {_ATTRIBUTES} AND "key" IN :keys')
    query = query.bindparams(sqlalchemy.bindparam("keys", expanding=True))
    found: dict[str, str] = {}
    for start in range(0, len(keys), _AT_ONCE):
        given = {"id": study_id, "keys": keys[start : start + _AT_ONCE]}
        found |= {row[0]: row[1] for row in connection.execute(query, given)}
    return found
