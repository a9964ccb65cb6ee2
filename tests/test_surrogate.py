"""The surrogate: who has a value, scales, directions, pending trials, constraints, several metrics, warm starts."""

import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tunewright.card import TaskCard
from tunewright.space import Choice, Float, Int, Space
from tunewright.surrogate import Surrogate, fit, hyperparameters
from tunewright.trial import Trial
from tunewright_tools.base import Config, Outcome, Telemetry

SPACE = Space(Float("x", -1.0, 1.0), Float("y", 1e-3, 1.0, log=True), Int("n", 1, 9), Choice("kind", ["a", "b", "c"]))


def _card(**other: Any) -> TaskCard:
    given = {"goal": "g", "space": SPACE, "metric": "loss", "direction": "minimize", **other}
    if "metrics" in other:
        del given["metric"], given["direction"]
    return TaskCard(**given)


def _loss(c: Config) -> float:
    return float((c["x"] - 0.3) ** 2 + 0.1 * (math.log10(c["y"]) + 1) ** 2 + 0.05 * (c["kind"] != "b"))


def _done(number: int, config: Config, seconds: float | None = None, **metrics: float) -> Trial:
    seen = None if seconds is None else Telemetry(seconds)
    return Trial(number, config, "sobol", status="done", outcome=Outcome("done", metrics, telemetry=seen))


def _failed(number: int, config: Config, status: str = "diverged", fault: str = "config") -> Trial:
    return Trial(number, config, "sobol", status=status, outcome=Outcome(status, fault=fault))  # type: ignore[arg-type]


def _trials(n: int, seed: int = 0, sign: float = 1.0) -> list[Trial]:
    return [_done(i, c, loss=sign * _loss(c)) for i, c in enumerate(SPACE.sample(n, seed))]


def _fit(trials: Sequence[Trial], seed: int = 0, **other: Any) -> Surrogate:
    surrogate = fit(_card(**other), trials, seed=seed)
    assert surrogate is not None
    return surrogate


AT = SPACE.sample(24, seed=7)
TWO = [{"name": name, "direction": "minimize"} for name in ("loss", "size")]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_values_say_nothing(n: int) -> None:
    assert fit(_card(), _trials(n), seed=0) is None


def test_failed_trials_carry_no_value() -> None:
    trials = _trials(8)
    failures = [_failed(8 + i, c) for i, c in enumerate(SPACE.sample(4, seed=3))]
    failures += [_failed(20, AT[0], "lost", "host"), _failed(21, AT[1], "pruned"), _failed(22, AT[2], "cancelled")]
    assert fit(_card(), [*trials[:1], *failures], seed=0) is None
    with_failures = _fit([*trials, *failures])
    assert with_failures.n_done == 8
    assert np.abs(with_failures.predict(AT).mean).max() < 3  # nowhere a penalty


def test_predictions_are_on_the_persons_scale() -> None:
    trials = [_done(i, c, loss=1000 + 50 * _loss(c)) for i, c in enumerate(SPACE.sample(30, 0))]
    posterior = _fit(trials).predict(AT)
    truth = np.array([1000 + 50 * _loss(c) for c in AT])
    assert np.corrcoef(posterior.mean, truth)[0, 1] > 0.9
    assert np.abs(posterior.mean - truth).mean() < 10
    assert (posterior.std > 0).all()
    assert (posterior.std < 200).all()


def test_maximise_is_minimise_upside_down() -> None:
    low = _fit(_trials(12))
    high = _fit(_trials(12, sign=-1.0), direction="maximize")
    np.testing.assert_array_equal(low.predict(AT).mean, -high.predict(AT).mean)
    np.testing.assert_array_equal(low.log_acquisition(AT), high.log_acquisition(AT))
    assert low.incumbent.number == high.incumbent.number


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values",
    [
        [-5.0] * 6,
        [0.0] * 6,
        [1.0, 1.0, 1.0, 1.0, 1.0, 2.0],
        [-1e9, -1.0, 0.0, 0.0, 1.0, 1e9],
        [0.3, *[sys.float_info.max] * 5],
        [-1.7e308, 1.7e308, 1.6e308, 1.5e308, -1.6e308, 0.0],
        [5e-324, 0.0, 0.0, 0.0, 0.0, 0.0],
    ],
)
def test_negative_constant_tied_and_extreme_values(values: list[float]) -> None:
    trials = [_done(i, c, loss=v) for i, (c, v) in enumerate(zip(SPACE.sample(6, 0), values, strict=True))]
    surrogate = _fit(trials)
    posterior = surrogate.predict(AT)
    assert np.isfinite(posterior.mean).all()
    assert np.isfinite(posterior.std).all()
    assert np.isfinite(surrogate.log_acquisition(AT)).all()
    assert surrogate.incumbent.outcome is not None
    assert surrogate.incumbent.outcome.metrics["loss"] == min(values)


def test_two_values_are_enough_and_repeats_are_fine() -> None:
    surrogate = _fit([_done(i, AT[0], loss=v) for i, v in enumerate((1.0, 1.1, 0.9, 1.0))])
    assert surrogate.predict([AT[0]]).mean[0] == pytest.approx(1.0, abs=0.1)
    assert np.isfinite(_fit(_trials(2)).log_acquisition(AT)).all()


