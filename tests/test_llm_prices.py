"""What a call costs, and when that is not known."""

import os
from pathlib import Path
from typing import Any

import pytest
from toy import card

from tunewright.card import TaskCard
from tunewright.errors import ModelError
from tunewright.llm import prices as prices_module
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.prices import Price, Prices, check_priced
from tunewright.llm.scripted import Scripted
from tunewright.loop import Tuner
from tunewright.zero_shot import warmstart


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEWRIGHT_PRICES", raising=False)


def test_our_table_holds_for_the_providers_own_endpoint_only() -> None:
    price = Prices.load().find("openai/gpt-5", public=True)
    assert price is not None
    assert price.cost_usd(1_000_000, 100_000) == pytest.approx(1.25 + 1.0)
    assert Prices.load().find("openai/gpt-5", public=False) is None
    assert Prices.load().find("openai/no-such-model", public=True) is None


def test_our_table_agrees_with_litellms_map_where_it_is_installed() -> None:
    if not prices_module._litellm_map():
        pytest.skip("litellm is not installed")
    for model, ours in prices_module._ours().items():
        theirs = prices_module._from_litellm(model)
        assert theirs is not None
        assert (ours.usd_per_million_in, ours.usd_per_million_out) == pytest.approx(
            (theirs.usd_per_million_in, theirs.usd_per_million_out)
        )


def test_litellms_map_is_the_fallback_under_the_right_provider() -> None:
    if not prices_module._litellm_map():
        pytest.skip("litellm is not installed")
    price = Prices.load().find("anthropic/claude-sonnet-4-5", public=True)
    assert price is not None
    assert "litellm" in price.source
    assert Prices.load().find("openai/claude-sonnet-4-5", public=True) is None


def test_the_persons_own_price_wins_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("openai/gpt-5: {in: 7, out: 8}\nmine: {in: 0, out: 0.5}\n")
    (entry,) = os.scandir(tmp_path)
    for own in (file, str(file), entry, {"openai/gpt-5": {"in": 7, "out": 8}, "mine": {"in": 0, "out": 0.5}}):
        for public in (True, False):
            found = Prices.load(own).find("openai/gpt-5", public=public)
            assert found is not None
            assert (found.usd_per_million_in, found.usd_per_million_out) == (7.0, 8.0)
        bare = Prices.load(own).find("openai/mine", public=False)
        assert bare is not None
        assert bare.cost_usd(1000, 2_000_000) == 1.0
        assert Prices.load(own).find("openai/o3", public=True) == Prices.load().find("openai/o3", public=True)
    monkeypatch.setenv("TUNEWRIGHT_PRICES", str(file))
    assert Prices.load().find("openai/mine", public=False) == Price(0.0, 0.5, str(file))
    monkeypatch.setenv("TUNEWRIGHT_PRICES", "")
    assert Prices.load().find("openai/mine", public=False) is None


@pytest.mark.parametrize(
    "own",
    [
        {"m": {"in": 1}},
        {"m": {"in": 1, "out": -2}},
        {"m": {"in": 1, "out": "2"}},
        {"m": {"in": 1, "out": True}},
        {"m": {"in": 1, "out": float("nan")}},
        {"m": {"in": 1, "out": float("inf")}},
        {"m": 3},
        {"m": {"input": 1, "output": 2}},
    ],
)
def test_what_is_no_price_is_named(own: Any) -> None:
    with pytest.raises(ModelError, match="m"):
        Prices.load(own)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "{: ]", ""])
def test_a_file_that_is_no_table(text: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ModelError, match=r"prices\.yaml"):
        Prices.load(file)
    with pytest.raises(ModelError, match=r"cannot read the price table .*missing\.yaml"):
        Prices.load(tmp_path / "missing.yaml")


# -- a budget ----------------------------------------------------------------------------------------------------------


def test_a_budget_beside_an_unknown_price_is_refused_before_anything_runs(tmp_path: Path) -> None:
    chat = OpenAIChat("no-such-model", base_url="http://127.0.0.1:9/v1", prices={})
    limited = TaskCard.from_json({**card().to_json(), "budget": {"usd": 2}})
    storage = tmp_path / "study.db"
    for opened in (
        lambda: Tuner(limited, chat, f"sqlite:///{storage}", folder=tmp_path),
        lambda: warmstart(limited, 2, chat),
    ):
        with pytest.raises(
            ModelError, match="2 USD cannot be kept: no price is known for openai/no-such-model"
        ) as said:
            opened()
        assert "TUNEWRIGHT_PRICES" in said.value.hint
    assert not storage.exists()


def test_without_a_budget_or_with_a_price_nothing_is_asked_for() -> None:
    unknown = OpenAIChat("no-such-model", base_url="http://127.0.0.1:9/v1", prices={})
    check_priced(unknown, None)
    check_priced(OpenAIChat("mine", base_url="http://127.0.0.1:9/v1", prices={"mine": {"in": 0, "out": 0}}), 0.0)
    check_priced(Scripted([]), 1.0)  # tells with each reply


def test_a_warmstart_keeps_to_the_cards_money() -> None:
    model = Scripted([], repeat_last=True)
    limited = TaskCard.from_json({**card().to_json(), "budget": {"usd": 0}})
    found = warmstart(limited, 2, model)
    assert (found.calls, len(found.configs)) == (0, 2)
    assert found.notes == ("the model was not asked: the model's budget of 0 USD is spent (0.0000 USD)",)
    assert model.requests == []
