"""Earlier trials against a card: what is taken in, what is only learned from, what is left out, each said."""

from pathlib import Path
from typing import Any

import pytest
from toy import card, config

from tunewright.card import TaskCard
from tunewright.earlier import LEARNED, MOST, Row, fitting, parsed, position, record, recorded, refitted
from tunewright.errors import CardError, StudyError
from tunewright.parameters import Choice, Float, Int
from tunewright.space import Space
from tunewright.study import Study


def row(loss: float | None = 1.0, status: str = "done", **changes: Any) -> Row:
    return Row({**config(), **changes}, {} if loss is None else {"loss": loss}, status)


def test_what_fits_is_taken_in_as_it_is() -> None:
    one = fitting("past", card(), [row(0.5), row(0.7, lr=2e-3)])
    assert [(t.config, t.metrics, t.runnable) for t in one.trials] == [
        (config(), {"loss": 0.5}, True),
        (config(2e-3), {"loss": 0.7}, True),
    ]
    assert (one.given, one.notes) == (2, ())
    assert one.summary() == "earlier trials of past: 2 of 2 taken in (2 with a value)"


def test_a_set_too_large_to_be_modelled_whole_says_so() -> None:
    summary = "earlier trials of past: {0} of {0} taken in ({0} with a value{1})"
    assert fitting("past", card(), [row()] * LEARNED).summary() == summary.format(LEARNED, "")
    many = fitting("past", card(), [row()] * (LEARNED + 1))
    assert many.summary() == summary.format(LEARNED + 1, f", at most {LEARNED} of them modelled")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(optimizer="lion"), "1 left out: optimizer is not one of 'adamw', 'sgd', such as 'lion'"),
        (row(lr=1e5), "1 left out: lr is outside 1e-05 to 0.1, such as '100000.0'"),
        (row(lr=-1e-3), "1 left out: lr is outside 1e-05 to 0.1, such as '-0.001'"),
        (row(lr="fast"), "1 left out: lr is not a number from 1e-05 to 0.1, such as 'fast'"),
        (row(width=None), "1 left out: width is missing"),
        (row(optimizer="sgd"), "1 left out: momentum is missing"),
        (row(None), "1 left out: without a finite loss"),
        (row(float("nan")), "1 left out: without a finite loss"),
        (row(status="pruned"), "1 left out: pruned"),
    ],
)
def test_what_does_not_fit_is_left_out_with_its_reason(bad: Row, said: str) -> None:
    one = fitting("past", card(), [row(), bad])
    assert len(one.trials) == 1
    assert one.notes == (said,)
    assert "1 of 2 taken in" in one.summary()


@pytest.mark.parametrize(
    ("beyond", "said"),
    [
        ({"lr": 0.5}, "1 only learned from: lr is outside its bounds, such as '0.5'"),
        ({"width": 100}, "1 only learned from: width is off its grid, such as '100'"),
        ({"width": 64.5}, "1 only learned from: width is off its grid, such as '64.5'"),
        ({"width": 1024}, "1 only learned from: width is outside its bounds, such as '1024'"),
    ],
)
def test_a_value_beyond_the_space_is_kept_where_it_is_and_only_learned_from(beyond: dict[str, Any], said: str) -> None:
    one = fitting("past", card(), [row(**beyond)])
    assert [(t.config, t.runnable) for t in one.trials] == [({**config(), **beyond}, False)]
    assert one.notes == (said,)


def test_a_real_number_is_on_its_grid_up_to_rounding_errors() -> None:
    stepped = card(space=Space(*card().space, Float("dropout", 0.0, 0.5, step=0.1)))
    one = fitting("past", stepped, [row(dropout=3 * 0.1), row(dropout=0.35)])
    assert [(t.config["dropout"], t.runnable) for t in one.trials] == [(0.3, True), (0.35, False)]
    assert one.notes == ("1 only learned from: dropout is off its grid, such as '0.35'",)


def test_of_what_is_only_learned_from_the_first_reason_is_said_and_the_summary_has_the_count() -> None:
    one = fitting("past", card(), [row(), row(lr=0.5, width=100), row(width=100), row(None, "oom", width=100)])
    assert one.notes == (
        "1 only learned from: lr is outside its bounds, such as '0.5'",
        "2 only learned from: width is off its grid, such as '100'",
    )
    assert "4 of 4 taken in (3 with a value, 2 of them only learned from, 1 failed)" in one.summary()


