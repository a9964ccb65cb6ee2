"""What the texts and spaces for foreign optimizers say, as far as it needs none of them."""

from importlib import import_module
from typing import Any

import pytest
from toy import card, config, done, failed

from tunewright import warmstart
from tunewright.errors import SpaceError, StudyError
from tunewright.export import TARGETS, flaml, nevergrad, to
from tunewright.export.common import at_fault, settled, valued
from tunewright.points import Point
from tunewright.space import Choice, Float, Int, Space

FLAT = ("ray", "syne_tune", "skopt", "flaml")
NESTED = ("smac", "ax", "nevergrad", "hyperopt")


def space_of(name: str, what: Space, **more: object) -> object:
    return import_module(f"tunewright.export.{TARGETS[name]}").space(card(space=what, start="none", **more))


@pytest.mark.parametrize("name", [*FLAT, *NESTED])
def test_the_text_is_python_conditions_or_not(name: str) -> None:
    flat = card(
        space=Space(*(p for p in card().space if not p.when), Int("lambda_", 1, 9), Float("x", 0, 1, step=0.25))
    )
    for task in (card(), flat):
        text = to(name, warmstart(task, n=3, model=None), task)
        compile(text, name, "exec")
        left_out = task is not flat and name in FLAT
        assert ("# The space is left out" in text) == left_out
        assert ("\nspace = " in text) != left_out


@pytest.mark.parametrize("name", [*FLAT, *NESTED])
@pytest.mark.parametrize(
    ("what", "seen"),
    [
        (Space(Float("p", 0.25, 0.75, logit=True)), "p: a logit scale"),
        (Space(Float("s", 0.0, 1.0, step=1e-6)), "s: 1000001 steps"),
        (Space(Float("a", 0.0, 1.0), Float("b", 0.0, 1.0), relations=["a + b <= 1"]), r"a and b: a \+ b <= 1"),
        (Space(Int("a", 1, 8), held={"a": 2}), "a: held at 2"),
    ],
)
def test_what_has_no_form_is_named_with_the_nearest_thing(name: str, what: Space, seen: str) -> None:
    with pytest.raises(SpaceError, match=seen) as caught:
        space_of(name, what)
    assert caught.value.hint.startswith("the nearest thing there is ")
    task = card(space=what, start="none")
    assert "# The space is left out" in to(name, [Point(task.space.default(), "default")], task)


@pytest.mark.parametrize("name", ["optuna", "sklearn", *FLAT, *NESTED])
@pytest.mark.parametrize("relation", ["a + b <= 1\n", "(a +\n b <= 1)"])
def test_a_relation_on_several_lines_leaves_the_text_python(name: str, relation: str) -> None:
    task = card(space=Space(Float("a", 0.0, 1.0), Float("b", 0.0, 1.0), relations=[relation]), start="none")
    text = to(name, warmstart(task, n=2, model=None), task)
    compile(text, name, "exec")
    assert "b <= 1" in next(line for line in text.splitlines() if "is left out" in line)


@pytest.mark.parametrize("name", FLAT)
def test_conditions_have_no_form_in_a_flat_space(name: str) -> None:
    with pytest.raises(SpaceError, match="momentum: its condition") as caught:
        space_of(name, card().space)
    assert caught.match("momentum without `when`")


@pytest.mark.parametrize("name", ["ax", "nevergrad", "hyperopt"])
def test_conditions_that_do_not_nest(name: str) -> None:
    on_number = Space(Int("k", 1, 3), Float("x", 0.0, 1.0, when={"k": 2}))
    with pytest.raises(SpaceError, match="x: a condition on the number k"):
        space_of(name, on_number)
    on_two = Space(Choice("a", [1, 2]), Choice("b", [1, 2]), Float("x", 0.0, 1.0, when={"a": 1, "b": 2}))
    with pytest.raises(SpaceError, match="x: a condition on a and b"):
        space_of(name, on_two)


def test_ax_takes_a_child_under_one_value() -> None:
    with pytest.raises(SpaceError, match="x: a condition on several values of a"):
        space_of("ax", Space(Choice("a", [1, 2, 3]), Float("x", 0.0, 1.0, when={"a": [1, 2]})))


@pytest.mark.parametrize("name", ["ray", "smac", "ax", "nevergrad", "hyperopt", "syne_tune", "skopt", "flaml"])
def test_several_metrics_are_refused(name: str) -> None:
    two = card(
        metric=None,
        direction=None,
        metrics=[{"name": "loss", "direction": "minimize"}, {"name": "size", "direction": "minimize"}],
    )
    module = import_module(f"tunewright.export.{TARGETS[name]}")
    with pytest.raises(StudyError, match="is told one metric, the card has 2: loss, size"):
        module.arguments(two) if name == "flaml" else module.tell(two, [], None)


def test_which_trials_are_told() -> None:
    task = card(constraints=["memory <= 10"])
    kept, over = done(0, config(), 1.0), done(1, config(lr=0.02), 0.5)
    for t, memory in ((kept, 5.0), (over, 12.0)):
        assert t.outcome is not None
        t.outcome.metrics["memory"] = memory
    outside = done(2, config(lr=0.5), 0.1)
    lost, oom = failed(3, config(lr=0.01), "lost", fault="host"), failed(4, config(lr=0.03))
    trials = [kept, over, outside, lost, oom]
    assert valued(task, trials) == [(kept, 1.0)]
    assert at_fault(task, trials) == [oom]


def test_held_values_bind_new_configurations_only() -> None:
    task = card(space=Space(*card().space, held={"width": 32}))
    assert [t.number for t, _ in valued(task, [done(0, config(width=64), 1.0)])] == [0]


def test_rounding_errors_are_settled() -> None:
    space = Space(Float("a", 0, 1), Int("b", 1, 9), Choice("c", ["x", "y"]))
    assert settled({"a": 0.10000000000000002, "b": 3, "c": "x"}, space) == {"a": 0.1, "b": 3, "c": "x"}


@pytest.mark.parametrize("value", [1 / 3, 0.1 + 0.2, 123456789.12345679])
@pytest.mark.parametrize("read", [flaml.config, nevergrad.config])
def test_a_choice_comes_back_with_all_its_digits(value: float, read: Any) -> None:
    task = card(space=Space(Choice("share", [value, 2.5]), Float("lr", 0, 1)))
    found = read({"share": value, "lr": 0.10000000000000002}, task)
    assert found == {"share": value, "lr": 0.1}
    assert not task.space.check(found).faults
