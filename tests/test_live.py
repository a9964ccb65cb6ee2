"""What a person sees while a run goes on, on a real pseudo-terminal."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toy
from quick import card_file

from tunewright.events import Finished, Progress, Silenced, Started, Stopped, Unanswered
from tunewright.live import JsonLines, LiveTable, PlainLines
from tunewright_tools.base import Point


def on_a_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code of the command and all that it drew, without control sequences."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "150", "LINES": "50"}
    command = [sys.executable, "-m", "tunewright.cli", *arguments]
    drawn = b""
    with subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other side was closed: Linux says so with an error
                break
            if not chunk:
                break
            drawn += chunk
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())


def test_a_terminal_shows_a_live_table_with_the_best_and_what_is_left(tmp_path: Path) -> None:
    card_file(tmp_path, seconds=0.6)
    code, drawn = on_a_terminal(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "3")
    assert code == 0, drawn
    assert "running" in drawn  # the table was drawn while a trial ran
    assert "3 of 3 trials" in drawn
    assert re.search(r"best loss [\d.]+ \(trial \d, (default|sobol)\)", drawn)
    assert "stopped: all 3 trials" in drawn
    assert "What each source did" in drawn


def test_a_study_that_goes_on_shows_the_best_so_far_from_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    from toy import card, config, done

    known = [done(0, config(), 0.5), done(1, config(0.01), 0.25), done(2, config(0.02), 0.75)]
    LiveTable(card(), 4, known, lambda: "").show([Stopped("for now", "trials")])
    assert "3 of 4 trials" in (drawn := capsys.readouterr().out)
    assert "best loss 0.25" in drawn


def test_points_of_a_curve_wait_for_the_next_redraw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that prints at each of its thousands of steps would have ended long before its last point was drawn."""
    from toy import card

    drawn: list[str] = []
    table = LiveTable(card(), 3, [], lambda: "")
    monkeypatch.setattr(table, "_draw", lambda: drawn.append(table.steps.get(0, "")) or "")
    table.show(Progress(0, Point(step, {"loss": 1.0}, 0.0)) for step in range(2000))
    assert len(drawn) < 200
    assert drawn[-1].startswith("step 1999")


def test_plain_lines_say_when_the_model_is_no_longer_asked(capsys) -> None:
    PlainLines().show([Unanswered("HTTP 404"), Silenced("the budget is spent"), Stopped("all done", "trials")])
    assert capsys.readouterr().out.splitlines() == [
        "the model gave nothing to run: HTTP 404",
        "the surrogate goes on alone: the budget is spent",
        "stopped: all done",
    ]


def test_a_live_table_shows_values_as_they_are(capsys) -> None:
    from toy import card, done

    LiveTable(card(), 2, [], lambda: "").show([Started(done(0, {"act": "[relu]", "b": ":key:", "c": "[/]"}, 1.0))])
    assert "act=[relu] b=:key: c=[/]" in capsys.readouterr().out


@pytest.mark.parametrize("shower", [PlainLines(), LiveTable(toy.card(), 2, [], lambda: "")], ids=["lines", "table"])
def test_what_turns_the_writing_or_moves_the_cursor_is_shown_and_not_obeyed(
    shower: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from toy import done, failed

    broken = failed(1, {"act": "x"}, status="crashed", detail="the run said \u202edone\u202c")
    events = [Started(done(0, {"act": "a\u202eb\x1b[2J"}, 1.0)), Finished(broken, False), Stopped("n\u2066o", "trials")]
    shower.show(events)
    shown = capsys.readouterr().out
    assert "act=a<U+202E>b^[[2J" in shown
    assert "stopped: n<U+2066>o" in shown
    assert "\u202e" not in shown


def test_json_lines_are_json(capsys) -> None:
    JsonLines().show([Stopped("all done", "trials")])
    assert json.loads(capsys.readouterr().out) == {"event": "stopped", "reason": "all done", "kind": "trials"}
