import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import Answer, OpenAIServer
from verbs.conftest import toy_card

from tunewright.chat import conversation
from tunewright.chat.conversation import Cancelled, Conversation, Done, note
from tunewright.chat.history import History
from tunewright.errors import ModelError
from tunewright.llm.base import Reply, Request, ToolCall
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Always, Ask, Denied, Never, Session


def calling(name: str, **arguments: Any) -> Reply:
    return Reply("", tool_calls=(ToolCall("call_0", name, arguments),), finish="tool_calls", cost_usd=0.01)


def said(text: str) -> Reply:
    return Reply(text, tokens_in=30, tokens_out=4, seconds=1.5, cost_usd=0.02, finish="stop")


def test_calls_are_made_shown_and_answered_until_the_model_speaks(toy: Session) -> None:
    model = Scripted([calling("show_best"), calling("show_trial", trial=2), said("trial 2 it is")])
    made: list[ToolCall] = []
    done: list[Done] = []
    pieces: list[str] = []
    costs: list[float] = []
    talk = Conversation(
        toy, model, History(), on_text=pieces.append, on_call=made.append, on_done=done.append, on_cost=costs.append
    )
    assert talk.say("which is best?", ["toy: trial 5 loss=1"]) == "trial 2 it is"
    assert [c.name for c in made] == ["show_best", "show_trial"]
    assert [d.answer is not None for d in done] == [True, True]
    assert (pieces, costs) == (["trial 2 it is"], [0.01, 0.01, 0.02])
    assert talk.cost_usd == pytest.approx(0.04)
    asked = model.requests[-1].messages
    assert [m.role for m in asked] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert json.loads(asked[3].content)["best"]["status"] == "done"
    assert "trial 5 loss=1" in asked[1].content
    assert {tool.name for tool in model.requests[0].tools} >= {"run_trials", "pin"}
    calls = [c for c in toy.study().ledger.calls() if c.purpose == "chat"]
    assert [c.cost_usd for c in calls] == [0.01, 0.01, 0.02]
    last = calls[-1]
    assert (last.tokens_in, last.tokens_out, last.seconds, last.finish) == (30, 4, 1.5, "stop")
    assert (last.model, last.reply, last.error, last.number) == ("scripted", "trial 2 it is", "", 6)


def test_a_model_that_thinks_its_tokens_away_is_given_room_and_keeps_it(toy: Session) -> None:
    def thinking(request: Request) -> Reply:
        return Reply("yes") if request.max_tokens > 25_000 else Reply("<think>hm", finish="length")

    model = Scripted([thinking], repeat_last=True)
    talk = Conversation(toy, model, History())
    assert [talk.say("are you there?"), talk.say("and now?")] == ["yes", "yes"]
    assert len(model.requests) == 3
    assert model.requests[1].messages == model.requests[0].messages
    assert [m.content for m in model.requests[-1].messages[1:]] == ["are you there?", "yes", "and now?"]


def test_a_model_that_never_comes_to_a_word_is_an_error(toy: Session) -> None:
    model = Scripted([Reply("", finish="length", tokens_out=27_000)], repeat_last=True)
    with pytest.raises(ModelError, match="scripted used up 27000 tokens before its first word"):
        Conversation(toy, model, History()).say("are you there?")
    assert len(model.requests) == 2


def test_a_call_goes_back_with_the_thought_and_signature_that_came_with_it_to_that_model_alone(toy: Session) -> None:
    signature = {"google": {"thought_signature": "abc"}}
    called = Reply(
        "", tool_calls=(ToolCall("a", "show_best", {}, signature),), finish="tool_calls", thought="let me see"
    )
    model, other = Scripted([called, Reply("trial 2", thought="it is 2")]), Scripted(["yes"], name="other")
    talk = Conversation(toy, model, History())
    talk.say("which is best?")
    told = model.requests[-1].messages[2]
    assert (told.thought, told.tool_calls[0].extra) == ("let me see", signature)
    kept = History()
    kept.attach(toy.study())
    assert kept.said == talk.history.said
    Conversation(toy, other, kept).say("sure?")
    assert not any(m.thought or any(c.extra for c in m.tool_calls) for m in other.requests[0].messages)


def test_what_a_model_thought_is_not_told_to_it_again(toy: Session) -> None:
    model = Scripted(["<think>let me see</think>\nhello", "bye"])
    talk = Conversation(toy, model, History())
    talk.say("hi")
    talk.say("well?")
    assert [m.content for m in model.requests[-1].messages[1:]] == ["hi", "hello", "well?"]


