import json
import math

import numpy as np
import pytest

from tunewright.verbs.base import Answer
from tunewright.verbs.plain import plain


def test_no_nan_crosses_and_a_note_says_where() -> None:
    answer = Answer({"metrics": {"loss": math.nan, "best": [1.0, math.inf]}, "notes": ["one"]}, "")
    assert answer.data["metrics"] == {"loss": None, "best": [1.0, None]}
    assert answer.data["notes"][0] == "one"
    assert "metrics.loss is not a finite number (nan)" in answer.data["notes"][1]
    assert "metrics.best[1]" in answer.data["notes"][2]
    json.dumps(answer.data, allow_nan=False)


def test_numbers_of_numpy_and_tuples_become_plain() -> None:
    assert plain({"a": (np.float64(1.5), np.int64(2)), "b": True, "c": None}) == {"a": [1.5, 2], "b": True, "c": None}


def test_keys_are_removed_from_data_and_text() -> None:
    answer = Answer({"line": "key sk-abcdefghijklmnop1234"}, "key sk-abcdefghijklmnop1234")
    assert "sk-" not in answer.data["line"] + answer.text


def test_something_else_is_a_defect() -> None:
    with pytest.raises(TypeError, match=r"a\.b"):
        plain({"a": {"b": object()}})


def test_a_text_is_looked_through_for_keys_once_however_often_it_stands_there(monkeypatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("tunewright.verbs.plain.redact", lambda text: seen.append(text) or text)
    curve = [{"step": step, "metrics": {"loss": 1.0}} for step in range(1000)]
    assert plain({"curve": curve}) == {"curve": curve}
    assert sorted(seen) == ["curve", "loss", "metrics", "step"]
