"""A child study: where a card's parameters, choices or scales have changed, it starts from what its parent found."""

import re

from tunewright.card import TaskCard
from tunewright.earlier import Earlier, record, recorded, refitted
from tunewright.earlier_sources import of_trials
from tunewright.errors import StudyError
from tunewright.revision import check_card
from tunewright.study import Study


def open_branch(card: TaskCard, storage: str, *, seed: int | None = None) -> Study:
    """The newest study of the family NAME, NAME.2, NAME.3, ... that the card fits, else a new child of the newest.

    A child keeps in its record its parent's name and the parent's trials that fit, as earlier trials of the very same
    task; its seed is the parent's unless another is given. A parameter that is new and has a stated default is taken
    to have had that value in all of them; what was left out or assumed is in the set's notes.

    Raises:
        StudyError: the metrics differ, no trial of the parent fits, or the record cannot be opened or written.
    """
    family = _family(card.name, storage)
    if not family:
        return Study.open(card, storage, seed=seed)
    for name in reversed(family):
        if _fits(card, storage, name):
            study = Study.open(_named(card, name), storage, seed=seed)
            break
    else:
        last = family[-1]
        _parent_trials(card, storage, last)  # refused before the child is made
        number = 2 if last == card.name else int(last.rpartition(".")[2]) + 1
        taken = Study.names(storage)
        while f"{card.name}.{number}" in taken:
            number += 1
        name = f"{card.name}.{number}"
        study = Study.open(_named(card, name), storage, seed=_seed(storage, last) if seed is None else seed)
    place = family.index(name) if name in family else len(family)
    if place and study.get("parent") is None:  # also where the process that made it died in between
        parent = family[place - 1]
        record(study, _parent_trials(study.card, storage, parent))
        study.set("parent", parent)
    return study


def _family(root: str, storage: str) -> list[str]:
    """The studies NAME, NAME.2, ... on record, oldest first; without one that only happens to have such a name."""
    try:
        names = Study.names(storage)
    except StudyError:
        return []  # no record yet
    if root not in names:
        return []
    numbered = {int(m[1]): name for name in names if (m := re.fullmatch(rf"{re.escape(root)}\.(\d+)", name))}
    return [root, *(numbered[k] for k in sorted(numbered) if _is_child(storage, numbered[k]))]


def _is_child(storage: str, name: str) -> bool:
    study = Study.load(storage, name)
    try:
        return study.get("parent") is not None or not study.trials()
    finally:
        study.close()


def _named(card: TaskCard, name: str) -> TaskCard:
    return TaskCard.from_json({**card.to_json(), "name": name})


def _seed(storage: str, name: str) -> int:
    study = Study.load(storage, name)
    study.close()
    return study.seed


def _fits(card: TaskCard, storage: str, name: str) -> bool:
    study = Study.load(storage, name)
    study.close()
    try:
        check_card(study.card, _named(card, name))
    except StudyError:
        if [(m.name, m.direction) for m in study.card.metrics] != [(m.name, m.direction) for m in card.metrics]:
            raise
        return False
    return True


def _parent_trials(card: TaskCard, storage: str, name: str) -> list[Earlier]:
    """The parent's trials, and what the parent itself had of earlier studies, as far as they fit."""
    parent = Study.load(storage, name)
    try:
        assume = {p.name: p.default for p in card.space if p.name not in parent.card.space and not p.assumed}
        sets = [refitted(one, card, assume) for one in recorded(parent)]
        trials = parent.trials()
        if any(t.done for t in trials):
            sets.insert(0, of_trials(name, parent.card, trials, card, assume=assume, same_task=True))
        return [one for one in sets if one.n_done]
    except StudyError as e:
        e.hint = "give each new parameter the `default` that it had in effect before, or give the card another `name`"
        raise
    finally:
        parent.close()
