from typing import Any

import optuna
import pytest
from runs import RATES, STEPS, curve, run

from tunewright.card_pruner import OPTUNA
from tunewright.errors import CardError
from tunewright.pruning.base import Run
from tunewright.pruning.optuna import OptunaPruner
from tunewright_tools.base import Point

OPTIONS: dict[str, dict[str, Any]] = {
    "median": {"n_startup_trials": 3},
    "percentile": {"percentile": 25.0, "n_startup_trials": 3},
    "successive_halving": {"min_resource": 2},
    "hyperband": {"min_resource": 2, "max_resource": STEPS},
    "patient": {"patience": 3},
    "threshold": {"upper": 3.0},
    "wilcoxon": {},
}


def made(name: str, **options: Any) -> OptunaPruner:
    return OptunaPruner(name, "loss", "minimize", "toy", options or OPTIONS[name])


def stops(pruner: OptunaPruner, number: int, points: list[Point]) -> float | None:
    return next((p.step for p in points if pruner.stop(number, p)), None)


def test_every_name_is_a_class_of_optunas() -> None:
    for name, kind in OPTUNA.items():
        assert issubclass(getattr(optuna.pruners, kind), optuna.pruners.BasePruner)
        made(name)


@pytest.mark.parametrize("name", ["median", "percentile", "successive_halving", "threshold", "wilcoxon"])
def test_a_bad_run_is_stopped_and_the_best_is_not(name: str) -> None:
    pruner = made(name)
    for i, lr in enumerate(RATES[:5]):
        assert lr != RATES[0] or stops(pruner, i, curve({"lr": lr})) is None
        pruner.tell(run(i, lr))
    assert stops(pruner, 5, curve({"lr": 8e-2})) is not None
    assert stops(pruner, 6, curve({"lr": 1e-3})) is None


def test_a_larger_value_may_be_the_better_one() -> None:
    pruner = OptunaPruner("median", "loss", "maximize", "toy", OPTIONS["median"])
    for i in range(3):
        for p in curve({"lr": 1e-2}):
            assert pruner.stop(i, p) is None
        pruner.tell(run(i, 1e-2))
    assert stops(pruner, 3, curve({"lr": 8e-2})) is None
    assert stops(pruner, 4, curve({"lr": 1e-3})) == 1.0


def test_the_level_of_optunas_messages_stays_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        made("median")
        assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    finally:
        optuna.logging.set_verbosity(before)


def test_a_standstill_runs_out_of_patience() -> None:
    worse = [Point(float(s), {"loss": 1.0 + 0.01 * s}, float(s)) for s in range(20)]
    assert stops(made("patient"), 1, worse) == 4.0


def test_it_judges_as_optuna_does() -> None:
    def told_to_optuna(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        points = curve({"lr": lr})
        for p in points:
            trial.report(p.metrics["loss"], int(p.step))
            if trial.should_prune():
                raise optuna.TrialPruned
        return points[-1].metrics["loss"]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in ("median", "successive_halving", "hyperband"):
        theirs = optuna.create_study(
            study_name="toy",
            pruner=getattr(optuna.pruners, OPTUNA[name])(**OPTIONS[name]),
            sampler=optuna.samplers.RandomSampler(seed=3),
        )
        theirs.optimize(told_to_optuna, n_trials=25)
        ours = made(name)
        ends = []
        for t in theirs.trials:
            points = curve(t.params)
            end = stops(ours, t.number, points)
            ends.append(end)
            kept = points if end is None else points[: int(end)]
            value = kept[-1].metrics["loss"] if end is None else None
            ours.tell(Run(t.number, kept, value, feasible=end is None))
        pruned = [max(t.intermediate_values) if t.state.name == "PRUNED" else None for t in theirs.trials]
        assert ends == pruned
        assert any(end is not None for end in ends)


@pytest.mark.parametrize("name", ["median", "hyperband", "successive_halving"])
def test_a_pruner_made_anew_from_the_record_judges_the_same(name: str) -> None:
    rates = [10 ** (-1 - 0.37 * i % 4) for i in range(24)]
    first, kept = made(name), []
    for i, lr in enumerate(rates[:16]):
        points = curve({"lr": lr})
        end = stops(first, i, points) if i else None
        ended = Run(i, points if end is None else points[: int(end)], None if end else 1.0)
        first.tell(ended)
        if i != 7 or name == "median":
            kept.append(ended)  # a lost trial leaves a hole in the numbers, and is one less for a median
    again = made(name)
    for ended in kept:
        again.tell(ended)
    for i, lr in enumerate(rates[16:], 16):
        assert stops(first, i, curve({"lr": lr})) == stops(again, i, curve({"lr": lr}))


@pytest.mark.parametrize(("name", "judged"), [("median", 0), ("percentile", 0), ("hyperband", STEPS)])
def test_a_run_on_record_is_judged_anew_only_for_the_rungs_that_this_writes(
    name: str, judged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruner = made(name)
    seen: list[Any] = []
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: bool(seen.append(trial.number)))
    pruner.tell(Run(0, curve({"lr": 1e-2}), 1.0))
    assert seen == [0] * judged


@pytest.mark.parametrize("name", ["median", "percentile", "successive_halving", "hyperband", "wilcoxon"])
@pytest.mark.parametrize("shown", [True, False])  # in this session, or by an earlier one
def test_a_result_that_breaks_a_constraint_is_no_measure_for_others(name: str, shown: bool) -> None:
    pruner = made(name)
    for i in range(9):
        one = run(i, 1e-3)
        if shown:
            stops(pruner, i, list(one.curve))
        pruner.tell(Run(i, one.curve, one.final, feasible=False))
    assert stops(pruner, 9, curve({"lr": 8e-2})) is None


@pytest.mark.parametrize("value", [1.0, None])
def test_points_between_whole_steps_repeated_steps_and_second_tellings_are_passed_over(value: float | None) -> None:
    pruner = made("threshold")
    for point in (Point(0.5, {"loss": 9.0}, 1.0), Point(-1.0, {"loss": 9.0}, 1.0), Point(1.0, {"other": 9.0}, 1.0)):
        assert pruner.stop(0, point) is None
    assert pruner.stop(0, Point(1.0, {"loss": 9.0}, 1.0)) is not None
    assert pruner.stop(0, Point(1.0, {"loss": 9.0}, 1.0)) is None
    pruner.tell(Run(0, curve({"lr": 1e-3}), value))
    pruner.tell(Run(0, curve({"lr": 1e-3}), value))
    assert pruner.stop(0, Point(99.0, {"loss": 9.0}, 1.0)) is None


def test_options_that_optuna_refuses_are_the_persons_to_mend() -> None:
    with pytest.raises(CardError, match=r"the pruner median refuses \{'n_warmup_steps': -1\}") as error:
        made("median", n_warmup_steps=-1)
    assert "optuna.pruners.MedianPruner" in error.value.hint
    with pytest.raises(CardError, match="percentile"):
        OptunaPruner("percentile", "loss", "minimize", "toy", {})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("successive_halving", {"reduction_factor": 2.5}),
        ("hyperband", {"min_resource": 1, "max_resource": 0}),
        ("patient", {"patience": 2, "wrapped_pruner": "median"}),
    ],
)
def test_options_that_optuna_would_only_trip_over_during_a_run_are_refused_before_it(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(CardError, match=f"the pruner {name} refuses"):
        made(name, **options)
