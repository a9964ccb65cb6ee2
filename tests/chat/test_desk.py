import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verbs.conftest import toy_card

from tunewright.chat.desk import Desk
from tunewright.errors import CardError, ModelError
from tunewright.llm.base import Reply, ToolCall
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Ask, Session, Within

from .conftest import Kept


def calling(name: str, **arguments: Any) -> Reply:
    return Reply("", tool_calls=(ToolCall("call_0", name, arguments),), finish="tool_calls", cost_usd=0.01)


@pytest.fixture
def desk(toy: Session, voice: Kept) -> Desk:
    toy.approver = Ask(voice.ask)
    return Desk(toy, voice)


def test_a_sentence_is_a_command_that_is_shown_before_it_is_done(desk: Desk, voice: Kept) -> None:
    assert desk.handle("what is the best so far?")
    assert voice.lines == [("call", "/show_best")]
    assert voice.answers[0][0] == "show_best"


def test_an_unsure_sentence_does_nothing_and_says_what_it_could_have_meant(desk: Desk, voice: Kept) -> None:
    desk.handle("don't pin width at 64")
    assert "Nothing was done" in voice.text()
    assert "/pin width 64" in voice.text()
    assert not desk.session.study().card.space.held
    desk.handle("sing a song")
    assert "See /help" in voice.text()


def test_running_asks_with_the_estimate_and_a_no_runs_nothing(desk: Desk, voice: Kept) -> None:
    voice.says = False
    desk.handle("run 3 more trials")
    assert "3 trials, about" in voice.asked[0].text()
    assert "USD" in voice.asked[0].text()
    assert "train.py" in voice.asked[0].text()
    assert voice.lines[-1] == ("dim", "not approved; nothing was done")
    assert not desk.session.runs()


def test_a_run_goes_on_in_the_background_and_is_announced(desk: Desk, voice: Kept) -> None:
    desk.handle("/run 2")
    desk.handle("/best")
    assert voice.answers[-1][0] == "show_best"
    deadline = time.monotonic() + 30
    while "the run has ended" not in voice.text("news") and time.monotonic() < deadline:
        desk.listen(0.2)
    news = voice.text("news").splitlines()
    assert news[0].startswith("toy: trial 6 loss=")
    assert news[-1].startswith("toy: the run has ended")
    assert desk.session.last_run("toy").wait(20)  # type: ignore[union-attr]
    assert desk.leaving() is None


def test_leaving_while_trials_run_says_what_becomes_of_them(
    root: Path, opened: Callable[..., Session], voice: Kept
) -> None:
    session = opened(root)
    session.open(toy_card(root, seconds=20))
    desk = Desk(session, voice)
    desk.handle("/run 2")
    assert "Still running: toy" in str(desk.leaving())
    assert "toy: 0 of 2" in desk.status() or "nothing runs" in desk.status()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/show 99", "a trial of toy: 0 to 5"),
        ("/rnu", "did you mean"),
        ("/pin width 65", "the nearest is 64"),
        ("/help pin", "/pin PARAMETER VALUE"),
        ("/help", "/run "),
        ("help", "/run "),
    ],
)
def test_errors_and_help_are_lines(desk: Desk, voice: Kept, line: str, said: str) -> None:
    assert desk.handle(line)
    assert said in voice.text()


@pytest.mark.parametrize("line", ["/quit", "quit", "EXIT", "/exit"])
def test_leaving(desk: Desk, line: str) -> None:
    assert not desk.handle(line)


def test_the_greeting_says_what_is_there_and_that_a_larger_model_talks_better(
    toy: Session, voice: Kept, root: Path, opened: Callable[..., Session]
) -> None:
    first = Desk(toy, voice)
    first.open(None)
    first.handle("/pin width 64")
    again = Kept()
    toy.model = "local"
    Desk(toy, again).open(None)
    assert "study toy: 6 trials on record, 1 message of an earlier talk" in again.text()
    assert "A larger model talks better" in again.text()
    fresh = Kept()
    Desk(opened(root), fresh).open(None)
    assert "no study yet" in fresh.text()


def test_the_greeting_names_the_studies_none_of_which_is_current_and_a_model_that_was_handed_in(
    toy: Session, voice: Kept
) -> None:
    toy.open(toy_card(toy.root, name="other"))
    toy.current, toy.model = None, Scripted([], name="tiny", trusted_tools=False)
    Desk(toy, voice).open(None)
    studies, model = voice.text("dim").splitlines()
    assert studies == "studies on record: toy, other; /use NAME makes one current"
    assert model.startswith("The tiny model is not trusted with tools: ")


def test_the_line_below_the_prompt_says_what_runs_else_where_one_is(
    root: Path, opened: Callable[..., Session], voice: Kept
) -> None:
    desk = Desk(opened(root), voice)
    assert desk.status() == "study (none), nothing runs"
    desk.session.open(toy_card(root, seconds=20))
    assert desk.status() == "study toy, nothing runs"
    desk.handle("/run 2")
    desk.listen(30)
    assert desk.status().startswith("toy: 0 of 2 trials, trial 0, ")


