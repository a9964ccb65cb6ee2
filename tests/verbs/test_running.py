from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import TunerError
from tunewright.events import Finished, Progress, Silenced, Started, Stopped
from tunewright.ledger import Call
from tunewright.llm.base import Reply
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Denied, Session, Within, call
from tunewright.verbs.estimating import command_text
from tunewright.verbs.running import CardTaken, RunFailed

from .conftest import SCRIPT, toy_card

Open = Callable[..., Session]


def first(session: Session, kind: type) -> Any:
    """The next event of a kind."""
    for heard in session.events():
        if isinstance(heard.event, kind):
            return heard.event
    raise AssertionError(f"no {kind.__name__}")


def gate(root: Path) -> Path:
    """A file that the script's runs wait for, so that nothing ends before the test has done what it does meanwhile."""
    file = root / "go"
    loop = "for epoch in range(3):"
    wait = f"import pathlib\nwhile not pathlib.Path({str(file)!r}).exists():\n    time.sleep(0.02)\n"
    (root / "train.py").write_text(SCRIPT.replace(loop, wait + loop))
    return file


def test_a_change_while_it_runs_holds_from_the_next_trial_on(root: Path, opened: Open) -> None:
    session = opened(root)
    go = gate(root)
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 4}, by="person")
    first(session, Started)
    answer = call(session, "pin", {"parameter": "width", "value": 64}, by="model")
    assert answer.data["takes_effect"] == "after the running trials"
    call(session, "narrow", {"parameter": "lr", "low": 1e-3, "high": 1e-2, "default": 2e-3}, by="model")
    go.touch()
    events = [h.event for h in session.events()]
    assert any(isinstance(e, CardTaken) for e in events)
    assert [e.kind for e in events if isinstance(e, Stopped)] == ["trials"]
    trials = session.study().trials()
    assert [t.status for t in trials] == ["done"] * 4
    assert trials[0].config["width"] == 16
    assert [t.config["width"] for t in trials[1:]] == [64] * 3
    assert all(1e-3 <= t.config["lr"] <= 1e-2 for t in trials[1:])
    assert {t.space_revision for t in trials[1:]} == {session.study().space_revision}


def test_stopping_lets_the_trial_end_and_starts_no_other(root: Path, opened: Open) -> None:
    session = opened(root)
    go = gate(root)
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 9}, by="person")
    first(session, Started)
    assert call(session, "stop_run", {}, by="model").data["state"] == "finishing"
    go.touch()
    assert first(session, Stopped).kind == "cancelled"
    assert session.run_of("toy") is None or session.run_of("toy").wait(10)  # type: ignore[union-attr]
    assert [t.status for t in session.study().trials()] == ["done"]
    with pytest.raises(TunerError, match="no run of 'toy'"):
        call(session, "stop_run", {}, by="model")


def test_stopping_now_ends_the_trial_which_can_run_again(root: Path, opened: Open) -> None:
    session = opened(root)
    session.open(toy_card(root, seconds=60.0))
    call(session, "run_trials", {"trials": 2}, by="person")
    first(session, Started)
    call(session, "stop_run", {"now": True}, by="model")
    list(session.events())
    assert [t.status for t in session.study().trials()] == ["cancelled"]
    assert len(session.study().queue()) == 1


def test_asked_to_let_trials_end_that_are_being_ended_it_says_so(root: Path, opened: Open) -> None:
    go = root / "go"
    (root / "train.py").write_text(f"""
import pathlib, signal, sys, time

def linger(*_):
    while not pathlib.Path({str(go)!r}).exists():
        time.sleep(0.02)
    sys.exit(1)

signal.signal(signal.SIGTERM, linger)
print("epoch: 0 loss: 1.0", flush=True)
time.sleep(60)
""")
    session = opened(root)
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 2}, by="person")
    first(session, Progress)
    call(session, "stop_run", {"now": True}, by="person")
    answer = call(session, "stop_run", {}, by="person")
    go.touch()
    list(session.events())
    assert (answer.data["state"], answer.text) == ("stopping", "Stopping toy, ending its trials now.")
    assert [t.status for t in session.study().trials()] == ["cancelled"]


def test_a_broken_script_is_an_event_and_a_state_and_keys_stay_out(root: Path, opened: Open) -> None:
    (root / "train.py").write_text("raise SystemExit('no data; key sk-abcdefghijklmnop1234')")
    session = opened(root)
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 3}, by="person")
    failure = first(session, RunFailed)
    list(session.events())
    assert "first trial crashed" in failure.message
    assert "no data" in failure.message
    assert "sk-" not in failure.message
    shown = call(session, "show_study", {}, by="model")
    assert shown.data["run"]["state"] == "failed"
    assert "first trial crashed" in shown.data["run"]["error"]["message"]
    assert len(session.study().trials()) == 1


