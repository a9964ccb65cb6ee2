"""Verbs for studies as wholes: list, choose, rename, delete."""

from typing import Any

from pydantic import Field

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.report import number
from tunewright.study import Study
from tunewright.verbs.approval import ApprovalRequest
from tunewright.verbs.base import Answer, Arguments, Nothing, verb
from tunewright.verbs.common import OfStudy, study_of
from tunewright.verbs.context import calling
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.session import Session


@verb(Nothing, "look")
def list_studies(session: Session, arguments: Nothing) -> Answer:
    """List the studies on record: name, goal, number of trials, best value, and whether one is running."""
    rows = [_row(session, session.study(name)) for name in session.names()]
    lines = [
        f"{'*' if row['current'] else ' '} {row['name']:24} {row['trials']:>4} trials  "
        f"best {row['metric']} = {number(row['best']) or '-'}{'  (running)' if row['running'] else ''}"
        for row in rows
    ]
    return Answer({"studies": rows}, "\n".join(lines) or "There is no study yet.")


def _row(session: Session, study: Study) -> dict[str, Any]:
    best = study.best()
    metric = study.card.primary.name
    return {
        "name": study.name,
        "goal": study.card.goal,
        "trials": len(study.trials()),
        "metric": metric,
        "direction": study.card.primary.direction,
        "best": best.outcome.metrics[metric] if best is not None and best.outcome is not None else None,
        "running": session.run_of(study.name) is not None,
        "current": study.name == session.current,
    }


class Named(Arguments):
    """The name of a study."""

    study: str = Field(description="Name of the study, as list_studies gives it.")


@verb(Named, "change")
def use_study(session: Session, arguments: Named) -> Answer:
    """Make a study the current one: verbs that name no study mean it."""
    study = study_of(session, "use_study", OfStudy(study=arguments.study))
    session.current = study.name
    return Answer({"study": study.name}, f"The current study is {study.name}.")


class Rename(OfStudy):
    """A new name."""

    name: str = Field(
        min_length=1, max_length=64, description="The new name: up to 64 letters, digits, - _ and ., no spaces."
    )


@verb(Rename, "change")
def rename_study(session: Session, arguments: Rename) -> Answer:
    """Give a study another name. Its trials and their folder move along. Refused while it runs."""
    study = study_of(session, "rename_study", arguments)
    session.refuse_second_run(study.name)
    try:  # before any path is made of it
        TaskCard.from_json({**study.card.to_json(), "name": arguments.name})
    except CardError as e:
        raise WrongCall("rename_study", [fault("name", arguments.name, e.hint)]) from e
    old, folder = study.name, session.folder / study.name
    taken = session.folder / arguments.name
    if arguments.name in session.names() or taken.exists():
        raise WrongCall("rename_study", [fault("name", arguments.name, "a name that no study and no folder has yet")])
    was_current = session.current == old
    study.rename(arguments.name)
    if folder.is_dir():
        folder.rename(taken)
    session.forget(old)
    if was_current:
        session.current = arguments.name
    return Answer({"study": arguments.name, "was": old}, f"The study {old} is now {arguments.name}.")


def _deleting(session: Session, arguments: Named) -> ApprovalRequest:
    study = study_of(session, "delete_study", OfStudy(study=arguments.study))
    session.refuse_second_run(study.name)
    trials = study.trials()
    return ApprovalRequest(
        "delete_study",
        "delete",
        f"delete the study {study.name} with {len(trials)} trials from the record, for good",
        by=calling(),
        study=study.name,
        needs_person="a stated budget does not cover deleting",
    )


@verb(Named, "delete", _deleting)
def delete_study(session: Session, arguments: Named) -> Answer:
    """Delete a study with its trials and model calls from the record, for good. The files of its trials stay."""
    study = study_of(session, "delete_study", OfStudy(study=arguments.study))
    session.refuse_second_run(study.name)
    trials = len(study.trials())
    study.delete()
    session.forget(study.name)
    folder = session.folder / study.name
    left = f" Its files are still in {folder}." if folder.is_dir() else ""
    return Answer(
        {"deleted": study.name, "trials": trials, "files_left": folder.is_dir()},
        f"Deleted the study {study.name} with {trials} trials.{left}",
    )