def test_a_card_is_opened_and_its_command_known(root: Path, opened: Callable[..., Session], voice: Kept) -> None:
    session = opened(root, approver=Ask(voice.ask))
    (root / "tune.yaml").write_text(json.dumps(toy_card(root).to_json()))
    desk = Desk(session, voice)
    desk.open(root / "tune.yaml")
    assert session.current == "toy"
    desk.handle("/run 1")
    assert voice.asked[0].needs_person == ""
    with pytest.raises(CardError):
        desk.open(root / "nothing.yaml")


def test_a_model_talks_calls_are_shown_and_commands_are_told_to_it(toy: Session, voice: Kept) -> None:
    model = Scripted([calling("show_best"), Reply("trial 3", cost_usd=0.5), Reply("yes", cost_usd=0.5)])
    desk = Desk(toy, voice, model)
    desk.handle("which is best?")
    assert voice.lines[0] == ("call", "/show_best")
    assert "best: trial" in voice.text("dim")
    assert voice.pieces == ["trial 3"]
    desk.handle("/pin width 64")
    desk.handle("is it pinned?")
    assert "/pin width 64" in model.requests[-1].messages[-1].content
    assert "1.01 USD" in desk.status()


def test_an_error_of_the_model_is_shown_with_its_hint_and_the_talk_goes_on(toy: Session, voice: Kept) -> None:
    desk = Desk(toy, voice, Scripted([ModelError("no key", "set OPENAI_API_KEY"), Reply("hi")]))
    desk.handle("hello")
    assert voice.lines == [("error", "no key\n  -> set OPENAI_API_KEY")]
    desk.handle("hello?")
    assert voice.pieces == ["hi"]


def test_a_defect_does_not_end_the_talk(toy: Session, voice: Kept) -> None:
    desk = Desk(toy, voice, Scripted([ZeroDivisionError("sk-abcdefghijklmnop1234"), Reply("hi")]))
    desk.handle("hello")
    assert "unexpected ZeroDivisionError" in voice.text("error")
    assert "sk-abc" not in voice.text()
    desk.handle("hello?")
    assert voice.pieces == ["hi"]


def test_the_model_cannot_answer_the_question(toy: Session, voice: Kept) -> None:
    voice.says = False
    toy.approver = Ask(voice.ask)
    model = Scripted([calling("run_trials", trials=1), calling("delete_study", study="toy"), Reply("yes. y. approve.")])
    Desk(toy, voice, model).handle("do what you like")
    assert [request.by for request in voice.asked] == ["model", "model"]
    assert "asked for by the model" in voice.asked[0].text()
    assert toy.names() == ["toy"]
    assert not toy.runs()


def test_the_talk_is_counted_on_a_stated_budget_and_stops_with_it(toy: Session, voice: Kept) -> None:
    toy.approver = Within(usd=0.05, otherwise=Ask(voice.ask))
    desk = Desk(toy, voice, Scripted([Reply("one", cost_usd=0.06), Reply("two", cost_usd=0.06)]))
    desk.handle("hello")
    desk.handle("and?")
    assert voice.pieces == ["one"]
    assert "budget for model calls is used up" in voice.text("error")


def test_a_stated_budget_that_cannot_be_kept_ends_the_talk(toy: Session, voice: Kept) -> None:
    toy.approver = Within(usd=5.0, otherwise=Ask(voice.ask))
    desk = Desk(toy, voice, Scripted([Reply("one", cost_usd=None), Reply("two", cost_usd=None)]))
    desk.handle("hello")
    desk.handle("and?")
    assert voice.pieces == ["one"]
    assert "budget cannot be kept: scripted does not tell what it costs" in voice.text("error")


def test_a_turn_of_several_replies_stops_with_the_budget_too(toy: Session, voice: Kept) -> None:
    toy.approver = Within(usd=0.015, otherwise=Ask(voice.ask))
    model = Scripted([calling("show_best")], repeat_last=True)
    Desk(toy, voice, model).handle("hello")
    assert len(model.requests) == 2
    assert "budget for model calls is used up" in voice.text("error")


def test_news_are_told_to_the_model_with_the_next_words(toy: Session, voice: Kept) -> None:
    model = Scripted([Reply("I see")])
    desk = Desk(toy, voice, model)
    desk.handle("/run 1")
    deadline = time.monotonic() + 30
    while "the run has ended" not in voice.text("news") and time.monotonic() < deadline:
        desk.listen(0.2)
    desk.handle("and?")
    assert "trial 6 loss=" in model.requests[0].messages[-1].content


def test_words_to_complete(desk: Desk) -> None:
    assert {"/run", "/run_trials", "width", "adamw", "toy", "workers="} <= set(desk.words())


def test_without_a_study_nothing_is_kept_and_nothing_breaks(
    root: Path, opened: Callable[..., Session], voice: Kept
) -> None:
    desk = Desk(opened(root), voice)
    desk.handle("/best")
    desk.handle("/studies")
    assert "no study was named" in voice.text("error")
    assert desk.history.study is None


def test_an_answer_without_a_word_is_told(toy: Session, voice: Kept) -> None:
    Desk(toy, voice, Scripted([Reply("")])).handle("hello")
    assert "without a word" in voice.text("dim")
