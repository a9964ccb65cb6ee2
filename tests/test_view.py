"""What a decision sees: no surrogate before there are values enough, the same look for the same record, and the end."""

import pytest
from toy import card, done, failed, objective

from tunewright.space import Choice, Int, Space
from tunewright.trial import Trial
from tunewright.view import FEWEST_SETTLED, NothingLeft, Views, unfinished


def trials(n: int) -> list[Trial]:
    configs = card().space.sample(n, 1)
    return [done(i, c, objective({"width": 64, **c})) for i, c in enumerate(configs)]


def test_no_surrogate_before_enough_trials_or_values() -> None:
    views = Views(card(), [], initial=5, seed=0)
    assert views.of(4, trials(4)).surrogate is None
    failures = [failed(i, c) for i, c in enumerate(card().space.sample(9, 1))]
    seen = views.of(9, failures)
    assert (seen.surrogate, seen.own) == (None, None)
    assert seen.taken == {card().space.key(t.config) for t in failures}
    assert views.of(9, [*trials(1), *failures[1:]]).surrogate is None  # one value says nothing of a spread


def test_the_same_record_gives_the_same_look() -> None:
    first, again = (Views(card(), [], initial=5, seed=3).of(6, trials(6)) for _ in range(2))
    assert first.own is not None
    assert first.own == again.own
    assert card().space.key(first.own) not in first.taken
    assert Views(card(), [], initial=5, seed=4).of(6, trials(6)).own != first.own


def test_a_space_without_untried_configurations_is_the_end() -> None:
    small = Space(Choice("optimizer", ["sgd", "adamw"]))
    taken = [done(i, {"optimizer": o}, float(i)) for i, o in enumerate(["sgd", "adamw"])]
    with pytest.raises(NothingLeft, match="every configuration") as end:
        Views(card(space=small), [], initial=2, seed=0).of(2, taken)
    assert end.value.kind == "exhausted"


def test_a_bound_is_untried_where_the_trials_beyond_it_ran_before_it_was_moved() -> None:
    moved = card(space=Space(Int("width", 16, 128, rounding="power_of_two")))
    ran = [done(i, {"width": width}, float(i)) for i, width in enumerate((16, 32, 64, 256))]
    assert Views(moved, [], initial=2, seed=0).of(4, ran).own == {"width": 128}


def test_what_is_made_ahead_is_what_the_decision_would_find() -> None:
    known, news = trials(14), done(14, {**card().space.default(), "lr": 0.02}, 0.1, started=1010.5, finished=1014.5)
    last = Trial(15, {**card().space.default(), "lr": 0.03}, "surrogate", status="running", started=1014.4)
    then = [*known, unfinished(news), last]  # as all workers fell to work; the news come before the decision
    ahead, fresh = (Views(card(), [], initial=5, seed=3, workers=2) for _ in range(2))
    ahead.prepare(16, then)
    prepared, found = ahead.of(16, [*known, news, last]), fresh.of(16, [*known, news, last])
    assert prepared.own == found.own
    assert prepared.surrogate is not None
    assert found.surrogate is not None
    here = card().space.sample(8, 11)
    assert prepared.surrogate.predict(here).mean.tolist() == found.surrogate.predict(here).mean.tolist()
    assert prepared.surrogate.n_done == 15
    alone = Views(card(), [], initial=5, seed=3).of(16, [*known, news, last])
    assert alone.surrogate is not None
    assert alone.surrogate.predict(here).mean.tolist() != found.surrogate.predict(here).mean.tolist()


def test_nothing_is_made_ahead_of_a_few_values() -> None:
    views = Views(card(), [], initial=5, seed=3, workers=2)
    few = trials(FEWEST_SETTLED - 1)
    views.prepare(len(few), few)
    seen, alone = views.of(len(few), few), Views(card(), [], initial=5, seed=3).of(len(few), few)
    assert seen.own == alone.own


def _worth(workers: int, finished: int, running: int) -> float:
    """Log acquisition of one configuration after so many trials, while others run."""
    known = trials(finished)
    busy = [
        Trial(finished + i, c, "surrogate", status="running", started=1000.0 + finished + i)
        for i, c in enumerate(card().space.sample(20, 9)[:running])
    ]
    views = Views(card(), [], initial=5, seed=3, workers=workers)
    seen = views.of(finished + running, [*known, *busy])
    assert seen.surrogate is not None
    return float(seen.surrogate.log_acquisition(card().space.sample(1, 11))[0])


# with one worker, those that run are of other processes, or were asked for together
@pytest.mark.parametrize(
    ("workers", "finished", "running", "bold"),
    [(4, 8, 3, True), (4, 9, 3, False), (1, 8, 3, True), (1, 9, 3, False), (2, 8, 1, True), (1, 8, 1, False)],
)
def test_those_that_run_at_once_explore_to_different_degrees(
    workers: int, finished: int, running: int, bold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _worth(workers, finished, running)
    monkeypatch.setattr("tunewright.improvement._APART", 0.0)
    assert (found != _worth(workers, finished, running)) is bold


def test_in_the_last_fifth_of_the_budget_nothing_is_tried_for_what_it_would_teach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def worth(budget: int) -> float:
        configs = sorted(card().space.sample(8, 1), key=lambda c: objective({"width": 64, **c}))
        ran = [done(i, c, objective({"width": 64, **c})) for i, c in enumerate(configs)]  # none after the first gains
        seen = Views(card(budget={"trials": budget}), [], initial=5, seed=3).of(8, ran)
        assert seen.surrogate is not None
        return float(seen.surrogate.log_acquisition(card().space.sample(1, 11))[0])

    early, late = worth(11), worth(10)
    assert early != late
    monkeypatch.setattr("tunewright.improvement._STEP", 0.0)
    assert worth(11) == late
