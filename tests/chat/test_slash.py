from typing import Any

import pytest

from tunewright.chat.slash import SHORT, help_text, parse, scalar, written
from tunewright.verbs import VERBS, WrongCall
from tunewright.verbs.base import checked


@pytest.mark.parametrize(
    ("line", "verb", "arguments"),
    [
        ("/run_trials 12 workers=2", "run_trials", {"trials": 12, "workers": 2}),
        ("/run 12 2", "run_trials", {"trials": 12, "workers": 2}),
        ("/best", "show_best", {}),
        ("/show 7", "show_trial", {"trial": 7}),
        ("/show", "show_study", {}),
        ("/pin batch_size 64", "pin", {"parameter": "batch_size", "value": 64}),
        ("/pin lr 3e-4", "pin", {"parameter": "lr", "value": 3e-4}),
        ("/pin nesterov true", "pin", {"parameter": "nesterov", "value": True}),
        ("/narrow lr 1e-4 1e-2", "narrow", {"parameter": "lr", "low": 1e-4, "high": 1e-2}),
        ("/narrow optimizer adamw lion", "narrow", {"parameter": "optimizer", "values": ["adamw", "lion"]}),
        ("/narrow optimizer values=adamw,lion", "narrow", {"parameter": "optimizer", "values": ["adamw", "lion"]}),
        ("/stop --now", "stop_run", {"now": True}),
        ("/constraint latency_ms <= 50", "add_constraint", {"text": "latency_ms <= 50"}),
        ("/drop 'a % b == 0'", "drop_constraint", {"text": "a % b == 0"}),
        ("/enqueue lr=3e-4 optimizer=sgd", "enqueue_trial", {"config": {"lr": 3e-4, "optimizer": "sgd"}}),
        ("/export optuna --save", "export", {"target": "optuna", "save": True}),
        ("/log 3 40 stderr", "show_log", {"trial": 3, "lines": 40, "stream": "stderr"}),
        ("/log 3 stderr", "show_log", {"trial": 3, "stream": "stderr"}),
        ("/budget hours=2", "extend_budget", {"hours": 2}),
    ],
)
def test_a_command_is_a_call_that_the_verb_takes(line: str, verb: str, arguments: dict[str, Any]) -> None:
    assert parse(line) == (verb, arguments)
    checked(VERBS[verb], arguments)
    assert parse(written(verb, arguments)) == (verb, arguments)


def test_every_short_name_is_a_verb_and_every_verb_has_help() -> None:
    assert set(SHORT.values()) <= set(VERBS)
    assert not set(SHORT) & set(VERBS)
    everything = help_text()
    for name, verb in VERBS.items():
        assert verb.about.splitlines()[0] in everything
        assert all(key in help_text(name) for key in verb.arguments.model_fields)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/rnu 12", "did you mean"),
        ("/quit now", "'/quit now'; accepted: it stands alone"),
        ("/run 'twelve", "quotes in pairs"),
        ("/best of all", r"the arguments are study=\.\.\."),
        ("/rename toy other", r"the arguments are NAME study=\.\.\."),
        ("/stop toy", r"the arguments are --now study=\.\.\."),
        ("/studies all", "the arguments are none"),
        ("/", "see /help"),
    ],
)
def test_a_wrong_command_says_what_is_accepted(line: str, message: str) -> None:
    with pytest.raises(WrongCall, match=message):
        parse(line)


def test_what_does_not_fit_reaches_the_verb_which_says_what_it_takes() -> None:
    verb, arguments = parse("/run twelve")
    with pytest.raises(WrongCall, match=r"trials is 'twelve'; accepted: a whole number"):
        checked(VERBS[verb], arguments)


def test_values_are_read_by_their_look() -> None:
    assert [scalar(w) for w in ("64", "3e-4", ".5", "true", "False", "adamw", "1_000", "inf")] == [
        *(64, 3e-4, 0.5, True, False, "adamw", "1_000", "inf")
    ]
