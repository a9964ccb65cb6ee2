from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import StudyError
from tunewright.study import Study
from tunewright.trial import Proposal, Verdict
from tunewright.verbs import ApprovalRequest, Ask, Denied, Session, Within, WrongCall, call

from .conftest import toy_card


def test_studies_are_listed_and_chosen(toy: Session) -> None:
    toy.open(toy_card(toy.root, name="second"))
    rows = call(toy, "list_studies", {}, by="model").data["studies"]
    assert [(r["name"], r["trials"], r["current"]) for r in rows] == [("toy", 6, False), ("second", 0, True)]
    assert rows[1]["best"] is None
    call(toy, "use_study", {"study": "toy"}, by="model")
    assert call(toy, "show_best", {}, by="model").data["study"] == "toy"
    with pytest.raises(WrongCall, match="did you mean 'second'"):
        call(toy, "use_study", {"study": "seconds"}, by="model")


def test_a_renamed_study_keeps_its_trials_its_files_and_goes_on(toy: Session) -> None:
    call(toy, "rename_study", {"name": "better"}, by="model")
    assert toy.names() == ["better"]
    assert toy.current == "better"
    assert call(toy, "show_log", {"trial": 1}, by="model").data["lines"]
    call(toy, "run_trials", {"trials": 1}, by="person")
    list(toy.events())
    study = Study.load(toy.storage, "better")
    assert study.card.name == "better"
    assert len(study.trials()) == 7
    assert study.optuna_study.best_value == pytest.approx(min(t.outcome.metrics["loss"] for t in study.trials()))  # type: ignore[union-attr]
    assert not (toy.folder / "toy").exists()


def test_a_name_that_is_taken_or_none_is_refused(toy: Session) -> None:
    toy.open(toy_card(toy.root, name="second"))
    (toy.folder / "left").mkdir()
    for name in ("second", "left"):
        with pytest.raises(WrongCall, match="no study and no folder has yet"):
            call(toy, "rename_study", {"study": "toy", "name": name}, by="model")
    for name in ("../x", "..", "/tmp", "a b", "con"):
        with pytest.raises(WrongCall, match="up to 64 letters"):
            call(toy, "rename_study", {"study": "toy", "name": name}, by="model")
    assert toy.names() == ["toy", "second"]


def test_a_deleted_study_is_gone_and_its_files_stay(toy: Session) -> None:
    asked: list[ApprovalRequest] = []
    toy.approver = Within(trials=1000, otherwise=Ask(lambda request: asked.append(request) is None))
    answer = call(toy, "delete_study", {"study": "toy"}, by="model")
    assert answer.data == {"deleted": "toy", "trials": 6, "files_left": True}
    assert toy.names() == []
    assert (toy.folder / "toy" / "00001-1" / "stdout.log").exists()
    assert asked[0].text() == (
        "delete the study toy with 6 trials from the record, for good\nasked for by the model\n"
        "a stated budget does not cover deleting"
    )
    toy.approver = Within(trials=1000)
    toy.open(toy_card(toy.root))
    with pytest.raises(Denied):
        call(toy, "delete_study", {"study": "toy"}, by="model")


def test_a_study_with_a_running_trial_is_neither_renamed_nor_deleted(root: Path, opened: Any) -> None:
    session = opened(root)
    study = session.open(toy_card(root))
    config = study.card.space.default()
    study.start(Proposal(config, "user"), number=0, seed=0, turn="user", verdict=Verdict(True), asked=config)
    for verb, arguments in (("rename_study", {"name": "x"}), ("delete_study", {"study": "toy"})):
        with pytest.raises(StudyError, match="while trial 0 runs"):
            call(session, verb, arguments, by="person")


def test_a_card_of_another_name_is_no_revision(toy: Session) -> None:
    with pytest.raises(StudyError, match="not 'toy'"):
        toy.study().revise(toy_card(toy.root, name="other"))
