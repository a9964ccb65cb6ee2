import io
from collections.abc import Callable
from pathlib import Path

from tunewright.chat.desk import Desk
from tunewright.chat.lines import Lines
from tunewright.llm.base import Reply
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Ask, Session


def talk(session: Session, typed: str, chat: Scripted | None = None) -> str:
    shown = io.StringIO()

    def opened(front: Lines) -> Desk:
        session.approver = Ask(front.ask)
        return Desk(session, front, chat)

    Lines(opened, io.StringIO(typed), shown).run()
    return shown.getvalue()


def test_lines_in_and_lines_out(toy: Session) -> None:
    text = talk(toy, "what is the best so far?\nnonsense words\n/quit\n/best\n")
    assert text.startswith("/show_best\nbest: trial")
    assert "Nothing was done" in text
    assert text.count("best: trial") == 1  # nothing behind /quit


def test_the_next_line_answers_a_question(toy: Session) -> None:
    text = talk(toy, "/run 1\nn\n/run 1\ny\n")
    assert text.count("Do it? [y/N]") == 2
    assert "not approved; nothing was done" in text
    assert "toy: the run has ended" in text  # at the end of the input it waits
    assert len(toy.study().trials()) == 7


def test_the_end_of_the_input_is_a_no(toy: Session) -> None:
    assert "not approved" in talk(toy, "/run 1\n")
    assert len(toy.study().trials()) == 6


def test_bytes_that_are_no_text_do_not_end_the_talk(toy: Session) -> None:
    shown = io.StringIO()
    typed = io.TextIOWrapper(io.BytesIO("/best\ncafé\n/best\n".encode("latin-1")), encoding="utf-8")
    Lines(lambda front: Desk(toy, front), typed, shown).run()
    assert shown.getvalue().count("best: trial") == 2


def test_half_of_a_character_is_written_out(toy: Session) -> None:
    assert "<U+D83D>" in talk(toy, "hello\n", Scripted([Reply("\ud83d")]))


def test_a_reply_is_made_safe(toy: Session) -> None:
    text = talk(toy, "hello\n", Scripted([Reply("\x1b[2Jhi\x07")]))
    assert "^[[2Jhi^G" in text
    assert "\x1b" not in text


def test_a_script_that_prints_escape_sequences(root: Path, opened: Callable[..., Session]) -> None:
    (root / "train.py").write_text('print("\\x1b]0;owned\\x07loss: 1.0")\nprint("\\x1b[31mloss: 1.0")\n')
    session = opened(root)
    from verbs.conftest import toy_card

    session.open(toy_card(root))
    text = talk(session, "/run 1\ny\n/wait 30\n/log 0\n/show 0\n")
    assert "owned" in text
    assert "\x1b" not in text
    assert "\x07" not in text