def test_a_wrong_call_is_told_with_its_faults(toy: Session) -> None:
    model = Scripted([calling("show_trial", trial=99), calling("nonsense"), said("sorry")])
    Conversation(toy, model, History()).say("show trial 99")
    first, second = (json.loads(m.content) for m in model.requests[-1].messages if m.role == "tool")
    assert first["ok"] is False
    assert first["faults"][0]["argument"] == "trial"
    assert "nonsense" in second["error"]


def test_a_denied_call_is_told_so_and_nothing_runs(toy: Session) -> None:
    toy.approver = Never()
    model = Scripted([calling("run_trials", trials=2), said("you said no")])
    done: list[Done] = []
    Conversation(toy, model, History(), on_done=done.append).say("run 2")
    assert json.loads(model.requests[-1].messages[-1].content)["denied"] is True
    assert isinstance(done[0].error, Denied)
    assert not toy.runs()


def test_the_persons_words_spare_the_question_about_a_change(toy: Session) -> None:
    toy.approver = Never()
    model = Scripted(
        [calling("pin", parameter="width", value=64), said("ok"), calling("pin", parameter="lr", value=0.1), said("ok")]
    )
    talk = Conversation(toy, model, History())
    talk.say("keep width at 64")
    assert list(toy.study().card.space.held) == ["width"]
    talk.say("what does the log of trial 3 say?")  # the change is not what the person asked for
    assert "lr" not in toy.study().card.space.held
    assert toy.words is None


def test_a_change_of_another_study_than_the_person_spoke_of_is_asked_about(toy: Session) -> None:
    toy.open(toy_card(toy.root, name="second"))
    toy.current = "toy"
    asked: list[str] = []
    toy.approver = Ask(lambda request: asked.append(request.text()) is not None)
    pin = calling("pin", parameter="width", value=64)
    model = Scripted([calling("use_study", study="second"), pin, said("ok"), pin, said("ok")])
    talk = Conversation(toy, model, History())
    talk.say("keep width at 64")  # the model moves to another study on the way
    (question,) = asked
    assert "study = 'second'" in question
    assert not toy.study("second").card.space.held
    talk.say("keep width at 64")  # the person sees by now that the current study is the second
    assert list(toy.study("second").card.space.held) == ["width"]
    assert len(asked) == 1


def test_a_model_that_calls_on_and_on_is_stopped(toy: Session) -> None:
    model = Scripted([calling("show_best")], repeat_last=True)
    assert "stopped after" in Conversation(toy, model, History()).say("go")
    assert len(model.requests) == conversation.ROUNDS


def test_after_an_error_of_the_model_the_talk_goes_on(toy: Session) -> None:
    model = Scripted([ModelError("no server", "start it"), said("here I am")])
    talk = Conversation(toy, model, History())
    with pytest.raises(ModelError, match="no server"):
        talk.say("hello")
    assert talk.say("and now?") == "here I am"
    assert model.requests[-1].messages[-1].content == "hello\n\nand now?"
    assert [c.error for c in toy.study().ledger.calls() if c.purpose == "chat"] == ["no server", ""]


def test_a_turn_that_is_cancelled_ends_at_once_and_what_comes_later_is_not_shown(toy: Session) -> None:
    go_on, began = threading.Event(), threading.Event()
    pieces: list[str] = []

    def slow(request: Request) -> Reply:
        began.set()
        go_on.wait(20)
        assert request.on_text is not None
        request.on_text("too late")
        return said("too late")

    talk = Conversation(toy, Scripted([slow, said("ready")]), History(), on_text=pieces.append)

    def cancel() -> None:
        began.wait(20)
        talk.cancel()

    threading.Thread(target=cancel).start()
    with pytest.raises(Cancelled):
        talk.say("wait for ever")
    assert talk.say("again") == "ready"
    go_on.set()
    time.sleep(0.1)
    assert pieces == ["ready"]
    assert [s.content for s in talk.history.said] == ["wait for ever", "again", "ready"]


