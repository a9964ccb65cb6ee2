"""Derived quantities: what may be one, and how it is written; the card's own errors are in test_card.py."""

import pytest
from toy import space

from tunewright.derived import base_fault, check_derived, formula
from tunewright.errors import CardError
from tunewright.space import Choice, Int, Space


def test_formulas() -> None:
    assert formula({"batch": 1, "depth": 2, "width": -0.5}) == "batch * depth^2 * width^-0.5"


def test_parameters_that_a_quantity_can_hold() -> None:
    assert [name for name in space().names if base_fault(space(), name) is None] == ["lr", "width"]
    others = Space(
        Int("zero", 0, 3), Choice("batch", [16, 32]), Choice("signs", [-1, 1]), Choice("flag", [True, False])
    )
    assert [base_fault(others, name) for name in others.names] == [
        "'zero' can be 0",
        None,
        "'signs' can be -1",
        "'flag' is not numeric",
    ]


def test_a_fault_has_its_place() -> None:
    check_derived({"cost": {"lr": 1, "width": 2}}, space(), ())
    with pytest.raises(CardError, match="name already taken") as caught:
        check_derived({"cost": {"lr": 1}, "loss": {"lr": 1}}, space(), ["loss"])
    assert caught.value.path == ("derived", "loss")
    with pytest.raises(CardError, match="'depth' is not in the space") as caught:
        check_derived({"cost": {"lr": 1, "depth": 1}}, space(), ())
    assert caught.value.path == ("derived", "cost", "depth")
