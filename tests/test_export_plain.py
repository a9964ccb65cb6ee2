import json

import pytest
from toy import card

from tunewright import warmstart
from tunewright.errors import TunerError
from tunewright.export import TARGETS, to
from tunewright.space import Space


def test_json_holds_the_points_and_a_space_that_can_be_read_back() -> None:
    points = warmstart(card(), n=3, model=None)
    record = json.loads(to("json", points, card()))
    assert [p["config"] for p in record["points"]] == points.configs
    assert [p["source"] for p in record["points"]] == [p.source for p in points.items]
    assert Space.from_json(record["space"]) == card().space
    assert record["metrics"] == [{"name": "loss", "direction": "minimize"}]


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_writes_something(name: str) -> None:
    assert "'lr'" in (text := to(name, warmstart(card(), n=2, model=None), card())) or '"lr"' in text


def test_an_unknown_target_lists_those_there_are() -> None:
    with pytest.raises(TunerError, match=r"did you mean 'optuna'\? the targets are json, optuna, sklearn"):
        to("optna", [], card())
