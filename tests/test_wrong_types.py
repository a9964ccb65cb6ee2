"""What the public calls say to arguments of another kind: what was seen and what is accepted, before anything runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import card, config, objective, space

from tunewright import Float, Space, TaskCard, Tuner, TunerError, warmstart


@pytest.fixture
def tuner(tmp_path: Path) -> Tuner:
    return Tuner(card(), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"workers": "2"}, "workers is '2'\n  -> give a whole number of 1 or more"),
        ({"workers": 2.5}, "workers is 2.5\n  -> give a whole number"),
        ({"workers": True}, "workers is True\n"),
        ({"workers": 0}, "workers is 0\n"),
        ({"storage": None}, "storage is None\n  -> use sqlite:///"),
        ({"folder": 5}, "folder is 5\n  -> give a path"),
        ({"branch": "yes"}, "branch is 'yes'\n  -> give True or False"),
        ({"branch": None}, "branch is None\n"),
        ({"textbook": 0}, "textbook is 0\n  -> give True or False"),
        ({"tool": "train.py"}, "'train.py' is neither a function nor a tool\n  -> give a function"),
    ],
)
def test_a_tuner(argument: dict[str, Any], said: str, tmp_path: Path) -> None:
    given = {"storage": f"sqlite:///{tmp_path}/study.db", "folder": tmp_path} | argument
    with pytest.raises(TunerError) as caught:
        Tuner(card(), None, **given)
    assert said in str(caught.value)


@pytest.mark.parametrize("trials", [-1, 2.5, "3", [3], True])
def test_how_many_trials(tuner: Tuner, trials: Any) -> None:
    with pytest.raises(TunerError, match=f"trials is {re.escape(repr(trials))}"):
        tuner.run(objective, trials=trials)
    with pytest.raises(TunerError, match=f"n is {re.escape(repr(trials))}"):
        tuner.ask(trials)
    assert tuner.study.trials() == []


def test_whole_numbers_of_numpy_are_whole_numbers(tuner: Tuner) -> None:
    assert len(tuner.run(objective, trials=np.int64(2)).trials) == 2  # type: ignore[arg-type]
    assert len(tuner.ask(np.int64(1))) == 1  # type: ignore[call-overload]


class Series:
    """Named values as pandas' Series has them, which is no `Mapping`: looping over it gives the values."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def keys(self) -> Any:
        return self.values.keys()

    def items(self) -> Any:
        return zip(self.values.keys(), self.values.values(), strict=True)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __iter__(self) -> Any:
        return iter(self.values.values())


def test_named_values_of_another_library_are_named_values(tuner: Tuner) -> None:
    tuner.enqueue([Series(config(0.02))])  # type: ignore[list-item]
    trial = tuner.ask(2)[1]
    assert trial.config == config(0.02)
    assert not tuner.report(trial, 1, Series({"loss": 0.5}))  # type: ignore[arg-type]
    assert space().with_held(Series({"lr": 0.02})).held["lr"].values == (0.02,)  # type: ignore[arg-type]


class Tensor:
    """A number as torch has it."""

    shape = ()

    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


def test_telemetry_of_another_library_is_kept_as_plain_numbers(tuner: Tuner) -> None:
    told = tuner.tell(tuner.ask(), 1.0, telemetry={"seconds": Tensor(2.5), "peak_bytes": Tensor(7)})
    assert told.outcome is not None
    assert told.outcome.telemetry is not None
    assert (told.outcome.telemetry.seconds, told.outcome.telemetry.peak_bytes) == (2.5, 7)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda t, trial: t.tell(trial, 1.0, detail=5), "the detail of trial 0 is 5\n  -> give text"),
        (lambda t, trial: t.tell(trial, 1.0, telemetry=5), "the telemetry of trial 0 is 5\n  -> give some of its"),
        (lambda t, trial: t.tell(trial, 1.0, telemetry={"seconds": "3"}), "has seconds = '3'\n  -> give a finite"),
        (lambda t, trial: t.tell(trial, 1.0, telemetry={"peak_bytes": -1}), "has peak_bytes = -1\n"),
        (lambda t, trial: t.report(trial, 1, 0.5), "trial 0 reports 0.5"),
        (lambda t, trial: t.report(0, 1, {"loss": 0.5}), "0 is no trial\n  -> give the trial that `ask` gave"),
        (lambda t, trial: t.renewing(0).__enter__(), "0 is no trial\n"),
        (lambda t, trial: t.enqueue(None), "None is no list of configurations\n  -> give a list: enqueue([config])"),
        (lambda t, trial: t.enqueue("lr"), "'lr' is no list of configurations\n"),
        (lambda t, trial: t.enqueue([0.1]), "0.1 is no configuration\n  -> give a mapping"),
        (lambda t, trial: Tuner(card(), "openai/x", base_url=5), "base_url is 5\n  -> give an address"),
        (lambda t, trial: Tuner(card(), "openai/x", prices=5), "5 is no table of prices\n  -> write one line a model"),
        (lambda t, trial: t.confirm(2.5, objective=objective), "k is 2.5\n  -> give a whole number of 1 or more"),
        (lambda t, trial: t.confirm(1, top=0, objective=objective), "top is 0\n"),
        (lambda t, trial: t.run(5, trials=2), "5 is neither a function nor a tool\n"),
    ],
)
def test_the_calls_of_a_tuner(tuner: Tuner, call: Callable[[Tuner, Any], Any], said: str) -> None:
    trial = tuner.ask()
    with pytest.raises(TunerError) as caught:
        call(tuner, trial)
    assert said in str(caught.value)
    assert tuner.tell(trial, 1.0, telemetry={"seconds": np.float32(2), "peak_bytes": None}).done


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: warmstart(card(), "5", None), "n is '5'\n  -> give a whole number of 1 or more"),  # type: ignore[arg-type]
        (lambda: warmstart(card(), 2, None, seed=1.5), "seed is 1.5\n"),  # type: ignore[arg-type]
        (lambda: warmstart(card(), 1, None).to_optuna(5), "5 is no Optuna study\n"),  # type: ignore[arg-type]
        (lambda: TaskCard.load(5), "5 is no path of a card\n"),  # type: ignore[arg-type]
        (lambda: Space(Float("lr", 0, 1), relations=5), "relations is 5\n  -> give a list"),  # type: ignore[arg-type]
        (lambda: space().with_relations("lr < 1"), "relations is 'lr < 1', a text\n"),
        (lambda: space().with_held(5), "held is 5\n"),
        (lambda: space().check("lr"), "'lr' is no configuration\n"),
        (lambda: space().sample(-1, 0), "n is -1\n  -> give a whole number of 0 or more"),
        (lambda: Float("lr", "1e-5", 1), "bound '1e-5' of 'lr' is not a finite number\n"),  # type: ignore[arg-type]
    ],
)
def test_the_other_calls(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(TunerError) as caught:
        call()
    assert said in str(caught.value)
    assert space().check(config()).objections() == []
