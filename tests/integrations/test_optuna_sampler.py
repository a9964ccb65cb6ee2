import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import toy
from optuna.trial import TrialState

from tunewright.errors import CardError, StudyError
from tunewright.integrations.optuna import TunewrightSampler
from tunewright.integrations.optuna_record import PLAN
from tunewright.llm.scripted import Scripted
from tunewright.space import Choice, Float, Int, Space
from tunewright.surrogate import fit
from tunewright.trial_json import trial_from_json

optuna.logging.set_verbosity(optuna.logging.ERROR)


def sampler(**changes: Any) -> TunewrightSampler:
    return TunewrightSampler(**{"model": None, "seed": 0, **changes})


def objective(trial: optuna.Trial) -> float:
    config: dict[str, Any] = {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"]),
    }
    if config["optimizer"] == "sgd":
        config["momentum"] = trial.suggest_float("momentum", 0.5, 0.99)
    config["width"] = trial.suggest_int("width", 16, 512, log=True)
    return toy.objective(config)


def suggested(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"]),
        "width": trial.suggest_int("width", 16, 512),
    }


def sources(study: optuna.Study) -> list[str]:
    return [t.user_attrs["source"] for t in study.trials]


def distinct(study: optuna.Study) -> int:
    return len({repr(sorted(t.params.items())) for t in study.trials})


def reply(*learning_rates: float, **more: Any) -> dict[str, Any]:
    configs = [{"lr": lr, "optimizer": "adamw", "width": 128, **more} for lr in learning_rates]
    return {"proposals": [{"rationale": "usual", "config": c} for c in configs], "prior": {}}


def test_one_changed_line_finds_a_good_point() -> None:
    study = optuna.create_study(sampler=sampler())
    study.optimize(objective, n_trials=16)
    assert sources(study)[:5] == ["default", "sobol", "sobol", "sobol", "sobol"]
    assert set(sources(study)[5:]) == {"surrogate"}
    assert study.trials[0].params["lr"] == pytest.approx(1e-3)
    assert distinct(study) == 16
    assert all(("momentum" in t.params) == (t.params["optimizer"] == "sgd") for t in study.trials)
    assert study.best_value < 0.1 < study.trials[0].value / 2


def test_a_given_seed_gives_the_same_points() -> None:
    runs = []
    for _ in range(2):
        study = optuna.create_study(sampler=sampler(seed=3))
        study.optimize(objective, n_trials=8)
        runs.append([t.params for t in study.trials])
    assert runs[0] == runs[1]


def test_the_models_points_come_after_the_default_and_the_textbooks_guess() -> None:
    chat = Scripted([reply(0.01, 0.02, 0.03, 0.005, 0.008)], repeat_last=True)
    study = optuna.create_study(sampler=sampler(goal="a toy, lr 0.01 is best", model=chat))
    study.optimize(objective, n_trials=7)
    assert sources(study) == ["default", "textbook", *["llm"] * 5]
    assert [t.params["lr"] for t in study.trials[2:]] == [0.01, 0.02, 0.03, 0.005, 0.008]
    assert study.trials[2].user_attrs["rationale"] == "usual"
    assert len(chat.requests) == 1
    text = chat.requests[0].messages[-1].content
    assert "lr 0.01 is best" in text
    assert any("first_round" in key for key in study.user_attrs)


def test_the_model_is_asked_again_and_its_points_are_judged() -> None:
    chat = Scripted([reply(0.01, 0.02, 0.03, 0.005, 0.008), reply(0.01, 0.0105, 0.011)], repeat_last=True)
    study = optuna.create_study(sampler=sampler(goal="a toy", model=chat))
    study.optimize(objective, n_trials=14)
    assert len(chat.requests) > 1
    turns = [t.system_attrs[PLAN]["turn"] for t in study.trials[6:]]
    assert "llm" in turns
    assert distinct(study) == 14


def test_a_new_branch_is_a_new_question() -> None:
    chat = Scripted([reply(0.01, optimizer="sgd"), reply(0.02, optimizer="sgd", momentum=0.9)], repeat_last=True)
    study = optuna.create_study(sampler=sampler(goal="a toy", model=chat, textbook=False))
    study.optimize(objective, n_trials=3)
    assert sources(study) == ["default", "llm", "llm"]
    assert 0.5 <= study.trials[1].params["momentum"] <= 0.99  # nobody knew of it when trial 1 was decided
    assert study.trials[2].params == {"lr": 0.02, "optimizer": "sgd", "momentum": 0.9, "width": 128}
    assert "momentum" not in str(chat.requests[0].messages)
    assert "momentum" in str(chat.requests[1].messages)


