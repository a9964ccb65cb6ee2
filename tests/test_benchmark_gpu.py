"""The GPU benchmark as far as it goes without a GPU: a rehearsal, what a failing part leaves, and its page."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from training import nothing_stays

from tunewright_tools.base import Outcome

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks import gpu  # noqa: E402
from benchmarks.gpu import Row  # noqa: E402

PLAN = gpu.rehearsal(0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([f"--output={tmp_path / 'gpu.md'}"]) == gpu.NO_DEVICE
    assert "no CUDA device here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_bare_loop_trains() -> None:
    with nothing_stays():
        assert gpu.bare(PLAN, "off") > 0


def test_numbers_of_any_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(self: Any, job: Any, on_point: Any) -> Outcome:
        printed = "text: x, 3 bytes\nstep=1 val_bpb=2\nval_bpb: 2.5\ntokens_per_second: 1.234568e+07\nmfu: 9.1e-05\n"
        (job.dir / "stdout.log").write_text(printed)
        return Outcome("done", {"val_bpb": 2.5}, (), None)

    monkeypatch.setattr(gpu.CommandTool, "run", ran)
    _, said = gpu.train(tmp_path / "a", PLAN)
    assert said == {"val_bpb": 2.5, "tokens_per_second": 1.234568e7, "mfu": 9.1e-5}
    monkeypatch.setattr(gpu, "bare_apart", lambda plan, compiled: 2.469136e7)
    rows = {row.name: row.value for row in gpu.speed(PLAN, tmp_path / "b", "off")}
    assert rows["the bare loop, tokens a second"] == "24,691,360 (the trainer has 50.0% of it)"
    assert rows["MFU of the bare loop"] == "0.0%"


def test_what_was_measured_before_a_part_failed_stays_and_the_parts_after_it_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "gpu.md"
    pages = []

    def breaks() -> Iterator[Row]:
        yield Row("half", "1 GiB")
        pages.append(page.read_text())
        raise KeyError("mfu | x")

    def interrupted() -> Iterator[Row]:
        yield Row("later", "3", good=False)
        raise KeyboardInterrupt

    parts: dict[str, Callable[[], Iterator[Row]]] = {"speed": breaks, "memory": interrupted}
    with pytest.raises(KeyboardInterrupt):
        gpu.measure(parts, "A GPU.", page)
    assert pages[0].endswith("| half | 1 GiB |\n")
    assert page.read_text().endswith("| half | 1 GiB |\n| speed failed | KeyError: 'mfu \\| x' |\n| later | 3 |\n")
    assert "in breaks" in capsys.readouterr().err


def test_a_run_that_did_not_run_out_of_memory_is_a_row_and_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "train", lambda *_, **__: (Outcome("done", {"val_bpb": 2.5}, (), None), {}))
    assert list(gpu.out_of_memory(PLAN, tmp_path)) == [Row("a batch of 4 under 2 GiB", "done", good=False)]


def test_a_bare_loop_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nOutOfMemoryError: no more\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError, match=r"exit code 1: Traceback\nOutOfMemoryError: no more"):
        gpu.bare_apart(PLAN, "off")
    ended.stdout = "FAILED tests/test_x.py::test_on_a_gpu - assert 0\n1 failed, 3 passed in 2 s\n"
    ended.stderr = ""
    (row,) = gpu.tests(PLAN)
    assert row.value == "1 failed, 3 passed in 2 s; FAILED tests/test_x.py::test_on_a_gpu - assert 0"
    assert not row.good


def test_a_page_that_cannot_be_written_is_said_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        gpu.main(["--rehearse", f"--output={tmp_path / 'none' / 'gpu.md'}"])
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_rehearsal_goes_through_every_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "tests", lambda plan: iter([Row("pytest", "8 skipped")]))
    with nothing_stays():
        assert gpu.main(["--rehearse", f"--output={tmp_path / 'gpu.md'}"]) == 1
    rows = (tmp_path / "gpu.md").read_text().partition("| --- | --- |\n")[2].splitlines()
    assert [row for row in rows if "failed" in row] == []
    assert len(rows) == 9
    assert rows[5] == "| a batch of 4 under 2 GiB | done |"  # a CPU has no GPU memory to run out of
    assert capsys.readouterr().out.endswith((tmp_path / "gpu.md").read_text() + "\n")


def test_the_page_has_a_row_for_each_figure() -> None:
    text = gpu.page("A GPU.", [Row("speed", "3"), Row("memory", "2 GiB")])
    assert text.startswith("# On a GPU\n\nWritten by `python -m benchmarks.gpu`. A GPU.\n")
    assert text.endswith("| speed | 3 |\n| memory | 2 GiB |\n")
