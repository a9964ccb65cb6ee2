"""Whose turn a trial is, rule by rule, on trials that nobody ran."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from toy import card, config, done, failed

from tunewright.ledger import Call
from tunewright.llm.scripted import Scripted
from tunewright.proposer import Proposer
from tunewright.starting import of_textbook
from tunewright.study import Study
from tunewright.trial import Proposal, Refusal, Source, Trial, Verdict
from tunewright.turns import INITIAL, INITIAL_SMALL, WARM, Turns

Opened = Callable[..., tuple[Study, Turns]]
GUESS, SECOND, THIRD = (p.config for p in of_textbook(card(), 0))


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    """A new study and its turns; `silent`: the model may not be asked, for no money is left."""
    studies: list[Study] = []

    def of(
        *,
        model: bool = True,
        small: bool = False,
        silent: bool = False,
        initial: int = INITIAL,
        best_earlier: Sequence[Proposal] = (),
        seed: int = 0,
        **changes: Any,
    ) -> tuple[Study, Turns]:
        task = card(**changes)
        study = studies[0] if studies else Study.open(task, url)
        studies.append(study)
        chat, money = Scripted([], trusted_tools=not small), 0.0 if silent else None
        proposer = Proposer(chat, task, study.ledger, seed=seed, budget_usd=money) if model else None
        return study, Turns(task, study, proposer, best_earlier=best_earlier, initial=initial, seed=seed)

    yield of
    studies[0].close()


def call(number: int, purpose: str, *rates: float, **more: Any) -> Call:
    name = f"{number:05d}-{purpose}-0"
    proposals = tuple(Proposal(config(lr), "llm", call_id=name, index=i) for i, lr in enumerate(rates))
    return Call(name, number, purpose, "scripted", "", "", "", proposals=proposals, **more)


def by_model(number: int, value: float, source: Source = "llm") -> Trial:
    return done(number, config(0.001 * (number + 1)), value, source=source, turn="llm")


def started(*values: float) -> list[Trial]:
    """The default, the textbook's guess, and others of a person with these values."""
    first = [done(0, config(), 1.0, source="default"), done(1, GUESS, 0.9, source="textbook")]
    return [*first, *(done(i, config(0.0001 * i), v, source="user") for i, v in enumerate(values, start=2))]


def drawn(opened: Opened, number: int, trials: Sequence[Trial], **options: Any) -> set[Source]:
    """All turns that trial `number` has with some seed."""
    return {opened(seed=seed, **options)[1].of(number, trials) for seed in range(30)}


# -- the start ---------------------------------------------------------------------------------------------------------


def test_the_default_is_first_and_then_the_textbooks_guess(opened: Opened) -> None:
    _, turns = opened()
    assert turns.of(0, []) == "default"
    assert turns.of(1, started()) == "textbook"  # what is no trial before it, of other processes, counts for nothing
    assert turns.of(2, started()) == "llm"
    assert opened(start="none")[1].of(0, []) == "textbook"


@pytest.mark.parametrize("field", ["turn", "source"])
def test_the_guess_has_had_its_turn_where_the_textbook_had_one_or_its_point_ran(opened: Opened, field: str) -> None:
    another = {"turn": "user", "source": "user", field: "textbook"}
    assert opened()[1].of(2, [started()[0], done(1, config(0.05), 1.0, **another)]) == "llm"


def test_a_guess_that_somebody_else_has_run_is_not_due(opened: Opened) -> None:
    assert opened()[1].of(2, [started()[0], done(1, GUESS, 1.0, source="user")]) == "llm"


def test_the_best_earlier_trials_have_as_many_turns_as_there_are_of_them(opened: Opened) -> None:
    best = [Proposal(config(0.01), "earlier"), Proposal(config(0.02), "earlier")]
    trials = [started()[0], done(1, config(0.01), 0.5, source="earlier")]
    _, turns = opened(best_earlier=best)
    assert turns.of(1, trials[:1]) == turns.of(2, trials) == "earlier"
    assert turns.of(3, [*trials, done(2, config(0.02), 0.4, source="earlier")]) == "textbook"


def test_one_earlier_trial_that_is_no_better_than_the_default_ends_them_a_trial_later(opened: Opened) -> None:
    best = [Proposal(config(0.01 * k), "earlier") for k in (1, 2, 3)]
    trials = [started()[0], *(done(k, config(0.01 * k), 2.0, source="earlier") for k in (1, 2))]
    _, turns = opened(best_earlier=best)
    assert turns.of(2, trials[:2]) == "earlier"  # how the trial before ended is not known when the model is asked
    assert turns.of(3, trials) == "textbook"