def test_the_same_trials_and_seed_give_the_same_numbers_and_leave_the_global_streams_alone() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    threads = torch.get_num_threads()
    a, b = _fit(_trials(12), seed=3), _fit(_trials(12), seed=3)
    np.testing.assert_array_equal(a.log_acquisition(AT), b.log_acquisition(AT))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]
    assert torch.get_num_threads() == threads


def test_running_trials_lower_what_is_expected_beside_them() -> None:
    trials = _trials(10)
    free = _fit(trials)
    spot = AT[int(free.log_acquisition(AT).argmax())]
    busy = _fit([*trials, Trial(10, spot, "surrogate")])
    _, std_free = free.standardised([spot])
    _, std_busy = free.with_pending([spot]).standardised([spot])
    assert std_busy[0] < std_free[0]
    assert free.with_pending([spot]).expected_gain(spot) < 0.5 * free.expected_gain(spot)
    assert busy.n_done == 10
    assert free.with_pending([]) is free


def test_trials_started_before_the_best_had_ended_are_no_sign_that_nothing_gains() -> None:
    one_by_one = sorted(_trials(12), key=lambda t: t.outcome.metrics["loss"] if t.outcome else 0.0)
    one_by_one = [replace(t, number=i, started=10.0 * i, finished=10.0 * i + 10) for i, t in enumerate(one_by_one)]
    at_once = [replace(t, started=0.0) for t in one_by_one]
    assert (_fit(at_once).log_acquisition(AT) > _fit(one_by_one).log_acquisition(AT)).all()


def test_the_mean_finds_the_better_half() -> None:
    mean, _ = _fit(_trials(30)).standardised(AT)
    truth = np.array([_loss(c) for c in AT])
    assert np.corrcoef(mean, truth)[0, 1] > 0.9


def test_optimism_and_gain() -> None:
    surrogate = _fit(_trials(12))
    mean, std = surrogate.standardised(AT)
    np.testing.assert_allclose(surrogate.upper_confidence(AT, 2.0), 2 * std - mean)
    gains = [surrogate.expected_gain(c) for c in AT]
    assert min(gains) > 0
    assert np.argmax(gains) == surrogate.log_acquisition(AT).argmax()  # no failure, no constraint: the same order


def test_relevance_names_what_matters() -> None:
    trials = [_done(i, c, loss=math.sin(4 * c["x"])) for i, c in enumerate(SPACE.sample(40, 0))]
    shares = _fit(trials).relevance()
    assert set(shares) == set(SPACE.names)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert max(shares, key=shares.__getitem__) == "x"
    assert shares["x"] > 0.5


@pytest.mark.parametrize("metrics", [{}, {"metrics": TWO}])
def test_hyperparameters_alone_are_those_of_the_whole_fit_and_are_taken_over(metrics: dict[str, Any]) -> None:
    trials = [_done(i, c, loss=_loss(c), size=float(c["n"])) for i, c in enumerate(SPACE.sample(13, 0))]
    whole = _fit(trials, seed=5, **metrics)
    theta = hyperparameters(_card(**metrics), trials, seed=5)
    assert theta is not None
    taken = fit(_card(**metrics), trials, seed=5, theta=theta)
    other = fit(_card(**metrics), trials, seed=5, theta=theta + 1)
    assert taken is not None
    assert other is not None
    np.testing.assert_allclose(taken.standardised(AT)[0], whole.standardised(AT)[0])
    assert not np.allclose(other.standardised(AT)[0], whole.standardised(AT)[0])
    assert hyperparameters(_card(**metrics), trials[:1], seed=5) is None


@pytest.mark.parametrize("metrics", [{"accuracy": 1.0}, {"loss": math.nan}, {"loss": -math.inf}])
def test_a_done_trial_without_a_finite_metric_is_left_out_with_a_note(metrics: dict[str, float]) -> None:
    surrogate = _fit([*_trials(6), _done(6, AT[0], **metrics)])
    assert surrogate.n_done == 6
    assert "without" in surrogate.fit_note


def test_conditional_parameters() -> None:
    space = Space(
        Choice("optimizer", ["adam", "sgd"]),
        Float("momentum", 0.0, 0.99, when={"optimizer": "sgd"}),
        Float("lr", 1e-4, 1.0, log=True),
    )
    card = _card(space=space)

    def loss(c: Config) -> float:
        return (math.log10(c["lr"]) + 2) ** 2 + (1.0 if c["optimizer"] == "adam" else 2 * (c["momentum"] - 0.9) ** 2)

    surrogate = fit(card, [_done(i, c, loss=loss(c)) for i, c in enumerate(space.sample(40, 0))], seed=0)
    assert surrogate is not None
    at = space.sample(30, 4)
    assert np.corrcoef(surrogate.predict(at).mean, [loss(c) for c in at])[0, 1] > 0.9
    assert set(surrogate.relevance()) == set(space.names)


