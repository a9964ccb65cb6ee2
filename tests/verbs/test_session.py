import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import StudyError, TunerError
from tunewright.events import Finished, Started, Stopped
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Session, call
from tunewright.verbs.paths import Outside, read_tail

from .conftest import toy_card


def test_files_outside_the_project_are_no_files(root: Path, tmp_path: Path, opened: Callable[..., Session]) -> None:
    inner = root / "project"
    inner.mkdir()
    (inner / "train.py").write_text("x = 1")
    (inner / ".secret.py").write_text("x = 1")
    (inner / "notes.txt").write_text("x = 1")
    (inner / "folder.py").mkdir()
    (inner / "link.py").symlink_to(root / "train.py")
    (inner / "loop.py").symlink_to(inner / "loop.py")
    (inner / "out").symlink_to(root)
    (inner / "good.py").symlink_to(inner / "train.py")
    session = opened(inner)
    assert session.file("train.py", "script", ".py") == inner / "train.py"
    assert session.file("good.py", "script", ".py") == inner / "train.py"
    assert session.file(str(inner / "train.py"), "script", ".py") == inner / "train.py"
    for text in (
        "../train.py",
        str(root / "train.py"),
        "link.py",
        "loop.py",
        "out/train.py",
        ".secret.py",
        "notes.txt",
        "folder.py",
        "none.py",
        "a\0b.py",
        "~/train.py",
        "$HOME/train.py",
        "x" * 5000 + ".py",
    ):
        with pytest.raises(Outside) as e:
            session.file(text, "script", ".py")
        assert "inside the project" in e.value.fault.accepted


def test_a_log_that_is_a_link_out_of_its_folder_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "stdout.log").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "stderr.log")
    assert read_tail(folder, "stdout.log", 100) is None
    assert read_tail(folder, "stderr.log", 100) is None
    assert read_tail(folder, "none.log", 100) is None
    assert read_tail(tmp_path, "secret", 3) == ("ret", False)


def test_every_listener_hears_every_event(root: Path, opened: Callable[..., Session]) -> None:
    session = opened(root)
    session.open(toy_card(root))
    other = session.listen()
    ignored = session.listen()
    session.ignore(ignored)
    call(session, "run_trials", {"trials": 2}, by="person")
    heard = list(session.events())
    assert other.drain() == heard
    assert ignored.drain() == []
    kinds = [type(h.event) for h in heard]
    assert kinds.count(Started) == kinds.count(Finished) == 2
    assert kinds[-1] is Stopped
    assert {h.study for h in heard} == {"toy"}
    assert session.drain() == []


def test_a_second_run_of_a_study_is_refused_and_another_study_may_run(
    root: Path, opened: Callable[..., Session]
) -> None:
    session = opened(root)
    session.open(toy_card(root, name="other"))
    session.open(toy_card(root, seconds=1.0))
    call(session, "run_trials", {"trials": 3}, by="model")
    for verb, arguments in (
        ("run_trials", {"trials": 1}),
        ("rename_study", {"name": "new"}),
        ("delete_study", {"study": "toy"}),
    ):
        with pytest.raises(StudyError, match="is running"):
            call(session, verb, arguments, by="person")
    call(session, "run_trials", {"study": "other", "trials": 1}, by="person")
    assert session.run_of("other").wait(30)  # type: ignore[union-attr]
    assert len(session.study("other").trials()) == 1


def test_a_run_starts_through_call_alone(root: Path, opened: Callable[..., Session]) -> None:
    session = opened(root)
    study = session.open(toy_card(root))
    with pytest.raises(TunerError, match="nothing was approved"):
        session.start(study, 1)


def test_closing_ends_runs_and_their_trials_wait_to_run_again(root: Path) -> None:
    before = threading.active_count()
    with Session(root) as session:
        from tunewright.verbs import Always

        session.approver = Always()
        session.open(toy_card(root, seconds=30.0))
        listener = session.listen()
        call(session, "run_trials", {"trials": 3}, by="person")
        while not isinstance((listener.wait(10) or pytest.fail("no trial started")).event, Started):
            pass
    assert threading.active_count() <= before + 1
    with Session(root) as session:
        study = session.study()
        assert [t.status for t in study.trials()] == ["cancelled"]
        assert [e.number for e in study.queue()] == [0]


def test_a_card_changed_by_another_process_is_seen(toy: Session, opened: Callable[..., Session]) -> None:
    other = opened(toy.root)
    assert toy.study().card.space["lr"].high == 0.1  # type: ignore[attr-defined]
    call(other, "widen", {"parameter": "lr", "high": 0.5}, by="person")
    assert toy.study().card.space["lr"].high == 0.5  # type: ignore[attr-defined]
    call(other, "delete_study", {"study": "toy"}, by="person")
    with pytest.raises(StudyError, match="no study 'toy'"):
        toy.study()


@pytest.mark.parametrize(
    ("model", "trusted"),
    [(None, True), ("local", False), ("openai/x", True), (Scripted([], trusted_tools=False), False)],
)
def test_whose_calls_may_spend(root: Path, opened: Callable[..., Session], model: Any, trusted: bool) -> None:
    assert opened(root, model=model).trusted_tools is trusted
    assert opened(root, model=model, trusted_tools=False).trusted_tools is False
