"""Asking the model ahead of its turn: how often, by whom it is waited for, and what is there when nothing is left."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy import answers, card, config, objective, points

from tunewright import Tuner
from tunewright.errors import ModelError
from tunewright.events import Finished, Silenced, Started
from tunewright.llm.base import Reply
from tunewright.llm.scripted import Scripted
from tunewright.preview import preview
from tunewright.space import Choice, Int, Space
from tunewright.trial import Trial
from tunewright.turns import WARM


def run(folder: Path, model: Any, trials: int) -> None:
    Tuner(card(), model, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs").run(objective, trials=trials)


def test_a_trusted_model_is_asked_once_for_all_its_zero_shot_points(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    run(tmp_path, model, 2 + WARM)
    assert [(r.purpose, r.n_expected) for r in model.requests] == [("first_round", WARM)]


def test_the_last_trial_asks_nobody_what_comes_next(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    run(tmp_path, model, 1)
    assert model.requests == []


def test_the_model_is_told_of_the_trials_that_the_stop_rule_leaves(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    changed = card(stop={"trials": 6}, budget={"trials": 40})
    with Tuner(changed, model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        assert len(tuner.run(objective, trials=30).trials) == 6
    assert "4 trials are left" in model.requests[0].messages[-1].content  # the default and the textbook's guess ran
    shown = preview(changed, Scripted([]), base_url=None, prices=None, trials=30, seed=0)
    assert shown.trials == 6


def test_what_a_call_took_and_how_it_ended_is_on_record(tmp_path: Path) -> None:
    reply = Reply("{}", points(0.02), tokens_in=11, tokens_out=7, seconds=3.5, cost_usd=0.25, finish="stop")
    with Tuner(card(), Scripted([reply]), f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        tuner.run(objective, trials=3)
        (call,) = tuner.study.ledger.calls()
        took = tuner.study.trials()[2]
    assert (call.tokens_in, call.tokens_out, call.seconds, call.cost_usd, call.finish) == (11, 7, 3.5, 0.25, "stop")
    assert (call.model, call.purpose, call.reply, call.error) == ("scripted", "first_round", "{}", "")
    assert call.started <= (took.started or 0.0)
    assert (took.call_id, took.rationale) == (call.id, "try 0.02")


@pytest.mark.parametrize("trusted", [True, False])
def test_no_second_call_is_made_once_the_first_has_cost_the_whole_budget(tmp_path: Path, trusted: bool) -> None:
    unusable = Reply("{}", {"proposals": [{"config": config(7.0)}]}, cost_usd=0.02)
    model = Scripted([unusable], repeat_last=True, trusted_tools=trusted)
    with Tuner(card(budget={"usd": 0.01}), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        tuner.run(objective, trials=4)
    assert len(model.requests) == 1


def test_a_model_that_thinks_its_tokens_away_is_given_room_and_keeps_it(tmp_path: Path) -> None:
    """A reasoning model: what it thinks counts as written, and nothing comes before it is done with that."""

    def thinking(request: Any) -> Any:
        return answers(request) if request.max_tokens > 25_000 else Reply("", finish="length", tokens_out=1000)

    first, again = Scripted([thinking], repeat_last=True), Scripted([thinking], repeat_last=True)
    run(tmp_path, first, 4)
    assert [len(request.messages) for request in first.requests[:2]] == [2, 2]  # the same question, not a complaint
    assert first.requests[0].messages == first.requests[1].messages
    assert first.requests[1].deadline_s > first.requests[0].deadline_s
    run(tmp_path, again, 14)
    assert again.requests
    assert all(request.max_tokens > 25_000 for request in again.requests)


def test_a_model_that_never_comes_to_an_answer_is_left_alone(tmp_path: Path) -> None:
    cut = Scripted([Reply("thinking...", finish="length", cost_usd=0.5)], repeat_last=True)
    with Tuner(card(), cut, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        told = [event.reason for event in tuner.events(objective, trials=40) if isinstance(event, Silenced)]
    assert len(cut.requests) == 4
    assert "was cut at 2" in told[0]


def test_a_model_whose_account_is_empty_is_left_alone_at_once_and_the_study_goes_on(tmp_path: Path) -> None:
    def refused(request: Any) -> Any:
        raise ModelError("toy: HTTP 402 from toy: Insufficient Balance", "top it up", no_credit=True)

    model = Scripted([refused], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        events = list(tuner.events(objective, trials=8))
    assert len(model.requests) == 1
    (silenced,) = [event.reason for event in events if isinstance(event, Silenced)]
    assert silenced == "the model's account has no credit left (toy: HTTP 402 from toy: Insufficient Balance)"
    assert sum(isinstance(event, Finished) for event in events) == 8


@pytest.mark.parametrize(
    ("reply", "roles", "repeated"),
    [
        (f"<think>{'hm ' * 3000}</think>no idea", ["system", "user", "assistant", "user"], "no idea"),
        ("<think>hm</think>\n", ["system", "user"], None),
        ("", ["system", "user"], None),
    ],
)
def test_a_reply_without_a_configuration_is_repeated_without_thoughts_and_not_where_it_is_empty(
    tmp_path: Path, reply: str, roles: list[str], repeated: str | None
) -> None:
    """What a model thought would leave no room for what it said; several servers refuse a message without words."""
    model = Scripted([reply, answers], repeat_last=True)
    run(tmp_path, model, 3)
    assert model.requests[1].purpose == "repair"
    messages = model.requests[1].messages
    assert [message.role for message in messages] == roles
    assert repeated is None or messages[2].content == repeated
    assert messages[-1].content.startswith("# Task" if repeated is None else "None of your")
    assert "the answer held no configuration" in messages[-1].content


def test_a_small_model_is_given_no_more_room(tmp_path: Path) -> None:
    cut = Scripted([Reply("{", finish="length")], repeat_last=True, trusted_tools=False)
    run(tmp_path, cut, 8)
    assert len({request.max_tokens for request in cut.requests}) == 1


@pytest.mark.parametrize("moment", ["while it answers", "as its reply is written"])
def test_each_of_two_processes_that_ask_for_one_trial_at_once_has_its_call_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def opened(model: Any) -> Tuner:
        return Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, textbook=False)

    def paid(*rates: float) -> Reply:
        given = {"proposals": [{"config": {**config(lr), "momentum": None}} for lr in rates]}
        return Reply(str(given), given, cost_usd=0.1)

    def meanwhile(request: Any) -> Reply:
        if moment == "while it answers":
            other.tell(other.ask(), 1.0)
        return paid(0.02, 0.03)

    def as_written(*args: Any) -> Any:
        monkeypatch.undo()
        other.tell(other.ask(), 1.0)
        return write(*args)

    other, mine = opened(Scripted([lambda request: paid(0.05)])), opened(Scripted([meanwhile]))
    assert mine.planner.proposer is not None
    write = mine.planner.proposer._written
    if moment == "as its reply is written":
        monkeypatch.setattr(mine.planner.proposer, "_written", as_written)
    ledger = mine.run(objective, trials=4).ledger
    assert ledger.totals().cost_usd == pytest.approx(0.2)
    given = {(c.id, p.index): p.config["lr"] for c in ledger.calls() for p in c.proposals}
    assert sorted(given.values()) == [0.02, 0.03, 0.05]
    ran = {t.number: t.config["lr"] for t in other.study.trials()}
    assert [given[f.call_id, f.index] for f in ledger.fates() if f.trial_number] == [
        ran[f.trial_number] for f in ledger.fates() if f.trial_number
    ]


def test_an_error_of_ours_in_the_models_thread_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, Scripted([lambda request: 1 // 0]), 3)


def test_one_worker_in_four_waits_for_the_first_reply(tmp_path: Path) -> None:
    may_answer = threading.Event()

    def slow(request: Any) -> Any:
        assert may_answer.wait(60)
        return answers(request)

    started: list[str] = []
    model = Scripted([slow], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, workers=4) as tuner:
        asking = threading.Thread(target=lambda: [started.append(tuner.ask().source) for _ in range(4)])
        asking.start()
        until = time.monotonic() + 60
        while len(started) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        asking.join(1)  # a fourth that did not wait would be there by now
        assert started == ["default", "textbook", "textbook"]
        may_answer.set()
        asking.join(60)
        assert started[3:] == ["llm"]
        assert tuner.study.ledger.calls()[0].number == 1  # asked before the textbook's guess started, not after


def test_nobody_waits_for_a_later_reply_once_several_trials_run(tmp_path: Path) -> None:
    may_answer = threading.Event()

    def slow_later(request: Any) -> Any:
        assert request.purpose == "first_round" or may_answer.wait(60)
        return answers(request)

    model = Scripted([slow_later], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        tuner.planner.workers = 4  # as a host says it that starts trials itself
        tuner.ask(3)  # these run all the time: a fourth would wait for the first reply
        started = []
        asking = threading.Thread(target=lambda: started.extend(_asked_and_told(tuner, 25)), daemon=True)
        asking.start()
        asking.join(45)
        assert len(started) == 25
        assert [r.purpose for r in model.requests].count("propose") == 1  # and nobody asks again before it is answered
        may_answer.set()


def _asked_and_told(tuner: Tuner, n: int) -> Iterator[Trial]:
    for _ in range(n):
        trial = tuner.ask()
        tuner.tell(trial, objective(trial.config))
        yield trial


@pytest.mark.parametrize("seed", range(8))
def test_a_model_that_is_asked_when_nothing_is_left_does_not_break_the_study(tmp_path: Path, seed: int) -> None:
    small = Space(Choice("optimizer", ["sgd", "adamw"]), Int("width", 1, 4))

    def some(request: Any) -> Any:
        return {"proposals": [{"config": {"optimizer": "sgd", "width": 1 + i % 4}} for i in range(request.n_expected)]}

    model = Scripted([some], repeat_last=True)
    with Tuner(card(space=small), model, f"sqlite:///{tmp_path}/study.db", seed, folder=tmp_path) as tuner:
        result = tuner.run(lambda c: float(c["width"]), trials=50)
    assert len(result.trials) == 8
    assert result.stopped is not None
    assert result.stopped.kind == "exhausted"


def test_what_runs_is_looked_after_while_others_wait_for_the_first_reply(tmp_path: Path) -> None:
    may_answer = threading.Event()

    def slow(request: Any) -> Any:
        assert may_answer.wait(60)  # until a result is on record, which a loop that only waits never writes
        return answers(request)

    def first_ends_at_once(chosen: dict[str, Any]) -> float:
        if chosen != card().space.default():
            assert may_answer.wait(60)
        return objective(chosen)

    model = Scripted([slow], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, workers=4) as tuner:
        started = []
        for event in tuner.events(first_ends_at_once, trials=6):
            if isinstance(event, Started):
                started.append((event.trial.number, event.trial.source))
            if isinstance(event, Finished) and not may_answer.is_set():
                assert not tuner.study.trials()[0].running
                assert started == [(0, "default"), (1, "textbook"), (2, "textbook")]
                may_answer.set()
        assert len(tuner.study.trials()) == 6
        assert "llm" in [source for _, source in started]
