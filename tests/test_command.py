"""The command tool with real programs: everything a run can do to it, and that nothing of a run outlives it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from nvml_driver import Card, Driver

from tunewright.trial_json import clean_outcome
from tunewright_tools import gpus, process, watch
from tunewright_tools.base import Job, Limits, Outcome, Point, Tool, ToolSetupError
from tunewright_tools.command import CommandTool

PROGRAMS = Path(__file__).parent / "programs"
METRICS = [("val_loss", "minimize")]
MB = 1 << 20


def tool(*argv: str, program: str = "train.py", **options: Any) -> CommandTool:
    # Without site-packages the interpreter starts quicker; the programs need the standard library alone.
    options = {"metrics": METRICS, "grace_seconds": 0.2} | options
    return CommandTool(["{python}", "-S", "-E", str(PROGRAMS / program), *argv], **options)


def job(folder: Path, config: dict[str, Any] | None = None, **options: Any) -> Job:
    return Job(0, options.pop("attempt", 0), config or {}, options.pop("seed", 1), folder, **options)


def go(folder: Path, *argv: str, on_point: Callable[[Point], bool] = lambda _: False, **options: Any) -> Outcome:
    limits = Limits(options.pop("seconds", 20.0), options.pop("memory_bytes", None))
    outcome = tool(*argv, **options).run(job(folder, limits=limits), on_point)
    assert not (folder / process.FILE).exists()
    assert outcome.telemetry is not None
    assert (outcome.detail == "") == (outcome.status == "done")
    return outcome


KEY = "AIza0123456789abcdefghijklmnopqrstuvwxy"  # short of its length it looks like none


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("begins_at", [180, 280, 480, -10])
def test_no_half_of_a_key_stands_in_the_detail(tmp_path: Path, stream: str, begins_at: int) -> None:
    line = "ValueError: near".ljust(begins_at, ".") + f" {KEY}"
    if begins_at < 0:  # of so much output that its end, which is looked at, begins within the key
        line = KEY.ljust((64 << 10) - begins_at - 1, " ")
    code = f"import sys; print({line!r}, file=sys.{stream}); sys.exit(1)"
    made = CommandTool(["{python}", "-S", "-c", code], metrics=METRICS, grace_seconds=0.2)
    detail = clean_outcome(made.run(job(tmp_path), lambda _: False)).detail
    for part in (KEY[:12], KEY[12:24], KEY[-12:]):
        assert part not in detail


def pid_of(folder: Path, name: str) -> int:
    deadline = time.monotonic() + 10
    while not (folder / f"{name}.pid").exists():
        assert time.monotonic() < deadline, f"{name} never started"
        time.sleep(0.01)
    return int((folder / f"{name}.pid").read_text())


def dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_is_a_tool() -> None:
    assert isinstance(tool("pairs"), Tool)


def test_pairs_with_a_curve(tmp_path: Path) -> None:
    seen: list[tuple[float, int]] = []

    def on_point(point: Point) -> bool:
        seen.append((point.step, threading.get_ident()))
        return False

    outcome = go(tmp_path, "pairs", on_point=on_point)
    assert (outcome.status, outcome.metrics, outcome.fault) == ("done", {"val_loss": 0.25}, None)
    assert [point.metrics for point in outcome.curve] == [{"val_loss": 1}, {"val_loss": 0.5}, {"val_loss": 1 / 3}]
    assert seen == [(step, threading.get_ident()) for step in (1, 2, 3)]
    assert (tmp_path / "stdout.log").read_text().endswith("loading 3 files\nval_loss: 0.25\n")
    assert (tmp_path / "stderr.log").read_bytes() == b""


def test_json_lines_and_the_best_of_the_curve(tmp_path: Path) -> None:
    assert go(tmp_path, "json").metrics == {"val_loss": 0.4}
    assert go(tmp_path, "json", best_of_curve=True).metrics == {"val_loss": 0.2}


def test_constraint_names_are_read_and_needed(tmp_path: Path) -> None:
    assert go(tmp_path, "colon", extra_names=["latency_ms"]).metrics == {"val_loss": 0.125, "latency_ms": 7}
    lacking = go(tmp_path, "colon", extra_names=["latency_ms", "size"])
    assert (lacking.status, lacking.fault) == ("crashed", "person")
    assert "size never appeared" in lacking.detail


def test_arguments_environment_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, start = tmp_path / "trial", tmp_path / "start"
    folder.mkdir()
    start.mkdir()
    removed = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "Groq_Api_Key", "ANTHROPIC_AUTH_TOKEN", "TUNEWRIGHT_FIDELITY"]
    kept = ["WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PLAIN"]
    for name in [*removed, *kept, "MISTRAL_API_KEY", "CUDA_VISIBLE_DEVICES"]:
        monkeypatch.setenv(name, "secret")
    config = {"lr": 1e-05, "name": "a b; rm $HOME", "nesterov": True}
    monkeypatch.chdir(tmp_path)
    runner = tool(
        "arguments",
        *["--lr", "{lr}", "--name={name}", "{nesterov}", "--momentum", "{momentum}", "{{}}"],
        cwd=start,
        env={"MISTRAL_API_KEY": "put back", "OWN": "1"},
    )
    runner.check({**config, "momentum": 0.9})
    full = job(Path("trial"), config, seed=5, attempt=2, devices=(1, 3), fidelity=0.5, checkpoint=Path("c.pt"))
    assert runner.run(full, lambda _: False).status == "done"
    seen = json.loads((folder / "seen.json").read_text())
    assert seen["argv"] == ["--lr", "1e-05", "--name=a b; rm $HOME", "True", "{}"]
    assert seen["config"] == config
    assert seen["cwd"] == str(start)
    environ = seen["environ"]
    assert not [name for name in removed if environ.get(name) == "secret"]
    assert [environ.get(name) for name in kept] == ["secret"] * len(kept)
    ours = {name: value for name, value in environ.items() if name.startswith(("TUNEWRIGHT_", "CUDA_"))}
    assert ours == {
        "TUNEWRIGHT_CONFIG": str(folder / "config.json"),
        "TUNEWRIGHT_TRIAL_DIR": str(folder),
        "TUNEWRIGHT_SEED": "5",
        "TUNEWRIGHT_ATTEMPT": "2",
        "TUNEWRIGHT_FIDELITY": "0.5",
        "TUNEWRIGHT_CHECKPOINT": str(tmp_path / "c.pt"),
        "CUDA_VISIBLE_DEVICES": "1,3",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    assert (environ["MISTRAL_API_KEY"], environ["OWN"], environ["PYTHONUNBUFFERED"]) == ("put back", "1", "1")


def test_without_devices_the_persons_own_choice_of_gpus_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6")
    assert go(tmp_path, "arguments").status == "done"
    assert json.loads((tmp_path / "seen.json").read_text())["environ"]["CUDA_VISIBLE_DEVICES"] == "6"


@pytest.mark.parametrize("how", ["not_utf8", "no_ending"])
def test_output_that_is_not_tidy(tmp_path: Path, how: str) -> None:
    assert go(tmp_path, how).metrics == {"val_loss": 0.5}
    if how == "not_utf8":
        assert (tmp_path / "stdout.log").read_bytes() == b"\xff\xfe \xe9t\xe9\nval_loss: 0.5\n\xc3"


def test_huge_output_on_both_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOG_BYTES", 4 * MB)
    assert go(tmp_path, "huge").metrics == {"val_loss": 0.5}
    log = (tmp_path / "stdout.log").read_bytes()
    assert 4 * MB < len(log) < 4 * MB + 100
    assert log.endswith(b"[log cut here: more than 4194304 bytes]\n")
    assert (tmp_path / "stderr.log").stat().st_size == 50 * 100 * 200


@pytest.mark.parametrize(
    ("argv", "status", "fault", "said"),
    [
        (["nan"], "diverged", "config", "val_loss is nan"),
        (["nan_error"], "diverged", "config", "FloatingPointError: overflow"),
        (["nan_stderr"], "diverged", "config", "loss is nan at step 12"),
        (["status", "diverged", "3"], "diverged", "config", "reported status: diverged"),
        (["status", "oom", "0"], "oom", "config", "reported status: oom"),
        (["oom_text"], "oom", "config", "CUDA out of memory. Tried to allocate"),
        (["memory_error"], "oom", "config", "MemoryError"),
        (["crash"], "crashed", "config", "exit code 1: KeyError: 'conv7'"),
        (["silent"], "crashed", "person", "val_loss never appeared"),
        (["usage", "--learning-rate", "3"], "crashed", "person", "unrecognized arguments: --learning-rate 3"),
        (["module"], "crashed", "person", "No module named 'a_module_that_nobody_has'"),
        (["full_disk"], "crashed", "host", "No space left on device"),
        (["killed", str(int(signal.SIGKILL))], "crashed", "host", "from outside by SIGKILL"),
        (["killed", str(int(signal.SIGSEGV))], "crashed", "config", "ended by SIGSEGV"),
    ],
)
def test_failures_are_told_apart(tmp_path: Path, argv: list[str], status: str, fault: str, said: str) -> None:
    outcome = go(tmp_path, *argv)
    assert (outcome.status, outcome.fault, outcome.metrics) == (status, fault, {})
    assert said in outcome.detail


def test_a_missing_metric_is_explained(tmp_path: Path) -> None:
    detail = go(tmp_path, "silent").detail
    assert "print a line `val_loss: <number>` on stdout" in detail
    assert "not a line of `name: value` pairs or a JSON object alone: Final best val_loss=0.3 after 3 epochs" in detail
    assert "the value of val_loss is not a number: val_loss: unknown" in detail
    assert detail.endswith(
        "--- the last lines of stdout ---\nFinal best val_loss=0.3 after 3 epochs\nval_loss: unknown"
    )


def test_a_crash_keeps_its_curve(tmp_path: Path) -> None:
    assert [point.metrics for point in go(tmp_path, "crash").curve] == [{"val_loss": 0.7}]


def test_memory_limit(tmp_path: Path) -> None:
    outcome = go(tmp_path, "allocate", memory_bytes=100 * MB)
    assert (outcome.status, outcome.fault) == ("oom", "config")
    assert "passed the memory limit of 104857600 bytes" in outcome.detail
    telemetry = outcome.telemetry
    assert telemetry is not None
    assert telemetry.peak_bytes is not None
    assert telemetry.limit_bytes == 100 * MB
    assert 100 * MB < telemetry.peak_bytes < 500 * MB


@pytest.mark.parametrize("kind", ["plain", "session"])
def test_time_limit_ends_grandchildren_that_ignore_sigterm(tmp_path: Path, kind: str) -> None:
    began = time.monotonic()
    outcome = go(tmp_path, kind, "stay", program="family.py", seconds=0.6)
    assert (outcome.status, outcome.fault) == ("timeout", "config")
    assert "still running after 0.6 s" in outcome.detail
    assert time.monotonic() - began < 3
    assert all(dead(pid_of(tmp_path, name)) for name in ("leader", "child", "grandchild"))


def test_what_a_run_leaves_behind_in_its_session_is_ended(tmp_path: Path) -> None:
    assert go(tmp_path, "plain", "leave", program="family.py").metrics == {"val_loss": 0.5}
    assert dead(pid_of(tmp_path, "child"))
    assert dead(pid_of(tmp_path, "grandchild"))


def test_a_daemon_that_holds_the_pipe_open_does_not_hold_us(tmp_path: Path) -> None:
    began = time.monotonic()
    outcome = go(tmp_path, "daemon", "leave", program="family.py")
    grandchild = pid_of(tmp_path, "grandchild")
    try:
        assert (outcome.status, outcome.metrics) == ("done", {"val_loss": 0.5})
        assert time.monotonic() - began < 3
        # It left the run's session and tree on purpose, so it is not ours to end.
        assert not dead(grandchild)
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_pruned_when_on_point_says_so(tmp_path: Path) -> None:
    asked: list[float] = []

    def on_point(point: Point) -> bool:
        asked.append(point.step)
        return point.step == 2

    outcome = go(tmp_path, "sleep", on_point=on_point)
    assert (outcome.status, outcome.fault, outcome.metrics) == ("pruned", None, {})
    assert asked == [0, 1, 2]
    assert len(outcome.curve) >= 3


def test_cancel_from_another_thread_ends_every_run_and_none_that_comes_later(tmp_path: Path) -> None:
    runner = tool("sleep")
    outcomes: list[Outcome] = []
    begun = [threading.Event(), threading.Event()]

    def one(index: int) -> None:
        folder = tmp_path / str(index)
        folder.mkdir()
        outcomes.append(runner.run(job(folder), lambda _: begun[index].set() or False))

    threads = [threading.Thread(target=one, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    assert all(event.wait(10) for event in begun)
    runner.cancel()
    for thread in threads:
        thread.join(10)
    assert [(outcome.status, outcome.fault) for outcome in outcomes] == [("cancelled", None)] * 2
    assert runner.run(job(tmp_path, limits=Limits(seconds=0.3)), lambda _: False).status == "timeout"


def test_what_on_point_raises_comes_out_and_the_run_is_dead(tmp_path: Path) -> None:
    pids: list[int] = []

    def on_point(point: Point) -> bool:
        pids.append(json.loads((tmp_path / process.FILE).read_text())["pid"])
        raise RuntimeError("the study broke")

    with pytest.raises(RuntimeError, match="the study broke"):
        tool("sleep").run(job(tmp_path), on_point)
    assert dead(pids[0])


@pytest.mark.parametrize("name", ["stdout.log", "stderr.log", "config.json", "process.json"])
def test_a_full_disk_is_the_hosts_fault(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    outcome = go(tmp_path, "huge")
    assert (outcome.status, outcome.fault) == ("crashed", "host")
    assert "No space left on device" in outcome.detail


def test_a_folder_that_is_gone_is_the_hosts_fault(tmp_path: Path) -> None:
    outcome = tool("pairs").run(job(tmp_path / "gone"), lambda _: False)
    assert (outcome.status, outcome.fault) == ("crashed", "host")
    assert "cannot be written" in outcome.detail


def test_a_program_that_vanished_after_the_check(tmp_path: Path) -> None:
    outcome = CommandTool(["./gone"], METRICS).run(job(tmp_path), lambda _: False)
    assert (outcome.status, outcome.fault) == ("crashed", "person")
    assert "could not be started" in outcome.detail


@pytest.mark.parametrize(
    ("argv", "options", "message"),
    [
        (["no-such-program-anywhere"], {}, "'no-such-program-anywhere' was not found"),
        (["./train.py"], {"cwd": PROGRAMS}, "not found or is not executable"),
        (["true"], {"cwd": "/no/such/folder"}, "'/no/such/folder' to run in does not exist"),
        (["true", "{lr}"], {}, "no parameter of that name"),
    ],
)
def test_setup_faults_are_found_before_any_run(argv: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolSetupError, match=message) as raised:
        CommandTool(argv, METRICS, **options).check({})
    assert raised.value.hint


def test_a_program_is_looked_for_where_the_run_will_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "own-program"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    CommandTool(["own-program"], METRICS, env={"PATH": str(program.parent)}).check({})
    CommandTool(["bin/own-program"], METRICS, cwd=tmp_path).check({})
    monkeypatch.chdir(tmp_path)
    CommandTool(["bin/own-program"], METRICS).check({})
    monkeypatch.setenv("PATH", str(program.parent))
    CommandTool(["own-program"], METRICS).check({})
    with pytest.raises(ToolSetupError, match="'own-program' was not found"):
        CommandTool(["own-program"], METRICS, env={"PATH": "/no/such/folder"}).check({})
    with pytest.raises(ToolSetupError, match=r"'\./own-program' was not found"):
        CommandTool(["./own-program"], METRICS).check({})
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("PATH", "/no/such/folder")
    CommandTool(["./own-program"], METRICS).check({})
    CommandTool(["./own-program"], METRICS, cwd=Path()).check({})


@pytest.mark.parametrize("grams", [-1.0, float("nan"), float("inf")])
def test_grams_of_co2_that_cannot_be_are_refused(grams: float) -> None:
    with pytest.raises(ToolSetupError, match=f"co2_g_per_kwh is {grams}"):
        tool("pairs", co2_g_per_kwh=grams)
    tool("pairs", co2_g_per_kwh=0.0)


def orphan(folder: Path, *argv: str) -> psutil.Process:
    """A run whose own session was killed; the leader's process."""
    with subprocess.Popen([sys.executable, str(PROGRAMS / "owner.py"), str(folder), *argv]) as owner:
        deadline = time.monotonic() + 10
        while not (folder / process.FILE).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pid_of(folder, "leader")
        pid_of(folder, "grandchild")
        owner.kill()
    return psutil.Process(json.loads((folder / process.FILE).read_text())["pid"])


