"""Verbs that give points away or take them in: warmstart, export."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from tunewright.errors import StudyError, did_you_mean
from tunewright.export.study import STUDY_TARGETS, study_to
from tunewright.ledger import Call
from tunewright.study import Study
from tunewright.verbs.approval import ApprovalRequest, Estimate
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, study_of
from tunewright.verbs.context import calling, grant
from tunewright.verbs.estimating import call_usd
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.running import WARMSTART
from tunewright.verbs.session import Session
from tunewright.zero_shot import warmstart as made_points

_LONGEST = 20_000
_SUFFIX = {"csv": "csv", "json": "json"}


class Warmstart(OfStudy):
    """How many points, and what becomes of them."""

    points: int = Field(default=5, ge=1, le=50, description="Points wanted, a whole number.")
    enqueue: bool = Field(default=False, description="Whether the points become the study's next trials.")
    model: bool = Field(default=True, description="Whether the session's model is asked; false: the textbook alone.")


def _warming(session: Session, arguments: Warmstart) -> ApprovalRequest | None:
    study = study_of(session, "warmstart", arguments)
    chat = session.chat() if arguments.model else None
    if chat is None:
        return None
    chat.check()
    requests = 1 if chat.trusted_tools else arguments.points
    times = [call.seconds for call in study.ledger.calls() if call.model == chat.name and not call.error]
    usd = call_usd(study, chat, arguments.points)
    return ApprovalRequest(
        "warmstart",
        "spend",
        f"ask {chat.name} for {arguments.points} starting points of the study {study.name}",
        by=calling(),
        study=study.name,
        estimate=Estimate(
            0, requests * sum(times) / len(times) if times else None, None if usd is None else requests * usd
        ),
    )


@verb(Warmstart, "spend", _warming, alone=False)
def warmstart(session: Session, arguments: Warmstart) -> Answer:
    """Propose points to try first, from one request to the model and the textbook. Asks for approval with the cost.

    With enqueue they are the study's next trials; nothing runs before run_trials.
    """
    study = study_of(session, "warmstart", arguments)
    chat = session.chat() if arguments.model else None
    points = made_points(study.card, arguments.points, chat, seed=study.seed)
    if points.requests:
        _count(session, study, points.requests)
    if arguments.enqueue:
        for point in points:
            study.enqueue(point.config, source=point.source, rationale=point.rationale)
    data = {"study": study.name, **points.to_json(), "enqueued": len(points) if arguments.enqueue else 0}
    told = [f"{len(points)} points are the study's next trials."] if arguments.enqueue else []
    return Answer(data, "\n".join([points.text(), *points.remarks(), *told]))


def _count(session: Session, study: Study, requests: tuple[Call, ...]) -> None:
    """Put the requests on record under names of their own, and on the budget that they were granted from."""
    now = time.time_ns()
    for i, call in enumerate(requests):
        # not under their own names: those of a run's first round would be taken for its own
        study.ledger.record(replace(call, id=f"{WARMSTART}{now}-{i}", proposals=()))
    meter = session.approver.meter(grant())
    if meter is not None:
        meter.use(usd=sum(call.cost_usd or 0.0 for call in requests))


class Export(OfStudy):
    """In whose words."""

    target: str = Field(description=f"One of {', '.join(STUDY_TARGETS)}.")
    save: bool = Field(
        default=False, description="true: write it to a file in the study's own folder; false: give it as text."
    )


@verb(Export, "change")
def export(session: Session, arguments: Export) -> Answer:
    """Export a study: all trials as csv or json, or its configurations, best first, as a file for another optimizer.

    With save it goes to a file in the study's own folder, under a name made from the target.
    """
    study = study_of(session, "export", arguments)
    if arguments.target not in STUDY_TARGETS:
        accepted = f"{did_you_mean(arguments.target, STUDY_TARGETS)}one of {', '.join(STUDY_TARGETS)}"
        raise WrongCall("export", [fault("target", arguments.target, accepted)])
    text = study_to(arguments.target, study.card, study.trials())
    data: dict[str, Any] = {"study": study.name, "target": arguments.target, "characters": len(text)}
    if arguments.save:
        path = _written(session, study, arguments.target, text)
        return Answer({**data, "file": str(path)}, f"Wrote {len(text)} characters to {path}.")
    shown = text if len(text) <= _LONGEST else text[:_LONGEST]
    notes = [f"cut after {_LONGEST} of {len(text)} characters; save writes all of it"] if len(text) > _LONGEST else []
    return Answer({**data, "text": shown, "notes": notes}, "\n".join([shown, *notes]))


def _written(session: Session, study: Study, target: str, text: str) -> Path:
    folder = session.folder / study.name / "exports"
    # a run may have put a link there; what it leads to is not ours to write
    if not folder.resolve().is_relative_to(session.folder):
        raise StudyError(f"{folder} leads out of the study's folder", "remove that link")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study.name}-{target}.{_SUFFIX.get(target, 'py')}"
    path.unlink(missing_ok=True)
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    return path
