import re

import pytest

from tunewright.chat.rendering import Renderer
from tunewright.verbs import Answer, Session, call

EVIL = "\x1b]0;owned\x07\x1b[31m[bold]x[/bold]\u202e"


@pytest.mark.parametrize("colour", [False, True])
def test_foreign_text_is_shown_and_not_obeyed(colour: bool) -> None:
    made = Renderer(80, colour=colour)
    for text in (made.line(EVIL, "error"), made.answer("show_log", Answer({}, EVIL))):
        assert "^[]0;owned^G^[[31m[bold]x[/bold]<U+202E>" in text
        left = re.sub(r"\x1b\[[0-9;]*m", "", text)  # colours are all that is left, and they are ours
        assert "\x1b" not in left
        assert "\x07" not in text


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("verb", "arguments", "shown"),
    [
        ("show_study", {}, ["trial", "configuration", "width=16"]),
        ("show_study", {"last": 2}, ["4 earlier trials are not listed"]),
        ("list_studies", {}, ["toy", "current"]),
        ("compare_trials", {"first": 0, "second": 1}, ["trial 0", "better", "status"]),
        ("parameter_importance", {}, ["share of the variation of loss", "%"]),
        ("show_best", {}, ["best: trial"]),
    ],
)
def test_answers_as_tables(toy: Session, verb: str, arguments: dict[str, int], shown: list[str], colour: bool) -> None:
    text = Renderer(160, colour=colour).answer(verb, call(toy, verb, arguments, by="person"))
    assert all(part in text for part in shown)
    assert ("\x1b[" in text) is (colour and "best" not in verb)


def test_a_tables_cells_are_made_safe_too() -> None:
    row = {"name": EVIL, "trials": 1, "metric": EVIL, "best": None, "running": False, "current": False, "goal": EVIL}
    text = Renderer(200, colour=False).answer("list_studies", Answer({"studies": [row]}, ""))
    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text