def test_an_orphan_is_reaped_with_all_it_started(tmp_path: Path) -> None:
    left = orphan(tmp_path, str(PROGRAMS / "family.py"), "session", "stay")
    assert process.alive(left)
    assert process.reap(tmp_path)
    assert not process.alive(left)
    assert all(dead(pid_of(tmp_path, name)) for name in ("leader", "child", "grandchild"))
    assert not process.reap(tmp_path)


def test_an_orphan_is_reaped_after_the_clock_was_set(tmp_path: Path, clock_set_back: Callable[[int], None]) -> None:
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as left:
        process.remember(tmp_path, left.pid)
        clock_set_back(left.pid)
        assert process.reap(tmp_path)
        assert left.wait() == -signal.SIGTERM


def test_an_orphans_children_are_reaped_when_it_is_dead_itself(tmp_path: Path) -> None:
    left = orphan(tmp_path, str(PROGRAMS / "family.py"), "plain", "stay")
    left.kill()
    while process.alive(left):
        time.sleep(0.01)
    assert process.reap(tmp_path)
    assert all(dead(pid_of(tmp_path, name)) for name in ("child", "grandchild"))


@pytest.mark.parametrize("change", [{"created": 1000.5}, {"host": "another"}, {"boot": "another"}, {"pid": None}])
def test_another_process_with_that_number_is_left_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as other:
        process.remember(tmp_path, other.pid)
        record = json.loads((tmp_path / process.FILE).read_text())
        (tmp_path / process.FILE).write_text(json.dumps(record | change))
        assert not process.reap(tmp_path)
        assert other.poll() is None
        other.kill()


