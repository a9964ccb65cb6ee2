"""A study's place in the database: found, or made; the card and the spaces that lie there."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tunewright.card import TaskCard
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.space import Space
from tunewright.storage import Address, connect, speaking

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

FORMAT = 1
"""Of what this version writes."""
FOUNDED = "tunewright"
"""The attribute with the format, and an id that no other study has."""

_MAKING_SECONDS = 2.0


def ours(rdb: "RDBStorage") -> dict[str, int]:
    """Optuna's id of each study that Tunewright made, by name, oldest first."""
    import sqlalchemy

    # Optuna's own list brings every attribute of every study along, with all that models have replied
    query = sqlalchemy.text(
        "SELECT study_name, study_id FROM studies JOIN study_user_attributes USING (study_id) "
        "WHERE \"key\" = 'card' ORDER BY study_id"
    )
    with rdb.engine.connect() as connection:
        return {row.study_name: row.study_id for row in connection.execute(query)}


def found(rdb: "RDBStorage", address: Address, name: str | None) -> tuple[str, int]:
    """Name and Optuna's id of a study that is there; None for the only one.

    Raises:
        StudyError: it is not there, or there are several.
    """
    known = ours(rdb)
    if name is None and len(known) == 1:
        name = next(iter(known))
    if name is None:
        raise StudyError(
            f"{address.shown} holds {len(known) or 'no'} studies{': ' if known else ''}{', '.join(known)}",
            "say which one" if known else "start one with `run`",
        )
    if name not in known:
        raise StudyError(
            f"{address.shown} holds no study {name!r}",
            f"{did_you_mean(name, known)}it holds {', '.join(known) or 'none yet'}",
        )
    return name, known[name]


def found_or_made(rdb: "RDBStorage", address: Address, card: TaskCard, seed: int) -> int:
    """Optuna's id of the study named on the card; it is made, with that card and seed, where it is not there.

    Raises:
        StudyError: there is an Optuna study of that name that Tunewright did not make.
    """
    from optuna.exceptions import DuplicatedStudyError
    from optuna.study import StudyDirection

    directions = [StudyDirection[m.direction.upper()] for m in card.metrics]
    made = False
    try:
        study_id = rdb.get_study_id_from_name(card.name)
    except KeyError:
        try:
            study_id = rdb.create_new_study(directions, card.name)
            made = True
        except DuplicatedStudyError:
            study_id = rdb.get_study_id_from_name(card.name)
    deadline = time.monotonic() + (0 if made else _MAKING_SECONDS)
    while study_id not in ours(rdb).values():
        if rdb.get_all_trials(study_id, deepcopy=False) or rdb.get_study_directions(study_id) != directions:
            raise StudyError(
                f"{address.shown} has an Optuna study {card.name!r} that Tunewright did not make",
                "give the card another `name`, or name another file",
            )
        if time.monotonic() >= deadline:  # made just now, or left empty by a process that died making it
            _write_card(rdb, study_id, card, seed)
        else:  # another process is making it
            time.sleep(0.05)
    return study_id


def _write_card(rdb: "RDBStorage", study_id: int, card: TaskCard, seed: int) -> None:
    space = card.space.to_json()
    # SQLite gives the number of a deleted study to the next one: the id tells which of the two this is, for good
    founded = rdb.get_study_user_attrs(study_id).get(FOUNDED, {"format": FORMAT, "id": uuid4().hex})
    attributes = {FOUNDED: founded, "seed": seed, "space/0": space, "space revision": 0}
    for key, value in attributes.items():
        rdb.set_study_user_attr(study_id, key, value)
    rdb.set_study_system_attr(study_id, "study:metric_names", [m.name for m in card.metrics])
    rdb.set_study_user_attr(study_id, "card", card.to_json())  # last: a study with a card is whole


def names(storage: str) -> list[str]:
    """The names of the studies in the database at that address, oldest first."""
    address = Address.of(storage)
    _, rdb = connect(address, create=False)
    try:
        with speaking(address, "be read"):
            return list(ours(rdb))
    finally:
        rdb.engine.dispose()


def card_on_record(attributes: Mapping[str, Any], name: str, shown: str) -> TaskCard:
    """The card among a study's attributes.

    Args:
        attributes: of the study, `FOUNDED` and the card among them.
        name: the study's.
        shown: the address of its database, for people.

    Raises:
        StudyError: another version wrote it, and this one cannot read it.
    """
    written = attributes[FOUNDED]["format"]
    if written > FORMAT:
        raise StudyError(
            f"study {name!r} in {shown} is of format {written}, this version reads up to {FORMAT}",
            "upgrade: pip install -U tunewright",
        )
    try:
        return TaskCard.from_json(attributes["card"])
    except CardError as e:
        raise StudyError(
            f"the card of study {name!r} in {shown} cannot be read: {e.message}",
            "use the version of Tunewright that wrote it",
        ) from e


def spaces_on_record(attributes: Mapping[str, Any]) -> dict[int, Space]:
    """Every space that a study has had, by the number of its revision, from attributes of the study."""
    return {
        int(key.removeprefix("space/")): Space.from_json(value)
        for key, value in attributes.items()
        if key.startswith("space/")
    }
