"""Put a configuration of one's own in line."""

from typing import Any

from pydantic import Field

from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, study_of
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.session import Session


class Own(OfStudy):
    """A configuration."""

    config: dict[str, Any] = Field(
        description="Parameter -> value for every parameter that is active; show_study lists them and what they take."
    )
    reason: str = Field(default="", max_length=500, description="Why it is worth a trial, one sentence.")


@verb(Own, "change")
def enqueue_trial(session: Session, arguments: Own) -> Answer:
    """Put one configuration in line: it is the next trial that runs. Nothing is run by this alone."""
    study = study_of(session, "enqueue_trial", arguments)
    checked = study.card.space.check(arguments.config)
    faults = [fault(f"config.{f.name}", f.seen, str(f)) for f in checked.faults]
    faults += [
        fault(f"config.{name}", arguments.config[name], "leave it out: it is not in the space, or not active here")
        for name in checked.ignored
    ]
    if faults:
        raise WrongCall("enqueue_trial", faults)
    if study.card.space.key(checked.config) in {study.card.space.key(t.config) for t in study.trials()}:
        raise WrongCall(
            "enqueue_trial",
            [fault("config", arguments.config, "one that was not tried yet")],
            "rerun_trial runs a tried configuration once more",
        )
    study.enqueue(checked.config, rationale=arguments.reason)
    waiting = len(study.queue())
    return Answer(
        {"study": study.name, "config": checked.config, "waiting": waiting},
        f"In line ({waiting} waiting); it runs with the next trials.",
    )
