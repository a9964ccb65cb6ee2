from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewright.chat.grammar import understand
from tunewright.chat.naming import Names
from tunewright.parameters import Choice, Float, Int
from tunewright.verbs.base import VERBS, checked

NAMES = Names(
    (
        Float("lr", 1e-5, 1e-1, log=True),
        Int("batch_size", 16, 512, rounding="power_of_two", default=128),
        Float("weight_decay", 1e-6, 1e-1, log=True),
        Float("dropout", 0, 0.5),
        Choice("optimizer", ["adamw", "sgd", "lion"]),
    ),
    ("val_accuracy",),
    (),
    ("resnet", "bert-lm"),
    "resnet",
    20,
    13,
)
SEEN = yaml.safe_load((Path(__file__).parents[2] / "benchmarks" / "tool_calls" / "seen.yaml").read_text())


@pytest.mark.parametrize("row", SEEN, ids=lambda row: row["say"])
def test_the_sentences_in_view(row: dict[str, Any]) -> None:
    meant = understand(row["say"], NAMES)
    if row["call"] in (None, "none"):
        assert meant.verb is None
        assert meant.why
    else:
        assert (meant.verb, dict(meant.arguments)) == (row["call"], row["arguments"])


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "kick off 15 trials": ("run_trials", {"trials": 15}),
    "could you run another dozen trials?": ("run_trials", {"trials": 12}),
    "run 6 trials, 3 at a time": ("run_trials", {"trials": 6, "workers": 3}),
    "starte 8 Läufe mit 2 Arbeitern": ("run_trials", {"trials": 8, "workers": 2}),
    "run 5 trials of bert-lm": ("run_trials", {"trials": 5, "study": "bert-lm"}),
    "I want to run 3 more": ("run_trials", {"trials": 3}),
    "freeze the learning rate at 0.001": ("pin", {"parameter": "lr", "value": 0.001}),
    "halte die Batchgröße bei 64": ("pin", {"parameter": "batch_size", "value": 64}),
    "use AdamW as the optimizer": ("pin", {"parameter": "optimizer", "value": "adamw"}),
    "stick with sgd": ("pin", {"parameter": "optimizer", "value": "sgd"}),
    "setze Dropout auf 0,2": ("pin", {"parameter": "dropout", "value": 0.2}),
    "stop pinning weight decay": ("unpin", {"parameter": "weight_decay"}),
    "don't hold batch size fixed any more": ("unpin", {"parameter": "batch_size"}),
    "restrict batch size to between 32 and 128": ("narrow", {"parameter": "batch_size", "low": 32, "high": 128}),
    "don't let lr go below 1e-4": ("narrow", {"parameter": "lr", "low": 1e-4}),
    "dropout nicht über 0,3": ("narrow", {"parameter": "dropout", "high": 0.3}),
    "rule out lion": ("narrow", {"parameter": "optimizer", "values": ["adamw", "sgd"]}),
    "raise the upper bound of dropout to 0.6": ("widen", {"parameter": "dropout", "high": 0.6}),
    "lower the upper bound of lr to 0.01": ("narrow", {"parameter": "lr", "high": 0.01}),
    "raise the lower bound of lr to 1e-4": ("narrow", {"parameter": "lr", "low": 1e-4}),
    "lower the lower bound of the learning rate to 1e-6": ("widen", {"parameter": "lr", "low": 1e-6}),
    "allow batch sizes as small as 8": ("widen", {"parameter": "batch_size", "low": 8}),
    "memory_gb must not exceed 16": ("add_constraint", {"text": "memory_gb <= 16"}),
    "batch_size must be divisible by 32": ("add_constraint", {"text": "batch_size % 32 == 0"}),
    "which trial is winning?": ("show_best", {}),
    "why did trial 9 crash?": ("show_trial", {"trial": 9}),
    "why was the best trial tried?": ("why_trial", {"trial": 13}),
    "stderr of trial 6, 50 lines": ("show_log", {"trial": 6, "lines": 50, "stream": "stderr"}),
    "compare trial 4 with the best one": ("compare_trials", {"first": 4, "second": 13}),
    "give it another 90 minutes": ("extend_budget", {"hours": 1.5}),
    "rename bert-lm to bert-small": ("rename_study", {"study": "bert-lm", "name": "bert-small"}),
    "save the trials as csv": ("export", {"target": "csv", "save": True}),
    "try lr 0.01 with batch size 64 and sgd": (
        "enqueue_trial",
        {"config": {"lr": 0.01, "batch_size": 64, "optimizer": "sgd"}},
    ),
    "look at src/train.py": ("look_at_script", {"script": "src/train.py"}),
    "wait two minutes": ("wait_for_run", {"seconds": 120}),
}


