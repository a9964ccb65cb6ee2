"""The GPU benchmark as far as it goes without a GPU: that it says so, its bare loop, and its page."""

import sys
from pathlib import Path

import pytest
import torch
from training import nothing_stays

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks import gpu  # noqa: E402

TINY = {"depth": 1, "width": 16, "heads": 2, "context": 8, "batch_size": 2}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([f"--output={tmp_path / 'gpu.md'}"]) == gpu.NO_DEVICE
    assert "no CUDA device here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_bare_loop_trains() -> None:
    with nothing_stays():
        assert gpu.bare(0.02, "cpu", **TINY) > 0


@pytest.mark.slow
def test_the_trainers_numbers_are_read(tmp_path: Path) -> None:
    outcome, said = gpu.train(tmp_path / "a", 0.2, device="cpu", peak_tflops=1, validation_bytes=100, **TINY)
    assert outcome.status == "done", outcome.detail
    assert {"val_bpb", "tokens_per_second", "mfu"} <= set(said)


def test_the_page_has_a_row_for_each_figure() -> None:
    text = gpu.page("A GPU.", [("speed", "3"), ("memory", "2 GiB")])
    assert text.startswith("# On a GPU\n\nWritten by `python -m benchmarks.gpu`. A GPU.\n")
    assert text.endswith("| speed | 3 |\n| memory | 2 GiB |\n")