def test_cancelling_leaves_a_wait_for_a_run_and_not_the_run(root: Path, opened: Callable[..., Session]) -> None:
    session = opened(root, approver=Always())
    session.open(toy_card(root, seconds=1.5))
    model = Scripted([calling("run_trials", trials=1), calling("wait_for_run", seconds=60)])
    talk = Conversation(session, model, History())

    def at_second(made: ToolCall) -> None:
        if made.name == "wait_for_run":
            threading.Timer(0.1, talk.cancel).start()

    talk._on_call = at_second
    with pytest.raises(Cancelled):
        talk.say("run 1 trial and wait")
    assert session.run_of("toy") is not None
    assert session.run_of("toy").wait(30)  # type: ignore[union-attr]
    assert session.study().trials()[-1].done


def test_a_turn_that_moves_to_another_study_keeps_its_words(toy: Session, root: Path) -> None:
    toy.open(toy_card(root, name="other"))
    model = Scripted([calling("use_study", study="toy"), said("moved")])
    Conversation(toy, model, History()).say("use the toy please")
    roles = [m.role for m in model.requests[-1].messages]
    assert roles == ["system", "user", "assistant", "tool"]
    assert toy.current == "toy"


def test_a_session_goes_on_with_the_talk_of_an_earlier_one(toy: Session) -> None:
    Conversation(toy, Scripted([said("noted")]), History()).say("I care about speed")
    note(toy, History(), "/pin width 64", "width is pinned")
    history, model = History(), Scripted([said("speed")])
    history.attach(toy.study())
    Conversation(toy, model, history).say("what do I care about?")
    told = [m.content for m in model.requests[0].messages[1:]]
    assert told[:2] == ["I care about speed", "noted"]
    assert '"/pin width 64"' in told[2]
    assert told[2].endswith("what do I care about?")


def test_a_long_talk_is_summarised_and_stays_on_record(toy: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "LONG", 2000)
    model = Scripted([*(said("x" * 500) for _ in range(4)), said("SUMMARY"), said("done")])
    talk = Conversation(toy, model, History())
    for i in range(5):
        talk.say(f"words {i}")
    assert talk.history.summary == "SUMMARY"
    asked = model.requests[-1].messages
    assert "SUMMARY" in asked[0].content
    assert "words 0" not in str(asked)
    assert "words 4" in str(asked)
    assert talk.history.said[0].content == "words 0"
    again = History()
    assert again.attach(toy.study()) == 10


@pytest.mark.parametrize("summary", [ModelError("busy", "wait"), said(" \n")])
def test_a_summary_that_fails_is_said_so_in_its_place(
    toy: Session, monkeypatch: pytest.MonkeyPatch, summary: ModelError | Reply
) -> None:
    monkeypatch.setattr(conversation, "LONG", 500)
    model = Scripted([*(said("x" * 200) for _ in range(4)), summary, said("done")])
    talk = Conversation(toy, model, History())
    for i in range(5):
        talk.say(f"words {i}")
    assert "further messages were left out" in talk.history.summary


def test_over_a_real_server_text_streams_and_calls_are_answered(toy: Session) -> None:
    replies = [Answer(tool_calls=[("show_best", "{}")]), Answer("The best is trial 1.")]
    pieces: list[str] = []
    with OpenAIServer(replies) as server:
        chat = OpenAIChat("toy", base_url=server.url, api_key=server.key)
        talk = Conversation(toy, chat, History(), on_text=pieces.append)
        assert talk.say("best?") == "The best is trial 1."
        chat.close()
    assert len(pieces) > 2
    assert "".join(pieces) == "The best is trial 1."
    assert talk.cost_usd is None  # no price is known for that server
    assert server.key not in (toy.root / "tunewright.db").read_bytes().decode(errors="ignore")


def test_a_talk_goes_on_after_an_empty_reply_and_a_made_up_name(toy: Session) -> None:
    """Servers check the whole talk anew with each request: what one of them refuses would end it for good."""
    replies = iter([Answer(""), Answer(tool_calls=[("functions.show best", "{}"), ("", "{}")]), "here I am"])

    def strict(body: dict[str, Any]) -> str | Answer:
        for message in body["messages"]:
            calls = message.get("tool_calls", [])
            if not message["content"] and not calls:
                return Answer(status=400, error="messages must not be empty")
            if any(not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]) for call in calls):
                return Answer(status=400, error="a name does not match the pattern")
        return next(replies)

    with OpenAIServer(strict) as server:
        chat = OpenAIChat("toy", base_url=server.url, api_key=server.key)
        talk = Conversation(toy, chat, History())
        assert talk.say("hello?") == ""
        assert talk.say("are you there?") == "here I am"
        chat.close()
