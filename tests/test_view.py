"""What a decision sees: no surrogate before there are values enough, the same look for the same record, and the end."""

import pytest
from toy import card, done, failed, objective

from tunewright.space import Choice, Space
from tunewright.trial import Trial
from tunewright.view import NothingLeft, Views


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
