from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import ToolError, TunerError
from tunewright.ledger import Call
from tunewright.llm.scripted import Scripted
from tunewright.trial import Proposal, Verdict
from tunewright.verbs import ApprovalRequest, Ask, Denied, Session, Within, WrongCall, call
from tunewright_tools.base import Outcome, Telemetry

from .conftest import toy_card

Open = Callable[..., Session]


def told(session: Session, seconds: list[float]) -> None:
    study = session.study()
    for number, value in enumerate(seconds):
        config = {"lr": 1e-3 * (number + 1), "width": 16, "optimizer": "sgd"}
        trial = study.start(
            Proposal(config, "user"), number=number, seed=0, turn="user", verdict=Verdict(True), asked=config
        )
        study.finish(trial, Outcome("done", {"loss": 1.0}, telemetry=Telemetry(value)))


def test_an_estimate_rests_on_recorded_times(root: Path, opened: Open) -> None:
    session = opened(root)
    session.open(toy_card(root, budget={"seconds_per_trial": 600}))
    unknown = call(session, "estimate_cost", {"trials": 12}, by="model").data
    assert (unknown["seconds"], unknown["usd"], unknown["seconds_at_most"]) == (None, 0.0, 7200)
    told(session, [100.0, 200.0, 900.0])
    data = call(session, "estimate_cost", {"trials": 12, "workers": 4}, by="model").data
    assert data["seconds"] == 600.0
    assert data["text"] == "12 trials, about 10 minutes, 0 USD"
    assert data["time_basis"] == "the median of 3 recorded trials"


def test_an_unknown_price_is_said_to_be_unknown(root: Path, opened: Open) -> None:
    session = opened(root, model=Scripted([]))
    session.open(toy_card(root))
    data = call(session, "estimate_cost", {"trials": 2}, by="model").data
    assert data["usd"] is None
    assert data["text"] == "2 trials, time unknown, cost unknown"
    assert "was not asked yet" in data["cost_basis"]


def test_an_estimate_of_money_counts_no_talk_and_no_warmstart_as_calls_of_trials(root: Path, opened: Open) -> None:
    session = opened(root, model=Scripted([]))
    session.open(toy_card(root))
    told(session, [1.0, 1.0])
    for name, purpose, usd in (("00001-propose-0", "propose", 0.02), ("chat-1", "chat", 5.0)):
        session.study().ledger.record(Call(name, 1, purpose, "scripted", "", "", "", cost_usd=usd))
    session.study().ledger.record(Call("warmstart-1-0", 0, "first_round", "scripted", "", "", "", cost_usd=0.04))
    data = call(session, "estimate_cost", {"trials": 10}, by="model").data
    assert data["usd"] == pytest.approx(10 * 0.5 * 0.03)
    assert data["cost_basis"] == "the mean of 2 recorded calls, 0.5 calls a trial"


def test_the_studys_own_budget_is_a_fault_with_what_is_left(root: Path, opened: Open) -> None:
    asked: list[ApprovalRequest] = []
    session = opened(root, approver=Ask(lambda request: asked.append(request) is None))
    session.open(toy_card(root, budget={"trials": 3, "usd": 1}))
    with pytest.raises(WrongCall, match="trials is 4; accepted: from 1 to 3: the study's budget is 3 trials"):
        call(session, "run_trials", {"trials": 4}, by="model")
    assert asked == []
    call(session, "extend_budget", {"trials": 2, "usd": 0.5}, by="model")
    assert asked[0].text().startswith("raise the budget of the study toy: trials 3 -> 5, usd 1 -> 1.5: 2 trials")
    assert session.study().card.budget.trials == 5
    with pytest.raises(WrongCall, match="no limit of hours"):
        call(session, "extend_budget", {"hours": 1.0}, by="model")
    with pytest.raises(WrongCall, match="at least one of"):
        call(session, "extend_budget", {}, by="model")
    session.approver = Within(trials=100, hours=100, usd=100)
    with pytest.raises(Denied, match="it raises a limit"):
        call(session, "extend_budget", {"trials": 1}, by="model")
    assert session.study().card.budget.trials == 5


def test_a_tool_that_cannot_run_is_said_before_anybody_is_asked(root: Path, opened: Open) -> None:
    session = opened(root, approver=Ask(lambda request: pytest.fail("asked")))
    session.open(toy_card(root, tool=None))
    with pytest.raises(ToolError, match="names no tool"):
        call(session, "run_trials", {"trials": 1}, by="model")


def test_a_done_trial_again_gets_a_new_number_and_another_seed(toy: Session) -> None:
    before = toy.study().trials()[1]
    answer = call(toy, "rerun_trial", {"trial": 1}, by="person")
    list(toy.events())
    after = toy.study().trials()
    assert answer.data["new_number"] is True
    assert len(after) == 7
    assert (after[6].config, after[6].source) == (before.config, "user")
    assert after[6].seed != before.seed


