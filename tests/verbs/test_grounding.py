"""Which changes of a model are what the person said."""

import pytest

from tunewright.verbs import VERBS
from tunewright.verbs.base import _INERT
from tunewright.verbs.grounding import _DEEDS, grounded

SAID = [
    ("keep width at 32", "pin", {"parameter": "width", "value": 32}),
    ("Please fix the batch size to 64!", "pin", {"parameter": "batch_size", "value": 64}),
    ("hold lr at 3e-4", "pin", {"parameter": "lr", "value": 0.0003}),
    ("only try adamw and lion as the optimizer", "narrow", {"parameter": "optimizer", "values": ["adamw", "lion"]}),
    ("latency_ms must stay below 50: latency_ms <= 50", "add_constraint", {"text": "latency_ms <= 50"}),
    ("stop right now", "stop_run", {"now": True}),
    ("Export it to Optuna, into a file.", "export", {"target": "optuna", "save": True}),
    ("rename it to resnet-v2", "rename_study", {"name": "resnet-v2"}),
]
NOT_SAID = [
    ("What does the log say?", "pin", {"parameter": "width", "value": 32}),
    ("keep width at 32", "pin", {"parameter": "width", "value": 512}),
    ("keep width at 32", "pin", {"parameter": "lr", "value": 32}),
    ("keep width at 32", "stop_run", {}),
    ("show me trial 5", "stop_run", {"now": True}),
    ("only try adamw", "narrow", {"parameter": "optimizer", "values": ["sgd"]}),
    ("stop", "delete_study", {"study": "toy"}),
    ("", "stop_run", {}),
]


@pytest.mark.parametrize(("words", "verb", "arguments"), SAID)
def test_deed_and_values_in_the_persons_words(words: str, verb: str, arguments: dict[str, object]) -> None:
    assert grounded(words, verb, arguments)


@pytest.mark.parametrize(("words", "verb", "arguments"), NOT_SAID)
def test_another_value_another_name_or_no_deed_is_asked(words: str, verb: str, arguments: dict[str, object]) -> None:
    assert not grounded(words, verb, arguments)


def test_every_change_is_either_inert_or_has_its_words() -> None:
    changes = {name for name, verb in VERBS.items() if verb.effect == "change"}
    assert changes == {*_DEEDS, *_INERT}
