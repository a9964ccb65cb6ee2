"""Tell a broken program or machine from a bad configuration, so that a study does not burn its budget on it."""

from collections.abc import Sequence
from pathlib import Path

from tunewright.errors import ToolError
from tunewright.trial import Trial

IN_A_ROW = 3
"""Trials in a row that fail for a reason other than their configuration, before the study stops."""


def check_healthy(trials: Sequence[Trial], latest: Trial, folder: Path | None = None) -> None:
    """Nothing, when the latest trial leaves hope for the next.

    Args:
        trials: all of the study.
        latest: the one that has just ended.
        folder: where the program runs, which may not be where its files are; None for what is no program.

    Raises:
        ToolError: the study knows nothing but a broken program, or several trials in a row failed for outer reasons;
            with the log's end.
    """
    paths = "" if folder is None else f"; relative paths count from {folder}"
    if latest.status == "crashed" and latest.outcome is not None and (n := _broken_from_the_start(trials, latest)):
        what = "first trial crashed" if n == 1 else f"first {n} trials crashed"
        values = "the default values" if trials[0].source == "default" else f"the values of trial {latest.number}"
        raise ToolError(
            f"the {what}: the program is broken, not its configuration\n{latest.outcome.detail}",
            f"run it by hand with {values}, mend it, and start again: the study goes on with trial 0{paths}",
        )
    if latest.outcome is None or latest.outcome.fault not in ("host", "person"):
        return  # the row is another process's, on a machine of its own, or from before this one was mended
    ended = [t.outcome for t in trials if t.outcome is not None and t.status not in ("cancelled", "lost")][-IN_A_ROW:]
    if len(ended) == IN_A_ROW and all(outcome.fault in ("host", "person") for outcome in ended):
        raise ToolError(
            f"{IN_A_ROW} trials in a row failed for reasons outside their configuration; the last:\n{ended[-1].detail}",
            f"mend the machine or the program and start again; finished trials are kept{paths}",
        )


def _broken_from_the_start(trials: Sequence[Trial], latest: Trial) -> int:
    """How many trials crashed, the latest among them, where that shows a broken program; else 0.

    The default is taken to run anywhere. Where another point comes first, its crash may be its own: more have to crash.
    """
    if any(t.done for t in trials):
        return 0
    assert latest.outcome is not None
    if latest.number == 0 and (latest.source == "default" or latest.outcome.fault != "config"):
        return 1
    ended = [t.status for t in trials if not t.running and t.status not in ("cancelled", "lost")]
    crashed = len(ended) >= IN_A_ROW and all(status == "crashed" for status in ended)
    return len(ended) if crashed and trials[0].source != "default" else 0


def to_start_again(trials: Sequence[Trial]) -> list[Trial]:
    """The crashed trials of a study that knows nothing but a broken program, which may be mended by now.

    Those are trial 0 and what came beside or after it; what was cut short there is in line already.
    """
    if not trials or trials[0].number != 0 or trials[0].status != "crashed":
        return []
    if any(t.status not in ("crashed", "cancelled", "lost") for t in trials):
        return []
    return [t for t in trials if t.status == "crashed"]