def test_a_budget_of_hours_ends_the_run(root: Path, opened: Open) -> None:
    budget = Within(hours=0.7 / 3600)
    session = opened(root, approver=budget)
    session.open(toy_card(root, seconds=60.0))
    with pytest.raises(Denied, match="never been run or approved"):
        call(session, "run_trials", {"trials": 5}, by="model")
    session.known_commands.add(str(command_text(session.study().card)))
    call(session, "run_trials", {"trials": 5}, by="model")
    list(session.events())
    assert budget.used_up() is not None
    assert [t.status for t in session.study().trials()] == ["cancelled"]
    with pytest.raises(Denied):
        call(session, "run_trials", {"trials": 1}, by="model")


def test_trials_that_did_not_start_come_back_to_the_budget(toy: Session) -> None:
    budget = Within(trials=10)
    toy.approver = budget
    study = toy.study()
    study.revise(study.card.from_json({**study.card.to_json(), "stop": {"trials": 8}}))
    call(toy, "run_trials", {"trials": 6}, by="model")
    list(toy.events())
    assert len(study.trials()) == 8
    assert budget.left().trials == 8


def reply(cost: float) -> Callable[..., Reply]:
    rates = iter(range(1, 1000))

    def answer(request: Any) -> Reply:
        proposals = [
            {"rationale": "", "config": {"lr": 0.002 + 0.0001 * next(rates), "width": 128, "optimizer": "sgd"}}
            for _ in range(request.n_expected)
        ]
        return Reply("", {"proposals": proposals}, cost_usd=cost)

    return answer


def test_a_budget_of_money_leaves_the_model_alone_in_time(root: Path, opened: Open) -> None:
    budget = Within(trials=20, usd=0.045)
    chat = Scripted([reply(0.01)], repeat_last=True, trusted_tools=False)
    session = opened(root, model=chat, approver=budget, trusted_tools=True)
    study = session.open(toy_card(root))
    session.known_commands.add(str(command_text(study.card)))
    # no call is on record yet: its price is unknown, and a budget of money does not cover that
    with pytest.raises(Denied, match="cost unknown"):
        call(session, "run_trials", {"trials": 1}, by="model")
    study.ledger.record(Call("warmstart-0-0", 0, "first_round", chat.name, "", "", "", cost_usd=0.01))
    call(session, "run_trials", {"trials": 3}, by="model")
    list(session.events())
    spent = sum(c.cost_usd or 0.0 for c in study.ledger.calls()) - 0.01
    assert 0 < spent <= 0.045
    assert budget.left().usd == pytest.approx(0.045 - spent)
    with pytest.raises(Denied):
        call(session, "run_trials", {"trials": 9}, by="model")
    assert [t.done for t in session.study().trials()] == [True] * 3


@pytest.mark.parametrize(("usd", "spent"), [(0.05, 0.0), (0.07, 0.04)])
def test_the_model_is_left_alone_while_a_round_of_calls_would_cost_too_much(
    root: Path, opened: Open, usd: float, spent: float
) -> None:
    budget = Within(usd=usd)
    chat = Scripted([reply(0.02)], repeat_last=True, trusted_tools=False)
    session = opened(root, model=chat, approver=budget, trusted_tools=True)
    study = session.open(toy_card(root))
    study.set("textbook", False)  # trial 1 is the model's
    session.known_commands.add(str(command_text(study.card)))
    for name, price in (("dear", 0.02), ("cheap", 0.001)):  # the dearest stands for the next ones
        study.ledger.record(Call(f"warmstart-0-{name}", 0, "first_round", chat.name, "", "", "", cost_usd=price))
    call(session, "run_trials", {"trials": 2}, by="model")
    events = [h.event for h in session.events()]
    assert any(isinstance(e, Silenced) for e in events)
    assert sum(c.cost_usd or 0.0 for c in study.ledger.calls()) - 0.021 == pytest.approx(spent)
    assert budget.left().usd == pytest.approx(usd - spent)
    assert [t.done for t in study.trials()] == [True, True]


def test_a_finished_event_carries_the_trial(root: Path, opened: Open) -> None:
    session = opened(root)
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 1}, by="person")
    assert first(session, Finished).trial.number == 0