def test_a_model_that_fails_leaves_the_search_to_the_rest() -> None:
    study = optuna.create_study(sampler=sampler(goal="a toy", model=Scripted([])))
    study.optimize(objective, n_trials=8)
    assert "llm" not in sources(study)
    assert all(t.state == TrialState.COMPLETE for t in study.trials)


def test_a_stated_space_is_known_from_trial_0() -> None:
    space = Space(
        Float("lr", 1e-5, 1e-1, log=True, default=0.02),
        Choice("optimizer", ["adamw", "sgd"], default="sgd"),
        Float("momentum", 0.5, 0.99, default=0.9, when={"optimizer": "sgd"}),
        Int("width", 16, 512, log=True, default=64),
    )
    for given in ({"space": space}, {"card": toy.card(space=space)}):
        study = optuna.create_study(sampler=sampler(**given))
        study.optimize(objective, n_trials=2)
        assert study.trials[0].params == {"lr": 0.02, "optimizer": "sgd", "momentum": 0.9, "width": 64}
        assert sources(study) == ["default", "sobol"]


def test_a_default_that_breaks_a_relation_does_not_run() -> None:
    study = optuna.create_study(sampler=sampler(space=Space(Float("a", 0, 1), Float("b", 0, 1), relations=["a < b"])))
    study.optimize(lambda trial: trial.suggest_float("a", 0, 1) + trial.suggest_float("b", 0, 1), n_trials=2)
    assert all(t.params["a"] < t.params["b"] for t in study.trials)
    assert sources(study) == ["sobol", "sobol"]


def test_a_script_may_ask_for_stated_powers_of_two_in_any_of_optunas_words() -> None:
    space = Space(Int("width", 16, 512, rounding="power_of_two", default=64))
    words: list[Callable[[optuna.Trial], Any]] = [
        lambda trial: trial.suggest_categorical("width", [16, 32, 64, 128, 256, 512]),  # as `warmstart --to optuna`
        lambda trial: trial.suggest_int("width", 16, 512, log=True),
        lambda trial: trial.suggest_int("width", 16, 512),
    ]
    for word in words:
        study = optuna.create_study(sampler=sampler(space=space))
        study.optimize(lambda trial, word=word: abs(word(trial) - 128), n_trials=5)
        assert study.trials[0].params == {"width": 64}
        assert distinct(study) == 5
        assert all(t.params["width"] in (16, 32, 64, 128, 256, 512) for t in study.trials)


def test_a_card_that_does_not_fit_is_refused() -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler(card=toy.card()))
    with pytest.raises(StudyError, match=r"create it with \['minimize'\]"):
        study.optimize(objective, n_trials=1)
    more = Space(Float("lr", 1e-5, 1e-1, log=True), Float("dropout", 0, 1))
    study = optuna.create_study(sampler=sampler(space=more))
    with pytest.raises(StudyError, match="did not suggest dropout"):
        study.optimize(lambda trial: trial.suggest_float("lr", 1e-5, 1e-1, log=True), n_trials=3)
    with pytest.raises(CardError, match="beside a goal"):
        sampler(card=toy.card(), goal="x")
    with pytest.raises(CardError, match="no goal"):
        TunewrightSampler(model=Scripted([]))


def test_threads_get_different_points() -> None:
    together = threading.Barrier(3, timeout=30)

    def meeting(trial: optuna.Trial) -> float:
        value = objective(trial)
        together.wait()  # three trials run at once, or this breaks
        return value

    study = optuna.create_study(sampler=sampler())
    study.optimize(meeting, n_trials=12, n_jobs=3)
    assert all(t.state == TrialState.COMPLETE for t in study.trials)
    assert distinct(study) == 12
    assert "surrogate" in sources(study)


WORKER = """
import sys, optuna
sys.path[:0] = [{tests!r}, {here!r}]
from test_optuna_sampler import objective, sampler
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="shared", storage=sys.argv[1], sampler=sampler())
study.optimize(objective, n_trials=5)
"""