def test_nothing_to_reap(tmp_path: Path) -> None:
    assert not process.reap(tmp_path)
    (tmp_path / process.FILE).write_text("{half")
    assert not process.reap(tmp_path)


def test_what_is_measured_can_be_a_metric_and_a_constraint(tmp_path: Path) -> None:
    metrics = [("val_loss", "minimize"), ("telemetry.seconds", "minimize")]
    outcome = go(tmp_path, "pairs", metrics=metrics, extra_names=["telemetry.peak_gb"])
    assert outcome.telemetry is not None
    assert outcome.metrics == {
        "val_loss": 0.25,
        "telemetry.seconds": outcome.telemetry.seconds,
        "telemetry.peak_gb": (outcome.telemetry.peak_bytes or 0) / 2**30,
    }
    # A program that prints nothing can be tuned for its speed.
    assert go(tmp_path, "silent", metrics=metrics[1:]).status == "done"


def test_what_cannot_be_measured_here_is_said(tmp_path: Path) -> None:
    outcome = go(tmp_path, "pairs", extra_names=["telemetry.co2_g"])
    assert (outcome.status, outcome.fault) == ("crashed", "person")
    assert "telemetry.co2_g could not be measured here" in outcome.detail
    with pytest.raises(ToolSetupError, match=r"nothing is measured as 'telemetry\.watts'"):
        tool("pairs", extra_names=["telemetry.watts"])


