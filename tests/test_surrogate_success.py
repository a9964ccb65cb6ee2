"""The chance of success: labels, memory telemetry, one class only, what does not count."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tunewright.acquisition import suggest
from tunewright.card import TaskCard
from tunewright.space import Choice, Float, Int, Space
from tunewright.surrogate import fit
from tunewright.surrogate_success import EVEN, Success, fit_success, teaches
from tunewright.trial import Trial
from tunewright_tools.base import Outcome, Telemetry

SPACE = Space(
    Float("lr", 1e-5, 1.0, log=True, default=1e-3),
    Int("batch", 1, 256, log=True),
    Int("depth", 1, 32, log=True),
    Choice("optimizer", ["adam", "sgd"]),
)
CARD = TaskCard(
    goal="a language model",
    space=SPACE,
    metric="loss",
    direction="minimize",
    derived={"memory": {"batch": 1, "depth": 2}},
)
LIMIT = 8_000_000_000
GOOD = {"lr": 1e-3, "batch": 8, "depth": 4, "optimizer": "adam"}


def _trial(number: int, config: dict[str, object], status: str, fault: str | None = None, **seen: float) -> Trial:
    outcome = Outcome(
        status,  # type: ignore[arg-type]
        {"loss": 1.0} if status == "done" else {},
        telemetry=Telemetry(**seen) if seen else None,  # type: ignore[arg-type]
        fault=fault,  # type: ignore[arg-type]
    )
    return Trial(number, dict(config), "sobol", status=status, outcome=outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "fault", "lesson"),
    [
        ("done", None, True),
        ("oom", "config", False),
        ("diverged", "config", False),
        ("timeout", "config", False),
        ("crashed", "config", False),
        ("crashed", "host", None),
        ("crashed", "person", None),
        ("crashed", None, None),
        ("oom", "host", None),
        ("pruned", None, None),
        ("cancelled", "person", None),
        ("lost", "host", None),
    ],
)
def test_what_an_end_teaches(status: str, fault: str | None, lesson: bool | None) -> None:
    assert teaches(_trial(0, GOOD, status, fault)) is lesson


def test_a_running_trial_teaches_nothing() -> None:
    assert teaches(Trial(0, GOOD, "sobol")) is None


def test_no_trial_at_all() -> None:
    p = fit_success(CARD, []).p([GOOD, {**GOOD, "lr": 1.0}])
    assert p == pytest.approx([0.8, 0.8])


def test_only_successes_stay_near_one_and_never_reach_it() -> None:
    configs = SPACE.sample(40, seed=0)
    p = fit_success(CARD, [_trial(i, c, "done") for i, c in enumerate(configs)]).p(SPACE.sample(20, seed=1))
    assert (p > 0.9).all()
    assert (p < 1).all()


def test_only_failures_send_the_search_elsewhere() -> None:
    bad = [{**GOOD, "lr": lr} for lr in (0.3, 0.5, 0.9)]
    p = fit_success(CARD, [_trial(i, c, "diverged") for i, c in enumerate(bad)]).p([bad[1], {**GOOD, "lr": 1e-5}])
    assert 0 < p[0] < p[1] < 1


def test_one_failure_does_not_veto_everything() -> None:
    trials = [_trial(0, {**GOOD, "lr": 0.9}, "diverged"), _trial(1, GOOD, "done")]
    p = fit_success(CARD, trials).p(SPACE.sample(64, seed=2))
    assert p.min() > 0.1
    assert p.mean() > 0.4


def test_a_threshold_on_one_parameter_is_learned() -> None:
    configs = SPACE.sample(40, seed=0)
    trials = [_trial(i, c, "diverged" if c["lr"] > 0.03 else "done") for i, c in enumerate(configs)]
    model = fit_success(CARD, trials)
    at = SPACE.sample(200, seed=5)
    truth = np.array([c["lr"] <= 0.03 for c in at])
    p = model.p(at)
    assert ((p > 0.5) == truth).mean() > 0.9


def _needs(config: dict[str, object]) -> float:
    return 2e7 * float(config["batch"]) * float(config["depth"]) ** 2  # type: ignore[arg-type]


def _memory_trials(n: int, telemetry: bool) -> list[Trial]:
    trials = []
    for i, c in enumerate(SPACE.sample(n, seed=3)):
        needs = _needs(c) * math.exp(0.03 * math.sin(7 * i))
        seen: dict[str, float] = {}
        if telemetry:
            seen = {"seconds": 5.0, "peak_bytes": min(needs, LIMIT * 0.97), "limit_bytes": LIMIT}
        fits = needs < LIMIT
        trials.append(_trial(i, c, "done" if fits else "oom", None if fits else "config", **seen))
    return trials


@pytest.mark.parametrize(("n", "telemetry", "accuracy"), [(12, True, 0.97), (40, True, 0.98), (40, False, 0.93)])
def test_the_memory_limit_is_found(n: int, telemetry: bool, accuracy: float) -> None:
    model = fit_success(CARD, _memory_trials(n, telemetry))
    at = SPACE.sample(400, seed=9)
    truth = np.array([_needs(c) < LIMIT for c in at])
    p = model.p(at)
    assert ((p > 0.5) == truth).mean() >= accuracy
    assert (model.memory is not None) == telemetry


def test_telemetry_foresees_a_failure_that_never_happened() -> None:
    small = [t for t in _memory_trials(60, True) if t.done][:8]
    model = fit_success(CARD, small)
    p = model.p([GOOD, {**GOOD, "batch": 256, "depth": 32}])
    assert p[0] > 0.85
    assert p[1] < 0.3


def test_more_than_200_trials() -> None:
    p = fit_success(CARD, _memory_trials(260, False)).p([GOOD, {**GOOD, "batch": 256, "depth": 32}])
    assert p[0] > 0.9
    assert p[1] < 0.1


def test_seconds_are_unknown_then_the_median_then_learned() -> None:
    assert np.isnan(fit_success(CARD, []).log_seconds([GOOD])[0]).all()
    few = [_trial(i, GOOD, "done", seconds=s) for i, s in enumerate((2.0, 4.0, 100.0))]
    assert np.exp(fit_success(CARD, few).log_seconds([GOOD])[0]) == pytest.approx([4.0])
    many = [_trial(i, c, "done", seconds=0.1 * float(c["depth"])) for i, c in enumerate(SPACE.sample(30, seed=0))]
    found = np.exp(fit_success(CARD, many).log_seconds([{**GOOD, "depth": 2}, {**GOOD, "depth": 32}])[0])
    assert found == pytest.approx([0.2, 3.2], rel=0.1)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -1.0])
def test_telemetry_that_cannot_have_been_measured_teaches_nothing(odd: float) -> None:
    trials = _memory_trials(30, True)
    bare = [replace(t, outcome=replace(t.outcome, telemetry=None)) for t in trials[:2] if t.outcome]
    told = [
        replace(t, outcome=replace(t.outcome, telemetry=Telemetry(seconds=odd, **seen)))  # type: ignore[arg-type]
        for t, seen in zip(bare, ({"peak_bytes": odd, "limit_bytes": LIMIT}, {"limit_bytes": odd}), strict=True)
        if t.outcome
    ]
    at = SPACE.sample(20, seed=9)
    with_odd, without = (fit_success(CARD, [*some, *trials[2:]]) for some in (told, bare))
    assert with_odd.p(at).tolist() == without.p(at).tolist()
    assert with_odd.log_seconds(at)[0].tolist() == without.log_seconds(at)[0].tolist()


def test_conditions_and_constant_features_do_no_harm() -> None:
    space = Space(Choice("a", ["x", "y"]), Float("b", 0, 1, when={"a": "y"}))
    card = TaskCard(goal="g", space=space, metric="loss", direction="minimize")
    trials = [_trial(0, {"a": "x"}, "crashed", "config"), _trial(1, {"a": "x"}, "done"), _trial(2, {"a": "x"}, "done")]
    p = fit_success(card, trials).p([{"a": "x"}, {"a": "y", "b": 0.3}])
    assert np.isfinite(p).all()
    assert p[0] > 0.4


def _chosen(number: int, config: dict[str, object], status: str) -> Trial:
    trial = _trial(number, config, status, None if status == "done" else "config")
    return replace(trial, source="surrogate")


def test_the_required_chance_rises_with_the_surrogates_own_failures_alone() -> None:
    configs = SPACE.sample(30, seed=0)
    ends = ["diverged" if c["lr"] > 0.03 else "done" for c in configs]
    assert ends.count("diverged") >= 4
    drawn = [
        _trial(i, c, end, None if end == "done" else "config")
        for i, (c, end) in enumerate(zip(configs, ends, strict=True))
    ]
    assert fit_success(CARD, drawn).required == EVEN
    chosen = [_chosen(i, c, end) for i, (c, end) in enumerate(zip(configs, ends, strict=True))]
    required = fit_success(CARD, chosen).required
    assert required > 0.85
    good = [_chosen(40 + i, {**c, "lr": 1e-4}, "done") for i, c in enumerate(SPACE.sample(30, seed=1))]
    assert EVEN < fit_success(CARD, [*chosen, *good]).required < required


def test_no_more_is_required_than_the_surest_success_had() -> None:
    always = {**GOOD, "lr": 0.5}
    trials = [_chosen(0, always, "done"), *(_chosen(i, {**always, "batch": i}, "diverged") for i in range(1, 20))]
    model = fit_success(CARD, trials)
    assert model.required == pytest.approx(model.p([always])[0])
    assert model.required < 0.9


def test_nothing_seen_failing_weighs_as_the_chance_alone() -> None:
    model = fit_success(CARD, [_chosen(i, c, "done") for i, c in enumerate(SPACE.sample(20, seed=0))])
    p = np.array([1e-3, 0.2, 0.5, 0.9])
    assert (model.aversion(p) == np.log(np.minimum(p / 0.5, 1.0))).all()
    assert model.required == EVEN


def test_below_the_required_chance_no_gain_pays() -> None:
    model = Success(fit_success(CARD, []).features, 5, required=0.9)
    less, enough, more = model.aversion(np.array([0.6, 0.9, 0.99]))
    assert enough == pytest.approx(0, abs=1e-9)
    assert more == 0
    assert less < -30


def test_timeouts_alone_tell_no_run_time() -> None:
    late = [_trial(i, c, "timeout", "config", seconds=60.0) for i, c in enumerate(SPACE.sample(6, seed=0))]
    model = fit_success(CARD, late)
    assert model.time is None
    assert np.exp(model.log_seconds([GOOD])[0]) == pytest.approx([60.0])


def _loss(c: dict[str, object]) -> float:
    return -0.5 * math.log10(float(c["lr"])) + (math.log2(float(c["batch"])) - 4) ** 2 / 4  # type: ignore[arg-type]


def _with_values(edge: float) -> list[Trial]:
    """Better the higher the learning rate, up to an edge beyond which runs diverge; best with a batch of 16."""
    made = []
    for i, c in enumerate(SPACE.sample(24, seed=0)):
        trial = _chosen(i, c, "done" if c["lr"] < edge else "diverged")
        if trial.done:
            trial = replace(trial, outcome=Outcome("done", {"loss": _loss(c)}))
        made.append(trial)
    return made


def test_while_nothing_failed_the_acquisition_is_as_ever_to_the_last_bit() -> None:
    surrogate = fit(CARD, _with_values(2.0), seed=0)
    assert surrogate is not None
    at = SPACE.sample(30, seed=1)
    gain = surrogate.log_gain(torch.as_tensor(surrogate.encoding.encode(at))).detach().numpy()
    p = surrogate.p_success(at)
    assert (surrogate.log_acquisition(at) == gain + np.log(p) + np.log(np.minimum(p / 0.5, 1.0))).all()


def test_the_next_point_has_the_required_chance_though_more_is_promised_beyond_the_edge() -> None:
    trials = _with_values(0.01)
    surrogate = fit(CARD, trials, seed=0)
    assert surrogate is not None
    assert surrogate.success.required > 0.8
    (chosen,) = suggest(surrogate, CARD, trials, seed=0)
    assert surrogate.p_success([chosen.config])[0] > 0.85
    assert surrogate.log_gain(torch.as_tensor(surrogate.encoding.encode([{**chosen.config, "lr": 0.3}]))) > (
        surrogate.log_gain(torch.as_tensor(surrogate.encoding.encode([chosen.config])))
    )
