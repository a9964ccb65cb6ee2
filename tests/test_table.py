"""Attributes and rows as the database keeps them."""

import math
import sqlite3
import time
from pathlib import Path

import pytest
from record_worker import card, config, start, swap_at_once

from tunewright import Tuner
from tunewright.errors import StudyError
from tunewright.study import Study


def test_attributes_keep_plain_data_with_nan(study, url):
    study.set("surrogate/3", {"lengthscales": [0.1, math.inf], "noise": -math.inf})
    assert study.get("surrogate/3") == {"lengthscales": [0.1, math.inf], "noise": -math.inf}
    assert study.get("surrogate/4", 5) == 5
    with pytest.raises(StudyError, match="the record cannot keep"):
        study.set("x", object())
    raw = sqlite3.connect(url.removeprefix("sqlite:///"))
    text = "".join(row[0] for row in raw.execute("select value_json from study_user_attributes"))
    raw.close()
    assert "Infinity" not in text
    assert "NaN" not in text


def test_of_several_that_write_an_attribute_at_once_one_does(study, url):
    swap_at_once(study, url)


def test_rows_of_others_are_not_trials(study):
    study.optuna_study.enqueue_trial({"lr": 0.01})
    start(study, config(0), 0)
    assert [t.number for t in study.trials()] == [0]
    assert study.sweep() == []


def test_renewing_moves_the_lease(study):
    trial = start(study, config(0), 0)
    before = study.optuna_study.trials[0].user_attrs["tunewright:lease"]["until"]
    time.sleep(0.01)
    study.renew([trial])
    after = study.optuna_study.trials[0].user_attrs["tunewright:lease"]["until"]
    assert before < after <= time.time() + 180


def test_a_study_is_renamed_with_its_card_and_takes_no_name_that_is_there(study, url):
    Study.open(card(name="other"), url).close()
    with pytest.raises(StudyError, match="holds a study 'other' already"):
        study.rename("other")
    study.rename("new")
    assert Study.names(url) == ["new", "other"]
    again = Study.load(url, "new")
    assert (again.card, study.card.name, study.optuna_study.study_name) == (study.card, "new", "new")
    start(study, config(0), 0)
    with pytest.raises(StudyError, match="cannot be deleted while trial 0 runs"):
        again.delete()
    again.close()


def test_a_study_that_was_deleted_meanwhile_is_said_to_be_gone(study, url):
    Study.load(url).delete()
    for look in (study.trials, lambda: study.get("x"), lambda: start(study, config(0), 0)):
        with pytest.raises(StudyError, match="the study is there no more"):
            look()


def test_nothing_goes_to_the_study_that_has_a_deleted_ones_number(url, tmp_path):
    with Tuner(card(), None, url, folder=tmp_path) as tuner:
        tuner.tell(tuner.ask(), 1.0)
        Study.load(url).delete()
        other = Study.open(card(name="other", metric="acc", direction="maximize"), url)
        before = other.attributes("")
        for late in (
            tuner.ask,
            lambda: tuner.study.set("call/1", {}),
            lambda: tuner.study.swap("call/1", {}),
            lambda: tuner.enqueue([config(0)]),
        ):
            with pytest.raises(StudyError, match="the study is there no more"):
                late()
    assert (other.trials(), other.attributes("")) == ([], before)
    other.close()


def test_no_trial_starts_on_a_record_whose_file_is_gone(study, url):
    start(study, config(0), 0)
    Path(url.removeprefix("sqlite:///")).unlink()
    with pytest.raises(StudyError, match="its file was removed or moved"):
        start(study, config(1), 1)


def _spoil(url, key):
    """Make one attribute of a study such that whoever reads it fails."""
    raw = sqlite3.connect(url.removeprefix("sqlite:///"))
    raw.execute("update study_user_attributes set value_json = 'unreadable' where key = ?", (key,))
    raw.commit()
    raw.close()


def test_no_more_of_a_study_is_read_than_is_asked_for(study, url):
    study.set("call/00001-propose-0", {"reply": "of megabytes, in a long study"})
    study.set("call_", "% and _ are letters of a key like any other")
    _spoil(url, "call/00001-propose-0")
    start(study, config(0), 0)
    study.set("x", 1)
    other = Study.load(url)
    assert (study.queue(), study.get("x"), study.get("call_")[:1], Study.names(url)) == ([], 1, "%", ["toy"])
    Study.open(card(), url).close()
    other.close()


def test_attributes_that_are_known_are_not_read_again(study, url):
    keys = {f"a/{i}" for i in range(600)}
    for key in keys:
        study.set(key, key)
    assert set(study.attributes("a/")) == set(study.attributes("a/", ["a/none"])) == keys
    _spoil(url, "a/1")
    assert study.attributes("a/", keys - {"a/2"}) == {"a/2": "a/2"}
    assert study.attributes("a/", keys) == {}