def test_a_failed_trial_again_keeps_its_number(toy: Session) -> None:
    study = toy.study()
    config = {"lr": 0.02, "width": 64, "optimizer": "sgd"}
    trial = study.start(Proposal(config, "user"), number=6, seed=9, turn="user", verdict=Verdict(True), asked=config)
    study.finish(trial, Outcome("crashed", detail="the network was down", fault="host"))
    call(toy, "rerun_trial", {"trial": 6}, by="person")
    list(toy.events())
    again = study.trials()[6]
    assert (len(study.trials()), again.attempt, again.status, again.seed) == (7, 2, "done", 9)
    assert call(toy, "show_trial", {"trial": 6}, by="model").data["earlier_attempts"] == [
        {"attempt": 1, "status": "crashed"}
    ]


def test_what_waits_before_a_run_again_is_told_as_it_will_start(toy: Session) -> None:
    study = toy.study()
    config = {"lr": 0.02, "width": 64, "optimizer": "sgd"}
    for number in (6, 7):
        trial = study.start(
            Proposal(config, "user"), number=number, seed=9, turn="user", verdict=Verdict(True), asked=config
        )
        study.finish(trial, Outcome("cancelled", detail="the run was stopped"))
        study.requeue(study.trials()[number])  # as a run that is stopped does
    study.enqueue({"lr": 0.03, "width": 64, "optimizer": "sgd"})
    first = call(toy, "rerun_trial", {"trial": 6}, by="person")
    list(toy.events())
    assert (first.data["waiting_before"], first.text) == (
        0,
        "Running the configuration of trial 6 once more, as attempt 2.",
    )
    assert [t.status for t in study.trials()[6:]] == ["done", "cancelled"]
    again = call(toy, "rerun_trial", {"trial": 1}, by="person")
    list(toy.events())
    assert again.data["waiting_before"] == 2
    assert again.text.endswith("2 configurations waited before it: it is not the first.")
    assert [t.status for t in study.trials()[6:]] == ["done", "done"]
    again = call(toy, "rerun_trial", {"trial": 2}, by="person")
    list(toy.events())
    assert again.text.endswith("2 configurations waited before it: it is not the first.")


def test_a_trial_that_no_longer_fits_cannot_run_again(toy: Session) -> None:
    call(toy, "narrow", {"parameter": "width", "high": 256}, by="model")
    with pytest.raises(WrongCall, match="still fits the space"):
        call(toy, "rerun_trial", {"trial": 1}, by="model")
    with pytest.raises(TunerError, match="no run of 'toy'"):
        call(toy, "stop_run", {"now": True}, by="model")


def test_the_person_is_told_who_asks(toy: Session) -> None:
    asked: list[Any] = []
    toy.approver = Ask(lambda request: bool(asked.append(request)))
    for by in ("person", "model"):
        with pytest.raises(Denied):
            call(toy, "run_trials", {"trials": 1}, by=by)  # type: ignore[arg-type]
    assert [request.by for request in asked] == ["person", "model"]
    assert asked[0].needs_person == ""  # its command is on record already


def test_what_was_approved_is_what_runs(toy: Session) -> None:
    other = toy.open(toy_card(toy.root, name="other"))
    toy.current = "toy"

    def approve(request: ApprovalRequest) -> bool:
        toy.current = "other"  # somebody chooses another study while the person reads the question
        return True

    toy.approver = Ask(approve)
    assert call(toy, "run_trials", {"trials": 1}, by="model").data["study"] == "toy"
    list(toy.events())
    assert (len(toy.study("toy").trials()), len(other.trials())) == (7, 0)


def test_a_command_that_changed_after_the_question_does_not_run(toy: Session) -> None:
    def approve(request: ApprovalRequest) -> bool:
        toy.open(toy_card(toy.root, seconds=0.5))
        return True

    toy.approver = Ask(approve)
    with pytest.raises(TunerError, match="has changed since it was approved"):
        call(toy, "run_trials", {"trials": 1}, by="person")
    assert len(toy.study().trials()) == 6


def test_trials_of_a_run_that_did_not_start_come_back(toy: Session) -> None:
    class Shifty(Within):
        def approve(self, request: ApprovalRequest) -> bool:
            toy.open(toy_card(toy.root, seconds=0.5))
            return super().approve(request)

    toy.approver = budget = Shifty(trials=3)
    with pytest.raises(TunerError, match="has changed"):
        call(toy, "run_trials", {"trials": 2}, by="model")
    assert budget.left().trials == 3
