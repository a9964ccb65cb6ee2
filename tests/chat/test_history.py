from collections.abc import Callable
from pathlib import Path
from typing import Any

from verbs.conftest import toy_card

from tunewright.chat.history import History
from tunewright.llm.base import ToolCall
from tunewright.study import Study
from tunewright.verbs import Session


def call(id_: str = "call_0") -> tuple[ToolCall, ...]:
    return (ToolCall(id_, "show_best", {"study": None}),)


def test_what_was_said_before_a_study_was_there_is_kept_with_it(root: Path, opened: Callable[..., Session]) -> None:
    talk, session = History(), opened(root)
    talk.add("user", "tune train.py")
    assert talk.attach(session.open(toy_card(root))) == 0
    talk.add("assistant", "which metric?")
    again = History()
    assert again.attach(session.study()) == 2
    assert again.said == talk.said


def test_a_key_is_not_kept(root: Path, opened: Callable[..., Session], monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "my-own-odd-key-7")
    talk = History()
    talk.attach(opened(root).open(toy_card(root)))
    said = talk.add(
        "user", "use sk-abcdefghijklmnop1234 or my-own-odd-key-7", [ToolCall("a", "x", {"k": "sk-a1b2c3d4e5f6g7"})]
    )
    assert "sk-" not in str(said)
    assert "odd" not in str(said)
    assert b"odd-key" not in (root / "tunewright.db").read_bytes()


def test_a_call_is_told_only_with_its_answer() -> None:
    talk = History()
    talk.add("user", "best?")
    talk.add("assistant", "", call())
    talk.add("tool", "{}", tool_call_id="call_0")
    talk.add("assistant", "trial 3")
    talk.add("user", "and the worst?")
    talk.add("assistant", "", call())  # killed here; the server uses the same id in each reply
    talk.add("user", "are you there?")
    assert [(s.role, s.content) for s in talk.recent()] == [
        *(("user", "best?"), ("assistant", ""), ("tool", "{}"), ("assistant", "trial 3")),
        *(("user", "and the worst?"), ("user", "are you there?")),
    ]
    assert talk.messages()[-1].content == "and the worst?\n\nare you there?"


def test_an_answer_whose_call_is_summarised_away_is_left_out() -> None:
    talk = History()
    talk.add("assistant", "", call())
    talk.add("tool", "{}", tool_call_id="call_0")
    talk.add("user", "so?")
    talk.summarise("they looked at the best", 1)
    assert [s.role for s in talk.recent()] == ["user"]


def test_a_summary_is_there_again_in_the_next_session(root: Path, opened: Callable[..., Session]) -> None:
    session, talk = opened(root), History()
    study = session.open(toy_card(root))
    talk.attach(study)
    for i in range(4):
        talk.add("user", f"{i}")
    talk.summarise("0 to 2 were said", 3)
    again = History()
    assert again.attach(study) == 4
    assert (again.summary, [s.content for s in again.recent()]) == ("0 to 2 were said", ["3"])


def test_moving_to_another_study_takes_the_present_turn_along(root: Path, opened: Callable[..., Session]) -> None:
    session, talk = opened(root), History()
    other = session.open(toy_card(root, name="other"))
    talk.attach(other)
    talk.add("user", "earlier words about the other")
    first = session.open(toy_card(root))
    talk.attach(first)
    turn = [talk.add("user", "switch to the other"), talk.add("assistant", "", call())]
    assert talk.attach(other, turn) == 1
    assert [s.content for s in talk.said] == ["earlier words about the other", "switch to the other", ""]
    assert talk.attach(other, turn) == 0


def test_a_renamed_study_does_not_get_the_turn_twice(root: Path, opened: Callable[..., Session]) -> None:
    session, talk = opened(root), History()
    study = session.open(toy_card(root))
    talk.attach(study)
    turn = [talk.add("user", "rename it")]
    study.rename("renamed")
    session.forget("toy")
    talk.attach(session.study("renamed"), turn)
    assert [s.content for s in talk.said] == ["rename it"]


def test_after_its_study_is_deleted_a_talk_goes_on_in_memory(root: Path, opened: Callable[..., Session]) -> None:
    session, talk = opened(root), History()
    study = session.open(toy_card(root))
    talk.attach(study)
    study.delete()
    session.forget("toy")
    talk.detach()
    talk.add("user", "gone?")
    assert (talk.study, talk.said[-1].content) == (None, "gone?")


def test_two_talks_about_one_study_lose_nothing_of_each_other(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'talks.db'}"
    Study.open(toy_card(tmp_path), storage).close()
    one, other = History(), History()
    for history in (one, other):
        history.attach(Study.load(storage, "toy"))
    for i in range(3):
        one.add("user", f"one {i}")
        other.add("user", f"other {i}")
    later = History()
    later.attach(Study.load(storage, "toy"))
    assert [s.content for s in later.said] == [f"{who} {i}" for i in range(3) for who in ("one", "other")]
    assert later.recent() == later.said
