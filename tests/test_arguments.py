import sys

import pytest

from tunewright_tools.arguments import check, parse, render
from tunewright_tools.base import ToolSetupError

EXTRAS = {"config": "/t/config.json", "trial_dir": "/t", "seed": 7, "fidelity": None, "checkpoint": None}


def argv(template: list[str], **config: object) -> list[str]:
    return render(parse(template), config, EXTRAS)


def test_whole_and_part_of_an_argument_braces_and_python() -> None:
    assert argv(["{python}", "--lr={lr}", "{name}", 'a{{"x": {n}}}'], lr=0.1, name="a b; $(rm)", n=3) == [
        sys.executable,
        "--lr=0.1",
        "a b; $(rm)",
        'a{"x": 3}',
    ]


def test_values_as_python_writes_them() -> None:
    values = [True, False, 3, 1e-05, 0.1 + 0.2, -0.0, "", "None", 10**16, 1e16]
    assert [argv(["p", "{x}"], x=value)[1] for value in values] == [
        "True", "False", "3", "1e-05", "0.30000000000000004", "-0.0", "", "None", "10000000000000000", "1e+16",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "left"),
    [
        (["p", "--momentum", "{momentum}", "{lr}"], ["p", "0.1"]),
        (["p", "--momentum={momentum}", "{lr}"], ["p", "0.1"]),
        (["p", "-v", "--momentum={momentum}", "{lr}"], ["p", "-v", "0.1"]),
        (["p", "-m", "m{momentum}", "{lr}"], ["p", "0.1"]),
        (["p", "--betas", "{momentum}", "{beta}", "--lr", "{lr}"], ["p", "--lr", "0.1"]),
        (["p", "--lr", "{lr}", "{momentum}"], ["p", "--lr", "0.1"]),
        (["p", "--", "{momentum}", "{lr}"], ["p", "--", "0.1"]),
        (["p", "--a=b", "{momentum}"], ["p", "--a=b"]),
        (["p", "run", "{momentum}"], ["p", "run"]),
        (["p", "--pair", "{lr},{momentum}"], ["p"]),
        (["p", "--budget", "{fidelity}", "--from={checkpoint}", "--seed", "{seed}"], ["p", "--seed", "7"]),
    ],
)
def test_what_goes_with_an_inactive_parameter(template: list[str], left: list[str]) -> None:
    assert argv(template, lr=0.1) == left


def test_a_job_with_fidelity_has_it() -> None:
    assert render(parse(["p", "--budget", "{fidelity}"]), {}, EXTRAS | {"fidelity": 3.0}) == ["p", "--budget", "3.0"]


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        (["p", "{learning_rat}", "{width}"], r"\{learning_rat\}", r"did you mean \{learning_rate\}\?"),
        (
            ["p", "{learning_rate}"],
            "never uses the parameter width",
            r"add \{width\} to it; .*\{config\}.*TUNEWRIGHT_CONFIG",
        ),
        (["{width}", "{learning_rate}"], "program's own name", r"\{python\}"),
    ],
)
def test_arguments_that_do_not_fit_the_space(template: list[str], message: str, hint: str) -> None:
    with pytest.raises(ToolSetupError, match=message) as raised:
        check(parse(template), ["learning_rate", "width"])
    import re

    assert re.search(hint, raised.value.hint)


@pytest.mark.parametrize(
    "template",
    [["p"], ["p", "{config}", "{learning_rate}"], ["p", "--out", "{trial_dir}"], ["p", "{learning_rate}{width}"]],
)
def test_arguments_that_fit(template: list[str]) -> None:
    check(parse(template), ["learning_rate", "width"])


def test_a_parameter_with_a_name_of_ours_is_ambiguous_only_where_it_is_used() -> None:
    check(parse(["p"]), ["seed"])
    with pytest.raises(ToolSetupError, match="both a parameter and"):
        check(parse(["p", "{seed}"]), ["seed"])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ([], "the command is"),
        ("train.py --lr {lr}", "the command is"),
        (["p", 3], "3 is not text"),
        (["p", "{lr:.2f}"], "has a format"),
        (["p", "{lr!r}"], "has a format"),
        (["p", "{}"], "empty"),
        (["p", "{lr"], "stray braces"),
        (["p", "lr}"], "stray braces"),
        (["p", '{"a": 1}'], "has a format"),
    ],
)
def test_malformed_arguments(template: list[str], message: str) -> None:
    with pytest.raises(ToolSetupError, match=message):
        parse(template)