def test_a_gpu_memory_cap_and_uuids_reach_the_run(tmp_path: Path) -> None:
    capped = job(tmp_path, devices=("MIG-1",), limits=Limits(20, gpu_memory_bytes=5 * MB))
    assert tool("arguments").run(capped, lambda _: False).status == "done"
    environ = json.loads((tmp_path / "seen.json").read_text())["environ"]
    assert (environ["TUNEWRIGHT_GPU_MEMORY_BYTES"], environ["CUDA_VISIBLE_DEVICES"]) == (str(5 * MB), "MIG-1")


def test_each_run_has_its_own_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_open", lambda: Driver(Card("GPU-a"), Card("GPU-b")))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runner = tool("arguments", gpus_per_run=1)
    runner.check({})
    seen: list[str] = []

    def one(index: int) -> None:
        folder = tmp_path / str(index)
        folder.mkdir()
        assert runner.run(job(folder), lambda _: False).status == "done"
        seen.append(json.loads((folder / "seen.json").read_text())["environ"]["CUDA_VISIBLE_DEVICES"])

    threads = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(seen) == 2
    assert set(seen) <= {"0", "1"}
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    runner.run(job(chosen, devices=(7,)), lambda _: False)
    assert json.loads((chosen / "seen.json").read_text())["environ"]["CUDA_VISIBLE_DEVICES"] == "7"
    with pytest.raises(ToolSetupError, match="each run wants 3 GPUs, but 2 can be seen here"):
        tool("pairs", gpus_per_run=3).check({})
    with pytest.raises(ToolSetupError, match="gpus_per_run is -1"):
        tool("pairs", gpus_per_run=-1)


def test_a_run_that_waits_for_a_gpu_is_cancelled_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_open", lambda: Driver(Card("GPU-a")))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runner = tool("pairs", gpus_per_run=1)
    outcomes: list[Outcome] = []
    waiting = threading.Thread(target=lambda: outcomes.append(runner.run(job(tmp_path), lambda _: False)))
    assert runner._pool is not None
    with runner._pool.lent(1, lambda: False):
        waiting.start()
        while not runner._running:
            time.sleep(0.001)
        runner.cancel()
        waiting.join(20)
    assert [(o.status, o.detail) for o in outcomes] == [("cancelled", "cancelled while it waited for a GPU")]


def test_a_run_whose_exit_code_is_lost_is_not_done(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as a program is started by some supervisors
    try:
        tool = CommandTool(["sh", "-c", "echo loss: 3; exit 7"], [("loss", "minimize")])
        outcome = tool.run(Job(0, 0, {}, 0, tmp_path), lambda _: False)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (outcome.status, outcome.fault, outcome.metrics) == ("crashed", "host", {})
    assert "its exit code is lost: SIGCHLD is ignored" in outcome.detail
