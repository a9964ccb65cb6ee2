from pathlib import Path
from typing import Any

import pytest
from toy import card, config, done, failed

from tunewright.chat.board import Board
from tunewright.events import Event, Finished, Progress, Resumed, Silenced, Started, Stopped, Unanswered
from tunewright.verbs.listening import Heard
from tunewright.verbs.running import CardTaken, RunFailed
from tunewright_tools.base import Point


def board() -> Board:
    return Board(lambda name: card(name=name), lambda name: 12)


def test_the_status_line_follows_the_trials_and_results_are_announced() -> None:
    made = board()
    assert made.status() == ""
    trial = done(3, config(), 0.25)
    assert made.take(Heard("toy", Started(trial))) is None
    assert made.take(Heard("toy", Progress(3, Point(4, {"loss": 0.5}, 1.0)))) is None
    assert made.status() == "toy: 0 of 12 trials, trial 3 step 4 loss=0.5, 1 second"
    assert made.take(Heard("toy", Finished(trial, best=True))) == "toy: trial 3 loss=0.25 in 1.0 s, best so far"
    assert made.status() == "toy: 1 of 12 trials, best loss=0.25 (trial 3), 1 second"
    made.take(Heard("other", Started(done(0, config(), 1.0))))
    assert "  |  other: 0 of 12" in made.status()
    made.take(Heard("other", Stopped("stopped", "cancelled")))
    assert made.take(Heard("toy", Stopped("all 12 trials", "trials"))) == "toy: the run has ended: all 12 trials"
    assert made.status() == ""


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Silenced("no server"), "toy: the surrogate goes on alone: no server"),
        (Unanswered("HTTP 404"), "toy: the model gave nothing to run: HTTP 404"),
        (CardTaken(), "toy: the change is taken up"),
        (RunFailed("trial 0 crashed", "mend the script"), "toy: the run failed: trial 0 crashed\n  -> mend the script"),
        (Resumed(3, (2,)), None),
        (Finished(failed(1, config(), detail="\x1b[2Jgone\x07"), best=False), "toy: trial 1 oom in 1.0 s: ^[[2Jgone^G"),
    ],
)
def test_what_is_worth_a_line(event: Event, line: str | None) -> None:
    assert board().take(Heard("toy", event)) == line


def test_a_metrics_odd_name_reaches_no_terminal(tmp_path: Path) -> None:
    made = board()
    made.take(Heard("toy", Started(done(0, config(), 1.0))))
    odd: dict[str, Any] = {"\x1b]0;x\x07": 1.0}
    made.take(Heard("toy", Progress(0, Point(1, odd, 1.0))))
    assert "\x1b" not in made.status()