@pytest.mark.parametrize(
    ("options", "initial"),
    [
        ({"model": False, "initial": 3}, 3),
        ({"initial": 3}, 3),
        ({"small": True, "initial": 3}, INITIAL_SMALL),
        ({"small": True, "silent": True, "initial": 3}, 3),  # a small model that is not asked has no points of its own
    ],
)
def test_quasi_random_points_fill_the_start(opened: Opened, options: dict[str, Any], initial: int) -> None:
    study, _ = opened(**options)
    study.set("textbook", False)
    study.ledger.record(call(0, "propose", 0.01))  # the zero-shot turns of a model are over
    ends = [done(i, config(0.001 * i), 1.0 + i, source="sobol") for i in range(1, initial)]
    trials = [started()[0], *ends]
    assert drawn(opened, initial - 1, trials[:-1], **options) == {"sobol"}
    assert "sobol" not in drawn(opened, initial, trials, **options)


# -- the model's zero-shot turns ---------------------------------------------------------------------------------------


def test_the_zero_shot_turns_end_when_all_are_spent(opened: Opened) -> None:
    _, turns = opened()
    trials = [*started(), *(by_model(i, 0.8 - 0.1 * i) for i in range(2, 2 + WARM))]
    assert turns.warming(1 + WARM, trials)  # the last one, on record already, is no trial before itself
    assert not turns.warming(2 + WARM, trials)


def test_the_zero_shot_turns_are_over_once_the_model_was_asked_with_results_in_view(opened: Opened) -> None:
    study, turns = opened()
    study.ledger.record(call(3, "propose", 0.01))
    trials = [*started(), by_model(2, 0.5), by_model(3, 0.4)]
    assert turns.warming(3, trials)
    assert not turns.warming(4, trials)


def test_a_first_round_without_a_usable_configuration_ends_the_zero_shot_turns(opened: Opened) -> None:
    study, turns = opened()
    assert turns.warming(3, started(1.0))
    study.ledger.record(call(2, "first_round", 7.0))
    assert turns.warming(2, started())  # of the trial that it was made for it decides nothing yet
    assert not turns.warming(3, started(1.0))
    study.ledger.record(call(2, "first_round", 7.0, 0.02))
    assert turns.warming(3, started(1.0))


def test_a_bad_start_ends_the_zero_shot_turns_at_once(opened: Opened) -> None:
    study, turns = opened()
    study.ledger.record(call(2, "first_round", 0.01, 0.02, 0.03))
    good, bad = [*started(), by_model(2, 0.5), by_model(3, 0.4)], [*started(), by_model(2, 5.0), by_model(3, 4.0)]
    assert turns.of(4, good) == "llm"
    assert turns.of(4, bad) == "textbook"  # though how trial 3 ended is new
    assert turns.of(4, good) == "llm"


def test_zero_shot_points_that_are_paid_for_run_where_no_money_is_left(opened: Opened) -> None:
    study, turns = opened(silent=True)
    assert turns.of(2, started()) == "textbook"
    study.ledger.record(call(2, "first_round", 0.01, 0.02))
    mine = [done(2, config(0.01), 0.5, source="llm", call_id="00002-first_round-0", call_index=0)]
    assert opened(silent=True)[1].of(3, [*started(), *mine]) == "llm"
    ran = done(3, config(0.02), 0.4, source="llm", call_id="00002-first_round-0", call_index=1)
    assert opened(silent=True)[1].of(4, [*started(), *mine, ran]) == "sobol"


def test_what_is_left_of_a_call_has_neither_run_nor_been_refused(opened: Opened) -> None:
    _, turns = opened()
    one, other = call(2, "first_round", 0.01, 0.02, 0.03), call(5, "propose", 0.04, 0.05)
    refused = Refusal(one.proposals[1], Verdict(False, "repeat"))
    trials = [*started(), done(2, config(0.01), 1.0, call_id=one.id, call_index=0, refused=(refused,))]
    assert turns.left_of([one, other], trials) == [one.proposals[2], *other.proposals]


# -- the textbook's points ---------------------------------------------------------------------------------------------


def test_a_model_that_gives_nothing_leaves_its_turns_to_the_textbook_and_one_that_does_keeps_them(
    opened: Opened,
) -> None:
    study, turns = opened()
    assert turns.textbook_stands_in(3, started(1.0))
    study.ledger.record(call(3, "first_round", 0.01))
    assert turns.textbook_stands_in(3, started(1.0))  # a reply that is made for this very trial is not there yet
    assert not turns.textbook_stands_in(4, started(1.0, 1.0))
    bad = [*started(), by_model(2, 5.0), by_model(3, 4.0)]
    assert turns.textbook_stands_in(4, bad)


