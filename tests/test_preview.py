"""What a dry run says would happen."""

from pathlib import Path
from typing import Any

import pytest
from toy import card

from tunewright import Tuner
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.scripted import Scripted
from tunewright.preview import preview
from tunewright.space import Int, Space


@pytest.mark.parametrize("model", [None, Scripted([])])
def test_no_more_first_points_are_shown_than_there_will_be_trials(model: Any) -> None:
    shown = preview(card(), model, base_url=None, prices=None, trials=2, seed=0)
    assert len(shown.first_points) == 2
    assert shown.first_points[0][0] == "default"
    assert "Estimate: 2 trials" in shown.text()


@pytest.mark.parametrize("relations", [[], ["a % b == 0"]])
def test_the_first_points_are_those_that_a_run_has(tmp_path: Path, relations: list[str]) -> None:
    few = card(space=Space(Int("a", 1, 4, default=4), Int("b", 1, 2, default=2), relations=relations))
    shown = preview(few, None, base_url=None, prices=None, trials=5, seed=0)
    with Tuner(few, None, f"sqlite:///{tmp_path}/tune.db", folder=tmp_path, seed=0) as tuner:
        ran = tuner.run(lambda c: float(c["a"]), trials=len(shown.first_points)).trials
    assert list(shown.first_points) == [(t.source, t.config) for t in ran]


@pytest.mark.parametrize("known", [True, False])
def test_what_a_run_would_cost_is_told_by_the_models_price(known: bool) -> None:
    prices = {"openai/toy": {"in": 2.0, "out": 10.0}} if known else {}
    chat = OpenAIChat("toy", base_url="http://127.0.0.1:1", api_key="sk-never-sent", prices=prices)
    shown = preview(card(), chat, base_url=None, prices=None, trials=10, seed=0)
    cost = (2.0 * shown.tokens_in + 10.0 * shown.tokens_out) / 1e6
    assert shown.cost_usd == (pytest.approx(cost) if known else None)
    assert ("price unknown" in shown.text()) is not known
