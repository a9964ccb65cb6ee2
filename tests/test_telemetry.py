import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from nvml_driver import Driver

from tunewright_tools import gpus, telemetry
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
    assert 0.3 <= measured.seconds < 30
    assert measured.limit_bytes == host_memory_bytes()
    assert sampler.samples > 2  # fewer than the interval would give, on a busy machine
    assert not sampler.over_limit.is_set()


def test_a_run_that_ends_before_the_sampler_is_ready_has_a_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(devices: object) -> gpus.Gpus:  # as where the libraries load meanwhile, or the driver is slow
        time.sleep(0.5)
        return gpus.Gpus(())

    with program(HOLD, "20") as pid:
        monkeypatch.setattr(telemetry, "Gpus", late)
        sampler = Sampler(pid).start()
    measured = sampler.stop()
    assert measured.peak_bytes is not None
    assert measured.peak_bytes > 20 * MB


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
        sampler = Sampler(pid).start()
        time.sleep(0.5)
        first = sampler.cpu_seconds
        time.sleep(2.5)
        measured = sampler.stop()
    # Four measurements of 0.2% of a core at most each, the first of them (with NVML's library) free.
    assert measured.sampler_cpu_seconds is not None
    assert 0 < measured.sampler_cpu_seconds - first < 0.01 * measured.seconds


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


def test_cpu_seconds_of_the_tree_also_of_children_that_are_gone() -> None:
    spin = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"
    code = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-E', '-c', {spin.format(0.2)!r}])\n"
        f"{spin.format(0.2)}print('up', flush=True); time.sleep(30)"
    )
    with program(code) as pid:
        _, measured = sample(pid)
    assert measured.cpu_seconds is not None
    assert 0.36 <= measured.cpu_seconds < 0.9  # the kernel counts ticks of 10 ms
    assert measured.sampler_cpu_seconds is not None


def test_what_the_run_says_of_itself() -> None:
    sampler = Sampler(1, gpu_limit_bytes=5 * MB)
    said = {"tokens_per_second": 1200.0, "total_gpu_bytes": 80.0 * MB, "peak_gpu_bytes": 3.0 * MB}
    found = sampler.stop(said)
    assert (found.throughput, found.throughput_unit) == (1200.0, "tokens")
    assert (found.peak_gpu_bytes, found.limit_bytes, found.gpu_memory_from) == (3 * MB, 5 * MB, "run")
    # A run that was out of memory could say its GPU's size and no peak.
    lost = Sampler(1).stop({"total_gpu_bytes": 80.0 * MB})
    assert (lost.peak_gpu_bytes, lost.limit_bytes, lost.gpu_memory_from) == (None, 80 * MB, None)


def test_a_gpu_limit_and_co2(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    monkeypatch.setattr(gpus, "_open", lambda: driver)
    with program(HOLD, "1") as pid:
        driver.cards[0].running = {pid: 60 * MB}
        sampler = Sampler(pid, gpu_limit_bytes=50 * MB, co2_g_per_kwh=360.0).start()
        time.sleep(0.2)
        driver.cards[0].energy += 7_200_000
        measured = sampler.stop()
    assert sampler.over_gpu_limit.is_set()
    assert (measured.peak_gpu_bytes, measured.limit_bytes) == (60 * MB, 50 * MB)
    assert (measured.energy_j, measured.co2_g) == (7200.0, 0.72)
    assert [use.device for use in measured.gpus] == ["0"]


@pytest.mark.gpu
def test_energy_and_utilization_of_a_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    code = (
        "import torch; print('up', flush=True); x = torch.rand(4096, 4096, device='cuda')\n"
        "while True: x = torch.sin(x @ x); torch.cuda.synchronize()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"up\n"
        # Before it takes any memory: in a container only what is in use beyond that can be told.
        sampler = Sampler(started.pid, devices=(0,)).start()
        time.sleep(6.0)
        measured = sampler.stop()
        started.kill()
    assert measured.peak_gpu_bytes is not None
    assert measured.energy_j is None or 20 < measured.energy_j < 8000
    assert measured.gpu_utilization is None or measured.gpu_utilization > 0.3