@pytest.mark.slow  # each process loads torch
def test_processes_on_one_storage_get_different_points(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/shared.db"
    first = optuna.create_study(study_name="shared", storage=storage, sampler=sampler())
    first.optimize(objective, n_trials=6)  # it shows both branches of the script: they choose from the same space
    here = Path(__file__).parent
    code = WORKER.format(tests=str(here.parent), here=str(here))
    command = [sys.executable, "-c", code, storage]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for worker in workers:
        _, errors = worker.communicate(timeout=100)
        assert worker.returncode == 0, errors
    study = optuna.load_study(study_name="shared", storage=storage)
    assert len(study.trials) == 16
    assert distinct(study) == 16


def test_an_older_trial_decided_meanwhile_is_stepped_around(tmp_path: Path) -> None:
    """Two processes that decide at once: the younger one sees the older one's plan after writing its own."""
    storage = f"sqlite:///{tmp_path}/race.db"
    study = optuna.create_study(study_name="race", storage=storage, sampler=sampler())
    study.optimize(objective, n_trials=1)
    other = optuna.load_study(study_name="race", storage=storage, sampler=sampler())
    older, younger = other.ask(), study.ask()
    mine = study.sampler
    assert isinstance(mine, TunewrightSampler)
    plain_write, written = mine._write, []

    def write(study: optuna.Study, trial: Any, decision: Any) -> None:
        if not written:  # between the reading and the writing of the younger, the older one is decided
            older.suggest_float("lr", 1e-5, 1e-1, log=True)
        written.append(decision.proposal.config)
        plain_write(study, trial, decision)

    mine._write = write  # type: ignore[method-assign]
    younger.suggest_float("lr", 1e-5, 1e-1, log=True)
    assert len(written) == 2
    assert written[0]["lr"] == older.params["lr"]  # both would have run the same
    assert younger.params["lr"] != older.params["lr"]


def test_failures_teach_and_pruned_trials_are_none() -> None:
    def fails_when_wide(trial: optuna.Trial) -> float:
        value = objective(trial)
        if trial.params["width"] > 128:
            trial.set_user_attr("status", "oom")
            raise MemoryError
        if trial.number == 1:
            raise optuna.TrialPruned
        return value

    mine = sampler()
    study = optuna.create_study(sampler=mine)
    study.optimize(fails_when_wide, n_trials=16, catch=MemoryError)
    record = mine._sides[study.study_name].record
    seen = record.trials()
    states = {t.number: t.state for t in study.trials}
    for t in seen:
        wanted = {TrialState.COMPLETE: "done", TrialState.FAIL: "oom", TrialState.PRUNED: "pruned"}[states[t.number]]
        assert t.status == wanted
        assert t.outcome is not None
        assert t.outcome.fault == ("config" if wanted == "oom" else None)
    surrogate = fit(record.card, seen, seed=0)
    assert surrogate is not None
    wide, narrow = surrogate.p_success([{"lr": 0.01, "optimizer": "adamw", "width": w} for w in (400, 40)])
    assert wide < 0.5 < narrow


def test_hyperband_hands_over_a_bracket_and_the_whole_study_is_seen() -> None:
    def stops_early(trial: optuna.Trial) -> float:
        value = objective(trial)
        for step in range(9):
            trial.report(value + 1 / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    mine = sampler()
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    study = optuna.create_study(sampler=mine, pruner=pruner)
    study.optimize(stops_early, n_trials=10)
    assert {t.state for t in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert distinct(study) == 10
    assert len(mine._sides[study.study_name].record.trials()) == 9  # of all brackets


def test_a_trial_that_optuna_ran_again_was_lost() -> None:
    mine = sampler()
    study = optuna.create_study(sampler=mine)
    study.optimize(objective, n_trials=2)
    study.tell(study.ask(), state=TrialState.FAIL)
    lost = study.ask()
    objective(lost)
    study.tell(lost, state=TrialState.FAIL)
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.WAITING,
            system_attrs={"failed_trial": 3, "retry_history": [3], "fixed_params": lost.params},
        )
    )
    study.optimize(objective, n_trials=2)
    statuses = {
        t.number: (t.status, t.outcome.fault) for t in mine._sides[study.study_name].record.trials() if t.outcome
    }
    assert statuses[3] == ("lost", "host")


def test_several_directions_and_constraints() -> None:
    def two(trial: optuna.Trial) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.set_constraint("sum", x + y - 1.2)
        return x, 1 - y

    mine = sampler()
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=mine)
    study.optimize(two, n_trials=14)
    card = mine._sides[study.study_name].record.card
    assert [c.text for c in card.constraints] == ["sum <= 0"]
    assert [m.direction for m in card.metrics] == ["maximize", "minimize"]
    late = study.trials[8:]
    assert sum(t.constraints["sum"] <= 0 for t in late) >= 4
    assert len(study.best_trials) >= 3


