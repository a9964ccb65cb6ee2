import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tunewright_tools import telemetry
from tunewright_tools.telemetry import Sampler, host_memory_bytes, kernel_oom_kills

MB = 1 << 20
HOLD = "import sys, time; kept = b'x' * (int(sys.argv[1]) << 20); print('up', flush=True); time.sleep(30)"


@contextmanager
def program(*argv: str) -> Iterator[int]:
    """Pid of a program that said `up`; it is dead afterwards."""
    with subprocess.Popen([sys.executable, "-S", "-E", "-c", *argv], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"up\n"
        yield started.pid
        for child in psutil.Process(started.pid).children(recursive=True):
            child.kill()
        started.kill()


def sample(pid: int, seconds: float = 0.3, limit_bytes: int | None = None) -> tuple[Sampler, telemetry.Telemetry]:
    sampler = Sampler(pid, limit_bytes).start()
    time.sleep(seconds)
    return sampler, sampler.stop()


def test_peak_of_one_process_and_wall_seconds() -> None:
    with program(HOLD, "100") as pid:
        sampler, measured = sample(pid)
    assert measured.peak_bytes is not None
    assert 100 * MB < measured.peak_bytes < 130 * MB
    assert 0.3 <= measured.seconds < 1
    assert measured.limit_bytes == host_memory_bytes()
    assert sampler.samples > 5
    assert not sampler.over_limit.is_set()


def test_children_count_too() -> None:
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-E', '-c', {HOLD!r}, '60'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print('up', flush=True); child.wait()"
    )
    with program(code) as pid:
        _, measured = sample(pid)
    assert measured.peak_bytes is not None
    assert 60 * MB < measured.peak_bytes < 110 * MB


def test_the_limit() -> None:
    with program(HOLD, "60") as pid:
        below, _ = sample(pid, limit_bytes=120 * MB)
        above, measured = sample(pid, limit_bytes=50 * MB)
    assert not below.over_limit.is_set()
    assert above.over_limit.is_set()
    assert measured.limit_bytes == 50 * MB


def test_shared_memory_is_not_counted_twice_against_the_limit() -> None:
    code = (
        "import os, sys, time\n"
        "kept = b'x' * (80 << 20)\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0: time.sleep(30)\n"
        "print('up', flush=True); time.sleep(30)"
    )
    with program(code) as pid:
        sampler, measured = sample(pid, limit_bytes=150 * MB)
        _, summed = sample(pid)
    assert not sampler.over_limit.is_set()
    assert measured.peak_bytes is not None
    assert summed.peak_bytes is not None
    assert measured.peak_bytes <= 150 * MB < 240 * MB < summed.peak_bytes


def test_it_costs_little() -> None:
    with program(HOLD, "1") as pid:
        sampler, measured = sample(pid, seconds=2.0)
    # Three measurements of 0.3% of a core at most each, the first of them free, and waking up.
    assert 0 < sampler.cpu_seconds < 0.03 * measured.seconds


def test_a_process_that_is_gone_has_no_peak() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    _, measured = sample(gone.pid, 0.1)
    assert measured.peak_bytes is None
    assert measured.peak_gpu_bytes is None


def test_stopping_twice_is_harmless() -> None:
    with program(HOLD, "1") as pid:
        sampler, measured = sample(pid, 0.1)
        assert sampler.stop().seconds == measured.seconds


def test_host_facts() -> None:
    assert 0 < host_memory_bytes() <= psutil.virtual_memory().total
    kills = kernel_oom_kills()
    assert kills is None or kills >= 0


def test_without_a_gpu_nothing_is_claimed() -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        with program(HOLD, "1") as pid:
            assert sample(pid, 0.1)[1].peak_gpu_bytes is None
    else:
        pynvml.nvmlShutdown()
        pytest.skip("there is a GPU here")


@pytest.mark.gpu
def test_gpu_memory_of_the_tree() -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        pytest.skip(f"no NVIDIA driver: {error}")
    pynvml.nvmlShutdown()
    code = (
        "import torch, time; kept = torch.ones(256 << 20, dtype=torch.uint8, device='cuda')\n"
        "torch.cuda.synchronize(); print('up', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"up\n"
        _, measured = sample(started.pid, 1.0)
        started.kill()
    if measured.peak_gpu_bytes is None:
        pytest.skip("the driver numbers processes differently here (a container), so the peak is unknown")
    assert measured.peak_gpu_bytes > 256 * MB
    assert measured.limit_bytes is not None
    assert measured.peak_gpu_bytes < measured.limit_bytes
