"""The queue: what waits, in which order, and that it runs once."""

import pytest
from record_worker import at_once, card, config, start

from tunewright.errors import StudyError
from tunewright.rivals import Withdrawn
from tunewright.study import Study
from tunewright.trial import Proposal
from tunewright_tools.base import Outcome

DONE = Outcome("done", {"loss": 0.5})


def test_the_queue_keeps_order_and_is_used_up_by_starting(study, url):
    ids = [study.enqueue(config(k), rationale=f"point {k}") for k in range(12)]
    assert ids == sorted(ids)
    assert [(e.id, e.config, e.source, e.number) for e in study.queue()] == [
        (i, config(k), "user", None) for k, i in enumerate(ids)
    ]
    start(study, config(0), 0, queue_id=ids[0])
    study.drop(ids[1], "refused: it does not fit the memory")
    again = Study.open(card(), url)
    assert [e.id for e in again.queue()] == ids[2:]
    assert again.queue()[0].proposal == Proposal(config(2), "user", "point 2")
    again.close()


def test_a_queue_entry_runs_once_only(study, url):
    entry = study.enqueue(config(0))
    other = Study.open(card(), url)
    study.finish(start(study, config(0), 0, queue_id=entry), DONE)
    with pytest.raises(Withdrawn):
        start(other, config(0), 1, queue_id=entry)
    other.close()


def test_a_failed_trial_can_be_queued_again_by_hand(study):
    trial = study.finish(start(study, config(0), 0), Outcome("crashed", detail="no module", fault="config"))
    assert study.requeue(trial) == study.requeue(trial)
    (entry,) = study.queue()
    assert (entry.number, entry.attempt, entry.config) == (0, 2, trial.config)
    second = start(study, entry.config, 0, attempt=2, queue_id=entry.id)
    assert study.queue() == []
    study.finish(second, DONE)
    with pytest.raises(StudyError, match="trial 0 is done"):
        study.requeue(study.trials()[0])
    assert [(t.number, t.attempt, t.status) for t in study.attempts()] == [(0, 1, "crashed"), (0, 2, "done")]
    assert [t.attempt for t in study.trials()] == [2]


def test_two_processes_share_a_queue(study, url):
    for k in range(12):
        study.enqueue(config(k))
    ran = sorted(int(line) for text in at_once("drain", url, 2) for line in text.split())
    assert ran == list(range(12))
    assert sorted(t.config["lr"] for t in study.trials()) == sorted(config(k)["lr"] for k in range(12))
