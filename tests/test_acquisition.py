"""The next points: runnable, different, none tried before; better than chance on a smooth function."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tunewright.acquisition import promising, suggest
from tunewright.card import TaskCard
from tunewright.space import Choice, Float, Int, Space
from tunewright.surrogate import fit
from tunewright.trial import Trial
from tunewright_tools.base import Config, Outcome

SMOOTH = Space(Float("a", 0, 1), Float("b", 1e-4, 1.0, log=True), Float("c", -2, 2), Int("d", 1, 64, log=True))


def _card(space: Space, **other: Any) -> TaskCard:
    return TaskCard(goal="g", space=space, metric="loss", direction="minimize", **other)


def _trial(number: int, config: Config, loss: float) -> Trial:
    outcome = Outcome("done", {"loss": loss}) if math.isfinite(loss) else Outcome("diverged", fault="config")
    return Trial(number, config, "sobol", status=outcome.status, outcome=outcome)


def _search(card: TaskCard, f: Callable[[Config], float], budget: int, seed: int) -> list[Trial]:
    trials = [_trial(i, c, f(c)) for i, c in enumerate(card.space.sample(5, seed))]
    while len(trials) < budget:
        surrogate = fit(card, trials, seed=seed)
        assert surrogate is not None
        (best,) = suggest(surrogate, card, trials, seed=seed)
        trials.append(_trial(len(trials), best.config, f(best.config)))
    return trials


def _quadratic(c: Config) -> float:
    return float(
        (c["a"] - 0.7) ** 2
        + 0.1 * (math.log10(c["b"]) + 3) ** 2
        + 0.1 * (c["c"] - 1) ** 2
        + 0.02 * (math.log2(c["d"]) - 4) ** 2
    )


def _lowest(trials: list[Trial]) -> float:
    return min(t.outcome.metrics["loss"] for t in trials if t.outcome and t.done)


def _suggest(card: TaskCard, trials: list[Trial], n: int, seed: int = 0) -> list[Config]:
    surrogate = fit(card, trials, seed=seed)
    assert surrogate is not None
    return [s.config for s in suggest(surrogate, card, trials, n=n, seed=seed)]


def _start(card: TaskCard, f: Callable[[Config], float], n: int = 8) -> list[Trial]:
    return [_trial(i, c, f(c)) for i, c in enumerate(card.space.sample(n, 0))]


def test_eight_at_once_are_eight_different_ones() -> None:
    card = _card(SMOOTH)
    trials = _start(card, _quadratic)
    found = _suggest(card, trials, 8)
    keys = {SMOOTH.key(c) for c in found}
    assert len(keys) == 8
    assert not keys & {SMOOTH.key(t.config) for t in trials}
    units = SMOOTH.to_unit(found)
    apart = np.abs(units[:, None] - units[None]).max(-1)[np.triu_indices(8, 1)]
    assert apart.min() > 0.005
    assert all(not SMOOTH.check(c).faults for c in found)


def test_what_was_promising_is_scored_anew_with_a_newer_result() -> None:
    card = _card(SMOOTH, relations=["c < 1.5"])
    trials = [t for t in _start(card, _quadratic, 16) if not SMOOTH.check(t.config).faults]
    before, now = (fit(card, known, seed=0) for known in (trials[:-1], trials))
    assert before is not None
    assert now is not None
    found = promising(before, card, trials[:-1], seed=0)
    scores = before.log_acquisition(found)
    assert len({SMOOTH.key(c) for c in found}) == len(found) == 100
    assert (np.diff(scores) <= 0).all()
    assert scores[0] == pytest.approx(suggest(before, card, trials[:-1], seed=0)[0].score)
    (best,) = suggest(now, card, trials, seed=0, among=found)
    assert best.score >= now.log_acquisition(found).max()
    assert best.config["c"] < 1.5


def test_where_all_that_was_promising_has_run_the_space_is_searched() -> None:
    card = _card(SMOOTH)
    trials = _start(card, _quadratic)
    ran = [t.config for t in trials]
    surrogate = fit(card, trials, seed=0)
    assert surrogate is not None
    assert suggest(surrogate, card, trials, seed=0, among=ran) == suggest(surrogate, card, trials, seed=0)


def test_nothing_of_a_small_space_is_looked_at_ahead() -> None:
    card = _card(Space(Choice("a", ["x", "y", "z"]), Int("n", 1, 9)))
    trials = _start(card, lambda c: float(c["n"]))
    surrogate = fit(card, trials, seed=0)
    assert surrogate is not None
    assert promising(surrogate, card, trials, seed=0) == []


def test_running_trials_are_not_suggested_again() -> None:
    card = _card(SMOOTH)
    trials = _start(card, _quadratic)
    first = _suggest(card, trials, 1)[0]
    second = _suggest(card, [*trials, Trial(8, first, "surrogate")], 1)[0]
    assert SMOOTH.key(first) != SMOOTH.key(second)


def test_the_same_record_and_seed_give_the_same_point() -> None:
    card = _card(SMOOTH)
    trials = _start(card, _quadratic)
    assert _suggest(card, trials, 3, seed=5) == _suggest(card, trials, 3, seed=5)


def test_a_small_space_is_used_up_without_repeats_and_then_gives_fewer() -> None:
    space = Space(Int("n", 1, 3), Choice("kind", ["a", "b"]), Float("s", 0, 1, step=0.5))
    card = _card(space)

    def f(c: Config) -> float:
        return float(c["n"] + (c["kind"] == "a") - c["s"])

    trials = _start(card, f, 4)
    trials = [t for i, t in enumerate(trials) if space.key(t.config) not in {space.key(u.config) for u in trials[:i]}]
    left = 18 - len(trials)
    found = _suggest(card, trials, 30)
    assert len(found) == left
    assert len({space.key(c) for c in found}) == left
    everything = [*trials, *(_trial(100 + i, c, f(c)) for i, c in enumerate(found))]
    assert _suggest(card, everything, 1) == []


def test_whole_numbers_on_a_log_scale_are_used_up_to_the_last() -> None:
    card = _card(Space(Int("layers", 1, 16, log=True), Choice("act", ["relu", "gelu"])))
    trials = _start(card, lambda c: (c["layers"] - 13) ** 2, n=3)
    tried = {str(t.config) for t in trials} | {str(c) for c in _suggest(card, trials, n=40)}
    assert len(tried) == 32


def test_a_whole_number_of_billions_is_not_written_out() -> None:
    import tracemalloc

    card = _card(Space(Int("samples", 1, 10**7, log=True), Int("seeds", 0, 10**7)))
    trials = _start(card, lambda c: c["samples"] / 1e6)
    tracemalloc.start()
    assert len(_suggest(card, trials, n=1)) == 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6


def test_conditions_are_kept_in_a_small_space() -> None:
    space = Space(Choice("kind", ["a", "b"]), Int("n", 1, 3, when={"kind": "b"}))
    card = _card(space)
    trials = [_trial(0, {"kind": "a"}, 1.0), _trial(1, {"kind": "b", "n": 1}, 0.5)]
    assert sorted(map(space.key, _suggest(card, trials, 9))) == sorted(
        map(space.key, [{"kind": "b", "n": 2}, {"kind": "b", "n": 3}])
    )


def test_relations_hold() -> None:
    space = Space(
        Int("width", 8, 512, step=8),
        Int("heads", 1, 16),
        Float("lr", 1e-4, 1, log=True),
        relations=["width % heads == 0"],
    )
    card = _card(space, start="none")
    trials = _start(card, lambda c: -c["width"] / 512 + (math.log10(c["lr"]) + 2) ** 2)
    assert all(c["width"] % c["heads"] == 0 for c in _suggest(card, trials, 4))


def test_choices_alone_are_searched() -> None:
    space = Space(*(Choice(f"c{i}", ["a", "b", "c", "d"]) for i in range(7)))
    card = _card(space)

    def f(c: Config) -> float:
        return float(sum(v != "c" for v in c.values()))

    trials = _search(card, f, 30, seed=0)
    assert len({space.key(t.config) for t in trials}) == 30
    assert _lowest(trials) <= 1


def test_it_keeps_clear_of_what_fails() -> None:
    card = _card(SMOOTH)
    trials = _search(card, lambda c: math.inf if c["b"] > 0.01 else _quadratic(c), 25, seed=1)
    assert sum(not t.done for t in trials[10:]) <= 2
    assert _lowest(trials) < 0.02


def test_a_best_value_at_the_cliff_is_reached_without_falling_off_at_every_step() -> None:
    card = _card(SMOOTH)

    def f(c: Config) -> float:
        return math.inf if c["b"] > 0.01 else _quadratic(c) - 0.3 * (math.log10(c["b"]) + 3)  # better towards the cliff

    trials = _search(card, f, 25, seed=1)
    assert sum(not t.done for t in trials[10:]) <= 7
    assert _lowest(trials) < -0.15  # -0.2 at the very edge


@pytest.mark.slow
def test_it_beats_chance_by_a_margin() -> None:
    card = _card(SMOOTH)
    own = [_lowest(_search(card, _quadratic, 25, seed)) for seed in range(3)]
    chance = [min(map(_quadratic, SMOOTH.sample(25, seed))) for seed in range(3)]
    assert np.mean(own) < 0.1 * np.mean(chance)


@pytest.mark.slow
def test_a_plateau_is_left() -> None:
    card = _card(SMOOTH)

    def f(c: Config) -> float:
        return 1.0 if c["a"] < 0.6 else round(_quadratic(c), 2)

    trials = _search(card, f, 25, seed=0)
    assert _lowest(trials) <= 0.05
