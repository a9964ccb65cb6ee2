import csv
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tunewright.llm.base import Reply, Request
from tunewright.llm.scripted import Scripted
from tunewright.verbs import Ask, Denied, Never, Session, Within, WrongCall, call

from .conftest import toy_card

POINTS = [{"rationale": "usual", "config": {"lr": lr, "width": 64, "optimizer": "sgd"}} for lr in (0.01, 0.001)]


def test_the_textbook_alone_spends_nothing_and_is_not_asked_about(toy: Session) -> None:
    toy.approver = Never()
    data = call(toy, "warmstart", {"points": 3}, by="model").data
    assert len(data["points"]) == 3
    assert (data["calls"], data["cost_usd"], data["enqueued"]) == (0, 0.0, 0)
    assert toy.study().queue() == []


def test_a_models_points_are_asked_about_counted_and_put_in_line(root: Path, opened: Any) -> None:
    asked: list[str] = []
    budget = Within(trials=0, otherwise=Ask(lambda request: asked.append(request.text()) is None))
    session = opened(root, model=Scripted([Reply("", {"proposals": POINTS}, cost_usd=0.02)]), approver=budget)
    study = session.open(toy_card(root))
    data = call(session, "warmstart", {"points": 2, "enqueue": True}, by="model").data
    assert [p["source"] for p in data["points"]] == ["llm", "llm"]
    assert [e.config["lr"] for e in study.queue()] == [p["config"]["lr"] for p in data["points"]]
    assert study.ledger.totals().cost_usd == 0.02
    assert study.trials() == []


def test_a_models_points_draw_on_a_budget_of_money(root: Path, opened: Any) -> None:
    replies = [Reply("", {"proposals": POINTS}, cost_usd=0.02)]
    session = opened(root, model=Scripted(replies, repeat_last=True))
    session.open(toy_card(root))
    call(session, "warmstart", {"points": 2}, by="model")
    session.approver = Within(usd=0.03)
    call(session, "warmstart", {"points": 2}, by="model")
    assert session.approver.left().usd == pytest.approx(0.01)
    with pytest.raises(Denied, match=r"0\.02 USD"):
        call(session, "warmstart", {"points": 2}, by="model")
    assert session.study().ledger.totals().calls == 2


def test_nothing_waits_for_a_model_that_thinks_of_points(root: Path, opened: Any) -> None:
    """Least of all a call that stops a run; any change stands for it."""
    asked, answer = threading.Event(), threading.Event()

    def slow(request: Request) -> dict[str, Any]:
        asked.set()
        assert answer.wait(60)
        return {"proposals": POINTS}

    session = opened(root, model=Scripted([slow], repeat_last=True))
    session.open(toy_card(root))
    with ThreadPoolExecutor(2) as pool:
        thinking = pool.submit(call, session, "warmstart", {"points": 2}, by="person")
        try:
            assert asked.wait(60)
            pool.submit(call, session, "pin", {"parameter": "width", "value": 64}, by="person").result(timeout=30)
            assert not thinking.done()
        finally:
            answer.set()
        assert thinking.result().data["enqueued"] == 0


def test_a_study_as_text(toy: Session) -> None:
    data = call(toy, "export", {"target": "csv"}, by="model").data
    rows = list(csv.DictReader(data["text"].splitlines()))
    assert [row["number"] for row in rows] == [str(n) for n in range(6)]
    assert len(json.loads(call(toy, "export", {"target": "json"}, by="model").data["text"])["trials"]) == 6
    with pytest.raises(WrongCall, match="did you mean 'optuna'"):
        call(toy, "export", {"target": "optun"}, by="model")


def test_a_file_goes_into_the_studys_own_folder_alone(toy: Session, tmp_path: Path) -> None:
    data = call(toy, "export", {"target": "optuna", "save": True}, by="model").data
    path = Path(data["file"])
    assert path == toy.folder / "toy" / "exports" / "toy-optuna.py"
    compile(path.read_text(), str(path), "exec")
    with pytest.raises(WrongCall, match="file is not an argument"):
        call(toy, "export", {"target": "csv", "file": "/tmp/x"}, by="model")


def test_a_link_in_the_place_of_the_file_is_not_followed(toy: Session, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = toy.folder / "toy" / "exports"
    folder.mkdir()
    (folder / "toy-csv.csv").symlink_to(victim)
    call(toy, "export", {"target": "csv", "save": True}, by="model")
    assert victim.read_text() == "mine"
    assert not (folder / "toy-csv.csv").is_symlink()
    (folder / "toy-csv.csv").unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    from tunewright.errors import StudyError

    with pytest.raises(StudyError, match="leads out"):
        call(toy, "export", {"target": "csv", "save": True}, by="model")
