"""JSON out of text."""

from typing import Any

import pytest

from tunewright.llm.extract import UNPARSED, extract_json, parse_arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"lr": 0.1}', {"lr": 0.1}),
        (' \n[{"lr": 0.1}]\n', [{"lr": 0.1}]),
        ('Here:\n```json\n{"lr": 0.1}\n```\nGood luck', {"lr": 0.1}),
        ('```\n{"lr": 1}\n```', {"lr": 1}),
        ('```json\nnot yet\n```\n```json\n{"lr": 2}\n```', {"lr": 2}),
        ('I suggest {"lr": 0.1, "opt": {"name": "sgd"}} because {it} works', {"lr": 0.1, "opt": {"name": "sgd"}}),
        ('the set {lr} then {"lr": 3}', {"lr": 3}),
        ('<think>maybe {"lr": 9}</think>{"lr": 4}', {"lr": 4}),
        ('maybe {"lr": 9}</think>{"lr": 4}', {"lr": 4}),
        ('<think>maybe {"lr": 9} or', None),
        ('{"lr": 4} <think>or {"lr": 9}', {"lr": 4}),
        ('{"a": 1} {"a": 2}', {"a": 1}),
        ("", None),
        ("no JSON at all", None),
        ("0.1", None),
        ('"text"', None),
        ('{"lr": NaN}', None),
        ('{"lr": 0.1', None),
        ('{"configurations": [{"lr": 0.1}, {"lr": 0.0', None),
        ('{"configurations": [{"lr": 0.1}, {"lr" 0.2}]}', None),
        ("[" * 100_000, None),
        ('{"a":' * 5000, None),
        ("9" * 5000, None),
    ],
)
def test_extract(text: str, value: Any) -> None:
    assert extract_json(text) == value


def test_an_array_where_the_schema_wants_one() -> None:
    assert extract_json('so: [{"lr": 1}, {"lr": 2}].', {"type": "array"}) == [{"lr": 1}, {"lr": 2}]


def test_arguments_that_are_no_object_are_kept_as_they_are() -> None:
    assert parse_arguments('{"n": 3}') == {"n": 3}
    assert parse_arguments("") == {}
    for broken in ('{"n": ', "[1]", "3", "rm -rf"):
        assert parse_arguments(broken) == {UNPARSED: broken}
