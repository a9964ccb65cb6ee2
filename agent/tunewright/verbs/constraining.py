"""Verbs for what configurations and results must keep: add or drop a constraint."""

from pydantic import Field

from tunewright.card import TaskCard
from tunewright.card_parts import Constraint
from tunewright.errors import CardError
from tunewright.relations import Relation
from tunewright.study import Study
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, study_of, taken_up
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.session import Session

_LONGEST = 300


class Statement(OfStudy):
    """A statement."""

    text: str = Field(
        min_length=3,
        max_length=_LONGEST,
        description="Over parameters, such as 'width % heads == 0', or a bound on what a run reports, in that metric's "
        "own unit, such as 'latency_ms <= 50'. Names, numbers, 'text', + - * / // %, comparisons, and, or, not.",
    )


@verb(Statement, "change")
def add_constraint(session: Session, arguments: Statement) -> Answer:
    """Add a constraint: a relation that every new configuration fulfils, or a bound that a result must keep."""
    study = study_of(session, "add_constraint", arguments)
    card, text = study.card, arguments.text.strip()
    record = card.to_json()
    bound = _as_bound(card, text)
    try:
        if bound is not None:
            changed = TaskCard.from_json({**record, "constraints": [*record.get("constraints", []), text]})
        else:
            _check_names(card, text)
            changed = TaskCard.from_json({**record, "space": card.space.with_relations([text]).to_json()})
    except CardError as e:
        raise WrongCall("add_constraint", [fault("text", text, f"{e.hint} ({e.message})")]) from e
    if changed.to_json() == record:
        raise WrongCall("add_constraint", [fault("text", text, "a statement that is not there yet")])
    return _constrained(session, study, changed, f"Added: {text}.")


def _as_bound(card: TaskCard, text: str) -> Constraint | None:
    """The text as a bound on a result; None where it is a relation over parameters."""
    try:
        bound = Constraint(text)
    except CardError:
        return None
    return None if bound.metric in card.space else bound


def _check_names(card: TaskCard, text: str) -> None:
    unknown = [name for name in Relation(text).names if name not in card.space]
    if unknown:
        accepted = (
            f"parameters alone ({', '.join(card.space.names)}), or one metric with <= or >= and a number; "
            f"{unknown[0]} is no parameter"
        )
        raise WrongCall("add_constraint", [fault("text", text, accepted)])


@verb(Statement, "change")
def drop_constraint(session: Session, arguments: Statement) -> Answer:
    """Drop a constraint of the study: its text as show_study lists it, of a relation or of a bound."""
    study = study_of(session, "drop_constraint", arguments)
    card, text = study.card, arguments.text.strip()
    bounds, relations = [c.text for c in card.constraints], [r.text for r in card.space.relations]
    if text not in bounds + relations:
        accepted = f"one of {', '.join(map(repr, bounds + relations))}" if bounds + relations else "the study has none"
        raise WrongCall("drop_constraint", [fault("text", text, accepted)])
    space = {**card.space.to_json(), "relations": [r for r in relations if r != text]}
    record = {**card.to_json(), "space": space, "constraints": [c for c in bounds if c != text]}
    return _constrained(session, study, TaskCard.from_json(record), f"Dropped: {text}.")


def _constrained(session: Session, study: Study, card: TaskCard, what: str) -> Answer:
    trials = study.trials()
    running = session.revise(study, card)
    # the relations alone: a trial outside bounds that were moved since breaks none of them
    outside = sum(not all(r.holds(t.config) for r in card.space.relations) for t in trials)
    done = [t for t in trials if t.done and t.outcome is not None]
    unfit = [t for t in done if t.outcome is not None and not card.feasible(t.outcome.metrics)]
    silent = sum(
        any(c.metric not in t.outcome.metrics for c in card.constraints) for t in done if t.outcome is not None
    )
    text = [what]
    text += [f"{outside} of {len(trials)} trials break a relation; they still count."] if outside else []
    text += (
        [f"{len(unfit)} of {len(done)} finished trials do not keep the bounds and cannot be the best."] if unfit else []
    )
    text += [f"{silent} of them did not report what is bounded; every new run must print it."] if silent else []
    effect, told = taken_up(study, running)
    text += told
    data = {
        "study": study.name,
        "constraints": [c.text for c in card.constraints],
        "relations": [r.text for r in card.space.relations],
        "trials_outside": outside,
        "trials_infeasible": len(unfit),
        "trials_without_the_number": silent,
        "takes_effect": effect,
    }
    return Answer(data, " ".join(text))