def test_a_broken_relation_or_a_held_value_leaves_a_trial_to_learn_from() -> None:
    one = fitting("past", card(relations=["width >= 128"], start="none"), [row(), row(width=256)])
    assert [t.runnable for t in one.trials] == [False, True]
    assert one.notes == ("1 only learned from: width >= 128 does not hold",)
    second = fitting("past", card(relations=["width >= 32", "width >= 128"], start="none"), [row()])
    assert second.notes == one.notes
    held = fitting("past", card(held={"width": 256}), [row(), row(width=256)])
    assert [t.runnable for t in held.trials] == [False, True]
    assert "width is held at 256 now, such as '64'" in held.notes[0]


def test_a_new_parameter_has_the_value_that_the_reader_states_and_is_missing_otherwise() -> None:
    wider = card(space=Space(*card().space, Float("dropout", 0.0, 0.5)))
    with pytest.raises(StudyError, match=r"no trial of past can be used here: 2 left out: dropout is missing") as e:
        fitting("past", wider, [row(), row()])
    assert "assume: {NAME: VALUE}" in e.value.hint
    one = fitting("past", wider, [row(), row(dropout=0.3)], assume={"dropout": 0.0})
    assert [t.config["dropout"] for t in one.trials] == [0.0, 0.3]
    assert one.notes == ("1 taken to have run with dropout = 0.0",)
    with pytest.raises(CardError, match=r"assume says dropout = 2, which is outside 0\.0 to 0\.5"):
        fitting("past", wider, [row()], assume={"dropout": 2})
    with pytest.raises(CardError, match="assume names 'dropuot'") as e:
        fitting("past", wider, [row()], assume={"dropuot": 0})
    assert "did you mean 'dropout'" in e.value.hint


def test_an_inactive_value_is_dropped_and_said() -> None:
    one = fitting("past", card(), [row(momentum=0.9)])
    assert one.trials[0].config == config()
    assert one.notes == ("1 with a value for momentum where it is not active: that value was ignored",)
    assert fitting("past", card(), [row()], assume={"momentum": 0.9}).notes == ()


def test_failures_are_counted_without_a_value() -> None:
    one = fitting("past", card(), [row(), row(None, "oom", width=512), row(3.0, "failed")])
    assert [(t.status, t.metrics) for t in one.trials] == [("done", {"loss": 1.0}), ("oom", {}), ("failed", {})]
    assert one.summary().endswith("3 of 3 taken in (1 with a value, 2 failed)")


def test_nothing_that_fits_and_too_much_are_refused() -> None:
    with pytest.raises(StudyError, match="it has no trials"):
        fitting("past", card(), [])
    with pytest.raises(StudyError, match=f"holds {MOST + 1} trials"):
        fitting("past", card(), [row()] * (MOST + 1))


@pytest.mark.parametrize(
    ("p", "value", "at"),
    [
        (Float("x", 1.0, 100.0, log=True), 10.0, 0.5),
        (Float("x", 1.0, 100.0, log=True), 1000.0, 1.5),
        (Float("x", 1.0, 100.0, log=True), 0.0, None),
        (Float("x", 0.0, 1.0), -0.5, -0.5),
        (Float("x", 0.0, 1.0), 5.0, None),
        (Float("x", 0.1, 0.9, logit=True), 0.5, 0.5),
        (Float("x", 0.1, 0.9, logit=True), 1.0, None),
        (Int("n", 0, 9), 4.5, 0.5),
        (Int("n", 1, 8, rounding="power_of_two"), 16, 1.125),
        (Float("x", 0.0, 1.0), True, None),
        (Float("x", 0.0, 1.0), float("inf"), None),
        (Float("x", 0.0, 1.0), 10**400, None),
        (Int("n", 1, 8, rounding="power_of_two"), float("nan"), None),
        (Int("n", 3, 5, rounding="power_of_two"), 100, None),  # its scale is one point
        (Choice("c", [1, 2]), 3, None),
    ],
)
def test_a_position_lies_on_the_parameters_own_scale(p: Any, value: Any, at: float | None) -> None:
    assert position(p, value) == (None if at is None else pytest.approx(at))


