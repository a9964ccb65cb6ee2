from pathlib import Path
from typing import Any

import pytest
from toy import card, config, objective

from tunewright import Tuner
from tunewright.llm.scripted import Scripted
from tunewright.planner import INITIAL, INITIAL_SMALL, WARM, WARM_SMALL


def sources(folder: Path, model: Any, trials: int, **changes: Any) -> list[tuple[str, str]]:
    tuner = Tuner(card(**changes), model, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs")
    return [(t.turn, t.source) for t in tuner.run(objective, trials=trials).trials]


def answers(request: Any) -> Any:
    """As many good points as were asked for, different at each call."""
    rates = [0.002 + 0.001 * ((request.seed or 0) % 97) + 0.0003 * i for i in range(request.n_expected)]
    return {"proposals": [{"config": {**config(lr, 128), "momentum": None}} for lr in rates]}


def test_a_model_has_its_zero_shot_turns_right_after_the_default(tmp_path: Path) -> None:
    found = sources(tmp_path, Scripted([answers], repeat_last=True), 1 + WARM)
    assert found == [("default", "default"), *[("llm", "llm")] * WARM]


def test_a_small_model_shares_the_start_with_quasi_random_points(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True, trusted_tools=False)
    found = sources(tmp_path, model, INITIAL_SMALL)
    spread = INITIAL_SMALL - 1 - WARM_SMALL
    assert found == [("default", "default"), *[("llm", "llm")] * WARM_SMALL, *[("sobol", "sobol")] * spread]
    assert {r.n_expected for r in model.requests} == {1}


def test_without_a_model_the_start_is_quasi_random(tmp_path: Path) -> None:
    assert sources(tmp_path, None, INITIAL)[1:] == [("sobol", "sobol")] * (INITIAL - 1)


def test_a_trusted_model_is_asked_once_for_all_its_zero_shot_points(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    sources(tmp_path, model, 1 + WARM)
    assert [(r.purpose, r.n_expected) for r in model.requests] == [("first_round", WARM)]


def test_the_last_trial_asks_nobody_what_comes_next(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    sources(tmp_path, model, 1)
    assert model.requests == []


def test_an_error_of_ours_in_the_models_thread_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        sources(tmp_path, Scripted([lambda request: 1 // 0]), 3)
