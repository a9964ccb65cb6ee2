"""Studies in a database: found, made, or refused."""

import sqlite3

import optuna
import pytest
from record_worker import at_once, card

from tunewright.errors import StudyError
from tunewright.study import Study


def test_load_says_what_there_is(study, url, tmp_path):
    Study.open(card(name="other"), url).close()
    with pytest.raises(StudyError, match="holds 2 studies: toy, other"):
        Study.load(url)
    with pytest.raises(StudyError, match="no study 'tox'") as e:
        Study.load(url, "tox")
    assert "toy" in e.value.hint
    with pytest.raises(StudyError, match="there is no record at"):
        Study.load(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StudyError, match="no record"):
        Study.names(f"sqlite:///{tmp_path / 'none.db'}")
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).execute("create table t(x)").connection.close()
    with pytest.raises(StudyError, match="holds no study"):
        Study.load(f"sqlite:///{empty}")


def test_a_study_that_is_not_ours_is_left_alone(url):
    theirs = optuna.create_study(storage=url, study_name="toy")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyError, match="Tunewright did not make"):
        Study.open(card(), url)
    with pytest.raises(StudyError, match="holds no studies"):
        Study.load(url)
    theirs._storage._backend.engine.dispose()


def test_a_study_left_empty_by_a_process_that_died_making_it_is_taken_over(url):
    made = optuna.create_study(storage=url, study_name="toy")
    study = Study.open(card(), url, seed=4)
    assert study.seed == 4
    study.close()
    made._storage._backend.engine.dispose()


def test_a_record_of_a_newer_format_is_refused(study, url):
    study.set("tunewright", {"format": 99})
    with pytest.raises(StudyError, match="is of format 99"):
        Study.open(card(), url)


def test_four_processes_make_one_new_study(url):
    assert at_once("open_only", url, 4) == ["0\n"] * 4
    assert Study.names(url) == ["toy"]
