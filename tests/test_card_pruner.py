from typing import Any

import pytest
from toy import card

from tunewright.card import TaskCard
from tunewright.card_pruner import NAMES, PrunerCard
from tunewright.errors import CardError


def test_a_name_or_a_mapping() -> None:
    assert card().pruner is None
    assert card(pruner="median").pruner == PrunerCard(name="median")
    given = card(pruner={"name": "hyperband", "options": {"max_resource": 30}})
    assert given.pruner == PrunerCard(name="hyperband", options={"max_resource": 30})
    assert TaskCard.from_json(given.to_json()) == given
    assert "pruner" not in card().to_json()


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_taken(name: str) -> None:
    assert card(pruner=name).pruner.name == name


@pytest.mark.parametrize(
    ("pruner", "said"),
    [
        ("medain", "did you mean 'median'"),
        ({"options": {}}, "has no name"),
        (3, "3 is no mapping"),
        ({"name": "none", "options": {"a": 1}}, "the pruner none has options"),
        ({"name": "curve", "options": {"a": [1]}}, r"options\.a is \[1\]"),
        ({"name": "curve", "warmup": 1}, "there is no key 'warmup'"),
    ],
)
def test_what_is_wrong_is_named(pruner: Any, said: str) -> None:
    with pytest.raises(CardError, match=f"pruner.*(\n.*)?{said}"):
        card(pruner=pruner)


def test_several_metrics_have_no_pruner() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    with pytest.raises(CardError, match="the pruner median beside 2 metrics"):
        card(pruner="median", metrics=metrics, metric=None, direction=None)
    assert card(pruner="none", metrics=metrics, metric=None, direction=None).pruner.name == "none"
