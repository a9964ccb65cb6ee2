import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from quick import PROGRAM, card_file


def tunewright(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tunewright.cli", *arguments]
    own = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and k != "OPENAI_BASE_URL"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, env={**own, **env})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of seven trials."""
    folder = tmp_path_factory.mktemp("finished")
    card_file(folder)
    result = tunewright(folder, "run", "tune.yaml", "--model", "none", "--trials", "7")
    assert result.returncode == 0, result.stderr
    (folder / "run.txt").write_text(result.stdout)
    return folder


def test_a_run_prints_each_trial_the_best_against_the_default_and_the_sources(finished: Path) -> None:
    text = (finished / "run.txt").read_text()
    assert "trial 0 started (default)" in text
    assert "trial 6 started (surrogate)" in text
    assert "stopped: all 7 trials" in text
    assert "default (trial 0)" in text
    assert "What each source did" in text
    assert "No model was asked." in text


def test_running_again_goes_on_where_it_stopped(finished: Path, tmp_path: Path) -> None:
    card_file(tmp_path)
    assert tunewright(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "3").returncode == 0
    again = tunewright(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "7", "--json")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert [e["event"] for e in events][:2] == ["resumed", "started"]
    assert events[0]["finished"] == 3
    ours, theirs = (json.loads(tunewright(f, "show", "--json").stdout)["trials"] for f in (tmp_path, finished))
    assert [t["config"] for t in ours] == [t["config"] for t in theirs]


def test_best_in_four_forms(finished: Path) -> None:
    as_json = json.loads(tunewright(finished, "best", "--json").stdout)
    config = as_json["config"]
    assert yaml.safe_load(tunewright(finished, "best", "--yaml").stdout) == config
    assert tunewright(finished, "best", "--as-args").stdout.split() == [
        "--lr",
        str(config["lr"]),
        "--width",
        str(config["width"]),
    ]
    assert f"loss: {as_json['metrics']['loss']}" in tunewright(finished, "best").stdout


def test_show_lists_every_trial(finished: Path) -> None:
    text = tunewright(finished, "show").stdout
    assert text.count("sobol") >= 4
    assert "surrogate" in text


def test_a_report_is_what_the_run_said_at_its_end(finished: Path) -> None:
    told = tunewright(finished, "report").stdout
    assert told.startswith("Best configuration of quick")
    assert "No model was asked." in told
    assert tunewright(finished, "show").stdout.endswith(told)
    assert json.loads(tunewright(finished, "report", "--json").stdout)["best"]["status"] == "done"
    assert tunewright(finished, "report", "quik").returncode == 3


def test_a_dry_run_prints_the_prompt_and_runs_nothing(tmp_path: Path) -> None:
    card_file(tmp_path, extra="budget: {trials: 10, seconds_per_trial: 60}")
    result = tunewright(
        tmp_path, "run", "tune.yaml", "--model", "openai/toy", "--dry-run", OPENAI_API_KEY="sk-never-sent-0123456789"
    )
    assert result.returncode == 0, result.stderr
    assert "Propose 5 configurations" in result.stdout
    assert "default  {" in result.stdout
    assert "10 trials, at most 10 minutes" in result.stdout
    assert "Nothing was run." in result.stdout
    assert not list(tmp_path.glob("*.db"))
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(tmp_path: Path) -> None:
    card_file(tmp_path, seconds=30)
    command = [sys.executable, "-m", "tunewright.cli", "run", "tune.yaml", "--model", "none", "--trials", "3"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "trial 0 started" in process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
        process.stdout.read()
    assert process.returncode == 130
    assert "finished trials are kept" in error
    trials = json.loads(tunewright(tmp_path, "show", "--json").stdout)["trials"]
    assert [t["status"] for t in trials] == ["cancelled"]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_ends_the_command_ends_its_run_too(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    card_file(tmp_path, seconds=30)
    command = [sys.executable, "-m", "tunewright.cli", "run", "tune.yaml", "--model", "none", "--trials", "3"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "trial 0 started" in process.stdout.readline()
        process.send_signal(sent)
        process.stdout.read()
    assert process.returncode == code
    trials = json.loads(tunewright(tmp_path, "show", "--json").stdout)["trials"]
    assert [t["status"] for t in trials] == ["cancelled"]


def test_a_command_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    card_file(tmp_path, seconds=1)
    command = ["nohup", sys.executable, "-m", "tunewright.cli", "run", "tune.yaml", "--model", "none", "--trials", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "trial 0 started" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.stdout.read()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("change", "arguments", "code", "seen", "next_step"),
    [
        (("low: 1e-5", "low: 0"), [], 2, "log", "above 0"),
        (("low: 1e-5", "low: 1"), [], 2, "low 1", "low must be below high"),
        (("default: 1e-4", "default: 7"), [], 2, "default 7", "from 1e-05 to 0.1"),
        (("goal:", "gaol:"), [], 2, "gaol", "goal"),
        (("metrics:", "\tmetrics:"), [], 2, "tune.yaml:", ""),
        (('--lr, "{lr}"', '--lr, "{rate}"'), [], 5, "rate", "lr"),
        (('--width, "{width}", ', ""), [], 5, "width", ""),
        (("quick.py", "nowhere.py"), [], 5, "nowhere.py", ""),
        (None, ["--model", "gpt-5"], 4, "gpt-5", "openai/gpt-5"),
        (None, ["--model", "openai/gpt-5"], 4, "key", "OPENAI_API_KEY"),
        (None, ["--storage", "sqlite:////nowhere/at/all/study.db"], 3, "/nowhere/at/all", ""),
        (None, ["--trials", "0"], 2, "--trials", ""),
        (None, ["--seed", "-3"], 2, "--seed", ""),
        (None, ["--confirm", "0"], 2, "--confirm", ""),
        (None, ["--pruner", "medain"], 2, "no pruner 'medain'", "did you mean 'median'"),
    ],
)
def test_bad_input_is_told_with_what_was_seen_and_what_next(
    tmp_path: Path, change: tuple[str, str] | None, arguments: list[str], code: int, seen: str, next_step: str
) -> None:
    path = card_file(tmp_path)
    if change:
        text = path.read_text()
        assert change[0] in text
        path.write_text(text.replace(*change))
    chosen = arguments if "--model" in arguments else ["--model", "none", *arguments]
    result = tunewright(
        tmp_path, "run", "tune.yaml", *(["--trials", "3"] if "--trials" not in arguments else []), *chosen
    )
    assert result.returncode == code, result.stderr
    assert seen in result.stderr
    assert next_step in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("out", "seen"), [(".", "--out is ., a folder"), ("no/x.csv", "does not exist"), ("/dev/full", "No space left")]
)
def test_an_out_that_cannot_be_written_is_told(finished: Path, out: str, seen: str) -> None:
    result = tunewright(finished, "export", "--to", "csv", "--out", out)
    assert result.returncode == 2, result.stderr
    assert seen in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["show", "best", "export --to csv", "run tune.yaml --model none --trials 7"])
def test_output_onto_a_full_disk_is_told(finished: Path, command: str) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "tunewright.cli", *command.split()],
            cwd=finished,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: a file, or what the command prints, could not be written: No space left")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_end_no_command(tmp_path: Path, closed: str) -> None:
    card_file(tmp_path)
    command = f"{sys.executable} -m tunewright.cli run tune.yaml --model none --trials 1 {closed}"
    ran = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    trials = json.loads(tunewright(tmp_path, "show", "--json").stdout)["trials"]
    assert [t["status"] for t in trials] == ["done"]


@pytest.mark.parametrize("option", ["--json", "--dry-run"])
def test_a_card_without_a_tool_leaves_no_empty_study_behind(tmp_path: Path, option: str) -> None:
    card_file(tmp_path)
    card = yaml.safe_load((tmp_path / "tune.yaml").read_text())
    del card["tool"]
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(card))
    result = tunewright(tmp_path, "run", "tune.yaml", "--model", "none", option)
    assert result.returncode == 5
    assert "names no tool" in result.stderr
    assert not (tmp_path / "tunewright.db").exists()


def test_a_metric_that_never_appears_shows_the_runs_last_lines(tmp_path: Path) -> None:
    path = card_file(tmp_path)
    path.write_text(path.read_text().replace("name: loss", "name: accuracy"))
    result = tunewright(tmp_path, "run", "tune.yaml", "--model", "none")
    assert result.returncode == 5
    assert "accuracy" in result.stderr
    assert "loss: " in result.stderr  # what the run did print


def test_what_a_run_said_cannot_turn_the_writing_of_an_error(tmp_path: Path) -> None:
    path = card_file(tmp_path)
    trojan = tmp_path / "trojan.py"
    trojan.write_text("print('l\u202eoss: 1')\n", encoding="utf-8")
    path.write_text(path.read_text().replace(str(PROGRAM), str(trojan)))
    result = tunewright(tmp_path, "run", "tune.yaml", "--model", "none")
    assert result.returncode == 5
    assert "l<U+202E>oss: 1" in result.stderr


def test_a_study_of_another_space_is_refused_and_nothing_is_lost(finished: Path, tmp_path: Path) -> None:
    path = card_file(tmp_path)
    assert tunewright(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "2").returncode == 0
    path.write_text(path.read_text().replace("rounding: power_of_two", "log: true"))
    result = tunewright(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "3")
    assert result.returncode == 3
    assert "width" in result.stderr
    assert len(json.loads(tunewright(tmp_path, "show", "--json").stdout)["trials"]) == 2


def test_help_is_there_for_every_command(tmp_path: Path) -> None:
    for command in ("run", "show", "best", "setup-local"):
        assert tunewright(tmp_path, command, "--help").returncode == 0


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tunewright", "--version"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith("tunewright "), ran.stderr


def test_earlier_trials_from_a_file_and_a_child_study(tmp_path: Path) -> None:
    path = card_file(tmp_path)
    (tmp_path / "past.csv").write_text("lr,width,loss\n" + "".join(f"{10**-k},128,{abs(k - 2)}\n" for k in range(2, 6)))
    arguments = ("run", "tune.yaml", "--model", "none", "--trials", "2")
    dry = tunewright(tmp_path, *arguments, "--earlier", "past.csv", "--dry-run")
    assert '1  earlier  {"lr": 0.01, "width": 128}' in dry.stdout, dry.stderr
    first = tunewright(tmp_path, *arguments, "--earlier", "past.csv")
    assert "earlier trials of past.csv: 4 of 4 taken in (4 with a value)" in first.stderr
    assert "trial 1 started (earlier) lr=0.01 width=128" in first.stdout
    assert "Earlier trials of past.csv: 4 of 4 used, not weighed yet." in first.stdout
    path.write_text(path.read_text().replace("rounding: power_of_two", "log: true"))
    refused = tunewright(tmp_path, *arguments)
    assert refused.returncode == 3
    assert "--branch" in refused.stderr
    child = tunewright(tmp_path, *arguments, "--branch")
    assert child.returncode == 0, child.stderr
    assert "the study is quick.2, a child of quick" in child.stderr
    assert "earlier trials of quick: 2 of 2 taken in (2 with a value)" in child.stderr
    assert "trial 1 started (earlier) lr=0.01 width=128" in child.stdout
    assert "Earlier trials of quick: 2 of 2 used" in child.stdout