def test_the_textbook_stands_in_until_its_points_are_spent(opened: Opened) -> None:
    _, turns = opened()
    trials = [*started(), done(2, SECOND, 0.8, source="textbook")]
    assert turns.textbook_starts(3, trials)
    assert not turns.textbook_starts(4, [*trials, done(3, THIRD, 0.7, source="user")])


def test_a_textbook_with_a_bad_start_gives_no_more_points_a_trial_later(opened: Opened) -> None:
    _, turns = opened()
    bad = [failed(1, GUESS, source="textbook"), failed(2, SECOND, source="textbook")]
    others = [done(i, config(0.001 * i), 1.0, source="user") for i in (3, 4)]
    assert turns.textbook_stands_in(5, [started()[0], *bad, *others]) is False
    late = [failed(3, GUESS, source="textbook"), failed(4, SECOND, source="textbook")]
    before = [done(i, config(0.001 * i), 1.0, source="user") for i in (1, 2)]
    assert turns.textbook_stands_in(5, [started()[0], *before, *late])
    assert not turns.textbook_stands_in(6, [started()[0], *before, *late])


@pytest.mark.parametrize(("source", "all_of_them"), [("sobol", False), ("user", True), ("earlier", True)])
def test_beside_a_small_model_the_last_point_gives_way_to_a_quasi_random_one_unless_others_spread(
    opened: Opened, source: Source, all_of_them: bool
) -> None:
    _, turns = opened(small=True)
    two = [started()[0], *(done(i, c, 1.0 - 0.1 * i, source="textbook") for i, c in enumerate((GUESS, SECOND), 1))]
    assert turns.textbook_stands_in(2, two[:2])
    assert turns.textbook_stands_in(4, [*two, done(3, config(0.05), 1.0, source=source)]) is all_of_them


# -- later turns -------------------------------------------------------------------------------------------------------


def later(value: float = 0.5) -> list[Trial]:
    """Seven trials, the zero-shot turns over; the model's two were good unless `value` is bad."""
    return [*started(1.1, 1.2, 1.3), by_model(5, value), by_model(6, value)]


def test_later_turns_are_drawn_among_those_that_can_propose(opened: Opened) -> None:
    study, _ = opened()
    study.ledger.record(call(3, "propose", 0.01))
    assert drawn(opened, 7, later()) == {"surrogate", "llm", "textbook"}
    assert drawn(opened, 7, later(), silent=True) == {"surrogate", "textbook"}
    assert drawn(opened, 7, later(), model=False) == {"surrogate"}
    study.ledger.record(call(2, "first_round", 0.01, prior={"lr": {"guess": 0.01, "low": 0.003, "high": 0.03}}))
    assert drawn(opened, 7, later()) == {"surrogate", "llm", "textbook", "prior"}


def test_after_a_bad_start_the_models_prior_is_left_aside_and_the_model_is_not(opened: Opened) -> None:
    study, _ = opened()
    study.ledger.record(call(2, "first_round", 0.01, prior={"lr": {"guess": 0.01, "low": 0.003, "high": 0.03}}))
    study.ledger.record(call(3, "propose", 0.01))
    study.set("textbook", False)
    assert drawn(opened, 7, later()) == {"surrogate", "llm", "prior"}
    assert drawn(opened, 7, later(9.0)) == {"surrogate", "llm"}


def test_after_a_bad_start_of_its_own_the_textbook_draws_no_more(opened: Opened) -> None:
    study, _ = opened()
    study.ledger.record(call(2, "first_round", 0.01))
    study.ledger.record(call(3, "propose", 0.01))
    first, second = done(1, GUESS, 1.25, source="textbook"), done(7, SECOND, 9.0, source="textbook")
    trials = [started()[0], first, *later()[2:], second, done(8, config(0.09), 1.0)]
    assert drawn(opened, 8, trials[:8]) == {"surrogate", "llm", "textbook"}  # how trial 7 ended is not known in time
    assert drawn(opened, 9, trials) == {"surrogate", "llm"}


def test_whose_turn_it_is_does_not_hang_on_how_the_trial_before_ended(opened: Opened) -> None:
    study, _ = opened()
    study.ledger.record(call(2, "first_round", 0.01, prior={"lr": {"guess": 0.01, "low": 0.003, "high": 0.03}}))
    study.ledger.record(call(3, "propose", 0.01))
    last = done(7, config(0.09), -50.0, source="surrogate")
    ends = [Trial(7, last.config, "surrogate", turn="surrogate"), last, failed(7, last.config)]
    for seed in range(30):
        assert len({opened(seed=seed)[1].of(8, [*later(), end]) for end in ends}) == 1
    assert {opened(seed=seed)[1].of(9, [*later(), last]) for seed in range(30)} >= {"surrogate", "llm"}
