from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from toy import config, space

from tunewright.guard import Guard
from tunewright.trial import Proposal


class Judge:
    """A surrogate whose opinions are written down: chance of success and optimism by learning rate."""

    def __init__(self, n_done: int, p: dict[float, float], optimism: dict[float, float]) -> None:
        self.n_done, self.p, self.optimism = n_done, p, optimism

    def p_success(self, configs: Sequence[dict[str, Any]]) -> np.ndarray:
        return np.array([self.p.get(c["lr"], 0.9) for c in configs])

    def upper_confidence(self, configs: Sequence[dict[str, Any]], kappa: float) -> np.ndarray:
        return np.array([self.optimism.get(c["lr"], 0.0) for c in configs])


def guard(taken: Sequence[dict[str, Any]] = (), judge: Judge | None = None, own: dict[str, Any] | None = None) -> Guard:
    return Guard(space(), {space().key(c) for c in taken}, judge, own)  # type: ignore[arg-type]


def judged(g: Guard, **values: Any):
    return g.judge([Proposal(config(**values), "llm")])[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lr": 1.0}, "lr = 1.0 is outside"),
        ({"lr": "1e-3"}, "is not a number"),
        ({"lr": None}, "lr is missing"),
        ({"lr": float("nan")}, "is not a number"),
        ({"width": 64.5}, "width = 64.5 is not a whole number"),
        ({"optimizer": "lion"}, "is not one of"),
        ({"optimizer": "sgd"}, "momentum is missing"),
        ({"width": True}, "is not a power of two"),
    ],
)
def test_an_impossible_value_is_refused_by_name_and_never_clamped(values: dict[str, Any], words: str) -> None:
    proposal, verdict = judged(guard(), **values)
    assert not verdict.accepted
    assert verdict.reason.startswith("invalid: ")
    assert words in verdict.reason
    assert proposal.config == config(**values)


def test_every_fault_is_named() -> None:
    _, verdict = judged(guard(), lr=5.0, width=1)
    assert "lr = 5.0" in verdict.reason
    assert "width = 1" in verdict.reason


def test_unknown_and_inactive_names_are_dropped_and_recorded() -> None:
    proposal, verdict = judged(guard(), momentum=0.9, shell="rm -rf /")
    assert verdict.accepted
    assert set(verdict.ignored) == {"momentum", "shell"}
    assert proposal.config == config()
    own = config(lr=1e-2)
    for g, lr in (
        (guard(judge=Judge(10, {}, {}), own=own), 1e-3),
        (guard(judge=Judge(10, {1e-3: 0.1}, {}), own=own), 1e-3),
        (guard(taken=[config()]), 1e-3),
        (guard(), 5.0),
    ):
        assert judged(g, lr=lr, shell="rm -rf /")[1].ignored == ("shell",)


def test_values_move_onto_the_declared_grid_before_repeats_are_looked_for() -> None:
    proposal, verdict = judged(guard(taken=[config(width=128)]), width=120)
    assert proposal.config["width"] == 128
    assert verdict.reason.startswith("repeat")


def test_a_repeat_in_more_digits_than_matter_is_a_repeat() -> None:
    _, verdict = judged(guard(taken=[config(lr=1e-3)]), lr=0.0010000001)
    assert verdict.reason.startswith("repeat")


def test_an_unlikely_success_is_refused_with_its_numbers() -> None:
    judge = Judge(10, {1e-3: 0.2, 1e-2: 0.9}, {})
    _, verdict = judged(guard(judge=judge, own=config(lr=1e-2)))
    assert verdict.reason.startswith("likely to fail")
    assert verdict.numbers["p_success"] == 0.2
    assert verdict.numbers["p_success_own"] == 0.9


@pytest.mark.parametrize("own", [0.3, 0.4])
def test_where_everything_is_risky_the_better_half_may_run(own: float) -> None:
    judge = Judge(10, {1e-3: 0.2, 1e-2: own}, {})
    assert judged(guard(judge=judge, own=config(lr=1e-2)))[1].accepted


@pytest.mark.parametrize(
    ("n", "less", "accepted"),
    [(3, 9.0, True), (4, 9.0, False), (4, 1.5, True), (9, 1.0, True), (9, 1.1, False), (16, 0.9, False)],
)
def test_the_margin_shrinks_with_evidence_from_four_values_on(n: int, less: float, accepted: bool) -> None:
    judge = Judge(n, {}, {1e-3: -less, 1e-2: 0.0})
    _, verdict = judged(guard(judge=judge, own=config(lr=1e-2)))
    assert verdict.accepted is accepted
    if not accepted:
        assert verdict.reason.startswith(f"not promising: {less:.2f} standard deviations")


def test_without_a_surrogate_only_validity_and_repeats_count() -> None:
    assert judged(guard())[1].accepted


def test_many_are_judged_as_one_by_one() -> None:
    own = config(lr=0.01)
    g = guard([config(lr=0.02)], Judge(9, {0.03: 0.1}, {0.04: -2.0, 0.01: 1.0, 0.05: 1.0}), own)
    proposals = [Proposal(config(lr=lr), "llm") for lr in (0.02, 0.03, 5.0, 0.04, 0.05)]
    assert g.judge(proposals) == [g.judge([p])[0] for p in proposals]
    assert [v.accepted for _, v in g.judge(proposals)] == [False, False, False, False, True]
    assert g.judge([]) == []