def test_constraints_choose_the_incumbent_and_weigh_the_gain() -> None:
    trials = [_done(i, c, loss=_loss(c), latency=10.0 * c["n"], other=0.0) for i, c in enumerate(SPACE.sample(30, 0))]
    surrogate = _fit(trials, constraints=["latency <= 40"])
    assert surrogate.incumbent.config["n"] <= 4
    inside, outside = {**AT[0], "n": 2}, {**AT[0], "n": 9}
    free = _fit(trials)
    assert surrogate.log_acquisition([inside])[0] == pytest.approx(free.log_acquisition([inside])[0], abs=1.5)
    assert surrogate.log_acquisition([outside])[0] < free.log_acquisition([outside])[0] - 3


def test_before_anything_is_feasible_the_bound_is_approached() -> None:
    configs = [c for c in SPACE.sample(60, 0) if c["n"] >= 5][:15]
    trials = [_done(i, c, loss=_loss(c), latency=10.0 * c["n"]) for i, c in enumerate(configs)]
    surrogate = _fit(trials, constraints=["latency <= 40"])
    least = min(c["n"] for c in configs)
    assert surrogate.incumbent.config["n"] == least
    values = surrogate.log_acquisition([{**AT[0], "n": n} for n in (2, 5, 9)])
    assert values[0] > values[1] > values[2]
    assert surrogate.expected_gain(AT[0]) == math.inf


@pytest.mark.parametrize("unknown", [{"latency": math.nan}, {"latency": math.inf}, {}])
def test_nobody_knows_that_a_result_without_a_number_misses_a_constraint_by_least(unknown: dict[str, float]) -> None:
    seen: list[dict[str, float]] = [{"latency": 60.0}, {"latency": 50.0}, unknown, {"latency": 70.0}]
    trials = [_done(i, c, loss=0.0, **seen[i]) for i, c in enumerate(SPACE.sample(4, 0))]
    assert _fit(trials, constraints=["latency <= 40"]).incumbent.number == 1


def test_two_metrics_are_weighed_anew_at_each_trial() -> None:
    card = _card(metrics=[{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}])
    trials = [_done(i, c, loss=_loss(c), speed=-float(c["n"])) for i, c in enumerate(SPACE.sample(20, 0))]
    surrogate = fit(card, trials, seed=0)
    assert surrogate is not None
    truth = np.array([_loss(c) for c in AT])
    assert np.corrcoef(surrogate.predict(AT).mean, truth)[0, 1] > 0.8  # the primary metric, whatever the weights
    other = fit(card, trials, seed=1)
    assert other is not None
    assert not np.array_equal(surrogate.standardised(AT)[0], other.standardised(AT)[0])


def test_two_metrics_under_a_constraint() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    trials = [
        _done(i, c, loss=_loss(c) + 1 / c["n"], speed=-float(c["n"]), latency=10.0 * c["n"])
        for i, c in enumerate(SPACE.sample(30, 0))
    ]
    for seed in range(2):  # two draws of the weights
        free = fit(_card(metrics=metrics), trials, seed=seed)
        bounded = fit(_card(metrics=metrics, constraints=["latency <= 40"]), trials, seed=seed)
        assert free is not None
        assert bounded is not None
        assert bounded.incumbent.config["n"] <= 4
        inside, outside = [{**c, "n": 2} for c in AT[:6]], [{**c, "n": 9} for c in AT[:6]]
        lowered = free.log_acquisition(outside) - bounded.log_acquisition(outside)
        assert lowered.min() > 3 + np.median(free.log_acquisition(inside) - bounded.log_acquisition(inside))
    slow = [t for t in trials if t.config["n"] > 4]
    none = fit(_card(metrics=metrics, constraints=["latency <= 40"]), slow, seed=0)
    assert none is not None
    assert none.expected_gain(AT[0]) == math.inf
    nearer, farther = none.log_acquisition([{**AT[0], "n": 4}, {**AT[0], "n": 9}])
    assert nearer > farther + 1


def test_run_time_counts_only_where_hours_are_limited() -> None:
    trials = [_done(i, c, seconds=float(c["n"]) ** 2, loss=_loss(c)) for i, c in enumerate(SPACE.sample(20, 0))]
    fast, slow = {**AT[0], "n": 1}, {**AT[0], "n": 9}
    by_trial, by_hour = _fit(trials), _fit(trials, budget={"hours": 2})
    assert by_trial.seconds([slow])[0] > 10 * by_trial.seconds([fast])[0]
    a, b = by_trial.log_acquisition([fast, slow]), by_hour.log_acquisition([fast, slow])
    assert (b[0] - b[1]) - (a[0] - a[1]) > 2


def test_seconds_without_any_run_time() -> None:
    assert np.isnan(_fit(_trials(5)).seconds(AT)).all()


def test_no_configuration_is_no_number() -> None:
    surrogate = _fit(_trials(6))
    for answer in (surrogate.predict([]).mean, surrogate.log_acquisition([]), surrogate.p_success([])):
        assert answer.shape == (0,)


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _fit(_trials(9)).log_acquisition(AT)