@pytest.mark.parametrize("p", [Float("x", 1e-4, 1e-1, log=True), Int("n", 1, 60, log=True), Int("n", 2, 20, step=3)])
def test_inside_the_bounds_a_position_is_that_of_the_unit_cube(p: Any) -> None:
    for value in [p.round(p.low), p.round((p.low + p.high) / 2)]:
        value = p.round(value)
        assert position(p, value) == pytest.approx(float(p.to_unit([value])[0]))


@pytest.mark.parametrize(
    ("p", "text", "value"),
    [
        (Float("x", 0, 1), " 1e-3 ", 1e-3),
        (Int("n", 1, 99), "64", 64),
        (Int("n", 1, 99), "64.0", 64.0),
        (Int("n", 1, 99), "", None),
        (Int("n", 1, 99), "NaN", None),
        (Int("n", 1, 99), "many", "many"),
        (Choice("c", ["a", "b"]), "b", "b"),
        (Choice("c", ["a", "b"]), "z", "z"),
        (Choice("c", [True, False]), "False", False),
        (Choice("c", [True, False]), "true", True),
        (Choice("c", [True, False]), "1", "1"),
        (Choice("c", ["Adam", "adam"]), " adam ", "adam"),
        (Choice("c", [8, 16]), "16.0", 16),
        (Choice("c", ["8", "16"]), "16", "16"),
        (Choice("c", [1, "1e0", "1.0"]), "1e0", "1e0"),
        (Choice("c", [1, "1e0"]), "1.0", 1),
        (Choice("c", ["none", "cosine"]), "none", "none"),
        (Choice("c", ["a", "b"]), "none", None),
    ],
)
def test_a_cell_stands_for_a_value_of_its_parameter(p: Any, text: str, value: Any) -> None:
    found = parsed(p, text)
    assert found == value
    assert type(found) is type(value)


# -- the record --------------------------------------------------------------------------------------------------------


def test_sets_come_back_from_the_record_in_order_and_are_no_trials(tmp_path: Path) -> None:
    rows = [row(float(k), lr=1e-4 * (1 + k)) for k in range(450)]
    sets = [
        fitting("b", card(), [*rows, row(None, "oom"), row(None, "lost")]),
        fitting("a", card(), [row()], same_task=True),
    ]
    study = Study.open(card(), f"sqlite:///{tmp_path}/study.db")
    record(study, sets)
    record(study, [fitting("b", card(), [row(9.0)])])  # its name is there: the record stays
    later = [fitting(name, card(), [row()]) for name in "edc"]
    for one in later:
        record(study, [one])
    study.close()
    again = Study.load(f"sqlite:///{tmp_path}/study.db")
    assert recorded(again) == [*sets, *later]
    assert again.trials() == []
    assert again.best() is None
    assert again.front() == []


def test_a_set_that_was_not_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    study = Study.open(card(), f"sqlite:///{tmp_path}/study.db")

    class Dies:
        attributes = study.attributes

        def set(self, key: str, value: Any) -> None:
            if key.count("/") == 1:
                raise KeyboardInterrupt
            study.set(key, value)

    one = fitting("past", card(), [row()])
    with pytest.raises(KeyboardInterrupt):
        record(Dies(), [one])
    assert recorded(study) == []
    record(study, [one])
    assert recorded(study) == [one]


def test_moved_bounds_are_looked_at_anew() -> None:
    one = fitting("past", card(), [row(lr=1e-4), row(lr=1e-2)])
    narrow = TaskCard(**{**_fields(), "space": Space(Float("lr", 1e-3, 1e-1, log=True), *list(card().space)[1:])})
    found = refitted(one, narrow)
    assert [t.runnable for t in found.trials] == [False, True]
    assert found.notes == ("1 only learned from: lr is outside its bounds, such as '0.0001'",)


def _fields() -> dict[str, Any]:
    return {"goal": "a toy", "name": "toy", "metric": "loss", "direction": "minimize"}
