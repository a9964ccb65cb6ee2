"""The next trial, put on record: a re-run, the default, a person's own point, or what the planner decides."""

from collections.abc import Sequence

from tunewright.planner import Planner
from tunewright.seeds import tuning_seed
from tunewright.study import Study
from tunewright.trial import Trial, Verdict
from tunewright.waiting import QueueEntry


class NextTrial:
    """Starts trials of a study, one at a time; the card and the seed are the study's."""

    def __init__(self, study: Study, planner: Planner) -> None:
        self._study = study
        self._planner = planner

    def start(self, *, wait: bool) -> Trial:
        """The trial, on record as running.

        Args:
            wait: for the model's reply, where it is worth waiting for.

        Raises:
            NothingLeft: no further trial is worth running.
            ReplyPending: in place of waiting, unless `wait`.
            Withdrawn: another process was faster with the same trial; the record has been looked at anew.
        """
        with self._study.one_look():
            waiting = self._study.queue()
            return self._rerun(waiting) or self._default_first() or self._queued(waiting) or self._decided(wait=wait)

    def _rerun(self, waiting: Sequence[QueueEntry]) -> Trial | None:
        """A lost or cancelled trial, once more: the same number, seed and story, another attempt."""
        for entry in waiting:
            if entry.number is None:
                continue
            before = next(t for t in self._study.trials() if t.number == entry.number)
            return self._study.start(
                entry.proposal,
                number=before.number,
                attempt=entry.attempt,
                seed=before.seed,
                turn=before.turn,
                verdict=before.verdict,
                asked=before.asked,
                refused=before.refused,
                queue_id=entry.id,
            )
        return None

    def _default_first(self) -> Trial | None:
        """Trial 0, also when a person's own points are in line already."""
        return self._decided(wait=True) if self._study.card.start == "default" and not self._study.trials() else None

    def _queued(self, waiting: Sequence[QueueEntry]) -> Trial | None:
        """The first of a person's own points."""
        for entry in waiting:
            faults = self._study.card.space.check(entry.config).faults
            if faults:  # it fitted when it was put in line; the bounds have moved since
                self._study.drop(entry.id, "; ".join(map(str, faults)))
                continue
            number = self._number()
            return self._study.start(
                entry.proposal,
                number=number,
                seed=tuning_seed(self._study.seed, number),
                turn=entry.source,
                verdict=Verdict(True),
                asked=entry.config,
                queue_id=entry.id,
            )
        return None

    def _decided(self, *, wait: bool) -> Trial:
        number = self._number()
        decision = self._planner.decide(number, wait=wait)
        return self._study.start(
            decision.proposal,
            number=number,
            seed=tuning_seed(self._study.seed, number),
            turn=decision.turn,
            verdict=decision.verdict,
            asked=decision.asked,
            refused=decision.refused,
        )

    def _number(self) -> int:
        return max((t.number for t in self._study.trials()), default=-1) + 1
