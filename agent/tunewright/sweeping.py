"""Trials whose process is gone: where it died between two writes, what it meant is finished; else they are lost."""

from tunewright.attempts import Attempts
from tunewright.card import TaskCard
from tunewright.lease import SECONDS, Lease
from tunewright.rows import LEASE, LOST, OUTCOME, START, WITHDRAWN, in_optuna, to_trial
from tunewright.table import Table
from tunewright.waiting import ATTEMPTS


def settle(table: Table, card: TaskCard) -> None:
    """Close rows whose process died between two writes: what was meant is on record."""
    for row in table.rows():
        attributes = row.user_attrs
        if row.state.is_finished() or LEASE not in attributes or not Lease.from_json(attributes[LEASE]).stale():
            continue
        trial = to_trial(row)
        if WITHDRAWN in attributes:
            table.close(row.number, {})
        elif trial is not None and trial.outcome is not None:
            state, values, constraints = in_optuna(card, trial.outcome)
            table.close(row.number, constraints, state, values)


def close_lost(table: Table, attempts: Attempts, now: float) -> list[int]:
    """The rows, by record id, of running trials whose worker is gone; each is closed as `lost`.

    Its time ends when its lease was last renewed, within a minute of its end where a loop ran it, and by `now`.

    Call it after `settle`: a row that has an outcome is passed over.
    """
    standing = attempts.all(anew=True)
    parsed = {t.record_id: t for t in attempts.with_rivals()}
    closed: list[int] = []
    for row in table.rows():
        if row.state.is_finished() or START not in row.user_attrs or OUTCOME in row.user_attrs:
            continue
        lease = Lease.from_json(row.user_attrs[LEASE])
        mine = parsed.get(row.number)
        if mine is None or not lease.stale():
            continue
        rival = attempts.rival(mine, standing)
        if rival is not None:  # its process died before it could take the trial back
            table.close(row.number, {WITHDRAWN: rival.record_id})
            continue
        more = f"it is queued as attempt {mine.attempt + 1}" if mine.attempt < ATTEMPTS else "it is not queued again"
        detail = f"{lease.holder()} ended without an outcome; attempt {mine.attempt} of {ATTEMPTS}, {more}"
        # what was off over a weekend ran nothing: its last sign of life, not the moment in which somebody looks
        seen = max(mine.started, min(now, lease.until - SECONDS))
        if table.close(row.number, {LOST: {"finished": seen, "detail": detail}}):
            closed.append(row.number)
    return closed