def test_enqueued_points_run_as_they_are() -> None:
    study = optuna.create_study(sampler=sampler())
    study.optimize(objective, n_trials=1)
    study.enqueue_trial({"lr": 0.05})
    study.enqueue_trial({"lr": 0.03, "optimizer": "adamw", "width": 32})
    study.optimize(objective, n_trials=2)
    assert study.trials[1].params["lr"] == 0.05
    assert study.trials[1].user_attrs["source"] == "user"
    assert study.trials[2].params == {"lr": 0.03, "optimizer": "adamw", "width": 32}


@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental")
@pytest.mark.parametrize("known", [{}, {"space": toy.card().space}, {"card": toy.card()}])
def test_what_a_partial_fixed_sampler_fixes_is_held(known: dict[str, Any]) -> None:
    fixed = {"optimizer": "sgd", "lr": 0.02}
    study = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler(fixed, sampler(**known)))
    study.optimize(objective, n_trials=9)
    assert distinct(study) == 9
    assert all(t.params.items() >= fixed.items() for t in study.trials)
    plans = [trial_from_json(t.system_attrs[PLAN]).config for t in study.trials if PLAN in t.system_attrs]
    assert all(plan.items() >= fixed.items() for plan in plans[-4:])


@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental", "ignore:Fixed parameter")
def test_a_fixed_value_out_of_bounds_is_optunas_business() -> None:
    study = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler({"lr": 5.0}, sampler()))
    study.optimize(objective, n_trials=3)
    assert [t.params["lr"] for t in study.trials] == [5.0] * 3


def test_trials_of_another_sampler_count() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=6)
    study.sampler = sampler()
    study.optimize(objective, n_trials=2)
    assert [t.user_attrs["source"] for t in study.trials[6:]] == ["surrogate"] * 2


def test_earlier_trials_and_the_textbook_give_starting_points(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("lr,optimizer,width,loss\n0.01,adamw,128,0.05\n1e-5,adamw,16,9.5\n")
    space = Space(*[p for p in toy.space() if p.name != "momentum"])
    study = optuna.create_study(sampler=sampler(card=toy.card(space=space, earlier=[str(tmp_path / "old.csv")])))
    study.optimize(lambda trial: toy.objective(suggested(trial)), n_trials=2)
    assert sources(study) == ["default", "earlier"]
    study = optuna.create_study(sampler=sampler(space=space, textbook=True))
    study.optimize(lambda trial: toy.objective(suggested(trial)), n_trials=3)
    assert sources(study) == ["default", "textbook", "textbook"]


def test_an_exhausted_space_goes_on_under_another_name() -> None:
    study = optuna.create_study(sampler=sampler())
    study.optimize(lambda t: float(t.suggest_categorical("a", [1, 2, 3]) + t.suggest_int("b", 0, 1)), n_trials=8)
    assert distinct(study) == 6
    assert sources(study)[6:] == ["sampler:random"] * 2


def test_values_of_any_kind_and_odd_names() -> None:
    def odd(trial: optuna.Trial) -> float:
        depth = trial.suggest_categorical("tree/max-depth", [None, 4, "auto"])
        return trial.suggest_float("tree/lr", 0.1, 1.0, step=0.1) + (0.0 if depth is None else 1.0)

    study = optuna.create_study(sampler=sampler())
    study.optimize(odd, n_trials=12)
    assert study.best_params == {"tree/max-depth": None, "tree/lr": 0.1}


def test_a_pickled_sampler_goes_on(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"
    whole = optuna.create_study(sampler=sampler(seed=5))
    whole.optimize(objective, n_trials=8)
    study = optuna.create_study(study_name="s", storage=storage, sampler=sampler(seed=5))
    study.optimize(objective, n_trials=6)
    again = optuna.load_study(study_name="s", storage=storage, sampler=pickle.loads(pickle.dumps(study.sampler)))
    again.optimize(objective, n_trials=2)
    assert [t.params for t in again.trials] == [t.params for t in whole.trials]
