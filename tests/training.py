"""Running the trainers of labelled examples, in this process and as programs that are killed; used by their tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tunewright_tools.contract import Reader, declared


@contextmanager
def nothing_stays() -> Iterator[None]:
    """Torch's settings and the signal handler are afterwards as they were."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def contract(said: str, metrics: Iterable[tuple[str, str]]) -> Reader:
    """What the tool reads in a run's output."""
    reader = Reader(declared(metrics))
    reader.feed(said, 1.0)
    assert not reader.notes
    assert not reader.values.missing()
    return reader


def kill_after_a_checkpoint(module: str, argv: list[str], checkpoint: Path) -> str:
    """What the program had printed when it was killed, right after it wrote its first checkpoint."""
    command = [sys.executable, "-m", module, *argv, "--checkpoint", str(checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        while not checkpoint.exists():
            assert killed.poll() is None, "it ended before it wrote a checkpoint"
            time.sleep(0.002)
        killed.kill()
        return killed.stdout.read()


def numbers(said: str) -> list[list[str]]:
    """The words of each point and of the metrics at the end that do not depend on the clock."""
    clock = ("seconds", "samples_per_second", "tokens_per_second")
    lines = [line.split() for line in said.splitlines() if line.startswith(("step=", "val_"))]
    return [[word for word in line if word.split("=")[0] not in clock] for line in lines]


def goes_on_to_the_same_numbers(
    module: str, run: Callable[[list[str]], str], argv: list[str], checkpoint: Path
) -> None:
    """Kill a run after its first checkpoint, go on from it, and compare with a run that nothing disturbed."""
    before = kill_after_a_checkpoint(module, argv, checkpoint)
    step = torch.load(checkpoint, weights_only=True)["progress"]["step"]
    undisturbed = run(argv)
    steps = [line.split()[0] for line in undisturbed.splitlines() if line.startswith("step=")]
    assert f"step={step}" in steps[:-1], "it was killed too late"
    assert len([line for line in before.splitlines() if line.startswith("step=")]) < len(steps)
    resumed = run([*argv, "--checkpoint", str(checkpoint)])
    assert len(numbers(undisturbed)) > len(steps)
    assert numbers(resumed) == numbers(undisturbed)