@pytest.mark.parametrize("said", CALLS)
def test_a_sentence_is_the_call_that_it_stands_for(said: str) -> None:
    meant = understand(said, NAMES)
    assert (meant.verb, dict(meant.arguments)) == CALLS[said]
    checked(VERBS[CALLS[said][0]], meant.arguments)  # the verb takes them as they are


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("run 12 trials, no wait, make it 4", {"trials": 4}),
        ("run 10 trials - actually 6", {"trials": 6}),
        ("run 40 trials, sorry, I meant 14", {"trials": 14}),
        ("run 8 trials with 2 workers, no, 3 workers", {"trials": 8, "workers": 3}),
        ("pin dropout to 0.2, I mean 0.1", {"parameter": "dropout", "value": 0.1}),
        ("pin lr at 0.1, no, dropout at 0.2", {"parameter": "dropout", "value": 0.2}),
        ("pin batch size to 64, no, let it vary again", {"parameter": "batch_size"}),
        ("show me trial 7, sorry, trial 8", {"trial": 8}),
        ("noch 10 Versuche, nein, doch lieber 5", {"trials": 5}),
    ],
)
def test_a_correction_holds(said: str, arguments: dict[str, Any]) -> None:
    assert dict(understand(said, NAMES).arguments) == arguments


@pytest.mark.parametrize(
    "said",
    [
        "don't run anything",
        "please do not delete bert-lm",
        "delete bert-lm, no, leave it",
        "lösche bert-lm lieber nicht",
        "bitte keine weiteren 5 Versuche",
        "run 50 trials, no wait, don't",
        "stop the run, forget it",
        "never stop",
        "should I run 20 more trials?",
        "maybe run 10 trials?",
        "if the accuracy falls, stop the run",
        "when the run is done, delete bert-lm",
        "run 5 trials tomorrow",
        "pin lr at 0.1 and run 5 trials",
        "run 5 trials and then export to csv",
        "run 8 trials with 2 workers, no wait, make it 4",
        "run some more trials",
        "run trial 5",
        "rerun trial 3 and 4",
        "run trials 3 and 4 again",
        "pin it",
        "set lr to something small",
        "delete everything",
        "delete all my studies",
        "delete trial 5",
        "I ran 5 trials yesterday",
        "did you pin lr at 0.1?",
        "order me a pizza",
        "the best way to cook rice",
        "rm -rf runs",
        "hello",
        "",
        "x" * 1000,
        "run " * 99,
    ],
)
def test_what_is_not_sure_calls_nothing_and_says_why(said: str) -> None:
    meant = understand(said, NAMES)
    assert meant.verb is None
    assert meant.why


def test_what_an_unsure_sentence_could_have_meant_is_told() -> None:
    twofold = understand("run 8 trials with 2 workers, no wait, make it 4", NAMES)
    assert ("run_trials", {"trials": 8, "workers": 4}) in twofold.could
    assert ("run_trials", {"trials": 4, "workers": 2}) in twofold.could
    both = understand("pin lr at 0.1 and run 5 trials", NAMES)
    assert [verb for verb, _ in both.could] == ["pin", "run_trials"]


def test_a_word_that_fits_two_parameters_is_asked_about() -> None:
    two = Names((Float("enc__lr", 1e-5, 1e-1, log=True), Float("dec__lr", 1e-5, 1e-1, log=True)))
    assert understand("pin lr at 0.01", two).verb is None
    assert dict(understand("pin enc__lr at 0.01", two).arguments) == {"parameter": "enc__lr", "value": 0.01}


def test_without_a_study_sentences_about_scripts_still_work() -> None:
    assert understand("what can be tuned in train.py?").verb == "look_at_script"
    assert understand("keep batch size at 64").verb is None
    made = understand("set up a study for train.py, maximize val_accuracy")
    assert made.verb == "set_up_study"
    assert {**made.arguments, "goal": ""} == {
        "script": "train.py",
        "goal": "",
        "metric": "val_accuracy",
        "direction": "maximize",
    }


def test_a_constraint_is_dropped_by_its_words() -> None:
    names = Names(NAMES.parameters, ("val_accuracy", "latency_ms"), ("latency_ms <= 50", "batch_size % 32 == 0"))
    assert dict(understand("drop the latency constraint", names).arguments) == {"text": "latency_ms <= 50"}
    assert dict(understand("remove the constraint on batch_size", names).arguments) == {"text": "batch_size % 32 == 0"}
    assert dict(understand("latency must stay below 20", names).arguments) == {"text": "latency_ms <= 20"}


@pytest.mark.parametrize(
    "said", ["compare trial 1e400 with trial 3", "compare 1e400 and 3", f"run {'9' * 320}k trials"]
)
def test_a_number_beyond_all_bounds_is_no_trial(said: str) -> None:
    assert understand(said, NAMES).verb is None
