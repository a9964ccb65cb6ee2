"""The command: resume, arguments, the fast check."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.bayesmark import runs
from benchmarks.bayesmark.run import main

ROOT = Path(__file__).parents[2]


def arguments(folder, *more):
    tasks = ["--tasks", "wine/DecisionTree", "diabetes/SVM"]
    return [*tasks, "--methods", "random", "--trials", "6", "--results", str(folder), *more]


def test_a_run_is_resumed(tmp_path, capsys):
    assert main(arguments(tmp_path, "--seeds", "100")) == 0
    assert "0 of 2 runs are on record, 2 to go" in capsys.readouterr().err
    assert main(arguments(tmp_path, "--seeds", "100-101")) == 0
    both = capsys.readouterr()
    assert "2 of 4 runs are on record, 2 to go" in both.err
    assert "over 4 runs: 2 tasks, seeds 100, 101" in both.out
    assert main(arguments(tmp_path, "--seeds", "100-101", "--only-table")) == 0
    assert capsys.readouterr().out == both.out
    assert len(runs.read(tmp_path / "runs.jsonl")) == 4


def test_of_runs_by_several_versions_of_the_code_the_latest_alone_count(tmp_path, capsys):
    turns = {"turns": ["llm", "surrogate"], "sources": ["llm", "surrogate"]}
    for code, score in (("old", 0.5), ("new", 0.9)):
        key = runs.Key("wine/DecisionTree", "tunewright:silent", 100, 6, code)
        runs.append(tmp_path / "runs.jsonl", runs.Run(key, [{}] * 6, [score] * 6, [1.0] * 6, turns))
    args = ["--tasks", "wine/DecisionTree", "--seeds", "100", "--trials", "6", "--results", str(tmp_path)]
    args += ["--only-table", "--methods", "tunewright:silent"]
    assert main(args) == 0
    latest = capsys.readouterr().out
    assert "Code: tunewright:silent new." in latest
    assert "| tunewright:silent | 1 |" in latest
    assert main([*args, "--code", "old"]) == 0
    assert "Code: tunewright:silent old." in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path, capsys):
    assert main(arguments(tmp_path / "one", "--seeds", "100-101")) == 0
    args = arguments(tmp_path / "two", "--seeds", "100-101", "--jobs", "2")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.bayesmark", *args], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert result.returncode == 0, result.stderr
    one, two = (runs.read(tmp_path / name / "runs.jsonl") for name in ("one", "two"))
    assert {k: (r.configs, r.scores) for k, r in one.items()} == {k: (r.configs, r.scores) for k, r in two.items()}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--methods", "annealing"], "'annealing' is no method; there are random, tpe"),
        (["--tasks", "mnist"], "'mnist' is no task"),
        (["--seeds", "50"], "seed 50 has no initial design"),
        (["--seeds", "x"], "write seeds as 100-104"),
    ],
)
def test_wrong_arguments_say_what_there_is(args, words, capsys):
    with pytest.raises(SystemExit) as e:
        main(args)
    assert e.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_fast_check_measures_and_prints():
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.bayesmark", "--fast"], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert result.returncode == 0, result.stderr
    assert "over 6 runs: 3 tasks, seeds 100, 101" in result.stdout
    for method in ("random", "tpe", "tunewright:none", "tunewright:recorded"):
        assert f"| {method} |" in result.stdout
