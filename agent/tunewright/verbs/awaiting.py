"""Wait for a run: for front ends whose caller has nothing else to do meanwhile."""

from pydantic import Field

from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, study_of
from tunewright.verbs.runs import run_data
from tunewright.verbs.session import Session


class Waiting(OfStudy):
    """How long to wait."""

    seconds: float = Field(default=30.0, ge=0, le=600, description="Seconds to wait at most, 0 to 600.")


@verb(Waiting, "look")
def wait_for_run(session: Session, arguments: Waiting) -> Answer:
    """Wait until the run of a study that this session started has ended, or the seconds are over; say how it stands."""
    study = study_of(session, "wait_for_run", arguments)
    run = session.last_run(study.name)
    ended = run is None or run.wait(arguments.seconds)
    best = study.best()
    data = {
        "study": study.name,
        "ended": ended,
        "run": run_data(run),
        "trials": len(study.trials()),
        "best": None if best is None or best.outcome is None else {"trial": best.number, **best.outcome.metrics},
    }
    state = "no run was started here" if run is None else "has ended" if ended else "still runs"
    return Answer(data, f"{study.name}: {state}; {data['trials']} trials on record.")
