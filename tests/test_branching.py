"""Child studies: what opens one, what it knows of its parent, and that it goes on like any other."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from toy import card, objective

from tunewright import Tuner
from tunewright.branching import open_branch
from tunewright.earlier import recorded
from tunewright.errors import StudyError
from tunewright.space import Choice, Float, Space
from tunewright.study import Study

OLD = list(card().space)
WIDER = Space(OLD[0], Choice("optimizer", ["adamw", "sgd", "lion"], default="adamw"), *OLD[2:])
DEEPER = Space(*WIDER, Float("dropout", 0.0, 0.5, default=0.1))


def tuner(folder: Path, **changes: Any) -> Tuner:
    options = {k: changes.pop(k) for k in ("branch", "seed", "earlier") if k in changes}
    return Tuner(card(**changes), None, f"sqlite:///{folder}/study.db", folder=folder / "runs", **options)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/study.db"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    with tuner(folder, seed=3) as t:
        t.run(objective, trials=7)
    t.study.close()
    return folder / "study.db"


@pytest.fixture
def parent(made: Path, tmp_path: Path) -> Path:
    """A folder with a study of seven trials."""
    shutil.copy(made, tmp_path)
    return tmp_path


def test_a_changed_choice_is_refused_and_the_refusal_names_the_way_on(parent: Path) -> None:
    with pytest.raises(StudyError, match="choices of 'optimizer' was") as e:
        tuner(parent, space=WIDER)
    assert "--branch" in e.value.hint
    with pytest.raises(StudyError, match="it measures") as e:
        tuner(parent, metric="accuracy")
    assert "--branch" not in e.value.hint


def test_the_child_knows_the_parents_trials_and_counts_none_of_them(parent: Path) -> None:
    before = [t.config for t in Study.load(url(parent)).trials()]
    with tuner(parent, space=WIDER, branch=True) as child:
        assert (child.study.name, child.card.name, child.seed) == ("toy.2", "toy.2", 3)
        assert child.study.get("parent") == "toy"
        (one,) = recorded(child.study)
        assert (one.name, one.same_task, one.given, one.n_done) == ("toy", True, 7, 7)
        assert [t.config for t in one.trials] == before
        assert child.result().best is None
        trials = child.run(objective, trials=4).trials
    best = min(before, key=objective)
    assert [t.source for t in trials[:3]] == ["default", "earlier", "surrogate"]
    assert trials[1].config == best
    assert trials[2].verdict.numbers["weight of toy"] > 0.5
    assert [t.config for t in Study.load(url(parent), "toy").trials()] == before


def test_the_same_command_again_goes_on_with_the_child(parent: Path) -> None:
    with tuner(parent, space=WIDER, branch=True) as child:
        child.run(objective, trials=2)
    with tuner(parent, space=WIDER, branch=True) as again:
        assert again.study.name == "toy.2"
        assert len(again.study.trials()) == 2
        assert again.taken_in == []
    with tuner(parent, branch=True) as old:  # the card that fits the parent
        assert old.study.name == "toy"
    assert Study.names(url(parent)) == ["toy", "toy.2"]


def test_a_child_has_children_and_passes_on_what_it_was_given(parent: Path) -> None:
    with tuner(parent, space=WIDER, branch=True) as child:
        child.run(objective, trials=3)
    with tuner(parent, space=DEEPER, branch=True) as grandchild:
        assert grandchild.study.name == "toy.3"
        assert grandchild.study.get("parent") == "toy.2"
        mine, theirs = recorded(grandchild.study)
        assert (mine.name, len(mine.trials)) == ("toy.2", 3)
        assert (theirs.name, len(theirs.trials)) == ("toy", 7)
        assert {t.config["dropout"] for one in (mine, theirs) for t in one.trials} == {0.1}
        assert mine.notes == ("3 taken to have run with dropout = 0.1",)
        assert theirs.notes == ("7 taken to have run with dropout = 0.1",)


def test_what_a_grandchild_leaves_out_of_its_grandparents_trials_is_said(parent: Path) -> None:
    adamw = [t.config["optimizer"] for t in Study.load(url(parent)).trials()].count("adamw")
    with tuner(parent, space=WIDER, branch=True) as child:
        child.run(objective, trials=1)
    narrower = Space(OLD[0], Choice("optimizer", ["adamw", "lion"], default="adamw"), OLD[3])
    with tuner(parent, space=narrower, branch=True) as grandchild:
        _, theirs = recorded(grandchild.study)
        assert (theirs.given, len(theirs.trials)) == (7, adamw)
        assert theirs.notes == (f"{7 - adamw} left out: optimizer is not one of 'adamw', 'lion', such as 'sgd'",)


def test_a_new_parameter_without_a_default_is_refused_before_anything_is_made(parent: Path) -> None:
    with pytest.raises(StudyError, match="left out: dropout is missing") as e:
        tuner(parent, space=Space(*OLD, Float("dropout", 0.0, 0.5)), branch=True)
    assert "`default` that it had" in e.value.hint
    assert Study.names(url(parent)) == ["toy"]


def test_without_a_parent_it_is_an_ordinary_study(tmp_path: Path) -> None:
    study = open_branch(card(), url(tmp_path), seed=5)
    assert (study.name, study.seed, study.get("parent")) == ("toy", 5, None)
    other = open_branch(card(space=WIDER), url(tmp_path))  # a parent without trials: nothing to learn from
    assert (other.name, recorded(other)) == ("toy.2", [])


def test_a_study_that_only_has_such_a_name_is_no_child(parent: Path) -> None:
    with tuner(parent, name="toy.2", space=DEEPER) as t:
        t.run(objective, trials=1)
    with tuner(parent, space=WIDER, branch=True) as child:
        assert child.study.name == "toy.3"
        assert child.study.get("parent") == "toy"


def test_a_child_whose_making_broke_off_gets_its_parents_trials_later(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.branching.record", dies)
        with pytest.raises(KeyboardInterrupt):
            open_branch(card(space=WIDER), url(parent))
    assert recorded(Study.load(url(parent), "toy.2")) == []
    child = open_branch(card(space=WIDER), url(parent))
    assert child.name == "toy.2"
    assert [one.name for one in recorded(child)] == ["toy"]
